/**
 * Lanes of a whole sidecar when backends are slow, dead, full or killed: nobody else waits, and what was
 * acknowledged arrives.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { startBackend, startRawBackend, until } from '../lane/support.ts'
import {
  arrivedAt,
  drained,
  exporterItems,
  type Flow,
  freePort,
  rowItems,
  startFlow,
  startSink,
  watchLedger,
} from './flow.ts'
import { bodiesIn, logsOf, spanNamesIn, spansOf } from './records.ts'

const QUICK_RETRY = 'retry_on_failure: { initial_interval: 20ms, max_interval: 100ms }'

const twoLanes = (logUrl: string, traceUrl: string, queue = '{}'): string => `
policy: { preset: codex }
exporters:
  otlp_http/log: { endpoint: "${logUrl}", compression: none, ${QUICK_RETRY} }
  otlp_http/trace: { endpoint: "${traceUrl}", compression: none, sending_queue: ${queue}, ${QUICK_RETRY} }
lanes:
  log: { exporters: [otlp_http/log] }
  trace: { exporters: [otlp_http/trace] }
`

t.test('a backend that is dead delays no other lane, and gets all of it when it comes back', async (t) => {
  const deadPort = await freePort()
  const sink = await startSink(t)
  const flow = await startFlow(t, twoLanes(sink.url, `http://127.0.0.1:${deadPort}`))
  const watch = watchLedger(flow)
  const names = numbered('span', 300)
  const texts = numbered('record', 300)
  const startedAtMs = Date.now()
  await Promise.all([
    ...inTens(names).map((names) => acknowledged(flow, '/v1/traces', spansOf({ target: 'x', texts: names }))),
    ...inTens(texts).map((texts) => acknowledged(flow, '/v1/logs', logsOf({ target: SAFE_LOG, texts }))),
  ])
  await until(() => bodiesIn(arrivedAt(sink, '/v1/logs')).length === texts.length)
  t.ok(Date.now() - startedAtMs < 2000, 'the log lane did not wait')
  t.equal(exporterItems(await flow.ledger(), 'otlp_http/trace', 'queued'), names.length)

  const revived = await startSink(t, deadPort)
  const ledger = await drained(flow)
  t.ok((await watch.stop()) > 5)
  t.strictSame(spanNamesIn(arrivedAt(revived, '/v1/traces')).toSorted(), names.toSorted())
  t.equal(exporterItems(ledger, 'otlp_http/trace', 'sent'), names.length)
  t.equal((await flow.stop()).code, 0)
})

t.test('a backend that takes requests and never answers delays no other lane', async (t) => {
  const silent = await startRawBackend(() => {})
  t.teardown(() => silent.close())
  const sink = await startSink(t)
  const flow = await startFlow(t, twoLanes(sink.url, silent.url))
  await acknowledged(flow, '/v1/traces', spansOf({ target: 'x', texts: numbered('span', 50) }))
  await until(() => silent.received.length > 0)
  const startedAtMs = Date.now()
  for (const text of numbered('record', 20)) {
    await acknowledged(flow, '/v1/logs', logsOf({ target: SAFE_LOG, texts: [text] }))
  }
  await until(() => bodiesIn(arrivedAt(sink, '/v1/logs')).length === 20)
  t.ok(Date.now() - startedAtMs < 2000)
})

t.test('a full queue refuses with 503 and Retry-After, and loses nothing that it took', async (t) => {
  const deadPort = await freePort()
  const sink = await startSink(t)
  const flow = await startFlow(t, twoLanes(sink.url, `http://127.0.0.1:${deadPort}`, '{ queue_size: 32KiB }'))
  const watch = watchLedger(flow)
  const taken: string[] = []
  let refused = 0
  for (const name of numbered('x'.repeat(400), 200)) {
    const response = await flow.post('/v1/traces', spansOf({ target: 'x', texts: [name] }))
    if (response.status === 200) {
      taken.push(name)
      continue
    }
    t.equal(response.status, 503)
    t.match(response.headers.get('retry-after'), /^[1-9][0-9]*$/)
    refused++
  }
  t.ok(taken.length > 20 && refused > 20, `${taken.length} taken, ${refused} refused`)
  await acknowledged(flow, '/v1/logs', logsOf({ target: SAFE_LOG, texts: ['other'] }))

  const full = await flow.ledger()
  t.equal(
    rowItems(full, { carriage: 'span', outcome: 'refused', reason: 'queue_full' }),
    refused,
    'the refused ones are in the ledger',
  )
  t.equal(rowItems(full, { carriage: 'span', outcome: 'forwarded' }), taken.length)

  const revived = await startSink(t, deadPort)
  const ledger = await drained(flow)
  await watch.stop()
  t.strictSame(spanNamesIn(arrivedAt(revived, '/v1/traces')).toSorted(), taken.toSorted())
  t.equal(exporterItems(ledger, 'otlp_http/trace', 'sent'), taken.length)
  await acknowledged(flow, '/v1/traces', spansOf({ target: 'x', texts: ['there is room again'] }))
})

t.test('with drop_oldest a dead backend costs the oldest, and nobody is refused', async (t) => {
  const deadPort = await freePort()
  const sink = await startSink(t)
  const queue = '{ queue_size: 32KiB, on_full: drop_oldest }'
  const flow = await startFlow(t, twoLanes(sink.url, `http://127.0.0.1:${deadPort}`, queue))
  const watch = watchLedger(flow)
  const names = numbered('x'.repeat(400), 200)
  for (const name of names) {
    await acknowledged(flow, '/v1/traces', spansOf({ target: 'x', texts: [name] }))
  }
  const revived = await startSink(t, deadPort)
  const ledger = await drained(flow)
  await watch.stop()
  const arrived = spanNamesIn(arrivedAt(revived, '/v1/traces'))
  const lost = exporterItems(ledger, 'otlp_http/trace', 'lost')
  t.ok(lost > 50, `${lost} lost`)
  t.equal(arrived.length + lost, names.length)
  t.ok(arrived.includes(names[names.length - 1]), 'the newest are there')
})

t.test('a request that needs a full queue goes to none of its lanes', async (t) => {
  const deadPort = await freePort()
  const sink = await startSink(t)
  const flow = await startFlow(
    t,
    `
policy: { preset: none, namespace: shop, families: { a: { targets: [shop.a] }, b: { targets: [shop.b] } } }
exporters:
  otlp_http/a: { endpoint: "${sink.url}", compression: none }
  otlp_http/b: { endpoint: "http://127.0.0.1:${deadPort}", sending_queue: { queue_size: 16KiB }, ${QUICK_RETRY} }
lanes:
  a: { signal: logs, accept: [{ events: [a] }], exporters: [otlp_http/a] }
  b: { signal: logs, accept: [{ events: [b] }], exporters: [otlp_http/b] }
`,
  )
  const large = 'b'.repeat(1000)
  let status = 200
  while (status === 200) {
    status = (await flow.post('/v1/logs', logsOf({ target: 'shop.b', texts: [large] }))).status
  }
  const both = logsOf({ target: 'shop.a', texts: ['not alone'] }, { target: 'shop.b', texts: [large] })
  t.equal((await flow.post('/v1/logs', both)).status, 503)
  await acknowledged(flow, '/v1/logs', logsOf({ target: 'shop.a', texts: ['alone'] }))
  await until(() => bodiesIn(arrivedAt(sink, '/v1/logs')).length > 0)
  t.strictSame(bodiesIn(arrivedAt(sink, '/v1/logs')), ['alone'])
  t.equal(rowItems(await flow.ledger(), { family: 'a', outcome: 'refused', reason: 'queue_full' }), 1)
})

t.test('a lane with several exporters gives each of them everything', async (t) => {
  const [one, other] = [await startSink(t), await startSink(t)]
  const flow = await startFlow(
    t,
    `
policy: { preset: codex }
exporters:
  otlp_http/one: { endpoint: "${one.url}", compression: none }
  otlp_http/other: { endpoint: "${other.url}", compression: none }
  file/copy: { path: ./copy.jsonl }
lanes: { log: { exporters: [otlp_http/one, otlp_http/other, file/copy] } }
`,
  )
  const texts = numbered('record', 100)
  for (const some of inTens(texts)) {
    await acknowledged(flow, '/v1/logs', logsOf({ target: SAFE_LOG, texts: some }))
  }
  const ledger = await drained(flow)
  for (const backend of [one, other])
    t.strictSame(bodiesIn(arrivedAt(backend, '/v1/logs')).toSorted(), texts.toSorted())
  for (const exporter of ['otlp_http/one', 'otlp_http/other', 'file/copy']) {
    t.equal(exporterItems(ledger, exporter, 'sent'), texts.length)
  }
  t.equal(rowItems(ledger, { outcome: 'forwarded' }), texts.length, 'an item is forwarded once')
})

t.test('a backend killed in the middle of a request gets that request again', async (t) => {
  const port = await freePort()
  const killed = spawn(process.execPath, ['-e', DIES_WHILE_IT_READS, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  // Listened for from the start: it may be gone before the last request is acknowledged.
  const exited = once(killed, 'exit')
  await once(killed.stdout, 'data')
  const flow = await startFlow(t, twoLanes(`http://127.0.0.1:${port}`, 'http://127.0.0.1:9'))
  const texts = numbered('y'.repeat(20_000), 50)
  for (const some of inTens(texts)) {
    await acknowledged(flow, '/v1/logs', logsOf({ target: SAFE_LOG, texts: some }))
  }
  const [, signal] = await exited
  t.equal(signal, 'SIGKILL')
  const sink = await startSink(t, port)
  const ledger = await drained(flow)
  t.strictSame(bodiesIn(arrivedAt(sink, '/v1/logs')).toSorted(), texts.toSorted())
  t.equal(exporterItems(ledger, 'otlp_http/log', 'sent'), texts.length)
  t.equal(exporterItems(ledger, 'otlp_http/log', 'dead'), 0)
})

t.test('a backend that answers 503 at first, with Retry-After, gets everything once', async (t) => {
  const kept: Buffer[] = []
  const backend = await startBackend((response, { body }, count) => {
    if (count <= 3) {
      response.writeHead(503, { 'retry-after': '0' }).end()
      return
    }
    kept.push(body)
    response.end()
  })
  t.teardown(() => backend.close())
  const flow = await startFlow(t, twoLanes(backend.url, 'http://127.0.0.1:9'))
  const texts = numbered('record', 100)
  for (const some of inTens(texts)) {
    await acknowledged(flow, '/v1/logs', logsOf({ target: SAFE_LOG, texts: some }))
  }
  await drained(flow)
  t.strictSame(bodiesIn(Buffer.concat(kept)).toSorted(), texts.toSorted())
})

const SAFE_LOG = 'codex_otel.log_only'

/** Takes a connection, reads some of what comes, and is gone without a word. */
const DIES_WHILE_IT_READS = `
require('node:net')
  .createServer((socket) => socket.on('data', () => setTimeout(() => process.kill(process.pid, 'SIGKILL'), 30).unref() && socket.pause()))
  .listen(Number(process.argv[1]), '127.0.0.1', () => console.log('listening'))
`

async function acknowledged(flow: Flow, path: string, body: Uint8Array): Promise<void> {
  const { status } = await flow.post(path, body)
  if (status !== 200) throw new Error(`${path} answered ${status}`)
}

function numbered(text: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${text} ${index}`)
}

function inTens(texts: readonly string[]): readonly (readonly string[])[] {
  return Array.from({ length: Math.ceil(texts.length / 10) }, (_, index) =>
    texts.slice(index * 10, index * 10 + 10),
  )
}
