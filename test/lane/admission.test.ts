/** Admission: all queues or none, what is charged, and who holds the memory. */
import t from 'tap'
import { createAdmission } from '../../src/lane/admission.ts'
import { ENTRY_OVERHEAD_BYTES } from '../../src/lane/charge.ts'
import type { Committed, DurableParcel } from '../../src/lane/commit.ts'
import { ExporterQueue } from '../../src/lane/queue.ts'
import { CountedPin, createRecorder, parcelOf } from './support.ts'

function queueOf(bytesMax: number, onFull: 'refuse' | 'drop_oldest' = 'refuse', exporter = 'otlp_http/a') {
  const recorder = createRecorder()
  const queue = new ExporterQueue({
    exporter,
    config: { bytesMax, onFull },
    emit: recorder.emit,
    clock: () => 0,
  })
  return { queue, recorder }
}

/** A parcel of one byte more than its share of a pin of 1000, or as given. */
const held = (byteLength = 501, pin = new CountedPin(1000), lane = 'log') =>
  ({ parcel: parcelOf(Buffer.alloc(byteLength), { lane, pin }), pin }) as const

const CHARGE = 1000 + ENTRY_OVERHEAD_BYTES

t.test('a queue takes what fits it to the byte, and refuses one byte more', async (t) => {
  for (const [bytesMax, admitted] of [
    [2 * CHARGE, true],
    [2 * CHARGE - 1, false],
  ] as const) {
    const { queue } = queueOf(bytesMax)
    const admit = createAdmission(new Map([['log', [queue]]]))
    t.equal((await admit([held().parcel])).admitted, true)
    t.equal((await admit([held().parcel])).admitted, admitted)
    t.equal(queue.usedBytes, admitted ? 2 * CHARGE : CHARGE)
  }
})

t.test('a refusal names the exporter and the remedy', async (t) => {
  const { queue } = queueOf(CHARGE)
  const admit = createAdmission(new Map([['log', [queue]]]))
  await admit([held().parcel])
  const full = await admit([held().parcel])
  t.match(full, { admitted: false, reason: 'queue_full', retryAfterSeconds: Number })
  t.match(full, { message: /otlp_http\/a.*sending_queue\.queue_size/ })
  const never = await admit([held(2000, new CountedPin(2000)).parcel])
  t.match(never, { admitted: false, reason: 'queue_full', message: /can never fit/ })
  queue.stop()
  t.match(await admit([held().parcel]), { admitted: false, reason: 'stopping' })
})

t.test('if one queue is full no queue takes anything', async (t) => {
  const roomy = queueOf(10 * CHARGE, 'drop_oldest', 'roomy')
  const tight = queueOf(CHARGE, 'refuse', 'tight')
  const admit = createAdmission(
    new Map([
      ['log', [roomy.queue]],
      ['audit', [roomy.queue, tight.queue]],
    ]),
  )
  const first = held()
  const second = held(501, new CountedPin(1000), 'audit')
  const third = held(501, new CountedPin(1000), 'audit')
  const admission = await admit([first.parcel, second.parcel, third.parcel])
  t.match(admission, { admitted: false, message: /tight/ })
  t.equal(roomy.queue.usedBytes, 0)
  t.equal(tight.queue.usedBytes, 0)
  t.strictSame(
    [first, second, third].map(({ pin }) => pin.owners),
    [1, 1, 1],
  )
  t.equal(roomy.recorder.totals.admitted, 0)
})

t.test('a request that another queue refuses costs nobody their oldest parcel', async (t) => {
  const dropping = queueOf(CHARGE, 'drop_oldest', 'dropping')
  const tight = queueOf(100, 'refuse', 'tight')
  const admit = createAdmission(
    new Map([
      ['log', [dropping.queue]],
      ['audit', [dropping.queue, tight.queue]],
    ]),
  )
  await admit([held().parcel])
  await admit([held(501, new CountedPin(1000), 'audit').parcel])
  t.equal(dropping.recorder.totals.lost, 0)
})

