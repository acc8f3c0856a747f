/**
 * Good senders go on while others send garbage, lies, bombs and nothing at all; and whatever a refused request held,
 * Laneway repeats none of it.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { readCorpus } from '../oracle/corpus.ts'
import {
  arrivedAt,
  drained,
  type Flow,
  receivedItems,
  rowItems,
  startFlow,
  startSink,
  watchLedger,
} from './flow.ts'
import { bodiesIn, logsOf } from './records.ts'

type Breakage = (body: Uint8Array, seed: number) => Uint8Array

/** Ways to damage a request. */
const BREAKAGES: readonly Breakage[] = [
  (body, seed) => body.subarray(0, 1 + (seed % (body.length - 1))),
  (body, seed) => {
    const copy = Uint8Array.from(body)
    copy[seed % copy.length] ^= 1 << (seed % 8)
    return copy
  },
  (body, seed) => Buffer.concat([body, body.subarray(seed % body.length)]),
  (body, seed) => Buffer.concat([body.subarray(seed % body.length), body.subarray(0, seed % body.length)]),
]

const CANARY = 'CANARY-HOSTILE'

const configOf = (url: string): string => `
policy: { preset: codex }
exporters: { otlp_http: { endpoint: "${url}", compression: none } }
lanes: { log: { exporters: [otlp_http] }, trace: { exporters: [otlp_http] } }
`

interface Attack {
  readonly body: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  readonly path?: string
}

/** Each is refused with one of these. */
const refusals: readonly number[] = [400, 404, 413, 415]

const text = (value: string): Buffer => Buffer.from(value)
const json = { 'content-type': 'application/json' }

const ATTACKS: Readonly<Record<string, Attack>> = {
  'a length that lies': { body: Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, ...text(CANARY)]) },
  'a group': { body: Buffer.concat([Buffer.from([0x0b]), text(CANARY)]) },
  'text for protobuf': { body: text(`${CANARY} is no protobuf`) },
  'JSON that ends early': { body: text(`{"resourceLogs":[{"${CANARY}":`), headers: json },
  'JSON with a key twice': { body: text(`{"resourceLogs":[],"resourceLogs":["${CANARY}"]}`), headers: json },
  'JSON of the wrong kind': { body: text(`{"resourceLogs":"${CANARY}"}`), headers: json },
  'JSON that is too deep': { body: text('{"resourceLogs":['.repeat(20_000)), headers: json },
  'a type that nobody knows': { body: text(CANARY), headers: { 'content-type': `text/${CANARY}` } },
  'a coding that nobody knows': { body: text(CANARY), headers: { 'content-encoding': CANARY } },
  'gzip that is none': { body: text(CANARY), headers: { 'content-encoding': 'gzip' } },
  'a path that is none': { body: text(CANARY), path: `/v1/${CANARY}` },
  'a gzip bomb': { body: gzipSync(Buffer.alloc(80_000_000)), headers: { 'content-encoding': 'gzip' } },
  'a zstd bomb': {
    body: zstdCompressSync(Buffer.alloc(80_000_000)),
    headers: { 'content-encoding': 'zstd' },
  },
}

