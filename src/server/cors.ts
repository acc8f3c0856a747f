/**
 * Cross-origin rules for browsers that send telemetry straight to the receiver.
 *
 * In: the configured origins (globs: `https://*.example.com`). Out: the header lines that let such a page send and
 * read the answer; none for any other origin. It keeps nobody out who is not a browser.
 *
 * Source: fetch.spec.whatwg.org, "CORS protocol".
 */
import type { IncomingMessage } from 'node:http'

const PREFLIGHT_SECONDS = '7200'

export interface Cors {
  readonly isOn: boolean
  /** Header lines for an answer to this request. */
  headers(request: IncomingMessage): readonly string[]
  /** Header lines for an answer to its preflight, or undefined if the origin is not allowed. */
  preflight(request: IncomingMessage): readonly string[] | undefined
}

export function createCors(allowedOrigins: readonly string[]): Cors {
  const patterns = allowedOrigins.map(
    (glob) => new RegExp(`^${glob.split('*').map(escapePattern).join('.*')}$`, 'i'),
  )

  function headers(request: IncomingMessage): readonly string[] {
    if (patterns.length === 0) return NO_HEADERS
    const { origin } = request.headers
    if (origin === undefined || !patterns.some((pattern) => pattern.test(origin))) return ['vary', 'Origin']
    return ['access-control-allow-origin', origin, 'vary', 'Origin']
  }

  function preflight(request: IncomingMessage): readonly string[] | undefined {
    const lines = headers(request)
    if (!lines.includes('access-control-allow-origin')) return undefined
    const asked = request.headers['access-control-request-headers']
    return [
      ...lines,
      'access-control-allow-methods',
      'POST',
      'access-control-allow-headers',
      asked ?? 'content-type, content-encoding',
      'access-control-max-age',
      PREFLIGHT_SECONDS,
    ]
  }

  return { isOn: patterns.length > 0, headers, preflight }
}

const NO_HEADERS: readonly string[] = []

function escapePattern(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
}
