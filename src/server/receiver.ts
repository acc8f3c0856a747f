/**
 * The way in: OTLP/HTTP on the configured address, `/v1/logs`, `/v1/traces`, `/v1/metrics`, and `/` sniffed.
 *
 * In: `handle`, which decides one request. Out: a receiver that listens and closes. fastify routes; from there a
 * request is read and answered on node's own objects, which costs a third less than through fastify's body and
 * reply (measured: 29 and 36 µs for a request of 12 KB). Everything that a client can make grow has a limit here,
 * in `body.ts`, `budget.ts` or `inflate.ts`, so that no client hurts another.
 *
 * Source: opentelemetry-proto docs/specification.md, "OTLP/HTTP"; contract section 2, `receivers`.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Bag, type Placed } from '../bag.ts'
import type { ReceiverConfig } from '../config/config.ts'
import type { Emit } from '../telemetry/events.ts'
import { type Refusal, rawRefusal, refuse } from './answer.ts'
import { createBodyReader, SLOW_BYTES_MIN, SLOW_WINDOW_MS } from './body.ts'
import { createBudget } from './budget.ts'
import { createCors } from './cors.ts'
import { findDoor, JSON_DOOR } from './door.ts'
import { type Handle, type Premises, type Route, serveExport } from './export-request.ts'
import { createGate } from './gate.ts'
import { INFLATIONS_MAX } from './inflate.ts'
import { listenOn } from './listen.ts'
import { createServer } from './node-http.ts'
import { EXPECTATION, FOREIGN_ORIGIN, NOT_ALLOWED, NOT_FOUND, refusalOfParserError } from './refusals.ts'
import { createRoutes, isRoute } from './routes.ts'
import { createSlabPool, SLAB_IDLE_BYTES_MAX } from './slabs.ts'

/** Limits that no user needs to set. */
export interface ReceiverLimits {
  readonly headerBytesMax: number
  readonly headersTimeoutMs: number
  /** For a whole request, however steadily it comes. */
  readonly requestTimeoutMs: number
  readonly keepAliveTimeoutMs: number
  /** How often node looks for requests that ran out of time. */
  readonly checkIntervalMs: number
  readonly connectionsMax: number
  readonly slowWindowMs: number
  readonly slowBytesMin: number
  /** How long `close` waits for bodies that are still coming before it cuts them off. */
  readonly closeWaitMs: number
}

export const RECEIVER_LIMITS: ReceiverLimits = {
  headerBytesMax: 16 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 120_000,
  // Longer than the 90 s that Rust's client keeps a connection: the side that sends should close first.
  keepAliveTimeoutMs: 120_000,
  checkIntervalMs: 5_000,
  connectionsMax: 4096,
  slowWindowMs: SLOW_WINDOW_MS,
  slowBytesMin: SLOW_BYTES_MIN,
  closeWaitMs: 5_000,
}

export interface ReceiverOptions {
  readonly config: ReceiverConfig
  readonly handle: Handle
  readonly emit: Emit
  /** Milliseconds; any origin, but it must not run back. */
  readonly clock: () => number
  readonly limits?: Partial<ReceiverLimits>
}

/** A request that waits for its answer. `arrival` counts up. */
interface Unanswered extends Placed {
  readonly response: ServerResponse
  readonly arrival: number
}

export interface Receiver {
  /** Resolves to the addresses, as `http://127.0.0.1:4318` or `unix:///path`. */
  listen(): Promise<readonly string[]>
  /** Takes up other limits and origins for the requests that come from now on. Its addresses stay. */
  configure(config: ReceiverConfig): void
  /** Takes no new connection, refuses new requests, finishes those in hand. */
  close(): Promise<void>
  /** When the last request arrived, by the clock; 0 before the first. */
  lastRequestAtMs(): number
  /** Request bytes charged, and slab bytes owned, just now. Both are 0 when nothing is in hand. */
  heldBytes(): { readonly inFlight: number; readonly slabs: number }
}

