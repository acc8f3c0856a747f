/** Sizes and durations: what each text means, and what is none. */
import t from 'tap'
import { formatSize, parseDuration, parseSize } from '../../src/config/units.ts'

t.test('a size is a number with its unit, of a thousand or of 1024', async (t) => {
  t.same(['0B', '7B', '1KB', '1KiB', '64MiB', '1GB', '1GiB', '1.5KiB', '2TiB'].map(parseSize), [
    0,
    7,
    1000,
    1024,
    67_108_864,
    1e9,
    1_073_741_824,
    1536,
    2 ** 41,
  ])
})

t.test('a bare number, a space, another case or a size past counting is no size', async (t) => {
  for (const text of ['', '64', '64 MiB', '64mib', '64M', '-1B', '1e3B', '.5B', '99999999999TiB']) {
    t.equal(parseSize(text), undefined, text)
  }
})

t.test('a duration is one or more numbers with their units', async (t) => {
  t.same(
    ['200ms', '30s', '5m', '168h', '0s', '1m30s', '1.5s'].map(parseDuration),
    [200, 30_000, 300_000, 604_800_000, 0, 90_000, 1500],
  )
})

t.test('a bare number or an unknown unit is no duration', async (t) => {
  for (const text of ['', '30', '30 s', '1d', '-1s', '5us', 's', '1000000000h'])
    t.equal(parseDuration(text), undefined, text)
})

t.test('a formatted size is exact, and reads as itself', async (t) => {
  for (const bytes of [1, 1000, 1024, 4 * 2 ** 20, 2 ** 40, 4_194_305])
    t.equal(parseSize(formatSize(bytes)), bytes)
  t.equal(formatSize(4_194_304), '4MiB')
})
