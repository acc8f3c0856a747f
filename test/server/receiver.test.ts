import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { linkSync, lstatSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import t from 'tap'
import { MalformedRequest, TooLarge } from '../../src/errors.ts'
import { createReceiver } from '../../src/server/receiver.ts'
import { delay, post, readReplies, settled, speak, startReceiver } from './support.ts'

const JSON_TYPE = 'application/json'
const LOGS_JSON = Buffer.from(
  '{"resourceLogs":[{"scopeLogs":[{"scope":{"name":"codex_otel.x"},"logRecords":[{}]}]}]}',
)
/** resource_logs { scope_logs { scope { name: "x" } log_records {} } } */
const LOGS_PROTO = Buffer.from('0a0912070a030a01781200', 'hex')

t.test('success is 200 with an empty message in the encoding of the request', async (t) => {
  const { port, received } = await startReceiver(t)
  for (const [path, signal] of [
    ['/v1/logs', 'logs'],
    ['/v1/traces', 'traces'],
    ['/v1/metrics', 'metrics'],
  ] as const) {
    const proto = await post(port, LOGS_PROTO, { path })
    t.equal(proto.status, 200)
    t.equal(proto.headers.get('content-type'), 'application/x-protobuf')
    t.equal(proto.body.length, 0)
    t.equal(received.at(-1)?.signal, signal)
    const json = await post(port, Buffer.from('{}'), { path, type: JSON_TYPE })
    t.equal(json.status, 200)
    t.equal(json.headers.get('content-type'), JSON_TYPE)
    t.same(JSON.parse(json.body.toString()), {}, 'partial_success is unset')
  }
})

t.test('an empty request succeeds, on a path of a signal and on /', async (t) => {
  const { port } = await startReceiver(t)
  for (const path of ['/v1/logs', '/']) {
    t.equal((await post(port, Buffer.alloc(0), { path })).status, 200)
    t.equal((await post(port, Buffer.alloc(0), { path, chunked: true })).status, 200)
    t.equal((await post(port, Buffer.from('{}'), { path, type: JSON_TYPE })).status, 200)
  }
})

t.test('media types are taken in any case and with parameters', async (t) => {
  const { port, bodies } = await startReceiver(t)
  for (const type of [
    'application/x-protobuf',
    'APPLICATION/X-Protobuf',
    'application/protobuf',
    'application/x-protobuf; messageType="x"',
  ]) {
    t.equal((await post(port, LOGS_PROTO, { type })).status, 200, type)
    t.same(bodies.at(-1), LOGS_PROTO)
  }
  for (const type of [
    'Application/JSON',
    'application/json;charset=utf-8',
    'application/json ; charset=UTF-8',
  ]) {
    t.equal((await post(port, LOGS_JSON, { type })).status, 200, type)
  }
})

t.test('another media type is 415 with a Status in JSON and what is taken', async (t) => {
  const { port, events } = await startReceiver(t)
  for (const type of ['text/plain', 'application/grpc', '', 'application/x-protobuf2', 'nonsense', null]) {
    const reply = await post(port, LOGS_PROTO, { type })
    t.equal(reply.status, 415, String(type))
    t.equal(reply.headers.get('content-type'), JSON_TYPE)
    t.match(JSON.parse(reply.body.toString()), { code: 3, message: /content-type/ })
  }
  t.match(events.at(-1), { type: 'request_answered', code: 415, reason: 'unsupported', signal: 'logs' })
})

t.test('a wrong method is 405 with Allow, another path 404, both with a Status', async (t) => {
  const { port } = await startReceiver(t)
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'TRACE']) {
    const reply = await post(port, Buffer.alloc(0), { method, path: '/v1/traces?x=1', type: JSON_TYPE })
    t.equal(reply.status, 405, method)
    t.equal(reply.headers.get('allow'), 'POST')
    t.match(JSON.parse(reply.body.toString()), { code: 12 })
  }
  for (const path of ['/v1/log', '/v1', '/v1development/profiles', '/v1/logs/x']) {
    const reply = await post(port, LOGS_PROTO, { path })
    t.equal(reply.status, 404, path)
    t.equal(reply.headers.get('content-type'), 'application/x-protobuf')
    t.equal(reply.body[0], 0x08, 'a Status, whose first field is its code')
  }
  t.equal((await post(port, Buffer.alloc(0), { method: 'BREW' }).catch(() => ({ status: 400 }))).status, 400)
})

t.test('HEAD is 405 without a body', async (t) => {
  const { port } = await startReceiver(t)
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const outgoing = http.request({ port, method: 'HEAD', path: '/v1/logs' }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode))
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
  t.equal(status, 405)
})

