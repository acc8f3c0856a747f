/**
 * One connection to a backend: one request at a time, kept alive between them, made again when it breaks.
 *
 * `post` always settles within its timeout, whatever the backend does, and never throws for it. Once it has
 * settled, nothing reads the body's memory any more: where the backend answers before it has read the whole body,
 * the connection is destroyed, for otherwise the kernel would go on taking bytes from memory that is being reused
 * for another sender's data.
 *
 * Source: RFC 9112; opentelemetry-proto docs/specification.md (response size, connection reuse).
 */
import type { Socket } from 'node:net'
import type { buildConnector as BuildConnector, Dispatcher, Client as UndiciClient } from 'undici'
import buildConnector from 'undici/lib/core/connect.js'
import Client from 'undici/lib/dispatcher/client.js'

/** A reply larger than this is not read on. Source: specification, protocol/exporter.md. */
export const REPLY_BYTES_MAX: number = 4 * 1024 * 1024

/** Most servers close an idle connection after 5 s; ours goes first, or it would send into a closing one. */
const KEEP_ALIVE_MS = 4000

const DISCONNECT_CODES: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])

export interface PostRequest {
  /** Path and query. */
  readonly path: string
  /** Names and values in turn. */
  readonly headers: readonly string[]
  readonly body: Uint8Array
  readonly timeoutMs: number
}

export type PostResult =
  /** Status and headers were received. `body` is undefined if it was over REPLY_BYTES_MAX, empty if it was cut off. */
  | {
      readonly kind: 'reply'
      readonly status: number
      readonly headers: ReplyHeaders
      readonly body: Uint8Array | undefined
    }
  /** No status was received. */
  | { readonly kind: 'no_reply'; readonly detail: string }

export type ReplyHeaders = Readonly<Record<string, string | string[] | undefined>>

export interface Connection {
  post(request: PostRequest): Promise<PostResult>
  /** Breaks off a request in flight. */
  close(): Promise<void>
}

export type Connector = BuildConnector.connector

export interface ConnectOptions {
  readonly tls: {
    readonly ca?: Buffer
    readonly cert?: Buffer
    readonly key?: Buffer
    readonly rejectUnauthorized: boolean
  }
  readonly timeoutMs: number
}

export function createConnector({ tls, timeoutMs }: ConnectOptions): Connector {
  return buildConnector({ ...tls, allowH2: true, timeout: timeoutMs })
}

/** `connector` is called for every new connection. */
export function createConnection(origin: string, connector: Connector): Connection {
  let socket: Socket | undefined
  /** Replies received on this socket. */
  let socketReplies = 0
  let isClosed = false
  let client = createClient()

  function createClient(): UndiciClient {
    return new Client(origin, {
      // The whole try has one timer of its own; undici's would each cover a part.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect(options, callback) {
        connector(options, (...result) => {
          socket = result[1] ?? undefined
          socketReplies = 0
          callback(...result)
        })
      },
    })
  }

  async function post(request: PostRequest): Promise<PostResult> {
    const isReused = socketReplies > 0
    let result = await postOnce(request)
    // The server closed an idle connection while our request was on its way: no failure of the backend.
    if (result.kind === 'no_reply' && isReused && result.isDisconnect && !isClosed)
      result = await postOnce(request)
    return result
  }

  async function postOnce(request: PostRequest): Promise<PostResult & { readonly isDisconnect?: boolean }> {
    if (isClosed) return { kind: 'no_reply', detail: 'the exporter was closed' }
    const result = await dispatch(client, request, () => {
      // Not dispatched yet, so there is no request to abort: the connection attempt itself hangs.
      void client.destroy()
      client = createClient()
    })
    if (result.kind === 'reply') socketReplies++
    if (socket !== undefined && !socket.destroyed && socket.writableLength > 0) socket.destroy()
    return result
  }

  return {
    post,
    async close() {
      isClosed = true
      await client.destroy()
    },
  }
}

function dispatch(
  client: UndiciClient,
  { path, headers, body, timeoutMs }: PostRequest,
  onStuck: () => void,
): Promise<PostResult & { readonly isDisconnect?: boolean }> {
  return new Promise((resolve) => {
    let controller: Dispatcher.DispatchController | undefined
    let status = 0
    let replyHeaders: ReplyHeaders = {}
    let parts: Buffer[] = []
    let replyBytes = 0
    let isSettled = false

    const timer = setTimeout(() => {
      settle(`no answer within ${timeoutMs} ms`, false)
      if (controller === undefined) onStuck()
      else controller.abort(new Error('timeout'))
    }, timeoutMs)

    /** A status that was received decides, whatever happens to the rest of the reply. */
    function settle(detail: string, isComplete: boolean, isDisconnect = false): void {
      if (isSettled) return
      isSettled = true
      clearTimeout(timer)
      const whole = replyBytes > REPLY_BYTES_MAX ? undefined : isComplete ? joined(parts) : new Uint8Array(0)
      resolve(
        status === 0
          ? { kind: 'no_reply', detail, isDisconnect }
          : { kind: 'reply', status, headers: replyHeaders, body: whole },
      )
    }

    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(started) {
        controller = started
        if (isSettled) started.abort(new Error('timeout'))
      },
      onResponseStart(_controller, statusCode, received) {
        if (statusCode < 200) return
        status = statusCode
        replyHeaders = received
      },
      onResponseData(_controller, chunk) {
        replyBytes += chunk.byteLength
        if (replyBytes <= REPLY_BYTES_MAX) {
          parts.push(chunk)
          return
        }
        parts = []
        settle('', false)
        controller?.abort(new Error('reply too large'))
      },
      onResponseEnd() {
        settle('', true)
      },
      onResponseError(_controller, error) {
        const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
        settle(describe(error, code), false, DISCONNECT_CODES.has(code))
      },
    }
    try {
      client.dispatch({ method: 'POST', path, headers: [...headers], body }, handler)
    } catch (error) {
      // A header value that HTTP does not allow. The message names the header, never its value.
      settle(error instanceof Error ? error.message : 'cannot be sent', false)
    }
  })
}

function describe(error: Error, code: string): string {
  // Where a name has several addresses, the text is in the error of each.
  const [first] = error instanceof AggregateError ? error.errors : [error]
  const { message } = first instanceof Error ? first : error
  return code === '' || message.includes(code) ? message : `${code}: ${message}`
}

function joined(parts: readonly Buffer[]): Uint8Array {
  return parts.length === 1 ? parts[0] : Buffer.concat(parts)
}
