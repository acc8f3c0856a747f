/**
 * The refusals that do not depend on a body: of paths, methods, headers, and of HTTP that cannot be parsed.
 */
import type { Refusal } from './answer.ts'

export const NOT_FOUND: Refusal = {
  status: 404,
  reason: 'unsupported',
  message: 'nothing is here; POST to /v1/logs, /v1/traces, /v1/metrics or /',
}
export const NOT_ALLOWED: Refusal = {
  status: 405,
  reason: 'unsupported',
  message: 'only POST is taken here',
  headers: ['allow', 'POST'],
}
export const FOREIGN_ORIGIN: Refusal = {
  status: 403,
  reason: 'unsupported',
  message: 'this origin is not in cors.allowed_origins',
}
export const EXPECTATION: Refusal = {
  status: 417,
  reason: 'unsupported',
  message: 'the only expectation known is 100-continue',
}
export const BAD_URL: Refusal = { status: 400, reason: 'malformed', message: 'the path cannot be read' }
export const UNEXPECTED: Refusal = { status: 500, reason: '', message: 'laneway failed; its log says more' }

/** Undefined where nothing can be answered any more. */
export function refusalOfParserError(error: Error): Refusal | undefined {
  const code = 'code' in error ? error.code : ''
  switch (code) {
    case 'ECONNRESET':
    case 'EPIPE':
      return undefined
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, reason: '', message: 'the request did not come in time' }
    case 'HPE_HEADER_OVERFLOW':
      return { status: 431, reason: 'unsupported', message: 'the headers are too large' }
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { status: 413, reason: 'too_large', message: 'the chunk extensions are too large' }
    default:
      return { status: 400, reason: 'malformed', message: 'the HTTP message is malformed' }
  }
}
