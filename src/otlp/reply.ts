/**
 * Answers of OTLP/HTTP: those that Laneway gives, and those that it gets from backends.
 *
 * What is written is bounded. What is read comes from strangers: nothing here throws on it, counts are made
 * sane, texts are cut and freed of control characters before anyone may log them.
 * Source: opentelemetry-proto docs/specification.md, "OTLP/HTTP Response"; google/rpc/{status,error_details}.proto.
 * Why no library reads the answers: docs/decisions/0002-own-reply-parser.md.
 */
import { MalformedRequest } from '../errors.ts'
import { LEN, tagOf, VARINT } from './cursor.ts'
import { protobufToJson } from './protobuf-to-json.ts'
import { ProtobufWriter } from './protobuf-writer.ts'
import { SIGNAL_TRAITS, type Signal } from './signal.ts'

const BAD_REQUEST_TYPE = 'type.googleapis.com/google.rpc.BadRequest'

/** Most characters of each text in an answer that Laneway gives. */
const writtenTextMax = 1024

/** Most characters of a backend's message that are kept. */
const readTextMax = 512

export interface StatusReplyOptions {
  /** A google.rpc.Code. */
  readonly grpcCode: number
  readonly message: string
  readonly encoding: 'proto' | 'json'
  /** Which part of the request is wrong: a path or an offset, and why. */
  readonly badRequest?: { readonly field: string; readonly description: string }
}

/** Full success: an Export*ServiceResponse with `partial_success` unset, which is the same for every signal. */
export function exportReply(_signal: Signal, encoding: 'proto' | 'json'): Uint8Array {
  return encoding === 'json' ? Buffer.from('{}') : new Uint8Array(0)
}

/** A refusal: google.rpc.Status. */
export function statusReply(options: StatusReplyOptions): Uint8Array {
  const message = cut(options.message, writtenTextMax)
  const violation = options.badRequest && {
    field: cut(options.badRequest.field, writtenTextMax),
    description: cut(options.badRequest.description, writtenTextMax),
  }
  if (options.encoding === 'json') {
    const details = violation && [{ '@type': BAD_REQUEST_TYPE, fieldViolations: [violation] }]
    return Buffer.from(JSON.stringify({ code: options.grpcCode, message, details }))
  }
  const out = new ProtobufWriter(256)
  out.varint(tagOf(1, VARINT))
  out.varint(options.grpcCode)
  out.varint(tagOf(2, LEN))
  out.text(message)
  if (violation !== undefined) {
    out.varint(tagOf(3, LEN))
    const any = out.open()
    out.varint(tagOf(1, LEN))
    out.text(BAD_REQUEST_TYPE)
    out.varint(tagOf(2, LEN))
    const badRequest = out.open()
    out.varint(tagOf(1, LEN))
    const fieldViolation = out.open()
    out.varint(tagOf(1, LEN))
    out.text(violation.field)
    out.varint(tagOf(2, LEN))
    out.text(violation.description)
    out.close(fieldViolation)
    out.close(badRequest)
    out.close(any)
  }
  return out.finish()
}

export interface ExportReply {
  readonly rejectedItems: number
  /** Cut to 512 characters, without control characters. */
  readonly message: string
}

/** What a backend said in a 2xx answer; nothing rejected and no message where it cannot be read. */
export function parseExportReply(signal: Signal, body: Uint8Array, contentType: string): ExportReply {
  const { requestMessage, rejectedKey } = SIGNAL_TRAITS[signal]
  const reply = readReply(body, contentType, requestMessage.replace('Request', 'Response'))
  const partialSuccess = memberOf(reply, 'partialSuccess')
  return {
    rejectedItems: countOf(memberOf(partialSuccess, rejectedKey)),
    message: textOf(memberOf(partialSuccess, 'errorMessage')),
  }
}

/** What a backend said in a refusal: the message of its google.rpc.Status, or its plain text; empty if neither. */
export function parseStatusMessage(body: Uint8Array, contentType: string): string {
  if (/^text\/plain\b/i.test(contentType)) {
    return textOf(Buffer.from(body.subarray(0, readTextMax * 4)).toString('utf8'))
  }
  return textOf(memberOf(readReply(body, contentType, 'google.rpc.Status'), 'message'))
}

/** The answer as parsed JSON; undefined if it is not what the content type says. */
function readReply(body: Uint8Array, contentType: string, message: string): unknown {
  try {
    if (/^application\/x-protobuf\b/i.test(contentType)) return JSON.parse(protobufToJson([body], message))
    if (/^application\/json\b/i.test(contentType)) return JSON.parse(Buffer.from(body).toString('utf8'))
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof MalformedRequest || error instanceof RangeError))
      throw error
  }
  return undefined
}

function memberOf(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.getOwnPropertyDescriptor(value, key)?.value
}

/** An int64 in JSON is a string, or a number. Nobody can reject fewer items than none. */
function countOf(value: unknown): number {
  if (typeof value !== 'string' && typeof value !== 'number') return 0
  const count = Number(value)
  return Number.isFinite(count) ? Math.min(Math.max(Math.trunc(count), 0), Number.MAX_SAFE_INTEGER) : 0
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') return ''
  return cut(
    value
      .slice(0, readTextMax * 4)
      .replace(/\p{Cc}+/gu, ' ')
      .trim(),
    readTextMax,
  )
}

/** Never in the middle of a character that takes two. */
function cut(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : text.slice(0, lengthMax).replace(/[\ud800-\udbff]$/, '')
}
