/** Durable queues: on the disk before 200, delivered from memory while there is room, resumed in order, never lost. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { QueueConfig } from '../../src/config/config.ts'
import { type Admit, createAdmission } from '../../src/lane/admission.ts'
import { createCommit } from '../../src/lane/commit.ts'
import type { Exporter } from '../../src/lane/exporter.ts'
import { MEMORY_BYTES_MAX } from '../../src/lane/queue.ts'
import { createStore, type Store } from '../../src/store/store.ts'
import {
  type Backend,
  CountedPin,
  httpConfig,
  logsRequest,
  parcelOf,
  QUEUE,
  type Recorder,
  startBackend,
  startExporter,
  until,
} from './support.ts'

const MIB = 1024 * 1024
const LIMITS = {
  bytesMax: 512 * MIB,
  deadLettersBytesMax: 64 * MIB,
  quarantineBytesMax: 64 * MIB,
  retentionMs: 1e9,
}

interface Lane extends Exporter {
  readonly recorder: Recorder
  readonly admit: Admit
  readonly store: Store
  /** Ends both, as a sidecar does. */
  end(graceMs: number): Promise<void>
}

async function startLane(
  directory: string,
  backend: Backend,
  queue: Partial<QueueConfig> = {},
): Promise<Lane> {
  const config = httpConfig(backend.url, {
    queue: { ...QUEUE, storage: 'disk', bytesMax: 256 * MIB, ...queue },
  })
  const store = createStore({ directory, limits: LIMITS, exporters: [config.name], onEvent: () => {} })
  const [account] = await store.open()
  const exporter = startExporter(config, { store })
  exporter.queue.resume(account)
  const admit = createAdmission(new Map([['log', [exporter.queue]]]), createCommit(store, Date.now))
  let ended: Promise<void> | undefined
  const end = (graceMs: number): Promise<void> => {
    ended ??= exporter.close(graceMs).then(() => store.close())
    return ended
  }
  return { ...exporter, recorder: exporter.recorder, admit, store, end }
}

function textOf(number: number, size = 20): string {
  return String(number).padEnd(size, '.')
}

function numbersIn({ received }: Backend): readonly number[] {
  const text = Buffer.concat(received.map(({ body }) => body)).toString('latin1')
  return [...text.matchAll(/(\d+)\.{3,}/g)].map(([, number]) => Number(number))
}

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index)

/** A backend that is dead until `revive`. */
async function startDeadBackend(t: Tap): Promise<Backend & { revive(): void }> {
  let isDead = true
  const backend = await startBackend((response) => response.writeHead(isDead ? 503 : 200).end())
  t.teardown(() => backend.close())
  return {
    ...backend,
    revive() {
      isDead = false
      backend.received.length = 0
    },
  }
}
interface Tap {
  teardown(end: () => unknown): unknown
}

t.test(
  'what was acknowledged before a restart is delivered behind it, in order, and the ledger goes on',
  async (t) => {
    const directory = t.testdir()
    const backend = await startDeadBackend(t)
    const first = await startLane(directory, backend)
    const pins: CountedPin[] = []
    for (const number of upTo(10)) {
      const pin = new CountedPin(100)
      pins.push(pin)
      t.match(await first.admit([parcelOf(logsRequest(textOf(number)), { pin })]), { admitted: true })
      pin.release()
    }
    await first.end(0)
    t.match(first.recorder.totals, { admitted: 10, sent: 0, lost: 0 })
    t.equal(first.stats().queuedItems, 10, 'still counted as queued')
    t.ok(
      pins.every(({ owners }) => owners === 0),
      'memory is given back',
    )
    backend.revive()
    const second = await startLane(directory, backend)
    await until(() => second.recorder.totals.sent === 10)
    t.same(numbersIn(backend), upTo(10))
    t.match(second.recorder.totals, { admitted: 10, sent: 10, dead: 0, lost: 0, rejected: 0 })
    await second.end(1000)
    const third = await startLane(directory, backend)
    t.match(third.recorder.totals, { admitted: 10, sent: 10 })
    t.equal(third.stats().queuedItems, 0)
    t.teardown(() => third.end(0))
  },
)

t.test('a dead backend costs memory up to a bound; what is behind it is read back in order', async (t) => {
  const backend = await startDeadBackend(t)
  const lane = await startLane(t.testdir(), backend, { consumers: 1 })
  t.teardown(() => lane.end(0))
  const size = 10_000
  const count = Math.ceil((3 * MEMORY_BYTES_MAX) / size)
  const pins = upTo(count).map(() => new CountedPin(size + 20))
  for (let first = 0; first < count; first += 100) {
    const group = upTo(100).slice(0, count - first)
    await Promise.all(
      group.map(async (index) => {
        const pin = pins[first + index]
        await lane.admit([parcelOf(logsRequest(textOf(first + index, size)), { pin })])
        pin.release()
      }),
    )
  }
  const held = pins.filter(({ owners }) => owners > 0).length
  t.ok(held * size <= MEMORY_BYTES_MAX, `${held} of ${count} are in memory`)
  t.ok(held * size > MEMORY_BYTES_MAX / 2)
  t.ok(lane.queue.hasBacklog)
  t.equal(lane.stats().queuedItems, count)
  t.ok(lane.queue.usedBytes >= count * size, 'all of it is charged')
  backend.revive()
  await until(() => lane.recorder.totals.sent === count, 30_000)
  t.same(numbersIn(backend), upTo(count))
  t.equal(lane.queue.usedBytes, 0)
  t.ok(pins.every(({ owners }) => owners === 0))
})

