/**
 * A small seeded generator, so that every run of the bench sends the same bytes.
 *
 * In: a seed. Out: functions that draw from one stream. Not for secrets. Source: mulberry32 (public domain).
 */
export interface Draws {
  /** A number in [0, 1). */
  readonly fraction: () => number
  /** An integer in [min, max). */
  readonly integer: (min: number, max: number) => number
  readonly pick: <T>(choices: readonly T[]) => T
  /** `digits` hexadecimal digits. */
  readonly hex: (digits: number) => string
  /** `count` words of plain text. */
  readonly text: (count: number) => string
}

const WORDS =
  'run the tests in this folder and tell me which of them fail then change cursor so that it reads groups cargo check finished with two warnings in target debug deps'.split(
    ' ',
  )

export function createDraws(seed: number): Draws {
  let state = seed >>> 0
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  const integer = (min: number, max: number): number => min + Math.floor(fraction() * (max - min))
  const pick = <T>(choices: readonly T[]): T => choices[integer(0, choices.length)]
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => integer(0, 16).toString(16)).join('')
  const text = (count: number): string => Array.from({ length: count }, () => pick(WORDS)).join(' ')
  return { fraction, integer, pick, hex, text }
}
