/**
 * Varints as they must be to leave: no byte more than the value needs, no bit that the type does not have.
 *
 * A decoder of a 32-bit field reads 32 of 64 bits, one of a bool reads whether any is set. What it leaves unread
 * could carry anything, so it is not canonical.
 * Source: protobuf.dev/programming-guides/encoding.
 */
import { VARINT_32, VARINT_64, VARINT_BOOL, VARINT_SIGNED_32 } from './canonical-plan.ts'

/** Where the varint of this shape at `start` ends, or -1 if it is not canonical or does not end before `end`. */
export function canonicalVarintEnd(bytes: Uint8Array, start: number, end: number, shape: number): number {
  if (start >= end) return -1
  if (bytes[start] < 0x80) return shape === VARINT_BOOL && bytes[start] > 1 ? -1 : start + 1
  let at = start + 1
  while (at < end && bytes[at] >= 0x80) at++
  if (at >= end) return -1
  const last = bytes[at++]
  return last !== 0 && isWithin(bytes, start, at - start, last, shape) ? at : -1
}

/** Whether a varint of several bytes, of which the last is `last` and not zero, says no more than its type holds. */
function isWithin(bytes: Uint8Array, start: number, size: number, last: number, shape: number): boolean {
  switch (shape) {
    case VARINT_64:
      return size < 10 || (size === 10 && last === 1)
    case VARINT_32:
      return size < 5 || (size === 5 && last <= 0x0f)
    case VARINT_SIGNED_32:
      return size < 5 || (size === 5 && last <= 0x07) || (size === 10 && isNegative32(bytes, start))
    default:
      return false
  }
}

/** Ten bytes: are bit 31 and all above it set? */
function isNegative32(bytes: Uint8Array, start: number): boolean {
  if ((bytes[start + 4] & 0x78) !== 0x78 || bytes[start + 9] !== 1) return false
  for (let at = start + 5; at < start + 9; at++) if (bytes[at] !== 0xff) return false
  return true
}

/** The canonical bytes of the varint in `[start, end)`, which is whole. */
export function canonicalVarint(bytes: Uint8Array, start: number, end: number, shape: number): Uint8Array {
  let value = 0n
  for (let at = end - 1; at >= start; at--) value = (value << 7n) | BigInt(bytes[at] & 0x7f)
  let rest = narrowed(BigInt.asUintN(64, value), shape)
  const canonical: number[] = []
  while (rest > 0x7fn) {
    canonical.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  canonical.push(Number(rest))
  return Uint8Array.from(canonical)
}

function narrowed(value: bigint, shape: number): bigint {
  switch (shape) {
    case VARINT_BOOL:
      return value === 0n ? 0n : 1n
    case VARINT_32:
      return BigInt.asUintN(32, value)
    case VARINT_SIGNED_32:
      return BigInt.asUintN(64, BigInt.asIntN(32, value))
    default:
      return value
  }
}
