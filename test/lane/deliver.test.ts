/** The delivery loop against real backends: joining, poisoned parcels, dead backends, closing. */
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { createAdmission } from '../../src/lane/admission.ts'
import { GOOD_BATCH_BYTES } from '../../src/lane/deliver.ts'
import { PACE_MS } from '../../src/lane/pace.ts'
import {
  CountedPin,
  enqueue,
  httpConfig,
  logsRequest,
  parcelOf,
  QUEUE,
  RETRY,
  startBackend,
  startExporter,
  until,
} from './support.ts'

t.test('parcels that arrive in one burst leave as one request, in order', async (t) => {
  const backend = await startBackend((response) => response.end())
  t.teardown(backend.close)
  const exporter = startExporter(httpConfig(backend.url))
  const requests = ['a', 'b', 'c'].map(logsRequest)
  enqueue(exporter, ...requests.map((request) => parcelOf(request)))
  await until(() => exporter.recorder.totals.sent === 3)
  t.equal(backend.received.length, 1)
  t.ok(backend.received[0].body.equals(Buffer.concat(requests)))
  await exporter.close(100)
})

t.test('parcels of different signals are never joined, and go to their own URLs', async (t) => {
  const backend = await startBackend((response) => response.end())
  t.teardown(backend.close)
  const exporter = startExporter(httpConfig(backend.url))
  const trace = () => parcelOf(logsRequest('t'), { signal: 'traces', lane: 'trace' })
  enqueue(exporter, parcelOf(logsRequest('l')), trace(), parcelOf(logsRequest('l')), trace())
  await exporter.close(1000)
  t.strictSame(backend.received.map(({ path, body }) => [path, body.byteLength]).sort(), [
    ['/v1/logs', 2 * logsRequest('l').byteLength],
    ['/v1/traces', 2 * logsRequest('t').byteLength],
  ])
})

t.test('while a request is in flight small parcels wait for its end', async (t) => {
  const finish: (() => void)[] = []
  const backend = await startBackend((response) => finish.push(() => response.end()))
  t.teardown(backend.close)
  const queue = { ...QUEUE, batch: { ...QUEUE.batch, flushTimeoutMs: 60_000 } }
  const exporter = startExporter(httpConfig(backend.url, { queue }))
  enqueue(exporter, parcelOf(logsRequest('a')))
  await until(() => finish.length === 1)
  enqueue(exporter, parcelOf(logsRequest('b')))
  await delay(20)
  enqueue(exporter, parcelOf(logsRequest('c')))
  await delay(20)
  t.equal(finish.length, 1)
  finish[0]()
  await until(() => finish.length === 2)
  t.equal(backend.received[1].body.byteLength, 2 * logsRequest('b').byteLength, 'both in one')
  finish[1]()
  await exporter.close(1000)
})

t.test('small requests keep a distance from each other, though the backend answers at once', async (t) => {
  const backend = await startBackend((response) => response.end())
  t.teardown(backend.close)
  const exporter = startExporter(httpConfig(backend.url))
  for (let count = 0; count < 30; count++) {
    enqueue(exporter, parcelOf(logsRequest('a')))
    await delay(2)
  }
  await until(() => exporter.recorder.totals.sent === 30)
  const times = backend.received.map(({ atMs }) => atMs)
  // A first request that arrives late makes the time between them seem shorter than it was.
  const mostRequests = ((times.at(-1) ?? 0) - times[0]) / (PACE_MS / 2) + 4
  t.ok(times.length > 1 && times.length <= mostRequests, `30 parcels in ${times.length} requests`)
  await exporter.close(1000)
})

t.test(
  'while a request is in flight a good batch goes at once, small ones after flush_timeout',
  async (t) => {
    const finish: (() => void)[] = []
    const backend = await startBackend((response) => finish.push(() => response.end()))
    t.teardown(backend.close)
    const exporter = startExporter(httpConfig(backend.url))
    enqueue(exporter, parcelOf(logsRequest('a')))
    await until(() => finish.length === 1)
    enqueue(exporter, parcelOf(Buffer.alloc(GOOD_BATCH_BYTES)))
    await until(() => finish.length === 2)
    enqueue(exporter, parcelOf(logsRequest('c')))
    await until(() => finish.length === 3)
    t.ok(backend.received[2].atMs - backend.received[1].atMs >= 15)
    for (const end of finish) end()
    await exporter.close(1000)
  },
)

