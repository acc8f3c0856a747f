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
import { Cursor, FIXED32, FIXED64, LEN, VARINT } from './cursor.ts'
import { NESTING_MAX } from './json-cursor.ts'
import { JsonSink } from './json-sink.ts'
import { type Field, type Kind, MESSAGES } from './schema.ts'

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

/** The same as UTF-8 bytes, without the way over a string. */
export function protobufToJsonBytes(chunks: readonly Uint8Array[], message: string): Uint8Array {
  const rendered = render(chunks, message)
  return typeof rendered === 'string' ? Buffer.from(rendered) : rendered
}

function render(chunks: readonly Uint8Array[], message: string): Buffer | string {
  const bytes = chunks.length === 1 ? bufferOf(chunks[0]) : Buffer.concat(chunks)
  const sink = new JsonSink(bytes.length * 3)
  if (new Renderer(bytes).straight(sink, message, 0, bytes.length, 0)) return sink.written()
  return new Renderer(bytes).message(message, [0, bytes.length], 0)
}

interface FieldPlan extends Field {
  /** `"name":`, as it is written. */
  readonly prefix: string
  readonly prefixBytes: Uint8Array
  /** One bit for each field of a message. */
  readonly bit: number
  /** Place among the fields of the message. */
  readonly index: number
  readonly wireType: number
}

interface MessagePlan {
  readonly fields: readonly FieldPlan[]
  readonly byNumber: readonly (FieldPlan | undefined)[]
}

