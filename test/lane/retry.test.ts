/** Backoff and Retry-After, pure. */
import t from 'tap'
import { parseRetryAfter, RETRY_AFTER_MS_MAX, retryDelayMs } from '../../src/lane/retry.ts'

const CONFIG = {
  enabled: true,
  initialIntervalMs: 1000,
  maxIntervalMs: 30_000,
  maxElapsedTimeMs: 0,
  multiplier: 1.5,
  randomizationFactor: 0.5,
}
const QUESTION = { failures: 1, elapsedMs: 0, retryAfterMs: undefined, random: 0.5 }

t.test('the delay grows by the multiplier up to the longest interval', async (t) => {
  const delays = [1, 2, 3, 9, 10_000].map((failures) => retryDelayMs(CONFIG, { ...QUESTION, failures }))
  t.strictSame(delays, [1000, 1500, 2250, 1000 * 1.5 ** 8, 30_000])
})

t.test('the delay is spread by the randomization factor', async (t) => {
  t.equal(retryDelayMs(CONFIG, { ...QUESTION, random: 0 }), 500)
  t.equal(retryDelayMs(CONFIG, { ...QUESTION, random: 0.999999 })?.toFixed(0), '1500')
})

t.test('the longer of backoff and Retry-After is taken', async (t) => {
  t.equal(retryDelayMs(CONFIG, { ...QUESTION, retryAfterMs: 5000 }), 5000)
  t.equal(retryDelayMs(CONFIG, { ...QUESTION, retryAfterMs: 0 }), 1000)
})

t.test('it gives up when the next try would pass the elapsed time, and never if that is 0', async (t) => {
  const bounded = { ...CONFIG, maxElapsedTimeMs: 10_000 }
  t.equal(retryDelayMs(bounded, { ...QUESTION, elapsedMs: 9000 }), 1000)
  t.equal(retryDelayMs(bounded, { ...QUESTION, elapsedMs: 9001 }), undefined)
  t.equal(retryDelayMs(bounded, { ...QUESTION, retryAfterMs: 10_001 }), undefined)
  t.equal(retryDelayMs(CONFIG, { ...QUESTION, elapsedMs: 1e12 }), 1000)
})

t.test('it gives up at once where retry is off', async (t) => {
  t.equal(retryDelayMs({ ...CONFIG, enabled: false }, QUESTION), undefined)
})

const NOW_MS = Date.UTC(1994, 10, 6, 8, 49, 0)
for (const [value, expected] of [
  ['0', 0],
  [' 120 ', 120_000],
  ['999999999999', RETRY_AFTER_MS_MAX],
  ['Sun, 06 Nov 1994 08:49:37 GMT', 37_000],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 37_000],
  ['Sun Nov  6 08:49:37 1994', 37_000],
  ['Sun, 06 Nov 1994 08:00:00 GMT', 0],
  ['Fri, 06 Nov 2099 08:49:37 GMT', RETRY_AFTER_MS_MAX],
  ['Sunday, 06-Nov-45 08:49:37 GMT', 0],
  ['Sun, 06 Foo 1994 08:49:37 GMT', undefined],
  ['1.5', undefined],
  ['-1', undefined],
  ['soon', undefined],
  ['', undefined],
] as const) {
  t.test(`Retry-After ${JSON.stringify(value)} asks for ${expected} ms`, async (t) => {
    t.equal(parseRetryAfter(value, NOW_MS), expected)
  })
}
