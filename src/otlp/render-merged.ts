/**
 * Protobuf bytes to OTLP/JSON the general way: what a message says is collected before any of it is written.
 *
 * A singular message in pieces is merged, the last scalar and the last member of a oneof win, lists may be
 * scattered. Fields come out in the order of their numbers.
 * Source: protobuf.dev/programming-guides/encoding, "Last One Wins".
 */
import { MalformedRequest } from '../errors.ts'
import { NESTING_MAX } from './json-cursor.ts'
import { type FieldPlan, fieldOf, isPackedList, type MessagePlan, planFor } from './render-plan.ts'
import { isZero, ScalarRenderer } from './render-scalar.ts'

/** The whole of `bytes` as one message of this name. */
export function renderMerged(bytes: Buffer, message: string): string {
  return new MergedRenderer(bytes).message(message, [0, bytes.length], 0)
}

/** What a message has shown so far, by field: the JSON text, or the ranges of a singular message's pieces. */
type Shown = (string | number[] | undefined)[]

/** Scratch state of one conversion. */
class MergedRenderer {
  readonly #scalars: ScalarRenderer

  constructor(bytes: Buffer) {
    this.#scalars = new ScalarRenderer(bytes)
  }

  /** `pieces`: start and end of each occurrence, in order; `depth` counts the messages around this one. */
  message(name: string, pieces: readonly number[], depth: number): string {
    const plan = planFor(name)
    if (depth > NESTING_MAX) throw new MalformedRequest('nested too deep', { offset: pieces[0] })
    const shown: Shown = new Array(plan.fields.length).fill(undefined)
    for (let piece = 0; piece < pieces.length; piece += 2) {
      this.#piece(plan, shown, pieces[piece], pieces[piece + 1], depth)
    }
    let json = ''
    for (const field of plan.fields) {
      const value = shown[field.index]
      if (value === undefined) continue
      const text = typeof value === 'string' ? value : this.#merged(field, value, depth)
      json += `${json === '' ? '' : ','}${field.prefix}${field.repeated ? `[${text}]` : text}`
    }
    return `{${json}}`
  }

  #piece(plan: MessagePlan, shown: Shown, start: number, end: number, depth: number): void {
    const cursor = this.#scalars.cursor
    cursor.at = start
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      const field = fieldOf(plan, tag)
      if (field === undefined) {
        cursor.skip(tag, end)
        continue
      }
      if (field.oneof !== undefined) this.#clearSiblings(plan, shown, field, depth)
      if (isPackedList(field, tag)) {
        const listEnd = cursor.payloadEnd(end)
        while (cursor.at < listEnd) append(shown, field, this.#scalars.scalar(field.kind, tag, listEnd))
      } else if (field.message === undefined) {
        const text = this.#scalars.scalar(field.kind, tag, end)
        if (field.repeated) append(shown, field, text)
        else shown[field.index] = field.presence || !isZero(text) ? text : undefined
      } else {
        this.#nested(field, field.message, shown, end, depth)
      }
    }
  }

  #nested(field: FieldPlan, message: string, shown: Shown, end: number, depth: number): void {
    const cursor = this.#scalars.cursor
    const nestedEnd = cursor.payloadEnd(end)
    const range = [cursor.at, nestedEnd]
    if (field.repeated) {
      append(shown, field, this.message(message, range, depth + 1))
    } else {
      const pieces = shown[field.index]
      if (typeof pieces === 'object') pieces.push(...range)
      else shown[field.index] = range
    }
    cursor.at = nestedEnd
  }

  #merged(field: FieldPlan, pieces: readonly number[], depth: number): string {
    return this.message(field.message ?? '', pieces, depth + 1)
  }

  /** What another member of the oneof said is void now; its pieces must be well formed all the same. */
  #clearSiblings(plan: MessagePlan, shown: Shown, field: FieldPlan, depth: number): void {
    for (const sibling of plan.fields) {
      const value = shown[sibling.index]
      if (value === undefined || sibling.oneof === undefined || sibling === field) continue
      if (typeof value === 'object') {
        const { at } = this.#scalars.cursor
        this.#merged(sibling, value, depth)
        this.#scalars.cursor.at = at
      }
      shown[sibling.index] = undefined
    }
  }
}

function append(shown: Shown, field: FieldPlan, text: string): void {
  const list = shown[field.index]
  shown[field.index] = typeof list === 'string' ? `${list},${text}` : text
}