t.test('behind a backlog requests grow to max_size, and are smaller without one', async (t) => {
  const finish: (() => void)[] = []
  const backend = await startBackend((response) => finish.push(() => response.end()))
  t.teardown(backend.close)
  const queue = { ...QUEUE, consumers: 1 }
  const exporter = startExporter(httpConfig(backend.url, { queue }))
  const mebibyte = 1024 * 1024
  for (let count = 0; count < 5; count++) enqueue(exporter, parcelOf(Buffer.alloc(mebibyte)))
  for (const size of [4, 1]) {
    await until(() => finish.length === 1)
    t.equal(backend.received.pop()?.body.byteLength, size * mebibyte)
    finish.pop()?.()
  }
  await exporter.close(1000)
})

t.test('min_size is waited for, but not longer than flush_timeout', async (t) => {
  const backend = await startBackend((response) => response.end())
  t.teardown(backend.close)
  const queue = { ...QUEUE, batch: { ...QUEUE.batch, bytesMin: 3000, flushTimeoutMs: 100 } }
  const exporter = startExporter(httpConfig(backend.url, { queue }))
  const startMs = Date.now()
  enqueue(exporter, parcelOf(Buffer.alloc(1000)))
  await until(() => backend.received.length === 1)
  t.ok(Date.now() - startMs >= 95)
  enqueue(exporter, parcelOf(Buffer.alloc(1000)))
  await delay(10)
  t.equal(backend.received.length, 1)
  enqueue(exporter, parcelOf(Buffer.alloc(2000)))
  await until(() => backend.received.length === 2)
  t.equal(backend.received[1].body.byteLength, 3000)
  await exporter.close(1000)
})

t.test('no more requests are in flight than there are consumers', async (t) => {
  let now = 0
  let most = 0
  const backend = await startBackend((response) => {
    most = Math.max(most, ++now)
    setTimeout(() => {
      now--
      response.end()
    }, 5)
  })
  t.teardown(backend.close)
  const queue = { ...QUEUE, consumers: 3, batch: { ...QUEUE.batch, bytesMax: 100 } }
  const exporter = startExporter(httpConfig(backend.url, { queue }))
  for (let count = 0; count < 20; count++) enqueue(exporter, parcelOf(Buffer.alloc(100)))
  await exporter.close(2000)
  t.equal(exporter.recorder.totals.sent, 20)
  t.equal(most, 3)
})

t.test('one poisoned parcel takes no other with it', async (t) => {
  const backend = await startBackend((response, { body }) => {
    response.writeHead(body.includes('poison') ? 400 : 200).end()
  })
  t.teardown(backend.close)
  const exporter = startExporter(httpConfig(backend.url))
  enqueue(exporter, ...['a', 'b', 'poison', 'c'].map((text) => parcelOf(logsRequest(text))))
  await until(() => exporter.stats().queuedItems === 0)
  t.match(exporter.recorder.totals, { sent: 3, dead: 1 })
  t.equal(backend.received.length, 5, 'once joined, then each alone')
  t.match(exporter.recorder.of('backend_refused'), [{ status: 400, items: 1 }])
  await exporter.close(100)
})

t.test('what is retried for longer than max_elapsed_time is dead', async (t) => {
  const backend = await startBackend((response) => response.writeHead(503).end())
  t.teardown(backend.close)
  const exporter = startExporter(httpConfig(backend.url, { retry: { ...RETRY, maxElapsedTimeMs: 50 } }))
  enqueue(exporter, parcelOf(logsRequest('a')), parcelOf(logsRequest('b')))
  await until(() => exporter.recorder.totals.dead === 2)
  t.ok(backend.received.length > 2)
  t.match(exporter.recorder.of('backend_refused')[0].message, /given up after \d+ tries: it answers 503/)
  await exporter.close(100)
})

t.test('a hanging backend is probed with one request at a time', async (t) => {
  let now = 0
  let mostLater = 0
  const backend = await startBackend((response, _received, count) => {
    now++
    if (count > 8) mostLater = Math.max(mostLater, now)
    response.on('close', () => {
      now--
    })
  })
  t.teardown(backend.close)
  const queue = { ...QUEUE, batch: { ...QUEUE.batch, bytesMax: 100 } }
  const exporter = startExporter(httpConfig(backend.url, { queue, timeoutMs: 30 }))
  for (let count = 0; count < 8; count++) enqueue(exporter, parcelOf(Buffer.alloc(100)))
  await until(() => backend.received.length > 14)
  t.equal(mostLater, 1)
  await exporter.close(0)
  t.equal(exporter.recorder.totals.lost, 8)
})

