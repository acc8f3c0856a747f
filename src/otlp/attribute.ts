/**
 * Reads one KeyValue where it lies: the range of its key, and of its value if that is a string.
 *
 * SDKs write a KeyValue in one shape, key then value and nothing else; that shape is recognised by a few
 * comparisons. Every other shape that protobuf allows (fields in any order, a key or a value given twice,
 * a value in pieces, unknown fields) goes the general way. The value is read only on demand.
 * Source: opentelemetry-proto 1.11, common/v1: KeyValue and AnyValue.
 */
import { type Cursor, FIXED64, LEN, tagOf, VARINT } from './cursor.ts'
import { bytesEqual } from './scan.ts'

const KEY = tagOf(1, LEN)
const VALUE = tagOf(2, LEN)
const STRING = tagOf(1, LEN)
const BOOL = tagOf(2, VARINT)
const INT = tagOf(3, VARINT)
const DOUBLE = tagOf(4, FIXED64)
const BYTES = tagOf(7, LEN)

/** Tags of AnyValue's members. The last one that is set is the value. */
export const MEMBERS: ReadonlySet<number> = new Set([
  STRING,
  BOOL,
  INT,
  DOUBLE,
  tagOf(5, LEN),
  tagOf(6, LEN),
  BYTES,
  tagOf(8, VARINT),
])

/** Whether the AnyValue in `[start, end)`, which is not empty, is one scalar in the usual shape. */
function isOneScalar(bytes: Uint8Array, start: number, end: number): boolean {
  switch (bytes[start]) {
    case STRING:
    case BYTES: {
      const length = bytes[start + 1]
      if (length < 0x80) return start + 2 + length === end
      return (
        start + 3 <= end &&
        bytes[start + 2] < 0x80 &&
        start + 3 + (length & 0x7f) + (bytes[start + 2] << 7) === end
      )
    }
    case BOOL:
    case INT:
      for (let at = start + 1; at < end; at++) if (bytes[at] < 0x80) return at + 1 === end
      return false
    case DOUBLE:
      return end - start === 9
    default:
      return false
  }
}

/** Scratch: holds the last KeyValue read. */
export class AttributeReader {
  /** Range of the key's text. */
  keyStart = 0
  keyEnd = 0
  /** After `readString`: the range of the string. */
  stringStart = 0
  stringEnd = 0
  /** After `readString`: true if a decoder that takes only one piece of a value could read something else. */
  doubt = false
  /** Range of the last piece of the value: an AnyValue. */
  valueStart = 0
  valueEnd = 0
  /** How many pieces the value came in; usually one. */
  pieces = 0
  #start = 0
  #end = 0

  /** Finds key and value of the KeyValue in `[start, end)`; leaves `cursor.at` at `end`. */
  read(cursor: Cursor, start: number, end: number): void {
    const { bytes } = cursor
    this.#start = start
    this.#end = end
    this.pieces = 1
    cursor.at = end
    if (start + 4 <= end && bytes[start] === KEY && bytes[start + 1] < 0x80) {
      const keyEnd = start + 2 + bytes[start + 1]
      if (keyEnd + 2 <= end && bytes[keyEnd] === VALUE) {
        let length = bytes[keyEnd + 1]
        let at = keyEnd + 2
        if (length >= 0x80) length = at < end && bytes[at] < 0x80 ? (length & 0x7f) | (bytes[at++] << 7) : end
        if (at + length === end) {
          this.keyStart = start + 2
          this.keyEnd = keyEnd
          this.valueStart = at
          this.valueEnd = end
          return
        }
      }
    }
    this.#readAnyShape(cursor)
  }

  /** Whether the value certainly holds no further attributes: it is one scalar, or nothing, in the usual shape. */
  isScalar(bytes: Uint8Array): boolean {
    if (this.pieces !== 1) return this.pieces === 0
    return this.valueStart === this.valueEnd || isOneScalar(bytes, this.valueStart, this.valueEnd)
  }

  /** Reads the value: true if it is a string, whose range is then in `stringStart`, `stringEnd`. */
  readString(cursor: Cursor): boolean {
    const { bytes } = cursor
    this.doubt = false
    const start = this.valueStart
    if (this.pieces === 1 && start + 2 <= this.valueEnd && bytes[start] === STRING) {
      let length = bytes[start + 1]
      let at = start + 2
      const end = this.valueEnd
      if (length >= 0x80) length = at < end && bytes[at] < 0x80 ? (length & 0x7f) | (bytes[at++] << 7) : end
      if (at + length === this.valueEnd) {
        this.stringStart = at
        this.stringEnd = this.valueEnd
        return true
      }
    }
    return this.#readStringOfAnyShape(cursor)
  }

  #readAnyShape(cursor: Cursor): void {
    const end = this.#end
    this.keyStart = end
    this.keyEnd = end
    this.valueStart = end
    this.valueEnd = end
    this.pieces = 0
    cursor.at = this.#start
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === KEY) {
        this.keyEnd = cursor.payloadEnd(end)
        this.keyStart = cursor.at
        cursor.at = this.keyEnd
      } else if (tag === VALUE) {
        this.valueEnd = cursor.payloadEnd(end)
        this.valueStart = cursor.at
        this.pieces++
        cursor.at = this.valueEnd
      } else {
        cursor.skip(tag, end)
      }
    }
  }

  /** The value as decoders see it: the pieces merged, and of its members the last. */
  #readStringOfAnyShape(cursor: Cursor): boolean {
    const end = this.#end
    const readings: (Uint8Array | undefined)[] = []
    let isString = false
    cursor.at = this.#start
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag !== VALUE) {
        cursor.skip(tag, end)
        continue
      }
      const pieceEnd = cursor.payloadEnd(end)
      let reading: Uint8Array | undefined
      while (cursor.at < pieceEnd) {
        const member = cursor.tag(pieceEnd)
        const start = cursor.at
        if (member === STRING) {
          this.stringEnd = cursor.payloadEnd(pieceEnd)
          this.stringStart = cursor.at
          cursor.at = this.stringEnd
          reading = cursor.bytes.subarray(this.stringStart, this.stringEnd)
          isString = true
        } else {
          cursor.skip(member, pieceEnd)
          if (start < cursor.at && MEMBERS.has(member)) {
            reading = undefined
            isString = false
          }
        }
      }
      readings.push(reading)
    }
    cursor.at = end
    const last = readings[readings.length - 1]
    this.doubt = readings.some((reading) =>
      reading === undefined || last === undefined ? reading !== last : !bytesEqual(reading, last),
    )
    return isString
  }
}
