/**
 * A receiver on a free port, and clients that say exactly what a test wants said on the wire.
 */
import { connect, type Socket } from 'node:net'
import type { ReceiverConfig } from '../../src/config/config.ts'
import type { Handle, ReceivedRequest } from '../../src/server/export-request.ts'
import { createReceiver, type Receiver, type ReceiverLimits } from '../../src/server/receiver.ts'
import type { TelemetryEvent } from '../../src/telemetry/events.ts'

export interface Running {
  readonly receiver: Receiver
  readonly port: number
  readonly received: readonly ReceivedRequest[]
  /** Copies of the bodies, made before their memory was given back. */
  readonly bodies: readonly Buffer[]
  readonly events: readonly TelemetryEvent[]
}

export interface RunningOptions {
  readonly config?: Partial<ReceiverConfig>
  readonly limits?: Partial<ReceiverLimits>
  readonly handle?: Handle
}

/** Takes every request, and gives its memory back, unless `handle` is given. */
export async function startReceiver(
  t: { teardown(fn: () => Promise<unknown>): unknown },
  options: RunningOptions = {},
): Promise<Running> {
  const received: ReceivedRequest[] = []
  const bodies: Buffer[] = []
  const events: TelemetryEvent[] = []
  const receiver = createReceiver({
    config: {
      endpoint: { kind: 'tcp', host: '127.0.0.1', port: 0 },
      requestBodyBytesMax: 64 * 1024 * 1024,
      inFlightBytesMax: 256 * 1024 * 1024,
      corsAllowedOrigins: [],
      ...options.config,
    },
    handle: async (request) => {
      received.push(request)
      bodies.push(Buffer.from(request.body))
      if (options.handle !== undefined) return options.handle(request)
      request.pin.release()
      return { accepted: true }
    },
    emit: (event) => events.push(event),
    clock: () => performance.now(),
    limits: { closeWaitMs: 500, ...options.limits },
  })
  const [address] = await receiver.listen()
  t.teardown(() => receiver.close())
  return { receiver, port: Number(address.split(':').at(-1)), received, bodies, events }
}

export interface Reply {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

/** What came back on a connection, as HTTP replies, until it closed or `count` were there. */
export function readReplies(
  socket: Socket,
  count: number = Number.POSITIVE_INFINITY,
): Promise<readonly Reply[]> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0)
    const finish = () => resolve(parseReplies(bytes))
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      if (count !== Number.POSITIVE_INFINITY && parseReplies(bytes).length >= count) finish()
    })
    socket.on('close', finish)
    socket.on('error', () => {})
  })
}

function parseReplies(bytes: Buffer): readonly Reply[] {
  const replies: Reply[] = []
  let rest = bytes
  for (;;) {
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0) return replies
    const [statusLine, ...lines] = rest.subarray(0, end).toString('latin1').split('\r\n')
    const headers = new Map(
      lines.map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
      }),
    )
    const status = Number(statusLine.split(' ')[1])
    const length = Number(headers.get('content-length') ?? 0)
    const start = end + 4
    if (rest.length < start + length) return replies
    replies.push({ status, headers, body: rest.subarray(start, start + length) })
    rest = rest.subarray(start + length)
  }
}

/** Writes parts one after the other on one connection and reads what comes back. */
export async function speak(
  port: number,
  parts: readonly (string | Uint8Array)[],
  options: { readonly replies?: number; readonly host?: string } = {},
): Promise<readonly Reply[]> {
  const socket = connect({ port, host: options.host ?? '127.0.0.1' })
  const replies = readReplies(socket, options.replies ?? 1)
  for (const part of parts) socket.write(part)
  const result = await replies
  socket.destroy()
  return result
}

export interface PostOptions {
  readonly path?: string
  readonly method?: string
  readonly type?: string | null
  readonly coding?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly chunked?: boolean
}

/** One request with its own connection. */
export async function post(port: number, body: Uint8Array, options: PostOptions = {}): Promise<Reply> {
  const { path = '/v1/logs', method = 'POST', type = 'application/x-protobuf', coding, chunked } = options
  const lines = [`${method} ${path} HTTP/1.1`, 'host: localhost']
  if (type !== null) lines.push(`content-type: ${type}`)
  if (coding !== undefined) lines.push(`content-encoding: ${coding}`)
  for (const [name, value] of Object.entries(options.headers ?? {})) lines.push(`${name}: ${value}`)
  const parts: (string | Uint8Array)[] = []
  if (chunked === true) {
    lines.push('transfer-encoding: chunked')
    parts.push(`${lines.join('\r\n')}\r\n\r\n`)
    const step = Math.max(1, Math.ceil(body.length / 7))
    for (let offset = 0; offset < body.length; offset += step) {
      const chunk = body.subarray(offset, offset + step)
      parts.push(`${chunk.length.toString(16)}\r\n`, chunk, '\r\n')
    }
    parts.push('0\r\n\r\n')
  } else {
    lines.push(`content-length: ${body.length}`)
    parts.push(`${lines.join('\r\n')}\r\n\r\n`, body)
  }
  const [reply] = await speak(port, parts)
  if (reply === undefined) throw new Error('the connection closed without an answer')
  return reply
}

/** Waits until nothing is in hand; throws if that does not come. */
export async function settled(receiver: Receiver): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const { inFlight, slabs } = receiver.heldBytes()
    if (inFlight === 0 && slabs === 0) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`still held: ${JSON.stringify(receiver.heldBytes())}`)
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