t.test('a dead backend delays no other exporter of the lane', async (t) => {
  const dead = await startBackend(() => {})
  const alive = await startBackend((response) => response.end())
  t.teardown(dead.close)
  t.teardown(alive.close)
  const deadExporter = startExporter(httpConfig(dead.url, { name: 'dead' }))
  const aliveExporter = startExporter(httpConfig(alive.url, { name: 'alive' }))
  const admit = createAdmission(new Map([['log', [deadExporter.queue, aliveExporter.queue]]]))
  const pins: CountedPin[] = []
  for (let count = 1; count <= 50; count++) {
    const startMs = Date.now()
    const pin = new CountedPin(100)
    pins.push(pin)
    await admit([parcelOf(Buffer.alloc(100), { pin })])
    pin.release()
    await until(() => aliveExporter.recorder.totals.sent === count)
    t.ok(Date.now() - startMs < 500)
  }
  t.equal(deadExporter.stats().queuedItems, 50)
  await Promise.all([deadExporter.close(0), aliveExporter.close(0)])
  t.equal(deadExporter.recorder.totals.lost, 50)
  t.ok(pins.every(({ owners }) => owners === 0))
})

t.test('close delivers what is queued without waiting for more', async (t) => {
  const backend = await startBackend((response) => setTimeout(() => response.end(), 20))
  t.teardown(backend.close)
  const queue = { ...QUEUE, batch: { bytesMin: 10_000, bytesMax: 100, flushTimeoutMs: 60_000 } }
  const exporter = startExporter(httpConfig(backend.url, { queue }))
  for (let count = 0; count < 10; count++) enqueue(exporter, parcelOf(Buffer.alloc(100)))
  const startMs = Date.now()
  await exporter.close(5000)
  t.match(exporter.recorder.totals, { sent: 10, lost: 0 })
  t.ok(Date.now() - startMs < 2000)
  t.equal(exporter.queue.reserve(1), 'stopping')
})

t.test('what close cannot deliver in its grace is lost, counted, and its memory given back', async (t) => {
  const backend = await startBackend((response, _received, count) => {
    if (count === 1) response.end()
  })
  t.teardown(backend.close)
  const queue = { ...QUEUE, consumers: 2, batch: { ...QUEUE.batch, bytesMax: 100 } }
  const exporter = startExporter(httpConfig(backend.url, { queue, timeoutMs: 60_000 }))
  const pins = Array.from({ length: 6 }, () => new CountedPin(100))
  enqueue(exporter, ...pins.map((pin) => parcelOf(Buffer.alloc(100), { pin, items: 2 })))
  for (const pin of pins) pin.release()
  const startMs = Date.now()
  await exporter.close(100)
  t.ok(Date.now() - startMs < 1000)
  t.match(exporter.recorder.totals, { admitted: 12, sent: 2, lost: 10 })
  t.match(exporter.stats(), { queuedItems: 0, queuedBytes: 0, oldestMs: 0 })
  t.ok(pins.every(({ owners }) => owners === 0))
})

t.test('close does not sit out a backoff', async (t) => {
  const backend = await startBackend((response, _received, count) => {
    response.writeHead(count === 1 ? 503 : 200, { 'retry-after': '60' }).end()
  })
  t.teardown(backend.close)
  const exporter = startExporter(httpConfig(backend.url))
  enqueue(exporter, parcelOf(logsRequest('a')))
  await until(() => exporter.stats().down)
  await exporter.close(2000)
  t.equal(exporter.recorder.totals.sent, 1)
})

t.test('close of an idle exporter is done at once', async (t) => {
  const exporter = startExporter(httpConfig('http://127.0.0.1:1'))
  const startMs = Date.now()
  await exporter.close(60_000)
  t.ok(Date.now() - startMs < 500)
})

t.test('the age of the oldest parcel is known, in flight included', async (t) => {
  const backend = await startBackend(() => {})
  t.teardown(backend.close)
  let nowMs = 1000
  const exporter = startExporter(httpConfig(backend.url), { clock: () => nowMs })
  t.equal(exporter.stats().oldestMs, 0)
  enqueue(exporter, parcelOf(logsRequest('a')))
  await until(() => backend.received.length === 1)
  nowMs = 3000
  enqueue(exporter, parcelOf(logsRequest('b')))
  t.match(exporter.stats(), { oldestMs: 2000, queuedItems: 2, queuedBytes: 2 * logsRequest('a').byteLength })
  await exporter.close(0)
})