t.test('a backlog of 100,000 parcels is resumed with little memory, and drained in order', async (t) => {
  const directory = t.testdir()
  const backend = await startDeadBackend(t)
  const filling = createStore({ directory, limits: LIMITS, exporters: ['otlp_http/test'], onEvent: () => {} })
  await filling.open()
  const count = 100_000
  for (let first = 0; first < count; first += 1000) {
    const parcels = upTo(1000).map((index) => {
      const bytes = logsRequest(textOf(first + index, 500))
      const head = { signal: 'logs', lane: 'log', items: 1, policy: '', admittedMs: 0 }
      return { ...head, exporters: ['otlp_http/test'], chunks: [bytes], byteLength: bytes.length }
    })
    await filling.append(parcels)
  }
  await filling.close()
  backend.revive()
  const before = process.memoryUsage()
  const startedAtMs = Date.now()
  const lane = await startLane(directory, backend)
  t.teardown(() => lane.end(0))
  const openMs = Date.now() - startedAtMs
  t.ok(openMs < 2000, `open after ${openMs} ms`)
  t.match(lane.stats(), { queuedItems: count })
  const { heapUsed } = process.memoryUsage()
  t.ok(heapUsed - before.heapUsed < 32 * MIB, 'no entry for each parcel')
  await until(() => lane.recorder.totals.sent === count, 60_000)
  t.same(
    numbersIn(backend).toSorted((a, b) => a - b),
    upTo(count),
  )
})

t.test('what a backend refuses for good becomes a dead letter, and can be sent again', async (t) => {
  let status = 400
  const backend = await startBackend((response) => response.writeHead(status).end())
  t.teardown(() => backend.close())
  const lane = await startLane(t.testdir(), backend)
  t.teardown(() => lane.end(0))
  await lane.admit([parcelOf(logsRequest(textOf(1)), { items: 3 })])
  await until(() => lane.recorder.totals.dead === 3)
  const [letter] = await lane.store.deadLetters.list(0, 10)
  t.match(letter, { exporter: 'otlp_http/test', items: 3, status: 400 })
  status = 200
  for (const replayed of await lane.store.deadLetters.replay([letter.id])) lane.queue.readmit(replayed)
  await until(() => lane.recorder.totals.sent === 3)
  t.match(lane.recorder.totals, { admitted: 3, sent: 3, dead: 0 })
  t.equal(lane.stats().queuedItems, 0)
})

t.test(
  'while the store refuses, requests hear 503 with the folder and the remedy, and nothing is kept',
  async (t) => {
    const directory = join(t.testdir(), 'data')
    const backend = await startDeadBackend(t)
    const lane = await startLane(directory, backend)
    t.teardown(() => lane.end(0))
    rmSync(directory, { recursive: true })
    writeFileSync(directory, 'in the way')
    const pin = new CountedPin(100)
    t.match(await lane.admit([parcelOf(logsRequest(textOf(1)), { pin })]), {
      admitted: false,
      reason: 'full',
      message: new RegExp(`${directory}.*storage\\.directory`),
      retryAfterSeconds: Number,
    })
    t.equal(pin.owners, 1)
    t.equal(lane.queue.usedBytes, 0)
    t.equal(lane.recorder.totals.admitted, 0)
    rmSync(directory)
    await until(() => lane.store.refusal() === undefined)
    t.match(await lane.admit([parcelOf(logsRequest(textOf(2)))]), { admitted: true })
  },
)

t.test('a parcel of a durable and a memory queue enters both or none', async (t) => {
  const backend = await startDeadBackend(t)
  const lane = await startLane(t.testdir(), backend, { bytesMax: 1000 })
  t.teardown(() => lane.end(0))
  const memory = startExporter(httpConfig(backend.url, { name: 'memory' }))
  t.teardown(() => memory.close(0))
  const admit = createAdmission(
    new Map([['log', [memory.queue, lane.queue]]]),
    createCommit(lane.store, Date.now),
  )
  t.match(await admit([parcelOf(logsRequest(textOf(1, 300)))]), { admitted: true })
  t.match(await admit([parcelOf(logsRequest(textOf(2, 900)))]), { admitted: false, reason: 'queue_full' })
  t.equal(memory.stats().queuedItems, 1)
  t.equal(lane.stats().queuedItems, 1)
})

t.test('drop_oldest gives up what is oldest, on the disk too', async (t) => {
  const directory = t.testdir()
  const backend = await startDeadBackend(t)
  const lane = await startLane(directory, backend, { bytesMax: 3000, onFull: 'drop_oldest', consumers: 1 })
  for (const number of upTo(8)) await lane.admit([parcelOf(logsRequest(textOf(number, 300)))])
  t.ok(lane.recorder.totals.lost > 0)
  await lane.end(0)
  backend.revive()
  const next = await startLane(directory, backend)
  t.teardown(() => next.end(0))
  const { admitted, lost } = next.recorder.totals
  await until(() => next.recorder.totals.sent === admitted - lost)
  t.equal(admitted, 8)
  t.equal(numbersIn(backend).at(-1), 7)
})