t.test('query strings, a trailing slash and a doubled one are tolerated', async (t) => {
  const { port } = await startReceiver(t)
  for (const path of ['/v1/logs/', '/v1/logs?a=b', '/v1/logs/?a=b', '//v1/logs', '/?x']) {
    t.equal((await post(port, Buffer.alloc(0), { path })).status, 200, path)
  }
  t.equal((await post(port, LOGS_PROTO, { path: '/%zz' })).status, 400)
})

t.test('a request to / goes where its body says', async (t) => {
  const { port, received } = await startReceiver(t)
  t.equal((await post(port, LOGS_JSON, { path: '/', type: JSON_TYPE })).status, 200)
  t.equal(received.at(-1)?.signal, 'logs')
  const undecidable = await post(port, LOGS_PROTO, { path: '/' })
  t.equal(undecidable.status, 400, 'one item, which says nothing of what it is')
  t.equal(received.length, 1)
})

t.test('JSON is made protobuf at the door; bad JSON is 400 with a path and a BadRequest', async (t) => {
  const { port, bodies, received } = await startReceiver(t)
  await post(port, LOGS_JSON, { type: JSON_TYPE })
  t.equal(bodies[0].includes('codex_otel.x'), true)
  t.not(bodies[0][0], 0x7b)
  for (const body of ['', '[', 'null', '{"resourceLogs":{}}', '{"resourceLogs":[{"scopeLogs":3}]}']) {
    const reply = await post(port, Buffer.from(body), { type: JSON_TYPE })
    t.equal(reply.status, 400, body)
    const status: unknown = JSON.parse(reply.body.toString())
    t.match(status, { code: 3, details: [{ '@type': 'type.googleapis.com/google.rpc.BadRequest' }] })
  }
  const latin = await post(port, Buffer.from([0x7b, 0x22, 0xe9, 0x22, 0x3a, 0x31, 0x7d]), { type: JSON_TYPE })
  t.equal(latin.status, 400, 'not UTF-8')
  t.equal(received.length, 1)
})

t.test('what handle says is what the sender hears', async (t) => {
  const outcomes: (() => Promise<{
    accepted: false
    reason: 'full' | 'queue_full'
    message: string
    retryAfterSeconds: number
  }>)[] = [
    async () => ({ accepted: false, reason: 'queue_full', message: 'full up', retryAfterSeconds: 2.2 }),
    () => Promise.reject(new MalformedRequest('a varint is too long', { offset: 17 })),
    () => Promise.reject(new TooLarge('too many records')),
    () => Promise.reject(new Error('secret content')),
    () => {
      throw new Error('secret content')
    },
  ]
  let turn = 0
  const { port, events, receiver } = await startReceiver(t, {
    handle: (request) => {
      request.pin.release()
      const outcome = outcomes[turn]
      turn += 1
      return outcome()
    },
  })
  const full = await post(port, LOGS_JSON, { type: JSON_TYPE })
  t.equal(full.status, 503)
  t.equal(full.headers.get('retry-after'), '3')
  t.match(JSON.parse(full.body.toString()), { code: 14, message: 'full up' })
  const malformed = await post(port, LOGS_JSON, { type: JSON_TYPE })
  t.equal(malformed.status, 400)
  t.match(malformed.body.toString(), /byte 17/)
  t.equal((await post(port, LOGS_JSON, { type: JSON_TYPE })).status, 413)
  for (let times = 0; times < 2; times += 1) {
    const failed = await post(port, LOGS_JSON, { type: JSON_TYPE })
    t.equal(failed.status, 500)
    t.notMatch(failed.body.toString(), /secret/)
  }
  t.notMatch(JSON.stringify(events), /secret/)
  t.equal(events.filter((event) => event.type === 'fault').length, 2)
  t.same(
    events.filter((event) => event.type === 'request_answered').map((event) => [event.code, event.reason]),
    [
      [503, 'queue_full'],
      [400, 'malformed'],
      [413, 'too_large'],
      [500, ''],
      [500, ''],
    ],
  )
  await settled(receiver)
})

t.test('an allowed origin may send and ask first; a foreign one may not', async (t) => {
  const { port } = await startReceiver(t, { config: { corsAllowedOrigins: ['https://*.example.com'] } })
  const ask = (origin: string) =>
    post(port, Buffer.alloc(0), {
      method: 'OPTIONS',
      type: null,
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-a' },
    })
  const allowed = await ask('https://app.example.com')
  t.equal(allowed.status, 204)
  t.equal(allowed.headers.get('access-control-allow-origin'), 'https://app.example.com')
  t.equal(allowed.headers.get('access-control-allow-headers'), 'x-a')
  t.equal((await ask('https://example.com.evil')).status, 403)
  const sent = await post(port, LOGS_PROTO, { headers: { origin: 'https://app.example.com' } })
  t.equal(sent.headers.get('access-control-allow-origin'), 'https://app.example.com')
})

