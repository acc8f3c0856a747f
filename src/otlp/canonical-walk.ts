/**
 * Whether bytes are canonical: one walk over every field of every message, on the way of all traffic of a strict lane.
 *
 * Made for the answer yes: nothing is kept, nothing is thrown, and a KeyValue as SDKs write it takes a few
 * comparisons. No covers malformed bytes too; to say what is wrong with them is canonical-rewrite.ts's part, which
 * must agree with this walk about what is canonical.
 */
import {
  ABSENT,
  ATTRIBUTES,
  childRow,
  EIGHT_BYTES,
  FOUR_BYTES,
  MESSAGE,
  OCCURRENCE_MASK,
  PACKED_EIGHT_BYTES,
  PACKED_VARINTS,
  SHAPE_MASK,
  SPAN_ID,
  SPAN_ID_BYTES,
  TABLE,
  TRACE_ID,
  TRACE_ID_BYTES,
  UNKNOWN,
  VARINT_64,
} from './canonical-plan.ts'
import { canonicalVarintEnd } from './canonical-varint.ts'
import { FIXED64, LEN, tagOf, VARINT } from './cursor.ts'
import { varintSize } from './splice.ts'

const KEY = tagOf(1, LEN)
const VALUE = tagOf(2, LEN)
const STRING_VALUE = tagOf(1, LEN)
const BOOL_VALUE = tagOf(2, VARINT)
const INT_VALUE = tagOf(3, VARINT)
const DOUBLE_VALUE = tagOf(4, FIXED64)

/** Whether the message of `row` in `[start, end)` is canonical. `levels` is how deep messages may nest in it. */
export function isCanonical(
  bytes: Uint8Array,
  row: number,
  start: number,
  end: number,
  levels: number,
): boolean {
  let at = start
  let seen = 0
  while (at < end) {
    const tag = bytes[at++]
    // Two bytes 0x80…0xff 0x01 make a tag of the first one's own value; larger tags are of unknown fields.
    if (tag >= 0x80 && (at >= end || bytes[at++] !== 1)) return false
    const entry = TABLE[row + tag]
    const shape = entry & SHAPE_MASK
    const occurrence = entry & OCCURRENCE_MASK
    if (shape === UNKNOWN || (seen & occurrence) !== 0) return false
    seen |= occurrence
    if ((tag & 7) !== LEN) {
      if (shape === EIGHT_BYTES) at += 8
      else if (shape === FOUR_BYTES) at += 4
      else {
        if (shape === ABSENT) return false
        at = canonicalVarintEnd(bytes, at, end, shape)
        if (at < 0) return false
      }
      continue
    }
    if (at >= end) return false
    let length = bytes[at++]
    if (length >= 0x80) {
      length = lengthOf(bytes, at - 1, end)
      if (length < 0) return false
      at += varintSize(length) - 1
    }
    const next = at + length
    if (next > end) return false
    switch (shape) {
      case ATTRIBUTES:
        if (levels > 1 && isUsualAttribute(bytes, at, next)) break
        if (levels === 0 || !isCanonical(bytes, childRow(entry), at, next, levels - 1)) return false
        break
      case MESSAGE:
        if (levels === 0 || !isCanonical(bytes, childRow(entry), at, next, levels - 1)) return false
        break
      case TRACE_ID:
        if (length !== TRACE_ID_BYTES && length !== 0) return false
        break
      case SPAN_ID:
        if (length !== SPAN_ID_BYTES && length !== 0) return false
        break
      case PACKED_EIGHT_BYTES:
        if (length % 8 !== 0) return false
        break
      case PACKED_VARINTS:
        if (!areCanonicalVarints(bytes, at, next)) return false
        break
    }
    at = next
  }
  return at === end
}

/** A KeyValue as SDKs write it: a key, then a value that is a string, a bool, a number. All other shapes answer false. */
function isUsualAttribute(bytes: Uint8Array, start: number, end: number): boolean {
  if (start + 4 > end || bytes[start] !== KEY || bytes[start + 1] >= 0x80) return false
  let at = start + 2 + bytes[start + 1]
  if (at + 4 > end || bytes[at] !== VALUE) return false
  let length = bytes[at + 1]
  at += 2
  if (length >= 0x80) {
    if (bytes[at] >= 0x80 || bytes[at] === 0) return false
    length = (length & 0x7f) | (bytes[at++] << 7)
  }
  if (at + length !== end || length < 2) return false
  const member = bytes[at++]
  switch (member) {
    case STRING_VALUE:
      length = bytes[at++]
      if (length >= 0x80) {
        if (at >= end || bytes[at] >= 0x80 || bytes[at] === 0) return false
        length = (length & 0x7f) | (bytes[at++] << 7)
      }
      return at + length === end
    case BOOL_VALUE:
      return at + 1 === end && bytes[at] <= 1
    case INT_VALUE:
      return canonicalVarintEnd(bytes, at, end, VARINT_64) === end
    case DOUBLE_VALUE:
      return at + 8 === end
    default:
      return false
  }
}

/** The length written at `start` in several bytes, below 2^28; -1 if it is over-long, larger or cut off. */
function lengthOf(bytes: Uint8Array, start: number, end: number): number {
  let value = 0
  for (let at = start, shift = 0; at < end && shift < 28; at++, shift += 7) {
    const byte = bytes[at]
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return byte === 0 ? -1 : value
  }
  return -1
}

function areCanonicalVarints(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start
  while (at < end) {
    at = canonicalVarintEnd(bytes, at, end, VARINT_64)
    if (at < 0) return false
  }
  return true
}
