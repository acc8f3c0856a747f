/**
 * One export request, from its headers to its answer.
 *
 * In: the HTTP request and the signal that its path names. Its body is read within the limits, decompressed,
 * made protobuf if it is JSON, and passed to `handle` together with the memory behind it. Out: the answer on the
 * socket and one `request_answered`. Whatever way it ends, its reservation is closed once and its memory has
 * exactly one owner. It never looks into the items and puts no byte of a body into an answer.
 *
 * Source: opentelemetry-proto docs/specification.md, "OTLP/HTTP"; contract section 2.
 */
import { isUtf8 } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ReceiverConfig } from '../config/config.ts'
import { MalformedRequest, TooLarge } from '../errors.ts'
import { jsonToProtobuf } from '../otlp/json-to-protobuf.ts'
import type { Pin } from '../otlp/parcel.ts'
import { exportReply } from '../otlp/reply.ts'
import type { Signal } from '../otlp/signal.ts'
import { sniffSignal } from '../otlp/sniff.ts'
import type { Emit } from '../telemetry/events.ts'
import type { Reason } from '../telemetry/tally.ts'
import { type AnswerTo, accept, type Refusal, refuse } from './answer.ts'
import type { BodyReader } from './body.ts'
import type { Budget, Reservation } from './budget.ts'
import type { Cors } from './cors.ts'
import { findDoor, JSON_DOOR, readBodyHeaders, tooLarge, UNKNOWN_MEDIA_TYPE } from './door.ts'
import { describeFault } from './fault.ts'
import type { Gate } from './gate.ts'
import type { Body } from './gathering.ts'
import { inflate } from './inflate.ts'
import { bufferPin, type SlabPool } from './slabs.ts'

export interface ReceivedRequest {
  readonly signal: Signal
  /** Protobuf, whatever the sender wrote. */
  readonly body: Uint8Array
  /** The memory behind `body`; one reference passes to `handle`, also if it rejects. */
  readonly pin: Pin
}

/** What became of the request as a whole. Not accepted, without a refusal: 503, and the sender may try again. */
export type Reception =
  | { readonly accepted: true }
  /** A backend whose answer the sender waits for refused it for good: 400, and it must not be sent again. */
  | { readonly accepted: false; readonly refusal: string }
  | {
      readonly accepted: false
      readonly reason: Reason
      readonly message: string
      readonly retryAfterSeconds: number
    }

/** Rejects with MalformedRequest (400) or TooLarge (413); anything else is 500. */
export type Handle = (request: ReceivedRequest) => Promise<Reception>

/** What the requests of one receiver share. */
export interface Premises {
  readonly config: ReceiverConfig
  readonly handle: Handle
  readonly emit: Emit
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  readonly budget: Budget
  readonly slabs: SlabPool
  readonly reader: BodyReader
  readonly gate: Gate
  readonly cors: Cors
  readonly isStopping: () => boolean
}

/** The signal of the path, or `sniff` where the body must tell. */
export type Route = Signal | 'sniff'

type Signals = Signal | 'unknown'
/** How a request ended: taken, refused, or its sender went away. `rest` as in `refuse`. */
type Ending =
  | 'accepted'
  | 'aborted'
  | { readonly refusal: Refusal; readonly rest: 'none' | 'unread' | 'lost' }

/** How long a sender should wait before it tries again, where nobody knows better. */
const RETRY_AFTER_SECONDS = 1

const STOPPING: Refusal = {
  status: 503,
  reason: 'stopping',
  message: 'laneway is stopping',
  headers: retryAfter(RETRY_AFTER_SECONDS),
}
const FULL: Refusal = {
  status: 503,
  reason: 'full',
  message: 'too many bytes are in flight (max_in_flight_size)',
  headers: retryAfter(RETRY_AFTER_SECONDS),
}
const SLOW: Refusal = { status: 408, reason: '', message: 'the body did not come in time' }
const FAILED: Refusal = { status: 500, reason: '', message: 'laneway failed; its log says more' }
/** The HTTP framing is broken: the place in the body means nothing then. */
const BROKEN: Refusal = { status: 400, reason: 'malformed', message: 'the HTTP message is malformed' }

export async function serveExport(
  premises: Premises,
  request: IncomingMessage,
  response: ServerResponse,
  route: Route,
): Promise<void> {
  const startedMs = premises.clock()
  const door = findDoor(request.headers['content-type'])
  const isStopping = premises.isStopping()
  const cors = premises.cors.headers(request)
  const headers = isStopping ? [...cors, 'connection', 'close'] : cors
  const to: AnswerTo = { request, response, headers, ...(door ?? JSON_DOOR) }

  const told: { signal: Signals } = { signal: route === 'sniff' ? 'unknown' : route }
  let ending: Ending
  if (isStopping) ending = { refusal: STOPPING, rest: 'unread' }
  else if (door === undefined) ending = { refusal: UNKNOWN_MEDIA_TYPE, rest: 'unread' }
  else ending = await receive(premises, to, route, told)

  if (ending === 'aborted') return
  if (ending === 'accepted') {
    accept(to, exportReply(told.signal === 'unknown' ? 'logs' : told.signal, to.encoding))
  } else {
    refuse(to, ending.refusal, ending.rest)
  }
  premises.emit({
    type: 'request_answered',
    signal: told.signal,
    code: ending === 'accepted' ? 200 : ending.refusal.status,
    reason: ending === 'accepted' ? '' : ending.refusal.reason,
    durationMs: premises.clock() - startedMs,
  })
}