t.test('huge headers are 431 and broken HTTP is 400, both with a Status', async (t) => {
  const { port } = await startReceiver(t)
  const [huge] = await speak(port, [`POST /v1/logs HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`])
  t.equal(huge.status, 431)
  t.match(JSON.parse(huge.body.toString()), { code: 8 })
  for (const text of [
    'nonsense\r\n\r\n',
    'POST /v1/logs HTTP/1.1\r\ncontent-length: x\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ]) {
    const [reply] = await speak(port, [text])
    t.equal(reply.status, 400, text)
    t.match(JSON.parse(reply.body.toString()), { code: 3 })
  }
  const both = 'POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n'
  t.equal((await speak(port, [both, 'abc']))[0].status, 400, 'a length beside chunks is smuggling')
})

t.test('broken chunks are 400 and give their memory back', async (t) => {
  const { port, receiver } = await startReceiver(t)
  const head =
    'POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n'
  const socket = connect({ port, host: '127.0.0.1' })
  const replies = readReplies(socket, 1)
  socket.write(`${head}3\r\nabc\r\n`)
  await delay(30)
  socket.write('zz\r\n')
  const [reply] = await replies
  t.equal(reply.status, 400)
  t.equal(reply.headers.get('connection'), 'close')
  socket.destroy()
  await settled(receiver)
})

t.test('a request without Host and one of HTTP/1.0 are served', async (t) => {
  const { port } = await startReceiver(t)
  const head = 'content-type: application/json\r\ncontent-length: 2\r\n\r\n{}'
  t.equal((await speak(port, [`POST /v1/logs HTTP/1.1\r\n${head}`]))[0].status, 200)
  const [old] = await speak(port, [`POST /v1/logs HTTP/1.0\r\n${head}`], {
    replies: Number.POSITIVE_INFINITY,
  })
  t.equal(old.status, 200)
})

t.test('a thousand pipelined requests are answered in order on one connection', async (t) => {
  const { port, received, receiver } = await startReceiver(t)
  const one = Buffer.concat([
    Buffer.from(
      `POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: ${LOGS_PROTO.length}\r\n\r\n`,
    ),
    LOGS_PROTO,
  ])
  const get = Buffer.from('GET /v1/logs HTTP/1.1\r\nhost: x\r\n\r\n')
  const requests = Array.from({ length: 1000 }, (_, index) => (index % 10 === 9 ? get : one))
  const replies = await speak(port, [Buffer.concat(requests)], { replies: 1000 })
  t.equal(replies.length, 1000)
  t.ok(replies.every(({ status }, index) => status === (index % 10 === 9 ? 405 : 200)))
  t.equal(received.length, 900)
  await settled(receiver)
})

t.test('Expect: 100-continue is answered by continue, or by the refusal alone', async (t) => {
  const { port } = await startReceiver(t, { config: { requestBodyBytesMax: 1000 } })
  const head = (length: number, type = 'application/json') =>
    `POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\nexpect: 100-continue\r\ncontent-length: ${length}\r\n\r\n`
  const socket = connect({ port, host: '127.0.0.1' })
  const replies = readReplies(socket, 2)
  socket.write(head(2))
  await new Promise((resolve) => socket.once('data', resolve))
  socket.write('{}')
  t.same(
    (await replies).map(({ status }) => status),
    [100, 200],
  )
  socket.destroy()
  t.same(
    (await speak(port, [head(1001)])).map(({ status }) => status),
    [413],
  )
  t.same(
    (await speak(port, [head(2, 'text/plain')])).map(({ status }) => status),
    [415],
  )
  const odd = head(2).replace('100-continue', 'miracles')
  t.same(
    (await speak(port, [odd, '{}'])).map(({ status }) => status),
    [417],
  )
})

t.test('a stopping receiver finishes what it has and refuses what comes', async (t) => {
  let release = () => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const { port, receiver, events } = await startReceiver(t, {
    handle: async (request) => {
      await gate
      request.pin.release()
      return { accepted: true }
    },
  })
  const head =
    'POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n'
  const kept = connect({ port, host: '127.0.0.1' })
  const replies = readReplies(kept)
  kept.write(`${head}{}`)
  await delay(30)
  const closed = receiver.close()
  kept.write(`${head}{}`)
  await delay(30)
  release()
  const [first, second] = await replies
  t.equal(first.status, 200)
  t.equal(second?.status, 503)
  t.equal(second?.headers.get('connection'), 'close')
  t.match(
    events.at(-2)?.type === 'request_answered'
      ? events
          .filter((event) => event.type === 'request_answered')
          .map(({ reason }) => reason)
          .sort()
      : [],
    ['', 'stopping'],
  )
  await closed
  await t.rejects(post(port, LOGS_PROTO))
})

t.test('close does not wait for ever for a body that does not come', async (t) => {
  const { port, receiver } = await startReceiver(t, { limits: { closeWaitMs: 100 } })
  const socket = connect({ port, host: '127.0.0.1' })
  const replies = readReplies(socket)
  socket.write(
    'POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
  )
  await delay(30)
  const startedMs = performance.now()
  await receiver.close()
  t.ok(performance.now() - startedMs < 2000)
  t.equal((await replies)[0].status, 408)
})

t.test('localhost is both loopbacks on one port', async (t) => {
  const { receiver } = await startReceiver(t)
  t.equal(receiver.lastRequestAtMs(), 0)
  const both = await listenAt(t, { kind: 'tcp', host: 'localhost', port: 0 })
  const ports = both.map((address) => address.split(':').at(-1))
  t.equal(new Set(ports).size, 1)
  t.match(both[0], /^http:\/\/127\.0\.0\.1:\d+$/)
  t.equal((await post(Number(ports[0]), LOGS_PROTO)).status, 200)
  if (both.length === 2) {
    t.match(both[1], /^http:\/\/\[::1\]:\d+$/)
    const [reply] = await speak(Number(ports[0]), ['GET / HTTP/1.1\r\n\r\n'], { host: '::1' })
    t.equal(reply.status, 405)
  }
})

t.test('a Unix socket is made for owner and group, a stale one replaced, a live one kept', async (t) => {
  // Not t.testdir(): the path of a socket may have 107 bytes.
  const directory = mkdtempSync(join(tmpdir(), 'laneway-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'otlp.sock')
  const live = createServer().listen(join(directory, 'live.sock'))
  await once(live, 'listening')
  await t.rejects(listenAt(t, { kind: 'unix', path: join(directory, 'live.sock') }), { code: 'EADDRINUSE' })
  linkSync(join(directory, 'live.sock'), path)
  live.close()
  await once(live, 'close')
  t.ok(lstatSync(path).isSocket(), 'what a process that was killed leaves behind')
  writeFileSync(join(directory, 'file'), 'mine')
  await t.rejects(listenAt(t, { kind: 'unix', path: join(directory, 'file') }), { code: 'EADDRINUSE' })
  t.equal(readFileSync(join(directory, 'file'), 'utf8'), 'mine')
  const [address] = await listenAt(t, { kind: 'unix', path })
  t.equal(address, `unix://${path}`)
  t.equal(lstatSync(path).mode & 0o777, 0o660)
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const outgoing = http.request(
      { socketPath: path, method: 'POST', path: '/v1/logs', headers: { 'content-type': JSON_TYPE } },
      (response) => resolve(response.resume().statusCode),
    )
    outgoing.on('error', reject)
    outgoing.end('{}')
  })
  t.equal(status, 200)
})

t.test('many clients at once each get their own answer, and nothing is held afterwards', async (t) => {
  const { port, bodies, receiver } = await startReceiver(t)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ size: fc.integer({ min: 0, max: 400_000 }), chunked: fc.boolean() }), {
        minLength: 1,
        maxLength: 12,
      }),
      async (requests) => {
        const before = bodies.length
        const sent = requests.map(({ size }) => randomBytes(size))
        const replies = await Promise.all(
          sent.map((body, index) => post(port, body, { chunked: requests[index].chunked })),
        )
        if (!replies.every(({ status }) => status === 200)) return false
        await settled(receiver)
        const key = (body: Uint8Array) => Buffer.from(body).toString('base64')
        const got = new Set(bodies.slice(before).map(key))
        return sent.every((body) => got.has(key(body)))
      },
    ),
    { numRuns: 15 },
  )
})

async function listenAt(
  t: { teardown(fn: () => Promise<unknown>): unknown },
  endpoint: { kind: 'tcp'; host: string; port: number } | { kind: 'unix'; path: string },
): Promise<readonly string[]> {
  const receiver = createReceiver({
    config: { endpoint, requestBodyBytesMax: 1e6, inFlightBytesMax: 1e7, corsAllowedOrigins: [] },
    handle: async ({ pin }) => {
      pin.release()
      return { accepted: true }
    },
    emit: () => {},
    clock: () => performance.now(),
  })
  const addresses = await receiver.listen()
  t.teardown(() => receiver.close())
  return addresses
}
