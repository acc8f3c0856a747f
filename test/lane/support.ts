/**
 * What the lane tests share: parcels with counted pins, exporter configurations, and backends over real sockets.
 */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createNetServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { OtlpHttpExporterConfig, QueueConfig } from '../../src/config/config.ts'
import { createExporter, type Exporter } from '../../src/lane/exporter.ts'
import type { Parcel, Pin } from '../../src/otlp/parcel.ts'
import type { Signal } from '../../src/otlp/signal.ts'
import type { TelemetryEvent } from '../../src/telemetry/events.ts'

const POSITION = { file: 'test', line: 1, column: 1 }

/** `field` of wire type 2. Lengths under 16384. */
export function field(number: number, payload: Uint8Array): Buffer {
  const { length } = payload
  const prefix = length < 128 ? [length] : [(length & 127) | 128, length >> 7]
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...prefix]), payload])
}

/** An ExportLogsServiceRequest with one record whose body is `text`. */
export function logsRequest(text: string): Buffer {
  return field(1, field(2, field(2, field(5, field(1, Buffer.from(text))))))
}

export class CountedPin implements Pin {
  readonly bytes: number
  owners = 1
  constructor(bytes: number) {
    this.bytes = bytes
  }
  retain(): void {
    if (this.owners === 0) throw new Error('retained after its last release')
    this.owners++
  }
  release(): void {
    if (this.owners === 0) throw new Error('released too often')
    this.owners--
  }
}

export function parcelOf(
  bytes: Uint8Array | readonly Uint8Array[],
  rest: { signal?: Signal; lane?: string; items?: number; pin?: Pin } = {},
): Parcel {
  const chunks = bytes instanceof Uint8Array ? [bytes] : bytes
  const byteLength = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
  return {
    signal: 'logs',
    lane: 'log',
    chunks,
    byteLength,
    items: 1,
    pin: new CountedPin(byteLength),
    ...rest,
  }
}

export const QUEUE: QueueConfig = {
  storage: 'memory',
  bytesMax: 16 * 1024 * 1024,
  onFull: 'refuse',
  consumers: 4,
  waitsForResult: false,
  batch: { bytesMin: 0, bytesMax: 4 * 1024 * 1024, flushTimeoutMs: 20 },
}

export const RETRY: OtlpHttpExporterConfig['retry'] = {
  enabled: true,
  initialIntervalMs: 5,
  maxIntervalMs: 20,
  maxElapsedTimeMs: 0,
  multiplier: 1.5,
  randomizationFactor: 0.5,
}

export function httpConfig(url: string, rest: Partial<OtlpHttpExporterConfig> = {}): OtlpHttpExporterConfig {
  return {
    kind: 'otlp_http',
    name: 'otlp_http/test',
    position: POSITION,
    urls: { logs: `${url}/v1/logs`, traces: `${url}/v1/traces` },
    encoding: 'proto',
    compression: 'none',
    headers: {},
    timeoutMs: 2000,
    tls: { caFile: undefined, certFile: undefined, keyFile: undefined, insecureSkipVerify: false },
    queue: QUEUE,
    retry: RETRY,
    ...rest,
  }
}

export interface Totals {
  admitted: number
  sent: number
  rejected: number
  dead: number
  lost: number
}

export interface Recorder {
  readonly events: TelemetryEvent[]
  readonly totals: Totals
  emit(event: TelemetryEvent): void
  /** Events of one type, in order. */
  of<T extends TelemetryEvent['type']>(type: T): Extract<TelemetryEvent, { type: T }>[]
}

export function createRecorder(): Recorder {
  const events: TelemetryEvent[] = []
  const totals = { admitted: 0, sent: 0, rejected: 0, dead: 0, lost: 0 }
  return {
    events,
    totals,
    emit(event) {
      events.push(event)
      if (event.type === 'parcel_admitted') totals.admitted += event.items
      if (event.type === 'parcel_settled') totals[event.outcome] += event.items
    },
    of<T extends TelemetryEvent['type']>(type: T) {
      return events.filter((event): event is Extract<TelemetryEvent, { type: T }> => event.type === type)
    },
  }
}

export function startExporter(
  config: Parameters<typeof createExporter>[0],
  rest: Partial<Parameters<typeof createExporter>[1]> = {},
): Exporter & { readonly recorder: Recorder } {
  const recorder = createRecorder()
  const exporter = createExporter(config, {
    emit: recorder.emit,
    clock: Date.now,
    random: Math.random,
    stderr: () => {},
    ...rest,
  })
  return { ...exporter, recorder }
}

/** Enters a parcel behind admission's back, as one whose reservation was granted. */
export function enqueue({ queue }: Exporter, ...parcels: readonly Parcel[]): void {
  for (const parcel of parcels) {
    if (queue.reserve(parcel.byteLength) !== 'reserved') throw new Error('no room')
    queue.push(parcel, parcel.byteLength)
  }
}

export interface Received {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  readonly atMs: number
}

export interface Backend {
  readonly url: string
  readonly port: number
  readonly received: Received[]
  close(): Promise<void>
}

type Answer = (response: ServerResponse, received: Received, count: number) => void

/** A node:http backend that reads the whole body, keeps it, and answers with `answer`. */
export async function startBackend(answer: Answer, port = 0): Promise<Backend> {
  const received: Received[] = []
  const listener: RequestListener = async (request, response) => {
    const parts: Buffer[] = []
    try {
      for await (const part of request) parts.push(part)
    } catch {
      return
    }
    const one = {
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(parts),
      atMs: Date.now(),
    }
    received.push(one)
    answer(response, one, received.length)
  }
  const server = createServer(listener)
  await listen(server, port)
  return {
    ...addressOf(server),
    received,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A backend that speaks bytes: `talk` gets every connection, and hears what was sent on it. */
export async function startRawBackend(
  talk: (socket: Socket, text: string, count: number) => void,
): Promise<Backend> {
  const received: Received[] = []
  const sockets = new Set<Socket>()
  const server = createNetServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (data) => {
      received.push({ path: '', headers: {}, body: data, atMs: Date.now() })
      talk(socket, data.toString('latin1'), received.length)
    })
  })
  await listen(server, 0)
  return {
    ...addressOf(server),
    received,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
}

function addressOf(server: Server): { readonly url: string; readonly port: number } {
  const address: AddressInfo | string | null = server.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP server')
  return { url: `http://127.0.0.1:${address.port}`, port: address.port }
}

export async function until(condition: () => boolean, timeoutMs = 5000): Promise<void> {
  const endMs = Date.now() + timeoutMs
  while (!condition()) {
    if (Date.now() > endMs) throw new Error(`did not come true within ${timeoutMs} ms: ${condition}`)
    await delay(2)
  }
}
