/**
 * Attributes in the shape that SDKs write: a key, then a value that is one scalar, with lengths of one byte or two.
 *
 * Told by a few words of four bytes. These are asked for every attribute of every item, so what they cannot tell at
 * once they leave to the general way. No offset is returned that lies beyond the end that was given.
 * Source: opentelemetry-proto 1.11, common/v1: KeyValue and AnyValue; protobuf.dev/programming-guides/encoding.
 */
import { FIXED32, FIXED64, LEN, tagOf, VARINT } from './cursor.ts'

const VALUE = tagOf(2, LEN)
const STRING = tagOf(1, LEN)
const BOOL = tagOf(2, VARINT)
const INT = tagOf(3, VARINT)
const DOUBLE = tagOf(4, FIXED64)
const BYTES = tagOf(7, LEN)

const notText = -1
const anyShape = -2
/** A scalar in the usual shape that is no string. */
export const NOT_TEXT: number = notText
/** An attribute in any other shape, or whose value may hold attributes. */
export const ANY_SHAPE: number = anyShape

/** Of a value's first four bytes: what they are, lengths apart, if it is a string shorter than 126 bytes. */
const shortLengths = 0x80ff80ff | 0
const shortString = (STRING << 16) | VALUE

/**
 * The value of an attribute whose key ends at `at` and which ends at `end`, at least four bytes on: where its string
 * starts, NOT_TEXT for another scalar, ANY_SHAPE for all else.
 */
export function usualValue(bytes: Uint8Array, view: DataView, at: number, end: number): number {
  const head = view.getInt32(at, true)
  if ((head & shortLengths) === shortString) {
    const length = head >>> 24
    return at + 4 + length === end && ((head >> 8) & 0x7f) === length + 2 ? at + 4 : anyShape
  }
  if ((head & 0xff) !== VALUE) return anyShape
  let size = (head >> 8) & 0xff
  let start = at + 2
  let member = (head >> 16) & 0xff
  let length = head >>> 24
  if (size >= 0x80) {
    if (member >= 0x80) return anyShape
    size = (size & 0x7f) | (member << 7)
    start++
    member = length
    length = bytes[start + 1]
  }
  if (start + size !== end) return anyShape
  switch (member) {
    case STRING:
    case BYTES: {
      let from = start + 2
      if (length >= 0x80) {
        const high = bytes[from++]
        if (high >= 0x80) return anyShape
        length = (length & 0x7f) | (high << 7)
      }
      if (from + length !== end) return anyShape
      return member === STRING ? from : notText
    }
    case BOOL:
    case INT:
      for (let byte = start + 1; byte < end; byte++) {
        if (bytes[byte] < 0x80) return byte + 1 === end ? notText : anyShape
      }
      return anyShape
    case DOUBLE:
      return size === 9 ? notText : anyShape
    default:
      return anyShape
  }
}

/** Whether the value of an attribute whose key ends at `at` is the last thing in it, which ends at `end`. */
export function isEndedByValue(view: DataView, at: number, end: number): boolean {
  const head = view.getInt32(at, true)
  if ((head & 0xff) !== VALUE) return false
  if ((head & 0x8000) === 0) return at + 2 + ((head >> 8) & 0x7f) === end
  const size = ((head >> 8) & 0x7f) | ((head >> 9) & 0x3f80)
  return (head & 0x80_0000) === 0 && at + 3 + size === end
}

/** Where a number ends that is a field whose first four bytes are `head`, if that is plain to see; else 0. */
export function behindNumber(tag: number, head: number, at: number): number {
  switch (tag & 7) {
    case VARINT:
      return (head & 0x8000) === 0 ? at + 2 : 0
    case FIXED64:
      return at + 9
    case FIXED32:
      return at + 5
    default:
      return 0
  }
}