t.test('drop_oldest gives up the oldest that waits, never what is in flight', async (t) => {
  const { queue, recorder } = queueOf(2 * CHARGE, 'drop_oldest')
  const admit = createAdmission(new Map([['log', [queue]]]))
  const parcels = [held(), held(), held()]
  await admit([parcels[0].parcel])
  const inFlight = queue.take(0)
  await admit([parcels[1].parcel])
  t.equal((await admit([parcels[2].parcel])).admitted, true)
  t.match(recorder.totals, { admitted: 3, lost: 1 })
  t.equal(parcels[1].pin.owners, 1, 'the second was dropped')
  t.equal(parcels[0].pin.owners, 2)
  t.match(await admit([held(2000, new CountedPin(2000)).parcel]), { admitted: false })
  t.match(
    await admit([held().parcel, held().parcel]),
    { admitted: false },
    'not more than what is in flight leaves',
  )
  queue.settle(inFlight, 'sent')
  t.equal(parcels[0].pin.owners, 1)
})

t.test('a parcel under half of its pin is copied and charged for itself', async (t) => {
  const { queue } = queueOf(10 * CHARGE)
  const admit = createAdmission(new Map([['log', [queue, queue]]]))
  const pin = new CountedPin(1000)
  const memory = Buffer.alloc(1000, 'a')
  await admit([parcelOf([memory.subarray(0, 100), memory.subarray(500, 899)], { pin })])
  t.equal(pin.owners, 1, 'the body can be reused')
  memory.fill('b')
  t.equal(queue.usedBytes, 2 * (499 + ENTRY_OVERHEAD_BYTES))
  const [entry] = queue.take(1)
  t.equal(Buffer.concat(entry.parcel.chunks).toString(), 'a'.repeat(499))
})

t.test('a parcel of half of its pin or more holds it, once for each exporter', async (t) => {
  const a = queueOf(10 * CHARGE)
  const b = queueOf(10 * CHARGE)
  const admit = createAdmission(new Map([['log', [a.queue, b.queue]]]))
  const { parcel, pin } = held(500)
  await admit([parcel])
  pin.release()
  t.equal(pin.owners, 2)
  a.queue.settle(a.queue.take(0), 'sent')
  t.equal(pin.owners, 1)
  b.queue.settle(b.queue.take(0), 'dead')
  t.equal(pin.owners, 0)
})

t.test('nothing is handed over before the commit, and a commit that fails gives the room back', async (t) => {
  const recorder = createRecorder()
  const store = { load: async () => [], settle: () => {} }
  const config = { bytesMax: 10 * CHARGE, onFull: 'refuse' } as const
  const queue = new ExporterQueue({
    exporter: 'otlp_http/a',
    config,
    emit: recorder.emit,
    clock: () => 0,
    store,
  })
  const refusal = { admitted: false, reason: 'full', message: 'disk', retryAfterSeconds: 1 } as const
  let finish: (result: Committed | Error) => void = () => {}
  const asked: (readonly [readonly DurableParcel[], string])[] = []
  const admit = createAdmission(
    new Map([
      ['log', [queue]],
      ['none', []],
    ]),
    (parcels, policy) => {
      asked.push([parcels, policy])
      return new Promise((resolve, reject) => {
        finish = (result) => (result instanceof Error ? reject(result) : resolve(result))
      })
    },
  )
  for (const result of [{ refusal }, new Error('commit'), { ids: [7], unheld: [], unhold: async () => {} }]) {
    const { parcel } = held()
    const idle = held(501, new CountedPin(1000), 'none').parcel
    const admitting = admit([idle, parcel], 'digest')
    t.equal(queue.usedBytes, 501 + ENTRY_OVERHEAD_BYTES, 'reserved at once: what it takes on the disk')
    t.equal(recorder.totals.admitted, 0)
    t.same(asked.at(-1), [[{ parcel, exporters: ['otlp_http/a'] }], 'digest'])
    finish(result)
    if (result instanceof Error) await t.rejects(admitting, result)
    else t.same(await admitting, 'refusal' in result ? refusal : { admitted: true })
  }
  t.equal(queue.usedBytes, 501 + ENTRY_OVERHEAD_BYTES)
  t.equal(recorder.totals.admitted, 1)
  t.equal(queue.take(1)[0].id, 7)
})

t.test('a request without parcels is admitted', async (t) => {
  t.same(await createAdmission(new Map())([]), { admitted: true })
})

t.test('a lane that nobody knows is a fault of ours', async (t) => {
  t.throws(() => createAdmission(new Map())([held().parcel]), /no such lane/)
})
