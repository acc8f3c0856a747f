import t from 'tap'
import { createDoubles, DOUBLED_WITHIN_MS, type Sighting, SLOTS_OF_SET } from '../../src/telemetry/doubles.ts'

const event = (isRehomed: boolean, high = 1, low = 1): Sighting => ({
  isRehomed,
  family: 'f',
  high,
  low,
  eventName: () => 'e',
})

t.test('within a minute the other carriage of an event is a double, a moment later it is not', async (t) => {
  for (const [laterMs, count] of [
    [0, 1],
    [DOUBLED_WITHIN_MS, 1],
    [DOUBLED_WITHIN_MS + 1, 0],
  ] as const) {
    const doubles = createDoubles()
    t.equal(doubles.note([event(true)], 5).length, 0)
    t.equal(doubles.note([event(false)], 5 + laterMs).length, count, `${laterMs} ms later`)
  }
})

t.test(
  'the same carriage again, another family, and either half of the bits tell events apart',
  async (t) => {
    const others = [event(true), { ...event(false), family: 'g' }, event(false, 2, 1), event(false, 1, 2)]
    for (const other of others) {
      const doubles = createDoubles()
      t.equal(doubles.note([event(true), other], 5).length, 0)
      t.equal(doubles.note([event(false)], 5).length, 1, 'the first is still known')
    }
  },
)

t.test(
  'of more events than a set has slots the oldest is forgotten, and one that came again is not',
  async (t) => {
    const doubles = createDoubles()
    for (let high = 0; high < SLOTS_OF_SET; high++) doubles.note([event(true, high)], high)
    doubles.note([event(true, 0)], 100)
    doubles.note([event(true, SLOTS_OF_SET)], 101)
    t.equal(doubles.note([event(false, 0)], 102).length, 1)
    t.equal(doubles.note([event(false, 1)], 102).length, 0)
  },
)
