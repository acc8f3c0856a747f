/**
 * The admin port: health, readiness, metrics, the ledger, findings and lanes, for people, probes and Prometheus.
 *
 * In: handlers that answer from the state of the program. Out: one or two HTTP servers: the admin endpoint with
 * everything, behind the rules of `guard.ts`; and, if configured, the health endpoint with `/livez`, `/readyz`
 * and `/metrics` alone, open to any Host. What handlers do not show or change, it does not.
 *
 * Source: contract section 4.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import fastify, { type FastifyInstance } from 'fastify'
import type { AdminConfig, ListenAddress } from '../config/config.ts'
import type { Emit } from '../telemetry/events.ts'
import { type Action, act, answerFrom } from './actions.ts'
import { describeFault } from './fault.ts'
import { findObjection } from './guard.ts'
import { listenOn } from './listen.ts'
import { NO_SCHEMAS } from './no-schemas.ts'
import { createServer } from './node-http.ts'
import { readSecret } from './secret.ts'

export interface Readiness {
  /** False only while starting or stopping: a dead backend must not take the sidecar out of service. */
  readonly ready: boolean
  /** What `?verbose` adds: names of what refuses or is down. JSON. */
  readonly details: Readonly<Record<string, unknown>>
}

export interface AdminHandlers {
  ready(): Readiness
  /** Prometheus text. */
  metrics(): Promise<string>
  ledger(): object
  findings(): object
  lanes(): object
  /** More that is read, by path. */
  readonly pages?: ReadonlyMap<string, (query: URLSearchParams) => object | Promise<object>>
  /** What is done by POST, by path. */
  readonly actions?: ReadonlyMap<string, Action>
}

export interface Admin {
  /** Resolves to the addresses of the admin endpoint, then those of the health endpoint. */
  listen(): Promise<readonly string[]>
  close(): Promise<void>
}

export interface AdminOptions {
  readonly config: AdminConfig
  readonly handlers: AdminHandlers
  readonly emit: Emit
}

interface Answer {
  readonly status: number
  readonly contentType: string
  readonly body: string
  /** The methods that are taken, where this one is not. */
  readonly allow?: string
}
/** What is answered at one path. `query` has no leading `?`. */
type Page = (query: string) => Answer | Promise<Answer>

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
/** Requests have no body that anybody reads; this bounds their headers and how long they may take. */
const HEADER_BYTES_MAX = 16 * 1024
const REQUEST_TIMEOUT_MS = 10_000
const CONNECTIONS_MAX = 256

export function createAdmin({ config, handlers, emit }: AdminOptions): Admin {
  const health = healthPages(handlers)
  const all = new Map<string, Page>([
    ...health,
    ['/api/v1/ledger', () => json(200, handlers.ledger())],
    ['/api/v1/findings', () => json(200, handlers.findings())],
    ['/api/v1/lanes', () => json(200, handlers.lanes())],
    ...[...(handlers.pages ?? [])].map(([path, page]) => [path, pageOf(page)] as const),
  ])
  const actions = handlers.actions ?? NO_ACTIONS
  let servers: readonly Server[] = []

  async function open(
    address: ListenAddress,
    pages: ReadonlyMap<string, Page>,
    isPublic: boolean,
  ): Promise<readonly string[]> {
    const object = (request: IncomingMessage) => {
      const token = isPublic || config.token === undefined ? undefined : readSecret(config.token)
      return findObjection(request, { address, isPublic, token })
    }
    const app = createRoutes({ pages, actions: isPublic ? NO_ACTIONS : actions }, object, emit)
    await app.ready()
    const listening = await listenOn(address, () => {
      const server = createServer(
        {
          maxHeaderSize: HEADER_BYTES_MAX,
          requestTimeout: REQUEST_TIMEOUT_MS,
          headersTimeout: REQUEST_TIMEOUT_MS,
        },
        (request, response) => app.routing(request, response),
      )
      server.maxConnections = CONNECTIONS_MAX
      return server
    })
    servers = [...servers, ...listening.servers]
    return listening.addresses
  }

  async function listen(): Promise<readonly string[]> {
    const addresses = await open(config.endpoint, all, false)
    if (config.healthEndpoint === undefined) return addresses
    return [...addresses, ...(await open(config.healthEndpoint, health, true))]
  }

  async function close(): Promise<void> {
    const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
    for (const server of servers) server.closeAllConnections()
    await Promise.all(closed)
  }

  return { listen, close }
}

