import http from 'node:http'
import { connect } from 'node:net'
import { constants, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import t from 'tap'
import { delay, type PostOptions, post, readReplies, settled, speak, startReceiver } from './support.ts'

const LIMIT = 300_000

const CODINGS: readonly {
  readonly name: string
  readonly coding: string | undefined
  readonly encode: (bytes: Buffer) => Buffer
}[] = [
  { name: 'none', coding: undefined, encode: (bytes) => bytes },
  { name: 'identity', coding: 'Identity', encode: (bytes) => bytes },
  { name: 'gzip', coding: 'gzip', encode: (bytes) => gzipSync(bytes) },
  { name: 'gzip in any case', coding: 'GZip', encode: (bytes) => gzipSync(bytes) },
  { name: 'x-gzip', coding: 'x-gzip', encode: (bytes) => gzipSync(bytes) },
  { name: 'deflate', coding: 'deflate', encode: (bytes) => deflateSync(bytes) },
  { name: 'raw deflate', coding: 'deflate', encode: (bytes) => deflateRawSync(bytes) },
  { name: 'zstd', coding: 'zstd', encode: (bytes) => zstdCompressSync(bytes) },
  // Level 0 stores: what is on the wire is larger than what comes out, so the wire takes the streaming way.
  { name: 'stored gzip', coding: 'gzip', encode: (bytes) => gzipSync(bytes, { level: 0 }) },
  { name: 'stored deflate', coding: 'deflate', encode: (bytes) => deflateSync(bytes, { level: 0 }) },
]

function textOf(length: number): Buffer {
  return Buffer.from('{"a":"'.padEnd(length, 'lorem ipsum dolor ')).subarray(0, length)
}

/** A JSON request of exactly so many bytes. */
function jsonOf(length: number): Buffer {
  const frame = '{"unknown":""}'
  return Buffer.from(`{"unknown":"${'x'.repeat(length - frame.length)}"}`)
}

for (const { name, coding, encode } of CODINGS) {
  const withCoding = (options: PostOptions) => (coding === undefined ? options : { ...options, coding })

  t.test(`${name}: a body at the limit is taken whole, one past it is 413`, async (t) => {
    const limit = name.startsWith('stored') ? encode(textOf(LIMIT)).length : LIMIT
    const { port, bodies, receiver, events } = await startReceiver(t, {
      config: { requestBodyBytesMax: limit },
    })
    for (const length of [1, 100, 70_000, LIMIT - 1, LIMIT]) {
      for (const chunked of [false, true]) {
        const body = textOf(length)
        const reply = await post(port, encode(body), withCoding({ chunked }))
        t.equal(reply.status, 200, `${length} bytes`)
        t.ok(bodies.at(-1)?.equals(body), 'byte for byte')
      }
    }
    const json = await post(port, encode(jsonOf(LIMIT)), withCoding({ type: 'application/json' }))
    t.equal(json.status, 200)
    for (const type of ['application/json', 'application/x-protobuf']) {
      for (const chunked of [false, true]) {
        const reply = await post(port, encode(textOf(limit + 1)), withCoding({ chunked, type }))
        t.equal(reply.status, 413)
        t.equal(reply.headers.get('content-type'), type)
      }
    }
    t.match(events.at(-1), { type: 'request_answered', code: 413, reason: 'too_large' })
    await settled(receiver)
  })

  if (coding === undefined || coding === 'Identity') continue

  t.test(`${name}: what is cut short, damaged or followed by something else is 400`, async (t) => {
    const { port, received, receiver } = await startReceiver(t)
    for (const length of [1000, 200_000]) {
      const whole = encode(textOf(length))
      const bad = [
        whole.subarray(0, whole.length - 1),
        whole.subarray(0, whole.length >> 1),
        whole.subarray(0, 3),
        Buffer.alloc(0),
        Buffer.concat([whole, Buffer.from('junk')]),
        Buffer.concat([whole, Buffer.alloc(5)]),
      ]
      for (const body of bad) {
        t.equal((await post(port, body, { coding })).status, 400, `${body.length} of ${whole.length}`)
      }
    }
    t.equal(received.length, 0, 'nothing of them is passed on')
    await settled(receiver)
  })

  t.test(`${name}: a second frame is read as well as the first`, async (t) => {
    const { port, bodies, receiver } = await startReceiver(t, { config: { requestBodyBytesMax: LIMIT } })
    for (const length of [1000, 150_000]) {
      const parts = [textOf(length), textOf(length - 10)]
      const reply = await post(port, Buffer.concat(parts.map(encode)), { coding })
      t.equal(reply.status, name.startsWith('stored') && length > 1000 ? 413 : 200)
      if (reply.status === 200) t.ok(bodies.at(-1)?.equals(Buffer.concat(parts)))
    }
    const over = Buffer.concat([textOf(LIMIT - 5), textOf(6)].map(encode))
    t.equal((await post(port, over, { coding })).status, 413, 'the limit is on all frames together')
    await settled(receiver)
  })

  t.test(`${name}: a bomb is 413, and other requests are served meanwhile`, async (t) => {
    const { port, receiver } = await startReceiver(t)
    const bomb = encode(Buffer.alloc(65 * 1024 * 1024))
    const bombs = Array.from({ length: 4 }, () => post(port, bomb, { coding }))
    const startedMs = performance.now()
    t.equal((await post(port, textOf(100))).status, 200)
    t.ok(performance.now() - startedMs < 1000)
    for (const { status } of await Promise.all(bombs)) t.match([413, 503], new Set([status]))
    await settled(receiver)
  })
}

t.test('a coding that is not known, or a list of them, is 415 and says what is taken', async (t) => {
  const { port } = await startReceiver(t)
  for (const coding of ['br', 'gzip, gzip', 'gzip,identity', 'compress', 'gzip;q=1']) {
    const reply = await post(port, gzipSync('x'), { coding })
    t.equal(reply.status, 415, coding)
    t.equal(reply.headers.get('accept-encoding'), 'gzip, deflate, zstd')
  }
})

t.test('a zstd frame that asks for a huge window is refused', async (t) => {
  const { port } = await startReceiver(t)
  const body = zstdCompressSync(Buffer.alloc(40_000_000), {
    params: { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 },
  })
  t.equal((await post(port, body, { coding: 'zstd' })).status, 400)
})

t.test('a body made of thousands of empty frames is refused', async (t) => {
  const { port } = await startReceiver(t)
  const empty = zstdCompressSync(Buffer.alloc(0))
  const body = Buffer.concat(Array.from({ length: 5000 }, () => empty))
  t.equal((await post(port, body, { coding: 'zstd' })).status, 400)
})

t.test('a length that is too large is refused before the body is sent', async (t) => {
  const { port, receiver } = await startReceiver(t, { config: { requestBodyBytesMax: 1000 } })
  const head =
    'POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 999999999999\r\n\r\n'
  const [reply] = await speak(port, [head])
  t.equal(reply.status, 413)
  t.equal(reply.headers.get('connection'), 'close')
  await settled(receiver)
})

t.test('a refusal reaches a client that goes on sending tens of megabytes', async (t) => {
  const { port, receiver } = await startReceiver(t, { config: { requestBodyBytesMax: 1_000_000 } })
  const body = Buffer.alloc(40_000_000)
  for (const chunked of [false, true]) {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = {
        'content-type': 'application/json',
        ...(chunked ? {} : { 'content-length': body.length }),
      }
      const outgoing = http.request({ port, method: 'POST', path: '/v1/logs', headers }, (response) => {
        resolve(response.resume().statusCode)
      })
      outgoing.on('error', reject)
      outgoing.end(body)
    })
    t.equal(status, 413)
  }
  await settled(receiver)
})

