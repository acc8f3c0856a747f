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
import { type Field, type Kind, MESSAGES } from './schema.ts'

/** `chunks`, joined, are one message of the name that schema.ts gives it. */
export function protobufToJson(chunks: readonly Uint8Array[], message: string): string {
  const bytes = chunks.length === 1 ? bufferOf(chunks[0]) : Buffer.concat(chunks)
  return new Renderer(bytes).message(message, [0, bytes.length], 0)
}

interface FieldPlan extends Field {
  /** `"name":`, as it is written. */
  readonly prefix: string
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
    prefix: `${JSON.stringify(field.name)}:`,
    wireType: WIRE_TYPES[field.kind],
  }))
  const numberMax = Math.max(...fields.map((field) => field.number))
  const byNumber = Array.from({ length: numberMax + 1 }, (_, number) =>
    plans.find((plan) => plan.number === number),
  )
  return { fields: plans, byNumber }
}

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

  /** `pieces`: start and end of each occurrence, in order; `depth` counts the messages around this one. */
  message(name: string, pieces: readonly number[], depth: number): string {
    const plan = PLANS.get(name)
    if (plan === undefined) throw new Error(`no message of OTLP: ${name}`)
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
      const wireType = tag & 7
      const field = plan.byNumber[Math.floor(tag / 8)]
      const isPackedList = field?.packed === true && wireType === LEN
      if (field === undefined || (wireType !== field.wireType && !isPackedList)) {
        cursor.skip(tag, end)
        continue
      }
      if (field.oneof !== undefined) this.#clearSiblings(plan, shown, field, depth)
      if (isPackedList) {
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
