/**
 * The field table as the transcoder from JSON needs it: fields found by the bytes of their names, tags made.
 */
import type { JsonCursor } from './json-cursor.ts'
import { type Field, type Kind, MESSAGES, WIRE_TYPES } from './schema.ts'

/** A field as the transcoder needs it. */
export interface FieldPlan {
  readonly name: string
  readonly nameBytes: Uint8Array
  /** One bit for each field of a message. */
  readonly bit: number
  readonly kind: Kind
  readonly repeated: boolean
  readonly packed: boolean
  readonly presence: boolean
  readonly isOneof: boolean
  readonly tag: number
  readonly message: string | undefined
  /** Where an integer goes that does not fit: the tag of the double in the same oneof, or 0. */
  readonly doubleTag: number
}

/** The fields of a message by the length of their JSON names. */
export type MessagePlan = readonly (readonly FieldPlan[])[]

const PLANS: ReadonlyMap<string, MessagePlan> = new Map(
  Object.entries(MESSAGES).map(([message, fields]) => [message, planOf(fields)]),
)

export function planFor(message: string): MessagePlan {
  const plan = PLANS.get(message)
  if (plan === undefined) throw new Error(`no message of OTLP: ${message}`)
  return plan
}

function planOf(fields: readonly Field[]): MessagePlan {
  const lengthMax = Math.max(...fields.map((field) => field.name.length))
  const plans = fields.map((field, index): FieldPlan => {
    const double = fields.find((one) => one.oneof !== undefined && one.kind === 'double')
    const widens = field.kind === 'int64' && field.oneof !== undefined && double !== undefined
    return {
      name: field.name,
      nameBytes: Buffer.from(field.name),
      bit: 1 << index,
      kind: field.kind,
      repeated: field.repeated,
      packed: field.packed,
      presence: field.presence,
      isOneof: field.oneof !== undefined,
      tag: field.number * 8 + (field.packed ? 2 : WIRE_TYPES[field.kind]),
      message: field.message,
      doubleTag: widens ? double.number * 8 + WIRE_TYPES.double : 0,
    }
  })
  return Array.from({ length: lengthMax + 1 }, (_, length) =>
    plans.filter((plan) => plan.name.length === length),
  )
}

/** The field whose name is the cursor's text. */
export function fieldOf(plan: MessagePlan, json: JsonCursor): FieldPlan | undefined {
  const { text, textStart } = json
  const length = json.textEnd - textStart
  if (length >= plan.length) return undefined
  const fields = plan[length]
  next: for (let index = 0; index < fields.length; index++) {
    const { nameBytes } = fields[index]
    for (let at = 0; at < length; at++) {
      if (nameBytes[at] !== text[textStart + at]) continue next
    }
    return fields[index]
  }
  return undefined
}
