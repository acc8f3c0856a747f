/** A table of backends that misbehave, over real sockets, and what becomes of one parcel at each. */
import { writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  createSecureServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2'
import { createServer as createTlsServer } from 'node:https'
import { gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib'
import t from 'tap'
import type { OtlpHttpExporterConfig } from '../../../src/config/config.ts'
import {
  type Backend,
  CountedPin,
  enqueue,
  field,
  httpConfig,
  logsRequest,
  parcelOf,
  RETRY,
  type Received,
  startBackend,
  startExporter,
  startRawBackend,
  type Totals,
  until,
} from '../support.ts'
import { cert, key } from './tls-pair.ts'

const PARCEL_ITEMS = 10

type Answer = (response: ServerResponse, received: Received, count: number) => void

interface Case {
  readonly title: string
  readonly backend: () => Promise<Backend>
  readonly config?: Partial<OtlpHttpExporterConfig>
  /** Totals of the ten items of one parcel, those that are not zero. */
  readonly totals: Partial<Totals>
  readonly tries: number
  readonly down?: RegExp
  readonly refused?: { readonly status: number; readonly message: RegExp }
}

const once =
  (first: Answer): Answer =>
  (response, received, count) =>
    count === 1 ? first(response, received, count) : response.end()

const answers = (answer: Answer) => () => startBackend(answer)
const status =
  (code: number, body: string | Buffer = '', headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(code, headers).end(body)

const PROTO = { 'content-type': 'application/x-protobuf' }
const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' }
/** google.rpc.Status { code: 3, message }. */
const protoStatus = (message: string) => Buffer.concat([Buffer.from([8, 3]), field(2, Buffer.from(message))])
/** ExportLogsServiceResponse { partial_success: { rejected_log_records: 3, error_message } }. */
const protoPartial = (message: string) =>
  field(1, Buffer.concat([Buffer.from([8, 3]), field(2, Buffer.from(message))]))

const SHORT = { timeoutMs: 60, retry: { ...RETRY, maxElapsedTimeMs: 1 } }
const SENT = { sent: PARCEL_ITEMS }
const DEAD = { dead: PARCEL_ITEMS }

const cases: readonly Case[] = [
  {
    title: 'a backend that hangs before its headers is given up at the timeout, as retryable',
    backend: answers(() => {}),
    config: SHORT,
    totals: DEAD,
    tries: 1,
    down: /no answer within 60 ms/,
  },
  {
    title: 'a 503 that hangs in its body is retried',
    backend: answers(once((response) => response.writeHead(503).write('x'))),
    config: { timeoutMs: 60 },
    totals: SENT,
    tries: 2,
    down: /503/,
  },
  {
    title: 'a 200 that hangs in its body counts as sent and is not sent twice',
    backend: answers((response) => response.writeHead(200).write('x')),
    config: { timeoutMs: 60 },
    totals: SENT,
    tries: 1,
  },
  {
    title: 'a reply that drips is cut off at the timeout of the whole try',
    backend: answers((response) => {
      response.writeHead(502)
      const timer = setInterval(() => response.write('x'), 10)
      response.on('close', () => clearInterval(timer))
    }),
    config: SHORT,
    totals: DEAD,
    tries: 1,
    down: /502/,
  },
  {
    title: 'a 200 that is reset in its body counts as sent',
    backend: answers((response) => {
      response.writeHead(200, { 'content-length': '100' }).write('x')
      setTimeout(() => response.socket?.resetAndDestroy(), 10)
    }),
    totals: SENT,
    tries: 1,
  },
  {
    title: 'a reset before any reply is retried',
    backend: answers(once((response) => response.socket?.resetAndDestroy())),
    totals: SENT,
    tries: 2,
    down: /ECONNRESET|other side closed/,
  },
  {
    title: 'a 200 with garbage is sent',
    backend: answers(status(200, Buffer.from([0xff, 0xff, 0xff, 1]), PROTO)),
    totals: SENT,
    tries: 1,
  },
  {
    title: 'a 200 with a garbage content type is sent',
    backend: answers(status(200, '<html>', { 'content-type': ';;' })),
    totals: SENT,
    tries: 1,
  },
  {
    title: 'a 204 without a body is sent',
    backend: answers(status(204)),
    totals: SENT,
    tries: 1,
  },
  {
    title: 'a 200 with a reply of 5 MiB is sent',
    backend: answers(status(200, Buffer.alloc(5 << 20), PROTO)),
    totals: SENT,
    tries: 1,
  },
  {
    title: 'a 503 with a reply of 5 MiB is not retried',
    backend: answers(status(503, Buffer.alloc(5 << 20))),
    totals: DEAD,
    tries: 1,
    refused: { status: 503, message: /over 4194304 bytes/ },
  },
  {
    title: 'a 200 with a gzip bomb is sent',
    backend: answers(status(200, gzipSync(Buffer.alloc(64 << 20)), { 'content-encoding': 'gzip' })),
    totals: SENT,
    tries: 1,
  },
  {
    title: 'a 503 with a gzip bomb is not retried',
    backend: answers(status(503, gzipSync(Buffer.alloc(64 << 20)), { 'content-encoding': 'gzip' })),
    totals: DEAD,
    tries: 1,
    refused: { status: 503, message: /over 4194304 bytes/ },
  },
  {
    title: 'a redirect is never followed and is permanent',
    backend: answers(status(301, '', { location: '/elsewhere' })),
    totals: DEAD,
    tries: 1,
    refused: { status: 301, message: /^/ },
  },
  {
    title: 'a 400 with a protobuf Status is permanent and its message is passed on',
    backend: answers(status(400, protoStatus('no such tenant'), PROTO)),
    totals: DEAD,
    tries: 1,
    refused: { status: 400, message: /no such tenant/ },
  },
  {
    title: 'a 400 with a JSON Status is permanent and its message is passed on',
    backend: answers(status(400, '{"code":3,"message":"no such tenant"}', JSON_TYPE)),
    totals: DEAD,
    tries: 1,
    refused: { status: 400, message: /no such tenant/ },
  },
  {
    title: 'a gzipped Status is read',
    backend: answers(
      status(400, gzipSync(protoStatus('no such tenant')), { ...PROTO, 'content-encoding': 'gzip' }),
    ),
    totals: DEAD,
    tries: 1,
    refused: { status: 400, message: /no such tenant/ },
  },
  ...[401, 403, 404, 413, 500, 501].map(
    (code): Case => ({
      title: `a ${code} is never retried`,
      backend: answers(status(code)),
      totals: DEAD,
      tries: 1,
      refused: { status: code, message: /^/ },
    }),
  ),
  ...[429, 502, 503, 504].map(
    (code): Case => ({
      title: `a ${code} is retried`,
      backend: answers(once(status(code))),
      totals: SENT,
      tries: 2,
      down: new RegExp(`${code}`),
    }),
  ),
  {
    title: 'a partial success in protobuf splits the count and is not retried',
    backend: answers(status(200, protoPartial('too old'), PROTO)),
    totals: { sent: 7, rejected: 3 },
    tries: 1,
    refused: { status: 200, message: /too old/ },
  },
  {
    title: 'a partial success in JSON splits the count and is not retried',
    backend: answers(
      status(200, '{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too old"}}', JSON_TYPE),
    ),
    totals: { sent: 7, rejected: 3 },
    tries: 1,
    refused: { status: 200, message: /too old/ },
  },
  {
    title: 'a partial success that claims more items than were sent is cut to what was sent',
    backend: answers(status(200, '{"partialSuccess":{"rejectedLogRecords":"1000"}}', JSON_TYPE)),
    totals: { rejected: PARCEL_ITEMS },
    tries: 1,
    refused: { status: 200, message: /^/ },
  },
  {
    title: 'a chunked reply is read',
    backend: answers((response) => {
      const body = protoPartial('too old')
      response.writeHead(200, PROTO).write(body.subarray(0, 4))
      setTimeout(() => response.end(body.subarray(4)), 5)
    }),
    totals: { sent: 7, rejected: 3 },
    tries: 1,
    refused: { status: 200, message: /too old/ },
  },
  {
    title: 'a reply that is no HTTP is retried',
    backend: () =>
      startRawBackend((socket, _text, count) => {
        socket.end(count === 1 ? 'hello\r\n\r\n' : 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
      }),
    totals: SENT,
    tries: 2,
    down: /HTTP/,
  },
  {
    title: 'informational replies are stepped over',
    backend: () =>
      startRawBackend((socket) => {
        socket.write(
          'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
        )
      }),
    totals: SENT,
    tries: 1,
  },
]

for (const { title, backend: start, config, totals, tries, down, refused } of cases) {
  t.test(title, async (t) => {
    const backend = await start()
    t.teardown(backend.close)
    const exporter = startExporter(httpConfig(backend.url, config))
    const pin = new CountedPin(20)
    enqueue(exporter, parcelOf(logsRequest('one'), { items: PARCEL_ITEMS, pin }))
    pin.release()
    await until(() => exporter.stats().queuedItems === 0)
    const { recorder } = exporter
    t.match(recorder.totals, { sent: 0, rejected: 0, dead: 0, lost: 0, ...totals, admitted: PARCEL_ITEMS })
    t.equal(backend.received.length, tries)
    t.equal(pin.owners, 0, 'the memory is given back')
    const [downEvent] = recorder.of('backend_down')
    if (down === undefined) t.notOk(downEvent)
    else t.match(downEvent.detail, down)
    const [refusedEvent] = recorder.of('backend_refused')
    if (refused !== undefined) t.match(refusedEvent, refused)
    await exporter.close(100)
  })
}

t.test('the request is as the protocol demands', async (t) => {
  const backend = await startBackend((response) => response.end())
  t.teardown(backend.close)
  const body = Buffer.concat([logsRequest('a'), logsRequest('b'.repeat(1000))])
  const exports = [
    { encoding: 'proto', compression: 'none', plain: (bytes: Buffer) => bytes },
    { encoding: 'proto', compression: 'gzip', plain: (bytes: Buffer) => gunzipSync(bytes) },
    { encoding: 'proto', compression: 'zstd', plain: (bytes: Buffer) => zstdDecompressSync(bytes) },
    { encoding: 'json', compression: 'none', plain: (bytes: Buffer) => bytes },
    { encoding: 'json', compression: 'gzip', plain: (bytes: Buffer) => gunzipSync(bytes) },
  ] as const
  for (const { encoding, compression, plain } of exports) {
    const headers = { 'x-tenant': ['a'] }
    const exporter = startExporter(httpConfig(backend.url, { encoding, compression, headers }))
    enqueue(exporter, parcelOf([body.subarray(0, 7), body.subarray(7)]))
    await exporter.close(2000)
    const request = backend.received.pop()
    if (request === undefined) throw new Error('nothing was received')
    t.equal(request.path, '/v1/logs')
    t.equal(
      request.headers['content-type'],
      encoding === 'json' ? 'application/json' : 'application/x-protobuf',
    )
    t.equal(request.headers['content-encoding'], compression === 'none' ? undefined : compression)
    t.equal(request.headers['content-length'], String(request.body.byteLength))
    t.match(request.headers['user-agent'], /^laneway\/\S+ OTel-OTLP-Exporter-Laneway\/\S+$/)
    t.equal(request.headers['x-tenant'], 'a')
    const received = plain(request.body)
    if (encoding === 'proto') t.ok(received.equals(body))
    else t.equal(JSON.parse(received.toString()).resourceLogs.length, 2)
  }
})

t.test('a connection that the backend closes while idle costs no failure', async (t) => {
  const backend = await startRawBackend((socket) => {
    // Claims keep-alive, then leaves.
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    setTimeout(() => socket.destroy(), 5)
  })
  t.teardown(backend.close)
  const exporter = startExporter(httpConfig(backend.url))
  for (let count = 1; count <= 20; count++) {
    enqueue(exporter, parcelOf(logsRequest('one')))
    await until(() => exporter.recorder.totals.sent === count)
    await new Promise((resolve) => setTimeout(resolve, 4 + (count % 3)))
  }
  t.strictSame(exporter.recorder.of('backend_down'), [])
  await exporter.close(100)
})

t.test('connections are kept alive', async (t) => {
  const ports = new Set<unknown>()
  const backend = await startBackend((response) => {
    ports.add(response.socket?.remotePort)
    response.end()
  })
  t.teardown(backend.close)
  const exporter = startExporter(httpConfig(backend.url))
  for (let count = 1; count <= 10; count++) {
    enqueue(exporter, parcelOf(logsRequest('one')))
    await until(() => exporter.recorder.totals.sent === count)
  }
  t.equal(ports.size, 1)
  await exporter.close(100)
})

t.test('a backend that is not there yet gets everything once it is', async (t) => {
  const place = await startBackend((response) => response.end())
  await place.close()
  const exporter = startExporter(httpConfig(place.url))
  enqueue(exporter, parcelOf(logsRequest('one')), parcelOf(logsRequest('two')))
  await until(() => exporter.recorder.of('backend_down').length === 1)
  t.equal(exporter.stats().down, true)
  t.match(exporter.recorder.of('backend_down')[0].detail, /ECONNREFUSED/)
  const backend = await startBackend((response) => response.end(), place.port)
  t.teardown(backend.close)
  await until(() => exporter.recorder.totals.sent === 2)
  t.equal(exporter.stats().down, false)
  t.equal(exporter.recorder.of('backend_down').length, 1, 'said once')
  t.equal(exporter.recorder.of('backend_up').length, 1)
  await exporter.close(100)
})

t.test('Retry-After is waited for, in seconds and as a date', async (t) => {
  const inOneSecond = () => new Date(Math.ceil(Date.now() / 1000) * 1000 + 1000).toUTCString()
  for (const header of [() => '1', inOneSecond]) {
    const backend = await startBackend(
      once((response, ...rest) => status(429, '', { 'retry-after': header() })(response, ...rest)),
    )
    t.teardown(backend.close)
    const exporter = startExporter(httpConfig(backend.url))
    enqueue(exporter, parcelOf(logsRequest('one')))
    await until(() => exporter.recorder.totals.sent === 1)
    const [first, second] = backend.received
    t.ok(second.atMs - first.atMs > 500, `waited ${second.atMs - first.atMs} ms`)
    await exporter.close(100)
  }
})

t.test('a token that was rotated is used at once after a 401, and without one within a second', async (t) => {
  const dir = t.testdir({ token: 'old\n' })
  const backend = await startBackend((response, { headers }) => {
    response.writeHead(headers.authorization === 'Bearer new' ? 200 : 401).end()
  })
  t.teardown(backend.close)
  const headers = { authorization: ['Bearer ', { file: `${dir}/token` }] }
  let nowMs = 1_000_000
  const exporter = startExporter(httpConfig(backend.url, { headers }), { clock: () => nowMs })
  enqueue(exporter, parcelOf(logsRequest('one')))
  await until(() => exporter.recorder.totals.dead === 1)
  t.equal(backend.received.length, 1, 'a 401 with the token unchanged is permanent')
  writeFileSync(`${dir}/token`, 'new\n')
  enqueue(exporter, parcelOf(logsRequest('two')))
  await until(() => exporter.recorder.totals.sent === 1)
  t.equal(backend.received.length, 3, 'tried once more at once')
  writeFileSync(`${dir}/token`, 'newer')
  nowMs += 1001
  enqueue(exporter, parcelOf(logsRequest('three')))
  await until(() => exporter.recorder.totals.dead === 2)
  t.equal(backend.received[3].headers.authorization, 'Bearer newer')
  await exporter.close(100)
})

t.test('a header file that cannot be read is retried and named', async (t) => {
  const dir = t.testdir({})
  const backend = await startBackend((response) => response.end())
  t.teardown(backend.close)
  const headers = { authorization: [{ file: `${dir}/token` }] }
  const exporter = startExporter(httpConfig(backend.url, { headers }))
  enqueue(exporter, parcelOf(logsRequest('one')))
  await until(() => exporter.recorder.of('backend_down').length === 1)
  t.match(exporter.recorder.of('backend_down')[0].detail, `${dir}/token`)
  writeFileSync(`${dir}/token`, 'x')
  await until(() => exporter.recorder.totals.sent === 1)
  await exporter.close(100)
})

t.test('a parcel that cannot be written as JSON dies alone', async (t) => {
  const backend = await startBackend((response) => response.end())
  t.teardown(backend.close)
  const exporter = startExporter(httpConfig(backend.url, { encoding: 'json' }))
  const torn = field(1, field(2, field(2, Buffer.from([0x2a, 0x7f]))))
  enqueue(exporter, parcelOf(logsRequest('one')), parcelOf(torn), parcelOf(logsRequest('two')))
  await until(() => exporter.stats().queuedItems === 0)
  t.match(exporter.recorder.totals, { sent: 2, dead: 1 })
  t.match(exporter.recorder.of('backend_refused')[0].message, /cannot be written as JSON/)
  await exporter.close(100)
})

t.test('a request over the protocol limit is never sent', async (t) => {
  const backend = await startBackend((response) => response.end())
  t.teardown(backend.close)
  const exporter = startExporter(
    httpConfig(backend.url, { queue: { ...httpConfig('').queue, bytesMax: 2 ** 30 } }),
  )
  enqueue(exporter, parcelOf(Buffer.alloc(64 * 1024 * 1024 + 1)))
  await until(() => exporter.recorder.totals.dead === 1)
  t.equal(backend.received.length, 0)
  await exporter.close(100)
})

t.test('memory is not read any more once an early reply has settled the parcel', async (t) => {
  // The backend answers the head of the request and only later reads the body: by then the memory belongs to
  // somebody else, so not one byte of what was written there meanwhile may arrive.
  const secret = 0x55
  let leaked = false
  const backend = await startRawBackend((socket, text, count) => {
    leaked ||= text.includes('U'.repeat(16))
    if (count > 1) return
    socket.pause()
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    setTimeout(() => socket.resume(), 100)
  })
  t.teardown(backend.close)
  const exporter = startExporter(httpConfig(backend.url))
  const memory = Buffer.alloc(15 << 20, 0x41)
  enqueue(exporter, parcelOf(memory))
  await until(() => exporter.recorder.totals.sent === 1)
  memory.fill(secret)
  await new Promise((resolve) => setTimeout(resolve, 200))
  t.notOk(leaked)
  await exporter.close(100)
})

t.test('over TLS the given authority is trusted and others are not, in HTTP/1.1 and HTTP/2', async (t) => {
  const dir = t.testdir({ 'ca.pem': cert })
  const trusting = {
    caFile: `${dir}/ca.pem`,
    certFile: undefined,
    keyFile: undefined,
    insecureSkipVerify: false,
  }
  const careless = { ...trusting, caFile: undefined, insecureSkipVerify: true }
  const body = Buffer.alloc(300_000, 7)
  for (const version of ['1.1', '2.0']) {
    const received: string[] = []
    const listener = (
      request: IncomingMessage | Http2ServerRequest,
      response: ServerResponse | Http2ServerResponse,
    ) => {
      let bytes = 0
      request.on('data', (part: Buffer) => {
        bytes += part.byteLength
      })
      request.on('end', () => {
        received.push(`${request.httpVersion} ${bytes}`)
        response.end()
      })
    }
    const server =
      version === '2.0'
        ? createHttp2Server({ key, cert }, listener)
        : createTlsServer({ key, cert }, listener)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const url = `https://localhost:${address.port}`
    for (const tls of [trusting, careless]) {
      const exporter = startExporter(httpConfig(url, { tls }))
      enqueue(exporter, parcelOf(body))
      await exporter.close(2000)
      t.equal(exporter.recorder.totals.sent, 1)
    }
    t.strictSame(received, [`${version} 300000`, `${version} 300000`])
    const distrustful = startExporter(httpConfig(url))
    enqueue(distrustful, parcelOf(body))
    await until(() => distrustful.recorder.of('backend_down').length === 1)
    t.match(distrustful.recorder.of('backend_down')[0].detail, /certificate/)
    await distrustful.close(0)
    t.equal(distrustful.recorder.totals.lost, 1)
    await new Promise((resolve) => server.close(resolve))
  }
})
