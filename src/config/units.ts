/**
 * Sizes and durations as people write them: `64MiB`, `1GB`, `200ms`, `168h`, `1m30s`.
 *
 * A bare number is no size and no duration: it does not say whether it counts bytes or requests, seconds
 * or milliseconds. Both parsers give undefined for what they cannot read; the caller knows the place.
 */

const BYTES_BY_UNIT: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

const MS_BY_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Timers of Node hold 31 bits: a longer one would fire at once. */
export const TIMER_MS_MAX: number = 2 ** 31 - 1

export const SIZE_PATTERN = '^[0-9]+(\\.[0-9]+)?(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$'
export const DURATION_PATTERN = '^([0-9]{1,9}(\\.[0-9]+)?(ms|s|m|h))+$'

const SIZE = new RegExp(SIZE_PATTERN)
const DURATION = new RegExp(DURATION_PATTERN)

/** Bytes, or undefined if the text is no size. */
export function parseSize(text: string): number | undefined {
  const unit = SIZE.exec(text)?.[2]
  if (unit === undefined) return undefined
  const bytes = Math.floor(Number(text.slice(0, -unit.length)) * BYTES_BY_UNIT[unit])
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** Milliseconds, or undefined if the text is no duration. */
export function parseDuration(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined
  let ms = 0
  for (const [, amount, , unit] of text.matchAll(/([0-9]+(\.[0-9]+)?)(ms|s|m|h)/g)) {
    ms += Number(amount) * MS_BY_UNIT[unit]
  }
  return Number.isSafeInteger(Math.round(ms)) ? Math.round(ms) : undefined
}

/** The shortest exact way to write so many bytes: `4MiB`, `1500B`. */
export function formatSize(bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const count = bytes / BYTES_BY_UNIT[unit]
    if (count >= 1 && Number.isInteger(count)) return `${count}${unit}`
  }
  return `${bytes}B`
}