t.test('a small refused body is taken off, and the connection goes on', async (t) => {
  const { port } = await startReceiver(t)
  const head = (type: string, length: number) =>
    `POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n\r\n`
  const replies = await speak(
    port,
    [head('text/plain', 500_000), Buffer.alloc(500_000), head('application/json', 2), '{}'],
    { replies: 2 },
  )
  t.same(
    replies.map(({ status }) => status),
    [415, 200],
  )
})

t.test('a sender that trickles is cut off with 408, and what it sent is given back', async (t) => {
  const { port, receiver } = await startReceiver(t, { limits: { slowWindowMs: 60, slowBytesMin: 100 } })
  const socket = connect({ port, host: '127.0.0.1' })
  const replies = readReplies(socket)
  socket.write(
    'POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 900000\r\n\r\n',
  )
  socket.write(Buffer.alloc(200_000, 0x20))
  const timer = setInterval(() => socket.write(' '), 5)
  const [reply] = await replies
  clearInterval(timer)
  t.equal(reply.status, 408)
  await settled(receiver)
})

t.test('a steady sender is not cut off, however long it takes', async (t) => {
  const { port } = await startReceiver(t, { limits: { slowWindowMs: 50, slowBytesMin: 10 } })
  const socket = connect({ port, host: '127.0.0.1' })
  const replies = readReplies(socket, 1)
  socket.write(
    'POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 802\r\n\r\n{}',
  )
  for (let sent = 0; sent < 800; sent += 20) {
    socket.write(' '.repeat(20))
    await delay(10)
  }
  t.equal((await replies)[0].status, 200)
  socket.destroy()
})