const NO_ACTIONS: ReadonlyMap<string, Action> = new Map()

function pageOf(page: (query: URLSearchParams) => object | Promise<object>): Page {
  return async (query) => {
    const { status, body } = await answerFrom(() => page(new URLSearchParams(query)))
    return json(status, body)
  }
}

function healthPages(handlers: AdminHandlers): ReadonlyMap<string, Page> {
  return new Map<string, Page>([
    // Whoever can answer is alive.
    ['/livez', () => json(200, { live: true })],
    ['/readyz', (query) => readyPage(handlers.ready(), new URLSearchParams(query).has('verbose'))],
    ['/metrics', async () => ({ status: 200, contentType: METRICS_TYPE, body: await handlers.metrics() })],
  ])
}

function readyPage({ ready, details }: Readiness, isVerbose: boolean): Answer {
  return json(ready ? 200 : 503, isVerbose ? { ready, ...details } : { ready })
}

function createRoutes(
  {
    pages,
    actions,
  }: { readonly pages: ReadonlyMap<string, Page>; readonly actions: ReadonlyMap<string, Action> },
  object: (request: IncomingMessage) => { readonly status: number; readonly message: string } | undefined,
  emit: Emit,
): FastifyInstance {
  const fault = (error: unknown): Answer => {
    emit({ type: 'fault', place: 'admin', detail: describeFault(error) })
    return refusal(500, 'laneway failed; its log says more')
  }
  const app = fastify({
    logger: false,
    schemaController: NO_SCHEMAS,
    routerOptions: { ignoreTrailingSlash: true },
    frameworkErrors: (_error, request, reply) => {
      reply.hijack()
      send(request.raw, reply.raw, refusal(400, 'the path cannot be read'))
    },
  })
  // One hook for every request, known path or not: nothing is told before the guard has looked.
  app.addHook('onRequest', async (request, reply) => {
    reply.hijack()
    const answer = await decide(request.raw).catch(fault)
    send(request.raw, reply.raw, answer)
  })
  for (const path of pages.keys()) app.get(path, () => {})
  for (const path of actions.keys()) app.post(path, () => {})

  async function decide(request: IncomingMessage): Promise<Answer> {
    const objection = object(request)
    if (objection !== undefined) return refusal(objection.status, objection.message)
    const [path, query = ''] = (request.url ?? '').split('?', 2)
    const place = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
    const action = actions.get(place)
    if (action !== undefined) {
      if (request.method !== 'POST') return { ...refusal(405, 'only POST is taken here'), allow: 'POST' }
      const { status, body } = await act(request, action)
      return json(status, body)
    }
    const page = pages.get(place)
    if (page === undefined) return refusal(404, `nothing is here; there is ${[...pages.keys()].join(', ')}`)
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return { ...refusal(405, 'only GET and HEAD are taken here'), allow: 'GET, HEAD' }
    return page(query)
  }

  return app
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, contentType, body, allow }: Answer,
): void {
  const lines = ['content-type', contentType, 'content-length', String(Buffer.byteLength(body))]
  lines.push('cache-control', 'no-store', 'x-content-type-options', 'nosniff')
  if (allow !== undefined) lines.push('allow', allow)
  if (status === 401) lines.push('www-authenticate', 'Bearer')
  // A body that nobody has read to its end is cut off with its connection.
  const hasBody =
    request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined
  if (hasBody && !request.readableEnded) lines.push('connection', 'close')
  response.writeHead(status, lines)
  response.end(body)
}

function json(status: number, value: object): Answer {
  return { status, contentType: 'application/json', body: `${JSON.stringify(value)}\n` }
}

function refusal(status: number, message: string): Answer {
  return json(status, { error: message })
}
