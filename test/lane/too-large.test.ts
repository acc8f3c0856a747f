/** What a backend finds too large: halved until it fits, and only what is too large alone is dead. */
import t from 'tap'
import { createExporter, type Exporter } from '../../src/lane/exporter.ts'
import { decode, encode, messagesOf } from '../oracle/oracle.ts'
import { newStore } from '../store/support.ts'
import {
  createRecorder,
  enqueue,
  httpConfig,
  logsRequest,
  parcelOf,
  QUEUE,
  startBackend,
  startExporter,
  until,
} from './support.ts'

const MESSAGE = 'ExportLogsServiceRequest'

function recordsRequest(texts: readonly string[]): Uint8Array {
  const logRecords = texts.map((severityText) => ({ severityText }))
  return encode(MESSAGE, { resourceLogs: [{ scopeLogs: [{ scope: { name: 'app' }, logRecords }] }] })
}

function textsOf(body: Uint8Array): readonly string[] {
  return messagesOf(decode(MESSAGE, body), 'resourceLogs').flatMap((resource) =>
    messagesOf(resource, 'scopeLogs').flatMap((scope) =>
      messagesOf(scope, 'logRecords').map(({ severityText }) => String(severityText)),
    ),
  )
}

/** Takes bodies of at most `bytesMax`; says what it took. */
async function startSmallBackend(t: { teardown(end: () => unknown): unknown }, bytesMax: number) {
  const took: string[] = []
  const backend = await startBackend((response, { body }) => {
    const isTooLarge = body.byteLength > bytesMax
    if (!isTooLarge) took.push(...textsOf(body))
    response.writeHead(isTooLarge ? 413 : 200).end()
  })
  t.teardown(backend.close)
  return { ...backend, took }
}

t.test('a batch that is too large is halved between its parcels', async (t) => {
  const backend = await startSmallBackend(t, 4 * logsRequest('x').byteLength)
  const exporter = startExporter(httpConfig(backend.url))
  enqueue(exporter, ...Array.from({ length: 16 }, () => parcelOf(logsRequest('x'))))
  await until(() => exporter.stats().queuedItems === 0)
  t.match(exporter.recorder.totals, { sent: 16, dead: 0 })
  t.equal(backend.received.length, 1 + 2 + 4)
  await exporter.close(100)
})

t.test(
  'a parcel that is too large is halved between its items; an item that is too large alone is dead',
  async (t) => {
    const texts = Array.from({ length: 20 }, (_, index) =>
      index === 7 ? 'x'.repeat(5000) : `record ${index}`,
    )
    const backend = await startSmallBackend(t, 200)
    const exporter = startExporter(httpConfig(backend.url))
    enqueue(exporter, parcelOf(recordsRequest(texts), { items: 20 }))
    await until(() => exporter.stats().queuedItems === 0)
    t.match(exporter.recorder.totals, { admitted: 20, sent: 19, dead: 1 })
    t.strictSame(backend.took, texts.toSpliced(7, 1), 'each once, in order')
    t.match(exporter.recorder.of('backend_refused'), [{ status: 413, items: 1 }])
    t.equal(exporter.queue.usedBytes, 0)
    await exporter.close(100)
  },
)

t.test('what is too large and cannot be read is dead as it is', async (t) => {
  const backend = await startSmallBackend(t, 0)
  const exporter = startExporter(httpConfig(backend.url))
  enqueue(exporter, parcelOf(Buffer.alloc(300, 0xff), { items: 3 }))
  await until(() => exporter.stats().queuedItems === 0)
  t.match(exporter.recorder.totals, { sent: 0, dead: 3 })
  t.equal(backend.received.length, 1)
  await exporter.close(100)
})

async function startStored(
  t: { teardown(end: () => unknown): unknown; testdir(): string },
  url: string,
  storage: 'disk' | 'memory',
) {
  const store = newStore(t, t.testdir())
  const [account] = await store.open()
  const recorder = createRecorder()
  const isDurable = storage === 'disk'
  const exporter = createExporter(httpConfig(url, { name: 'a', queue: { ...QUEUE, storage } }), {
    emit: recorder.emit,
    clock: Date.now,
    random: Math.random,
    stderr: () => {},
    store: isDurable ? store : undefined,
    deadLetters: store,
  })
  if (isDurable) exporter.queue.resume(account)
  return { store, exporter, recorder, isDurable }
}

async function push({ queue }: Exporter, id: number | undefined, texts: readonly string[]): Promise<void> {
  const parcel = parcelOf(recordsRequest(texts), { items: texts.length })
  const bytes = queue.chargeOf(parcel)
  queue.reserve(bytes)
  queue.push(parcel, bytes, id)
}

for (const storage of ['disk', 'memory'] as const) {
  t.test(`a queue on ${storage}: the dead letter holds the refused item alone`, async (t) => {
    const backend = await startSmallBackend(t, 200)
    const { store, exporter, isDurable } = await startStored(t, backend.url, storage)
    const texts = ['a', 'b', 'c'.repeat(900), 'd']
    const bytes = recordsRequest(texts)
    const ids = isDurable
      ? await store.append([
          {
            signal: 'logs',
            lane: 'log',
            items: 4,
            policy: 'p',
            admittedMs: 1,
            exporters: ['a'],
            chunks: [bytes],
            byteLength: bytes.byteLength,
          },
        ])
      : []
    await push(exporter, ids[0], texts)
    await until(() => exporter.stats().queuedItems === 0)
    const letters = await store.deadLetters.list(0, 10)
    t.match(letters, [{ exporter: 'a', signal: 'logs', lane: 'log', items: 1, status: 413 }])
    t.equal(letters.length, 1)
    const letter = await store.deadLetters.read(letters[0].id)
    t.strictSame(textsOf(letter?.bytes ?? new Uint8Array()), ['c'.repeat(900)])
    t.strictSame(backend.took, ['a', 'b', 'd'])
    const account = (await store.open()).find((one) => one.exporter === 'a')
    t.match(account, {
      parcels: 0,
      queued: { items: 0 },
      settled: { dead: { items: 1 }, sent: { items: isDurable ? 3 : 0 } },
    })
    await exporter.close(100)
  })
}

t.test(
  'at the end of the process the parts that were sent stay sent, the others stay on the disk',
  async (t) => {
    const backend = await startBackend((response, { body }) => {
      if (textsOf(body).length > 2) response.writeHead(413).end()
      else if (textsOf(body)[0] === 'a') response.end()
    })
    t.teardown(backend.close)
    const { store, exporter, recorder } = await startStored(t, backend.url, 'disk')
    const texts = ['a', 'b', 'c', 'd']
    const bytes = recordsRequest(texts)
    const [id] = await store.append([
      {
        signal: 'logs',
        lane: 'log',
        items: 4,
        policy: 'p',
        admittedMs: 1,
        exporters: ['a'],
        chunks: [bytes],
        byteLength: bytes.byteLength,
      },
    ])
    await push(exporter, id, texts)
    await until(() => backend.received.length === 3)
    await exporter.close(0)
    t.match(recorder.totals, { sent: 2, lost: 0, dead: 0 })
    const account = (await store.open()).find((one) => one.exporter === 'a')
    t.match(account, { parcels: 1, queued: { items: 2 }, settled: { sent: { items: 2 } } })
    const [left] = await store.load({ exporter: 'a', after: 0, through: 1e9, bytesMax: 1e9 })
    t.strictSame(textsOf(left.bytes), ['c', 'd'])
  },
)
