/**
 * From a backend's reply to a delivery outcome: the status table, and what the body adds to it.
 *
 * Any 2xx is `sent`, its body garbage or not: the data was taken, and to send it again would double it. Of all other
 * statuses only 429, 502, 503 and 504 may be tried again; redirects are never followed.
 *
 * Source: opentelemetry-proto docs/specification.md (OTLP/HTTP response, "retryable response codes").
 */
import { promisify } from 'node:util'
import { gunzip as gunzipCallback } from 'node:zlib'
import { parseExportReply, parseStatusMessage } from '../../otlp/reply.ts'
import type { Signal } from '../../otlp/signal.ts'
import type { DeliveryOutcome } from '../outcome.ts'
import { parseRetryAfter } from '../retry.ts'
import { type PostResult, REPLY_BYTES_MAX, type ReplyHeaders } from './connection.ts'

const gunzip = promisify(gunzipCallback)

const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504])

const TOO_LARGE = 413

type Reply = Extract<PostResult, { kind: 'reply' }>

export async function outcomeOfReply(reply: Reply, signal: Signal, nowMs: number): Promise<DeliveryOutcome> {
  const { status, headers } = reply
  const contentType = headerOf(headers, 'content-type')
  const body = await plainBody(reply)
  if (status >= 200 && status < 300) {
    if (body === undefined || body.byteLength === 0) return { kind: 'sent', rejectedItems: 0, message: '' }
    return { kind: 'sent', ...parseExportReply(signal, body, contentType) }
  }
  const isTooLarge = status === TOO_LARGE
  if (body === undefined)
    return { kind: 'permanent', status, message: `its reply is over ${REPLY_BYTES_MAX} bytes`, isTooLarge }
  const message = parseStatusMessage(body, contentType)
  if (!RETRYABLE_STATUSES.has(status)) return { kind: 'permanent', status, message, isTooLarge }
  return {
    kind: 'retryable',
    detail: message === '' ? `it answers ${status}` : `it answers ${status}: ${message}`,
    retryAfterMs: parseRetryAfter(headerOf(headers, 'retry-after'), nowMs),
  }
}

/** Undefined: over the limit. A body that cannot be read is empty: no reply of a backend is worth an error. */
async function plainBody({ headers, body }: Reply): Promise<Uint8Array | undefined> {
  const coding = headerOf(headers, 'content-encoding').toLowerCase()
  if (body === undefined || coding === '' || coding === 'identity') return body
  // We ask for no coding, so any is a liberty; gzip is the one that servers take.
  if (coding !== 'gzip' && coding !== 'x-gzip') return new Uint8Array(0)
  try {
    return await gunzip(body, { maxOutputLength: REPLY_BYTES_MAX })
  } catch (error) {
    const isTooLarge = error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
    return isTooLarge ? undefined : new Uint8Array(0)
  }
}

function headerOf(headers: ReplyHeaders, name: string): string {
  const value = headers[name]
  return typeof value === 'string' ? value : (value?.[0] ?? '')
}
