import t from 'tap'
import {
  createDoubles,
  DOUBLED_WITHIN_MS,
  REMEMBERED_MAX,
  type Sighting,
} from '../../src/telemetry/doubles.ts'

const event = (isRehomed: boolean, ids = 'i'): Sighting => ({ isRehomed, family: 'f', eventName: 'e', ids })

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

t.test('a bounded number of events is remembered, the oldest goes first', async (t) => {
  const doubles = createDoubles()
  doubles.note([event(true, 'first'), event(true, 'second')], 0)
  for (let count = 0; count < REMEMBERED_MAX - 1; count++) doubles.note([event(true, `${count}`)], 0)
  t.equal(doubles.note([event(false, 'second')], 0).length, 1)
  t.equal(doubles.note([event(false, 'first')], 0).length, 0)
})