t.test('headers that trickle are 408', async (t) => {
  const { port } = await startReceiver(t, { limits: { headersTimeoutMs: 100, checkIntervalMs: 50 } })
  const [reply] = await speak(port, ['POST /v1/logs HTTP/1.1\r\nhost'])
  t.equal(reply.status, 408)
  t.match(JSON.parse(reply.body.toString()), { code: 4 })
})

t.test('a sender that goes away leaves nothing behind', async (t) => {
  const { port, receiver, received, events } = await startReceiver(t)
  const sockets = Array.from({ length: 30 }, (_, index) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('error', () => {})
    const framing = index % 2 === 0 ? 'content-length: 5000000' : 'transfer-encoding: chunked'
    socket.write(`POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${framing}\r\n\r\n`)
    socket.write(index % 2 === 0 ? Buffer.alloc(1_500_000) : 'fffff\r\n')
    return socket
  })
  while (receiver.heldBytes().inFlight < 15 * 1_500_000) await delay(10)
  for (const [index, socket] of sockets.entries())
    index % 3 === 0 ? socket.resetAndDestroy() : socket.destroy()
  await settled(receiver)
  t.equal(received.length, 0)
  // Who only closed its side may still read; who reset the connection may not.
  t.equal(events.length, 20)
  t.ok(events.every((event) => event.type === 'request_answered' && event.code === 400))
})

t.test('all bodies together are bounded: over it 503 with Retry-After, afterwards all is well', async (t) => {
  const { port, receiver, events } = await startReceiver(t, { config: { inFlightBytesMax: 1_000_000 } })
  const head =
    'POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 600000\r\n\r\n'
  const held = connect({ port, host: '127.0.0.1' })
  const heldReplies = readReplies(held, 1)
  held.write(`${head}{`)
  await delay(30)
  t.equal(
    (await post(port, textOf(900_000))).status,
    200,
    'a length that was only announced keeps nobody out',
  )
  held.write(Buffer.alloc(500_000, 0x20))
  await delay(30)
  for (const chunked of [false, true]) {
    const reply = await post(port, textOf(700_000), { chunked })
    t.equal(reply.status, 503)
    t.ok(Number(reply.headers.get('retry-after')) >= 1)
  }
  t.match(events.at(-1), { type: 'request_answered', code: 503, reason: 'full' })
  t.equal(
    (await post(port, gzipSync(Buffer.alloc(800_000)), { coding: 'gzip' })).status,
    503,
    'decompressed too',
  )
  held.write(`${' '.repeat(99_998)}}`)
  t.equal((await heldReplies)[0].status, 200)
  held.destroy()
  await settled(receiver)
  t.equal((await post(port, textOf(900_000))).status, 200)
})

t.test('a pipelining client pays for requests without bytes too', async (t) => {
  const waiting: (() => void)[] = []
  const { port, receiver } = await startReceiver(t, {
    config: { inFlightBytesMax: 10 * 4096 + 100 },
    handle: async ({ pin }) => {
      await new Promise<void>((resolve) => waiting.push(resolve))
      pin.release()
      return { accepted: true }
    },
  })
  const one =
    'POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n'
  const answered = speak(port, [one.repeat(30)], { replies: 30 })
  await delay(100)
  t.equal(waiting.length, 10)
  for (const resolve of waiting) resolve()
  const replies = await answered
  t.same(
    replies.map(({ status }) => status),
    [...Array(10).fill(200), ...Array(20).fill(503)],
  )
  await settled(receiver)
})

t.test('bytes of single-byte chunks are gathered without a buffer each', async (t) => {
  const { port, bodies, receiver } = await startReceiver(t)
  const body = textOf(3000)
  const chunks = [...body].map((byte) => `1\r\n${String.fromCharCode(byte)}\r\n`).join('')
  const head =
    'POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ntransfer-encoding: chunked\r\n\r\n'
  const [reply] = await speak(port, [`${head}${chunks}0\r\n\r\n`])
  t.equal(reply.status, 200)
  t.ok(bodies[0].equals(body))
  await settled(receiver)
})

t.test('a length that says less than was sent makes the rest a broken request', async (t) => {
  const { port } = await startReceiver(t)
  const head =
    'POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n'
  const replies = await speak(port, [`${head}{}trailing bytes\r\n\r\n`], { replies: 2 })
  t.same(
    replies.map(({ status }) => status),
    [200, 400],
  )
})

t.test('memory behind a body is held until its last owner is done', async (t) => {
  const { port, receiver, received } = await startReceiver(t, { handle: async () => ({ accepted: true }) })
  t.equal((await post(port, textOf(200_000))).status, 200)
  t.equal(receiver.heldBytes().inFlight, 0)
  t.equal(receiver.heldBytes().slabs, 262_144)
  t.equal(received[0].pin.bytes, 262_144)
  received[0].pin.release()
  t.equal(receiver.heldBytes().slabs, 0)
  t.throws(() => received[0].pin.release())
})
