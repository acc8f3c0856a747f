/**
 * Whether bytes are canonical: one walk over every field of every message, on the way of all traffic of a strict lane.
 *
 * Made for the answer yes: nothing is kept, and a KeyValue as SDKs write it takes a few comparisons. No covers malformed
 * bytes too; to say what is wrong with them is canonical-rewrite.ts's part, which asks this walk what is canonical.
 *
 *     memory: the table of canonical-plan.ts (a row of 256 entries a message) │ the request │ eight bytes of zeros
 *
 * Compiled to WebAssembly by `npm run kernel`; `src/otlp/canonical-walk.ts` is its other side.
 * Source: protobuf.dev/programming-guides/encoding; opentelemetry-proto 1.11.
 */

/** Where the table starts. */
export const TABLE: i32 = 1024

// Shapes, and the parts of an entry, as canonical-plan.ts has them.
const UNKNOWN: i32 = 0
const MESSAGE: i32 = 1
const ATTRIBUTES: i32 = 2
const TRACE_ID: i32 = 4
const SPAN_ID: i32 = 5
const EIGHT_BYTES: i32 = 6
const FOUR_BYTES: i32 = 7
const PACKED_EIGHT_BYTES: i32 = 8
const PACKED_VARINTS: i32 = 9
const ABSENT: i32 = 10
const VARINT_64: i32 = 11
const VARINT_32: i32 = 12
const VARINT_SIGNED_32: i32 = 13
const VARINT_BOOL: i32 = 14
const SHAPE_MASK: i32 = 0xf
const OCCURRENCE_MASK: i32 = 0x1ffff0
const ROW_SHIFT: i32 = 21

/** Whether the message of `row` in `[start, end)` is canonical. `levels` is how deep messages may nest in it. */
export function isCanonical(row: i32, start: i32, end: i32, levels: i32): bool {
  const table = TABLE + (row << 2)
  let at = start
  let seen = 0
  while (at < end) {
    const tag = <i32>load<u8>(at++)
    // Two bytes 0x80…0xff 0x01 make a tag of the first one's own value; larger tags are of unknown fields.
    if (tag >= 0x80 && (at >= end || load<u8>(at++) !== 1)) return false
    const entry = load<i32>(table + (tag << 2))
    const shape = entry & SHAPE_MASK
    const occurrence = entry & OCCURRENCE_MASK
    if (shape === UNKNOWN || (seen & occurrence) !== 0) return false
    seen |= occurrence
    if ((tag & 7) !== 2) {
      if (shape === EIGHT_BYTES) at += 8
      else if (shape === FOUR_BYTES) at += 4
      else {
        if (shape === ABSENT) return false
        at = varintEnd(at, end, shape)
        if (at < 0) return false
      }
      continue
    }
    if (at >= end) return false
    let length = <i32>load<u8>(at++)
    if (length >= 0x80) {
      length &= 0x7f
      for (let shift = 7; ; shift += 7) {
        if (at >= end || shift >= 28) return false
        const byte = <i32>load<u8>(at++)
        length |= (byte & 0x7f) << shift
        if (byte < 0x80) {
          if (byte === 0) return false
          break
        }
      }
    }
    const next = at + length
    if (next > end) return false
    if (shape === ATTRIBUTES) {
      if (!(levels > 1 && isUsualAttribute(at, next)) && !isChildCanonical(entry, at, next, levels)) return false
    } else if (shape === MESSAGE) {
      if (!isChildCanonical(entry, at, next, levels)) return false
    } else if (shape === TRACE_ID) {
      if (length !== 16 && length !== 0) return false
    } else if (shape === SPAN_ID) {
      if (length !== 8 && length !== 0) return false
    } else if (shape === PACKED_EIGHT_BYTES) {
      if ((length & 7) !== 0) return false
    } else if (shape === PACKED_VARINTS && !areVarints(at, next)) return false
    at = next
  }
  return at === end
}

function isChildCanonical(entry: i32, start: i32, end: i32, levels: i32): bool {
  return levels > 0 && isCanonical((entry >>> ROW_SHIFT) << 8, start, end, levels - 1)
}

/** A KeyValue as SDKs write it: a key, then a value that is a string, a bool, a number. All other shapes answer false. */
// @ts-ignore: decorator
@inline
function isUsualAttribute(start: i32, end: i32): bool {
  const size = <i32>load<u8>(start + 1)
  let at = start + 2 + size
  if (load<u8>(start) !== 0x0a || size >= 0x80 || at + 4 > end || load<u8>(at) !== 0x12) return false
  let length = <i32>load<u8>(at + 1)
  at += 2
  if (length >= 0x80) {
    const high = <i32>load<u8>(at++)
    if (high >= 0x80 || high === 0) return false
    length = (length & 0x7f) | (high << 7)
  }
  if (at + length !== end || length < 2) return false
  const member = load<u8>(at++)
  if (member === 0x0a) {
    length = <i32>load<u8>(at++)
    if (length >= 0x80) {
      const high = <i32>load<u8>(at++)
      if (high >= 0x80 || high === 0) return false
      length = (length & 0x7f) | (high << 7)
    }
    return at + length === end
  }
  if (member === 0x10) return at + 1 === end && load<u8>(at) <= 1
  if (member === 0x18) return varintEnd(at, end, VARINT_64) === end
  return member === 0x21 && at + 8 === end
}

function areVarints(start: i32, end: i32): bool {
  let at = start
  while (at < end) {
    at = varintEnd(at, end, VARINT_64)
    if (at < 0) return false
  }
  return true
}

/** Where the varint of this shape at `start` ends, or -1 if it is not canonical or does not end before `end`. */
function varintEnd(start: i32, end: i32, shape: i32): i32 {
  if (start >= end) return -1
  const first = load<u8>(start)
  if (first < 0x80) return shape === VARINT_BOOL && first > 1 ? -1 : start + 1
  let at = start + 1
  while (at < end && load<u8>(at) >= 0x80) at++
  if (at >= end) return -1
  const last = <i32>load<u8>(at++)
  return last !== 0 && isWithin(start, at - start, last, shape) ? at : -1
}

/** Whether a varint of several bytes, of which the last is `last` and not zero, says no more than its type holds. */
function isWithin(start: i32, size: i32, last: i32, shape: i32): bool {
  if (shape === VARINT_64) return size < 10 || (size === 10 && last === 1)
  if (shape === VARINT_32) return size < 5 || (size === 5 && last <= 0x0f)
  if (shape === VARINT_SIGNED_32)
    return size < 5 || (size === 5 && last <= 0x07) || (size === 10 && isNegative(start))
  return false
}

/** Ten bytes: are bit 31 and all above it set? */
function isNegative(start: i32): bool {
  if ((load<u8>(start + 4) & 0x78) !== 0x78 || load<u8>(start + 9) !== 1) return false
  for (let at = start + 5; at < start + 9; at++) if (load<u8>(at) !== 0xff) return false
  return true
}