/** Everything that a reservation is held for. Writes the signal into `told` as soon as it is known. */
async function receive(
  premises: Premises,
  to: AnswerTo,
  route: Route,
  told: { signal: Signals },
): Promise<Ending> {
  const { request, response } = to
  const { requestBodyBytesMax } = premises.config
  const bodyHeaders = readBodyHeaders(request.headers, requestBodyBytesMax)
  if ('status' in bodyHeaders) return { refusal: bodyHeaders, rest: 'unread' }
  const reservation = premises.budget.open()
  if (reservation === undefined) return { refusal: FULL, rest: 'unread' }
  try {
    if (request.headers.expect !== undefined) response.writeContinue()
    const { slabs } = premises
    const { bytesHint, coding } = bodyHeaders
    const wire = await premises.reader.read(request, {
      bytesMax: requestBodyBytesMax,
      reservation,
      slabs,
      bytesHint,
    })
    switch (wire) {
      case 'aborted':
        return 'aborted'
      case 'too_large':
        return { refusal: tooLarge(requestBodyBytesMax), rest: 'unread' }
      case 'full':
        return { refusal: FULL, rest: 'unread' }
      case 'slow':
        return { refusal: SLOW, rest: 'lost' }
      case 'malformed':
        return { refusal: BROKEN, rest: 'lost' }
    }
    let body: Body = wire
    if (coding !== undefined) {
      const wireBytes = wire.bytes.length
      const bytesMax = requestBodyBytesMax
      const inflated = await inflate(wire, coding, { bytesMax, reservation, slabs, gate: premises.gate })
      if (inflated === 'too_large') return { refusal: tooLarge(bytesMax), rest: 'none' }
      if (inflated === 'full') return { refusal: FULL, rest: 'none' }
      reservation.shrink(wireBytes)
      body = inflated
    }
    const signal = route === 'sniff' ? sniffOwned(body, to) : route
    if (signal === 'empty') {
      body.pin.release()
      return 'accepted'
    }
    told.signal = signal
    if (to.encoding === 'json') {
      const transcoded = transcode(body, signal, reservation)
      if (transcoded === 'full') return { refusal: FULL, rest: 'none' }
      body = transcoded
    }
    const reception = await premises.handle({ signal, body: body.bytes, pin: body.pin })
    return reception.accepted ? 'accepted' : { refusal: refusalOf(reception), rest: 'none' }
  } catch (error) {
    const refusal = refusalOfError(error, requestBodyBytesMax)
    if (refusal === FAILED) premises.emit({ type: 'fault', place: 'receiver', detail: describeFault(error) })
    return { refusal, rest: 'none' }
  } finally {
    reservation.close()
  }
}

/** Reads the signal from the body, which it frees if that cannot be done. */
function sniffOwned(body: Body, to: AnswerTo): Signal | 'empty' {
  try {
    return sniffSignal(body.bytes, to.encoding)
  } catch (error) {
    body.pin.release()
    throw error
  }
}

/** JSON to protobuf. Frees the JSON, whatever happens. */
function transcode(json: Body, signal: Signal, reservation: Reservation): Body | 'full' {
  try {
    if (!isUtf8(json.bytes)) throw new MalformedRequest('the JSON is not UTF-8', { path: '' })
    const bytes = jsonToProtobuf(json.bytes, signal)
    if (!reservation.grow(bytes.length)) return 'full'
    return { bytes, pin: bufferPin(bytes) }
  } finally {
    // In this order: released bytes have no length.
    reservation.shrink(json.bytes.length)
    json.pin.release()
  }
}

function refusalOf(reception: Reception & { readonly accepted: false }): Refusal {
  if ('refusal' in reception) return { status: 400, reason: '', message: reception.refusal }
  const { reason, message, retryAfterSeconds } = reception
  return { status: 503, reason, message, headers: retryAfter(retryAfterSeconds) }
}

function refusalOfError(error: unknown, bodyBytesMax: number): Refusal {
  if (error instanceof MalformedRequest) {
    const field = 'offset' in error.place ? `byte ${error.place.offset}` : error.place.path
    const badRequest = { field, description: error.message }
    return { status: 400, reason: 'malformed', message: error.message, badRequest }
  }
  if (error instanceof TooLarge) return { ...tooLarge(bodyBytesMax), message: error.message }
  return FAILED
}

function retryAfter(seconds: number): readonly string[] {
  return ['retry-after', String(Math.max(0, Math.ceil(seconds)))]
}