t.test('good senders go on while others misbehave in every way', async (t) => {
  const sink = await startSink(t)
  const flow = await startFlow(t, configOf(sink.url))
  const watch = watchLedger(flow)
  const sockets = openSilentConnections(flow)
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })

  let isOver = false
  const attacking = Promise.all(
    Object.entries(ATTACKS).map(async ([name, { body, headers, path = '/v1/logs' }]) => {
      for (let round = 0; round < 5; round++) {
        const answer = await flow.post(path, body, headers)
        t.ok(refusals.includes(answer.status), `${name}: ${answer.status}`)
        t.notMatch(await answer.text(), CANARY, `${name}: the answer repeats nothing`)
      }
    }),
  ).finally(() => {
    isOver = true
  })
  const slowestMs: number[] = []
  const sent: string[] = []
  const sending = Promise.all(
    Array.from({ length: 4 }, async (_, sender) => {
      for (let count = 0; count < 50 || !isOver; count++) {
        const body = `${sender} ${count}`
        const startedAtMs = performance.now()
        const answer = await flow.post('/v1/logs', logsOf({ target: 'codex_otel.log_only', texts: [body] }))
        slowestMs.push(performance.now() - startedAtMs)
        t.equal(answer.status, 200)
        sent.push(body)
        await delay(2)
      }
    }),
  )
  await Promise.all([attacking, sending])
  const ledger = await drained(flow)
  await watch.stop()
  t.strictSame(bodiesIn(arrivedAt(sink, '/v1/logs')).toSorted(), sent.toSorted())
  t.equal(receivedItems(ledger, 'log_record'), sent.length, 'what cannot be read has no items')
  t.ok(Math.max(...slowestMs) < 2000, `the slowest waited ${Math.round(Math.max(...slowestMs))} ms`)
  const metrics = await (await fetch(`${flow.running.admin}/metrics`)).text()
  const { code, stderr } = await flow.stop()
  t.equal(code, 0)
  t.notMatch(stderr + metrics, CANARY)
})

t.test('captured requests that were damaged are refused whole, or hurt nobody', async (t) => {
  const sink = await startSink(t)
  const flow = await startFlow(t, configOf(sink.url))
  const requests = readCorpus().filter(({ encoding, body }) => encoding === 'proto' && body.length < 20_000)
  const answers = new Map<number, number>()
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...requests),
      fc.constantFrom(...BREAKAGES),
      fc.nat(),
      async ({ signal, body }, breakage, seed) => {
        const answer = await flow.post(`/v1/${signal}`, breakage(body, seed))
        answers.set(answer.status, (answers.get(answer.status) ?? 0) + 1)
        return [200, 400].includes(answer.status) && !(await answer.text()).includes('CANARY')
      },
    ),
    { numRuns: 300 },
  )
  t.ok((answers.get(400) ?? 0) > 50, JSON.stringify([...answers]))
  t.equal((await flow.post('/v1/logs', logsOf({ target: 'codex_otel.log_only', texts: ['x'] }))).status, 200)
  await drained(flow)
  const { code, stderr } = await flow.stop()
  t.equal(code, 0)
  t.notMatch(stderr, /CANARY/)
})

t.test('senders that break off in the middle leave nothing behind', async (t) => {
  const sink = await startSink(t)
  const flow = await startFlow(t, configOf(sink.url), [
    '--set',
    'receivers.otlp.protocols.http.max_request_body_size=256KiB',
    '--set',
    'receivers.otlp.protocols.http.max_in_flight_size=512KiB',
  ])
  const port = Number(new URL(flow.running.receiver).port)
  const head = `POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n`
  for (let count = 0; count < 50; count++) {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.write(`${head}content-length: 200000\r\n\r\n`)
    socket.write(Buffer.alloc(100_000))
    await delay(2)
    socket.destroy()
  }
  // Together ten times what may be in flight: if any of it were still charged, this would be refused.
  const large = logsOf({ target: 'codex_otel.log_only', texts: ['x'.repeat(250_000)] })
  await delay(100)
  t.equal((await flow.post('/v1/logs', large)).status, 200)
  t.equal((await flow.post('/v1/logs', large)).status, 200)
  const ledger = await drained(flow)
  t.equal(rowItems(ledger, { carriage: 'log_record', outcome: 'forwarded' }), 2)
  t.equal((await flow.stop()).code, 0)
})

/** Connections that say nothing, or begin and do not go on. */
function openSilentConnections({ running }: Flow): readonly Socket[] {
  const port = Number(new URL(running.receiver).port)
  const beginnings = ['', 'P', 'POST /v1/logs HTTP/1.1\r\n', `POST /v1/logs HTTP/1.1\r\nx: ${CANARY}`]
  return Array.from({ length: 40 }, (_, index) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(beginnings[index % beginnings.length])
    return socket
  })
}
