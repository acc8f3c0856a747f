/**
 * What the headers of an export request say, before a byte of its body is read.
 *
 * In: the headers and the limit. Out: how to read the body, or the refusal. Pure. Media types and codings are
 * compared without case and without parameters.
 *
 * Source: opentelemetry-proto docs/specification.md, "OTLP/HTTP Request"; RFC 9110 sections 8.3, 8.4, 15.5.16.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Encoding, Refusal } from './answer.ts'
import { CODINGS_TAKEN, type Coding, parseCoding } from './decoders.ts'

/** How the body of a request is to be read, and its answer written. */
export interface Door {
  readonly mediaType: string
  readonly encoding: Encoding
}

export const JSON_DOOR: Door = { mediaType: 'application/json', encoding: 'json' }

const DOORS: ReadonlyMap<string, Door> = new Map([
  ['application/x-protobuf', { mediaType: 'application/x-protobuf', encoding: 'proto' }],
  ['application/protobuf', { mediaType: 'application/protobuf', encoding: 'proto' }],
  ['application/json', JSON_DOOR],
])

/** Undefined for a media type that is not taken. */
export function findDoor(contentType: string | undefined): Door | undefined {
  if (contentType === undefined) return undefined
  const exact = DOORS.get(contentType)
  if (exact !== undefined) return exact
  const end = contentType.indexOf(';')
  return DOORS.get((end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase())
}

export const UNKNOWN_MEDIA_TYPE: Refusal = {
  status: 415,
  reason: 'unsupported',
  message: 'the content-type must be application/x-protobuf or application/json',
  headers: ['accept', 'application/x-protobuf, application/json'],
}

const UNKNOWN_CODING: Refusal = {
  status: 415,
  reason: 'unsupported',
  message: `the content-encoding must be one of ${CODINGS_TAKEN}, or none`,
  headers: ['accept-encoding', CODINGS_TAKEN],
}

export function tooLarge(bytesMax: number): Refusal {
  return {
    status: 413,
    reason: 'too_large',
    message: `the body is over ${bytesMax} bytes, the limit both as sent and decompressed (max_request_body_size)`,
  }
}

export interface BodyHeaders {
  readonly coding: Coding | undefined
  /** The announced length; 0 if there is none. */
  readonly bytesHint: number
}

export function readBodyHeaders(headers: IncomingHttpHeaders, bodyBytesMax: number): BodyHeaders | Refusal {
  const coding = parseCoding(headers['content-encoding'])
  if (coding === 'unknown') return UNKNOWN_CODING
  const bytesHint = Number(headers['content-length'] ?? 0)
  if (bytesHint > bodyBytesMax) return tooLarge(bodyBytesMax)
  return { coding, bytesHint }
}
