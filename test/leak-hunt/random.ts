/**
 * Randomness for the leak hunt: small, fast, and the same on every machine for one seed.
 *
 * fast-check is not used here: a million requests are not shrunk, a request is found again by its seed.
 */
export interface Random {
  /** In [0, 1). */
  next(): number
  below(limit: number): number
  /** True `times` in `of` times. */
  chance(times: number, of: number): boolean
  pick<Value>(values: readonly Value[]): Value
}

/** mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    next,
    below,
    chance: (times, of) => below(of) < times,
    pick: (values) => values[below(values.length)],
  }
}