const WIRE_TYPES: Readonly<Record<Kind, number>> = {
  string: LEN,
  bytes: LEN,
  hexId: LEN,
  message: LEN,
  bool: VARINT,
  int32: VARINT,
  uint32: VARINT,
  sint32: VARINT,
  int64: VARINT,
  uint64: VARINT,
  enum: VARINT,
  fixed32: FIXED32,
  fixed64: FIXED64,
  sfixed64: FIXED64,
  double: FIXED64,
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

function planFor(message: string): MessagePlan {
  const plan = PLANS.get(message)
  if (plan === undefined) throw new Error(`no message of OTLP: ${message}`)
  return plan
}

const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const COMMA = 0x2c

/** What a message has shown so far, by field: the JSON text, or the ranges of a singular message's pieces. */
type Shown = (string | number[] | undefined)[]

/** Scratch state of one conversion. */
class Renderer {
  readonly #bytes: Buffer
  readonly #cursor = new Cursor()

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#cursor.reset(bytes, 0)
  }

  /** Writes the message in the order of its bytes. False, and no use in what was written, if that cannot be. */
  straight(sink: JsonSink, name: string, start: number, end: number, depth: number): boolean {
    const plan = planFor(name)
    if (depth > NESTING_MAX) throw new MalformedRequest('nested too deep', { offset: start })
    const cursor = this.#cursor
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
    const cursor = this.#cursor
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
      sink.quoted(this.#bytes, start, textEnd)
      return 'written'
    }
    if (!isPackedList(field, tag)) {
      const text = this.#scalar(field.kind, tag, end)
      if (isImplicit && isZero(text)) return 'nothing'
      sink.ascii(text)
      return 'written'
    }
    const listEnd = cursor.payloadEnd(end)
    if (cursor.at === listEnd) return 'nothing'
    sink.ascii(this.#scalar(field.kind, tag, listEnd))
    while (cursor.at < listEnd) {
      sink.byte(COMMA)
      sink.ascii(this.#scalar(field.kind, tag, listEnd))
    }
    return 'written'
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
    const cursor = this.#cursor
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
        while (cursor.at < listEnd) append(shown, field, this.#scalar(field.kind, tag, listEnd))
      } else if (field.message === undefined) {
        const text = this.#scalar(field.kind, tag, end)
        if (field.repeated) append(shown, field, text)
        else shown[field.index] = field.presence || !isZero(text) ? text : undefined
      } else {
        this.#nested(field, field.message, shown, end, depth)
      }
    }
  }

  #nested(field: FieldPlan, message: string, shown: Shown, end: number, depth: number): void {
    const cursor = this.#cursor
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
        const { at } = this.#cursor
        this.#merged(sibling, value, depth)
        this.#cursor.at = at
      }
      shown[sibling.index] = undefined
    }
  }

  #scalar(kind: Kind, tag: number, end: number): string {
    const cursor = this.#cursor
    switch (kind) {
      case 'string':
      case 'bytes':
      case 'hexId':
        return this.#delimited(kind, end)
      case 'bool':
        return this.#varint64(end, false) === '0' ? 'false' : 'true'
      case 'uint32':
        return String(cursor.uint32(end))
      case 'int32':
      case 'enum':
        return String(cursor.uint32(end) | 0)
      case 'sint32': {
        const zigzag = cursor.uint32(end)
        return String((zigzag >>> 1) ^ -(zigzag & 1))
      }
      case 'int64':
        return `"${this.#varint64(end, true)}"`
      case 'uint64':
        return `"${this.#varint64(end, false)}"`
      default:
        return this.#fixed(kind, tag, end)
    }
  }

  #delimited(kind: 'string' | 'bytes' | 'hexId', end: number): string {
    const cursor = this.#cursor
    const textEnd = cursor.payloadEnd(end)
    const start = cursor.at
    cursor.at = textEnd
    if (kind === 'string') return quote(this.#bytes, start, textEnd)
    return `"${this.#bytes.toString(kind === 'hexId' ? 'hex' : 'base64', start, textEnd)}"`
  }

  #fixed(kind: 'fixed32' | 'fixed64' | 'sfixed64' | 'double' | 'message', tag: number, end: number): string {
    const cursor = this.#cursor
    const start = cursor.at
    const wireType = WIRE_TYPES[kind]
    // In a packed list the tag is the list's; what counts is the size of one number.
    cursor.skip(tag - (tag & 7) + wireType, end)
    if (kind === 'fixed32') return String(this.#bytes.readUInt32LE(start))
    if (kind === 'fixed64') return `"${this.#bytes.readBigUInt64LE(start)}"`
    if (kind === 'sfixed64') return `"${this.#bytes.readBigInt64LE(start)}"`
    const value = this.#bytes.readDoubleLE(start)
    if (!Number.isFinite(value)) return `"${value}"`
    return Object.is(value, -0) ? '-0' : String(value)
  }

  /** All 64 bits in decimal. */
  #varint64(end: number, signed: boolean): string {
    const cursor = this.#cursor
    const start = cursor.at
    const value = cursor.varint(end)
    if (value <= Number.MAX_SAFE_INTEGER) return String(value)
    let bits = 0n
    for (let at = cursor.at - 1; at >= start; at--) bits = (bits << 7n) | BigInt(this.#bytes[at] & 0x7f)
    return (signed ? BigInt.asIntN(64, bits) : BigInt.asUintN(64, bits)).toString()
  }
}

/** The field that a tag means; undefined for a number or a wire type that OTLP does not know. */
function fieldOf(plan: MessagePlan, tag: number): FieldPlan | undefined {
  const field = plan.byNumber[Math.floor(tag / 8)]
  return field !== undefined && ((tag & 7) === field.wireType || isPackedList(field, tag)) ? field : undefined
}

function isPackedList(field: FieldPlan, tag: number): boolean {
  return field.packed && (tag & 7) === LEN
}

function append(shown: Shown, field: FieldPlan, text: string): void {
  const list = shown[field.index]
  shown[field.index] = typeof list === 'string' ? `${list},${text}` : text
}

/** The text of a scalar that is not written where there is no presence. `-0` is no zero to protobuf. */
function isZero(text: string): boolean {
  return text === '0' || text === '"0"' || text === '""' || text === 'false'
}

/** A JSON string of UTF-8 bytes; plain ASCII needs no second look. */
function quote(bytes: Buffer, start: number, end: number): string {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]
    if (byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c) {
      return JSON.stringify(bytes.toString('utf8', start, end))
    }
  }
  return `"${bytes.toString('latin1', start, end)}"`
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