export function createReceiver(options: ReceiverOptions): Receiver {
  const limits: ReceiverLimits = { ...RECEIVER_LIMITS, ...options.limits }
  const { handle, emit, clock } = options
  let { config } = options
  const budget = createBudget(() => config.inFlightBytesMax)
  const slabs = createSlabPool({ idleBytesMax: SLAB_IDLE_BYTES_MAX })
  const reader = createBodyReader(limits)
  const gate = createGate(INFLATIONS_MAX)
  let cors = createCors(config.corsAllowedOrigins)
  const inHand = new Bag<Unanswered>()
  let arrivals = 0
  let servers: readonly Server[] = []
  let stopping = false
  let lastRequestAtMs = 0
  const isStopping = () => stopping
  let premises: Premises = { config, handle, emit, clock, budget, slabs, reader, gate, cors, isStopping }

  async function serve(request: IncomingMessage, response: ServerResponse, route: Route): Promise<void> {
    lastRequestAtMs = clock()
    const unanswered = { response, arrival: arrivals++, at: -1 }
    inHand.add(unanswered)
    try {
      await serveExport(premises, request, response, route)
    } finally {
      inHand.delete(unanswered)
    }
  }

  function refuseUnserved(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
    const door = findDoor(request.headers['content-type']) ?? JSON_DOOR
    const headers = [...cors.headers(request), ...(stopping ? ['connection', 'close'] : [])]
    refuse({ request, response, headers, ...door }, refusal, 'unread')
    emit({
      type: 'request_answered',
      signal: 'unknown',
      code: refusal.status,
      reason: refusal.reason,
      durationMs: 0,
    })
  }

  /** Everything but a POST to one of the paths. */
  function answerOther(request: IncomingMessage, response: ServerResponse): void {
    if (!isRoute(request.url ?? '')) {
      refuseUnserved(request, response, NOT_FOUND)
      return
    }
    if (request.method !== 'OPTIONS' || !cors.isOn) {
      refuseUnserved(request, response, NOT_ALLOWED)
      return
    }
    const lines = cors.preflight(request)
    if (lines === undefined) {
      refuseUnserved(request, response, FOREIGN_ORIGIN)
      return
    }
    response.writeHead(204, [...lines])
    response.end()
  }

  /** The parser gave up, or a time ran out. There may be a body under way, or answers before this one. */
  function answerClientError(error: Error, socket: Socket): void {
    const refusal = refusalOfParserError(error)
    if (socket.destroyed || !socket.writable || refusal === undefined) {
      socket.destroy()
      return
    }
    if (reader.failOn(socket, refusal.status === 408 ? 'slow' : 'malformed')) return
    const [last] = [...inHand]
      .filter(({ response }) => response.socket === socket || response.req.socket === socket)
      .sort((one, other) => other.arrival - one.arrival)
    if (last === undefined) socket.end(rawRefusal(refusal))
    else last.response.once('finish', () => socket.end(rawRefusal(refusal)))
    const { status: code, reason } = refusal
    emit({ type: 'request_answered', signal: 'unknown', code, reason, durationMs: 0 })
  }

  async function listen(): Promise<readonly string[]> {
    const app = createRoutes({ serve, answerOther, refuseUnserved })
    await app.ready()
    const listening = await listenOn(config.endpoint, () => {
      const server = createServer(
        {
          maxHeaderSize: limits.headerBytesMax,
          headersTimeout: limits.headersTimeoutMs,
          requestTimeout: limits.requestTimeoutMs,
          keepAliveTimeout: limits.keepAliveTimeoutMs,
          connectionsCheckingInterval: limits.checkIntervalMs,
          // Node would answer a missing Host by itself, without a body; this server does not need one.
          requireHostHeader: false,
        },
        (request, response) => app.routing(request, response),
      )
      server.maxConnections = limits.connectionsMax
      // A body that will be refused must not be asked for: `continue` is written when it is about to be read.
      server.on('checkContinue', (request, response) => app.routing(request, response))
      server.on('checkExpectation', (request, response) => refuseUnserved(request, response, EXPECTATION))
      server.on('clientError', answerClientError)
      return server
    })
    servers = listening.servers
    return listening.addresses
  }

  function configure(next: ReceiverConfig): void {
    config = next
    cors = createCors(next.corsAllowedOrigins)
    premises = { ...premises, config, cors }
  }

  async function close(): Promise<void> {
    stopping = true
    const closed = Promise.all(
      servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
    )
    if (!(await isDoneIn(closed, limits.closeWaitMs))) {
      reader.cut()
      while (inHand.size > 0) await delay(CLOSE_POLL_MS)
      if (!(await isDoneIn(closed, CLOSE_FLUSH_MS)))
        for (const server of servers) server.closeAllConnections()
      await closed
    }
    reader.close()
  }

  return {
    listen,
    close,
    lastRequestAtMs: () => lastRequestAtMs,
    configure,
    heldBytes: () => ({ inFlight: budget.usedBytes(), slabs: slabs.heldBytes() }),
  }
}

const CLOSE_POLL_MS = 20
/** For the last answers to leave their sockets. */
const CLOSE_FLUSH_MS = 200

async function isDoneIn(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const cancel = new AbortController()
  const late = delay(timeoutMs, 'late' as const, { signal: cancel.signal }).catch(() => 'late' as const)
  const first = await Promise.race([work, late])
  cancel.abort()
  return first !== 'late'
}
