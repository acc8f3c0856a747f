/**
 * One scalar of protobuf as the text that OTLP/JSON has for it.
 *
 * Every read is bounded by the message that the value is in. Varints up to ten bytes are taken, and cut to the
 * size of their type as decoders do.
 */
import { Cursor } from './cursor.ts'
import { type Kind, WIRE_TYPES } from './schema.ts'

/** Scratch state of one conversion: the bytes, and a cursor over them that the renderers share. */
export class ScalarRenderer {
  readonly bytes: Buffer
  readonly cursor: Cursor = new Cursor()

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.cursor.reset(bytes, 0)
  }

  /** The text of the value at the cursor, which then stands behind it. */
  scalar(kind: Kind, tag: number, end: number): string {
    const cursor = this.cursor
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
    const cursor = this.cursor
    const textEnd = cursor.payloadEnd(end)
    const start = cursor.at
    cursor.at = textEnd
    if (kind === 'string') return quote(this.bytes, start, textEnd)
    return `"${this.bytes.toString(kind === 'hexId' ? 'hex' : 'base64', start, textEnd)}"`
  }

  #fixed(kind: 'fixed32' | 'fixed64' | 'sfixed64' | 'double' | 'message', tag: number, end: number): string {
    const cursor = this.cursor
    const start = cursor.at
    const wireType = WIRE_TYPES[kind]
    // In a packed list the tag is the list's; what counts is the size of one number.
    cursor.skip(tag - (tag & 7) + wireType, end)
    if (kind === 'fixed32') return String(this.bytes.readUInt32LE(start))
    if (kind === 'fixed64') return `"${this.bytes.readBigUInt64LE(start)}"`
    if (kind === 'sfixed64') return `"${this.bytes.readBigInt64LE(start)}"`
    const value = this.bytes.readDoubleLE(start)
    if (!Number.isFinite(value)) return `"${value}"`
    return Object.is(value, -0) ? '-0' : String(value)
  }

  /** All 64 bits in decimal. */
  #varint64(end: number, signed: boolean): string {
    const cursor = this.cursor
    const start = cursor.at
    const value = cursor.varint(end)
    if (value <= Number.MAX_SAFE_INTEGER) return String(value)
    let bits = 0n
    for (let at = cursor.at - 1; at >= start; at--) bits = (bits << 7n) | BigInt(this.bytes[at] & 0x7f)
    return (signed ? BigInt.asIntN(64, bits) : BigInt.asUintN(64, bits)).toString()
  }
}

/** The text of a scalar that is not written where there is no presence. `-0` is no zero to protobuf. */
export function isZero(text: string): boolean {
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
