/**
 * How the receiver answers: success, refusal, and what becomes of a body that nobody will read.
 *
 * Every refusal carries a google.rpc.Status in the encoding of the request (JSON where that is not known), so that
 * an SDK can say why. A refusal that comes before the body was read must reach its sender: closing a socket with
 * unread bytes in it makes the kernel send a reset, which destroys the answer on its way. So the answer is written,
 * then a bounded rest is taken off the socket, and only then it is closed.
 *
 * Source: opentelemetry-proto docs/specification.md, "OTLP/HTTP Response"; google/rpc/code.proto; RFC 9112 9.6.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { statusReply } from '../otlp/reply.ts'
import type { Reason } from '../telemetry/tally.ts'

export type Encoding = 'proto' | 'json'

/** What `request_answered` says of why. */
export type AnswerReason = Reason | 'unsupported' | ''

export interface Refusal {
  readonly status: keyof typeof GRPC_CODES
  readonly reason: AnswerReason
  readonly message: string
  /** Further header lines: name, value, name, value. */
  readonly headers?: readonly string[]
  /** Where the request is wrong, for 400. */
  readonly badRequest?: { readonly field: string; readonly description: string }
}

/** The code inside the Status body for each HTTP status in use. Clients do not act on it; people read it. */
const GRPC_CODES = {
  400: 3, // INVALID_ARGUMENT
  403: 7, // PERMISSION_DENIED
  404: 5, // NOT_FOUND
  405: 12, // UNIMPLEMENTED
  408: 4, // DEADLINE_EXCEEDED
  413: 8, // RESOURCE_EXHAUSTED
  415: 3,
  417: 3,
  431: 8,
  500: 13, // INTERNAL
  503: 14, // UNAVAILABLE
} as const

const STATUS_TEXTS = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
} as const

/** An unread rest of an announced length up to this is read to its end, and the connection is kept. */
export const REST_BYTES_MAX: number = 1024 * 1024
/** What is taken off the socket of a connection that is to be closed. */
export const DRAIN_BYTES_MAX: number = 128 * 1024 * 1024
export const DRAIN_MS_MAX: number = 5_000

export interface AnswerTo {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The media type of the answer: the request's. */
  readonly mediaType: string
  readonly encoding: Encoding
  /** Header lines that every answer to this request has (CORS, or `connection: close`). */
  readonly headers: readonly string[]
}

/** 200 with an empty Export*ServiceResponse. */
export function accept(to: AnswerTo, body: Uint8Array): void {
  to.response.writeHead(200, headerLines(to, body, undefined))
  // As text it leaves in one write with the headers; as bytes it would take a gathered write, a third of the
  // cost of a small request.
  to.response.end(body.length === 0 ? '' : Buffer.from(body).toString('latin1'), 'latin1')
}

/** Writes the refusal. `rest` says whether the sender may still be sending: then the socket is drained. */
export function refuse(to: AnswerTo, refusal: Refusal, rest: 'none' | 'unread' | 'lost'): void {
  const body = refusalBody(refusal, to.encoding)
  if (rest === 'none' || (rest === 'unread' && isRestSmall(to.request))) {
    to.response.writeHead(refusal.status, headerLines(to, body, refusal.headers))
    to.response.end(body)
    // Node takes the rest off by itself only if nobody has begun to read it.
    to.request.resume()
    return
  }
  const closing = [...(refusal.headers ?? []), 'connection', 'close']
  to.response.writeHead(refusal.status, headerLines(to, body, closing))
  if (rest === 'lost') to.response.end(body)
  else drainThenEnd(to, body)
}

/** The whole answer as bytes, for a socket whose request could not be parsed: there is no response to write to. */
export function rawRefusal(refusal: Refusal): string {
  const body = Buffer.from(refusalBody(refusal, 'json')).toString()
  return `HTTP/1.1 ${refusal.status} ${STATUS_TEXTS[refusal.status]}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
}

function refusalBody(refusal: Refusal, encoding: Encoding): Uint8Array {
  const { message, badRequest } = refusal
  const grpcCode = GRPC_CODES[refusal.status]
  return statusReply({ grpcCode, message, encoding, ...(badRequest === undefined ? {} : { badRequest }) })
}

/** A flat list is what node writes with the least work. */
function headerLines(to: AnswerTo, body: Uint8Array, further: readonly string[] | undefined): string[] {
  const lines = ['content-type', to.mediaType, 'content-length', String(body.length)]
  if (to.headers.length > 0) lines.push(...to.headers)
  if (further !== undefined) lines.push(...further)
  return lines
}

/** True if no body is to come, or so little that reading it is cheaper than a new connection. */
function isRestSmall(request: IncomingMessage): boolean {
  if (request.headers.expect !== undefined) return false
  const { 'content-length': length, 'transfer-encoding': chunked } = request.headers
  return chunked === undefined && Number(length ?? 0) <= REST_BYTES_MAX
}

function drainThenEnd(to: AnswerTo, body: Uint8Array): void {
  const { request, response } = to
  let bytes = 0
  const timer = setTimeout(end, DRAIN_MS_MAX)
  function end(): void {
    clearTimeout(timer)
    if (!response.writableEnded) response.end()
  }
  response.write(body)
  request.on('data', (chunk: Uint8Array) => {
    bytes += chunk.length
    if (bytes > DRAIN_BYTES_MAX) end()
  })
  request.on('end', end)
  request.on('close', end)
  request.resume()
}
