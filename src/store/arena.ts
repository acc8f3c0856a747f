/**
 * Shared memory in which appended bytes cross to the storage thread, given out as a ring.
 *
 *     0        oldest.start          newest.end      size
 *     |  free  |  in use … in use    |  free         |
 *
 * Regions are given back in the order that they were taken in, for the worker answers in order. A copy into memory
 * that is warm costs a tenth of what writing it to disk costs; fresh memory for each message costs twice as much.
 */
interface Region {
  readonly start: number
  readonly end: number
}

export interface Arena {
  readonly buffer: SharedArrayBuffer
  readonly bytes: Uint8Array
  /** Takes a region; returns its offset, or undefined if there is no room now. */
  take(byteLength: number): number | undefined
  /** Gives the oldest region back. */
  giveBack(): void
}

export function createArena(size: number): Arena {
  const buffer = new SharedArrayBuffer(size)
  const regions: Region[] = []

  function startOfNext(byteLength: number): number | undefined {
    const oldest = regions[0]
    const newest = regions.at(-1)
    if (oldest === undefined || newest === undefined) return byteLength <= size ? 0 : undefined
    const isWrapped = newest.start < oldest.start
    if (isWrapped) return newest.end + byteLength <= oldest.start ? newest.end : undefined
    if (newest.end + byteLength <= size) return newest.end
    return byteLength <= oldest.start ? 0 : undefined
  }

  return {
    buffer,
    bytes: new Uint8Array(buffer),
    take(byteLength) {
      const start = startOfNext(byteLength)
      if (start !== undefined) regions.push({ start, end: start + byteLength })
      return start
    },
    giveBack() {
      if (regions.shift() === undefined) throw new Error('a region was given back that nobody took')
    },
  }
}
