/**
 * Protobuf bytes to OTLP/JSON, on one line, driven by the field table.
 *
 * Reads as protobuf says a reader must: fields in any order, a singular message in pieces is merged, the
 * last scalar and the last member of a oneof win, repeated numbers come packed or not, unknown fields and
 * fields of another wire type are left out. Writes as OTLP says: 64-bit integers as strings, ids as lower-case
 * hex, other bytes as base64, enums as numbers. Absent fields, and zeros without presence, are not written.
 * Groups, lengths that lie and nesting beyond the limit throw `MalformedRequest` with the offset.
 * Source: opentelemetry-proto docs/specification.md, "JSON Protobuf Encoding".
 */
import { MalformedRequest } from '../errors.ts'
import { NESTING_MAX } from './json-cursor.ts'
import { JsonSink } from './json-sink.ts'
import { renderMerged } from './render-merged.ts'
import { type FieldPlan, fieldOf, isPackedList, planFor } from './render-plan.ts'
import { isZero, ScalarRenderer } from './render-scalar.ts'

/**
 * `chunks`, joined, are one message of the name that schema.ts gives it.
 *
 * Bytes as SDKs write them are rendered straight, in their own order. At the first field that would have to be
 * merged with, or to replace, an earlier one the whole message is begun again by the general way: once, not
 * once a level, so that nesting cannot multiply the work.
 */
export function protobufToJson(chunks: readonly Uint8Array[], message: string): string {
  const rendered = render(chunks, message)
  return typeof rendered === 'string' ? rendered : rendered.toString('utf8')
}

function render(chunks: readonly Uint8Array[], message: string): Buffer | string {
  const bytes = chunks.length === 1 ? bufferOf(chunks[0]) : Buffer.concat(chunks)
  const sink = new JsonSink(bytes.length * bytesPerByte)
  if (new StraightRenderer(bytes).straight(sink, message, 0, bytes.length, 0)) return sink.written()
  return renderMerged(bytes, message)
}

/** JSON is twice as long as the protobuf of SDKs. */
const bytesPerByte = 2.25

const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const COMMA = 0x2c

/** Scratch state of one conversion. */
class StraightRenderer {
  readonly #scalars: ScalarRenderer

  constructor(bytes: Buffer) {
    this.#scalars = new ScalarRenderer(bytes)
  }

  /** Writes the message in the order of its bytes. False, and no use in what was written, if that cannot be. */
  straight(sink: JsonSink, name: string, start: number, end: number, depth: number): boolean {
    const plan = planFor(name)
    if (depth > NESTING_MAX) throw new MalformedRequest('nested too deep', { offset: start })
    const cursor = this.#scalars.cursor
    cursor.at = start
    let seen = 0
    let hasOneof = false
    /** The field whose list is being written. */
    let list: FieldPlan | undefined
    let isFirst = true
    sink.byte(OPEN_OBJECT)
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      const field = fieldOf(plan, tag)
      if (field === undefined) {
        cursor.skip(tag, end)
        continue
      }
      const isContinued = field === list
      if (!isContinued) {
        if ((seen & field.bit) !== 0 || (field.oneof !== undefined && hasOneof)) return false
        seen |= field.bit
        hasOneof ||= field.oneof !== undefined
      }
      const mark = sink.at
      if (!isContinued && list !== undefined) sink.byte(CLOSE_LIST)
      if (!isFirst) sink.byte(COMMA)
      if (!isContinued) {
        sink.raw(field.prefixBytes)
        if (field.repeated) sink.byte(OPEN_LIST)
      }
      const written = this.#value(sink, field, tag, end, depth)
      if (written === 'not_straight') return false
      if (written === 'nothing') {
        sink.at = mark
        continue
      }
      isFirst = false
      list = field.repeated ? field : undefined
    }
    if (list !== undefined) sink.byte(CLOSE_LIST)
    sink.byte(CLOSE_OBJECT)
    return true
  }

  #value(
    sink: JsonSink,
    field: FieldPlan,
    tag: number,
    end: number,
    depth: number,
  ): 'written' | 'nothing' | 'not_straight' {
    const cursor = this.#scalars.cursor
    const isImplicit = !field.repeated && !field.presence
    if (field.message !== undefined) {
      const nestedEnd = cursor.payloadEnd(end)
      if (!this.straight(sink, field.message, cursor.at, nestedEnd, depth + 1)) return 'not_straight'
      cursor.at = nestedEnd
      return 'written'
    }
    if (field.kind === 'string') {
      const textEnd = cursor.payloadEnd(end)
      const start = cursor.at
      cursor.at = textEnd
      if (isImplicit && start === textEnd) return 'nothing'
      sink.quoted(this.#scalars.bytes, start, textEnd)
      return 'written'
    }
    if (!isPackedList(field, tag)) {
      const text = this.#scalars.scalar(field.kind, tag, end)
      if (isImplicit && isZero(text)) return 'nothing'
      sink.ascii(text)
      return 'written'
    }
    const listEnd = cursor.payloadEnd(end)
    if (cursor.at === listEnd) return 'nothing'
    sink.ascii(this.#scalars.scalar(field.kind, tag, listEnd))
    while (cursor.at < listEnd) {
      sink.byte(COMMA)
      sink.ascii(this.#scalars.scalar(field.kind, tag, listEnd))
    }
    return 'written'
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
