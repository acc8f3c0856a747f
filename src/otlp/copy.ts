/**
 * Copies byte ranges between buffers: the work that is left when nothing is decoded.
 *
 * A native copy has a fixed price, which most ranges of a splice are too short for; a loop over bytes has one for each
 * byte. Short ranges are copied eight bytes at a time, through views of both buffers that are made once.
 */

/** Bytes, and the same bytes to be read and written several at a time. */
export interface Viewed {
  readonly bytes: Uint8Array
  readonly view: DataView
}

/** Above this size a native copy is cheaper. */
const shortBytesMax = 192

export function viewed(bytes: Uint8Array): Viewed {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) }
}

/** Copies `[start, end)` of `source` to offset `to` of `target`, another buffer, and returns the offset behind it. */
export function copyRange(source: Viewed, start: number, end: number, target: Viewed, to: number): number {
  const size = end - start
  if (size > shortBytesMax) target.bytes.set(source.bytes.subarray(start, end), to)
  else if (size >= 8) copyWords(source.view, start, end, target.view, to)
  else for (let index = 0; index < size; index++) target.bytes[to + index] = source.bytes[start + index]
  return to + size
}

/** At least eight bytes; the last eight overlap those before where they must. */
function copyWords(source: DataView, start: number, end: number, target: DataView, to: number): void {
  const last = end - 8
  const shift = to - start
  for (let at = start; at < last; at += 8)
    target.setBigUint64(at + shift, source.getBigUint64(at, true), true)
  target.setBigUint64(last + shift, source.getBigUint64(last, true), true)
}
