/**
 * The field table as the JSON renderers need it: fields by number, names as they are written.
 */
import { LEN } from './cursor.ts'
import { type Field, MESSAGES, WIRE_TYPES } from './schema.ts'

export interface FieldPlan extends Field {
  /** `"name":`, as it is written. */
  readonly prefix: string
  readonly prefixBytes: Uint8Array
  /** One bit for each field of a message. */
  readonly bit: number
  /** Place among the fields of the message. */
  readonly index: number
  readonly wireType: number
}

export interface MessagePlan {
  readonly fields: readonly FieldPlan[]
  readonly byNumber: readonly (FieldPlan | undefined)[]
}

const PLANS: ReadonlyMap<string, MessagePlan> = new Map(
  Object.entries(MESSAGES).map(([message, fields]) => [message, planOf(fields)]),
)

function planOf(fields: readonly Field[]): MessagePlan {
  const plans = fields.map((field, index) => ({
    ...field,
    index,
    prefix: `"${field.name}":`,
    prefixBytes: Buffer.from(`"${field.name}":`),
    bit: 1 << index,
    wireType: WIRE_TYPES[field.kind],
  }))
  const numberMax = Math.max(...fields.map((field) => field.number))
  const byNumber = Array.from({ length: numberMax + 1 }, (_, number) =>
    plans.find((plan) => plan.number === number),
  )
  return { fields: plans, byNumber }
}

export function planFor(message: string): MessagePlan {
  const plan = PLANS.get(message)
  if (plan === undefined) throw new Error(`no message of OTLP: ${message}`)
  return plan
}

/** The field that a tag means; undefined for a number or a wire type that OTLP does not know. */
export function fieldOf(plan: MessagePlan, tag: number): FieldPlan | undefined {
  const field = plan.byNumber[Math.floor(tag / 8)]
  return field !== undefined && ((tag & 7) === field.wireType || isPackedList(field, tag)) ? field : undefined
}

export function isPackedList(field: FieldPlan, tag: number): boolean {
  return field.packed && (tag & 7) === LEN
}
