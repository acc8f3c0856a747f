/**
 * Carrier spans: what an event rides on where it has no span of its own on a traces lane.
 *
 *     ids, name, time of the event ─► Span { … laneway.rehomed, one event }
 *
 * The carrier is a child of the span that the event happened in. Its own id is made from the event's bytes, so
 * that the same event gives the same span however often it is sent.
 * Source: contract, section "Rehomed items", second row, and "accept" for events of a span that no lane takes.
 */
import { hash } from 'node:crypto'
import { type Viewed, viewed } from '../../otlp/copy.ts'
import { FIXED32, FIXED64, LEN, tagOf, VARINT } from '../../otlp/cursor.ts'
import type { ProtobufWriter } from '../../otlp/protobuf-writer.ts'
import type { RehomedEvent } from './event.ts'
import { REHOMED, spanIdBytes, traceIdBytes, writeId, writeText, writeTime } from './field.ts'
import type { RehomedRequest } from './request.ts'
import type { SpanContext } from './span.ts'

const TRACE_ID = tagOf(1, LEN)
const SPAN_ID = tagOf(2, LEN)
const PARENT_SPAN_ID = tagOf(4, LEN)
const NAME = tagOf(5, LEN)
const KIND = tagOf(6, VARINT)
const START_TIME = tagOf(7, FIXED64)
const END_TIME = tagOf(8, FIXED64)
const ATTRIBUTE = tagOf(9, LEN)
const EVENT = tagOf(11, LEN)

/** Field 16 takes two bytes. */
const FLAGS_FIRST = (tagOf(16, FIXED32) & 0x7f) | 0x80
const FLAGS_SECOND = tagOf(16, FIXED32) >> 7

const kindInternal = 1

/**
 * The carrier's name, given the event's and its attribute `event.name` (undefined if it has none that is a non-empty
 * string): what the lane's field policy leaves of them. All are UTF-8.
 */
export type CarrierName = (name: Uint8Array, attribute: Uint8Array | undefined) => Uint8Array

/** What a carrier takes from its event. Offsets into `source`; -1 where there is nothing. */
export interface Carried {
  readonly source: Viewed
  /** Payload of the event's message as it came: its hash is the carrier's id. */
  readonly start: number
  readonly end: number
  readonly traceIdAt: number
  readonly parentSpanIdAt: number
  readonly nameStart: number
  readonly nameEnd: number
  /** Range of attribute `event.name`; empty if it has none that is a non-empty string. */
  readonly eventNameStart: number
  readonly eventNameEnd: number
  /** The low eight bits of the flags: the trace flags of W3C. */
  readonly flags: number
  readonly timeAt: number
  /** The attribute that says how it came, as KeyValue bytes. */
  readonly rehomed: Viewed
}

/** Starts a carrier in `out`, up to the tag of its event: the caller writes length and payload, then `out.close()`. */
export function openCarrier(out: RehomedRequest, carried: Carried, carrierName?: CarrierName): void {
  const { source, nameStart, nameEnd, timeAt, rehomed } = carried
  out.openSpan()
  const { writer } = out
  writeId(writer, TRACE_ID, source, carried.traceIdAt, traceIdBytes)
  writeSpanId(writer, source.bytes, carried.start, carried.end)
  writeId(writer, PARENT_SPAN_ID, source, carried.parentSpanIdAt, spanIdBytes)
  if (carrierName === undefined) {
    writeText(writer, NAME, source, nameStart, nameEnd)
  } else {
    const { eventNameStart, eventNameEnd } = carried
    const { bytes } = source
    const attribute = eventNameStart < eventNameEnd ? bytes.subarray(eventNameStart, eventNameEnd) : undefined
    const name = viewed(carrierName(bytes.subarray(nameStart, nameEnd), attribute))
    writeText(writer, NAME, name, 0, name.bytes.length)
  }
  writer.byte(KIND)
  writer.byte(kindInternal)
  writeTime(writer, START_TIME, source, timeAt)
  writeTime(writer, END_TIME, source, timeAt)
  if (carried.flags !== 0) {
    writer.byte(FLAGS_FIRST)
    writer.byte(FLAGS_SECOND)
    writer.fixed32(carried.flags)
  }
  writer.byte(ATTRIBUTE)
  writer.delimitedRange(rehomed, 0, rehomed.bytes.length)
  writer.byte(EVENT)
}

/** Adds an event whose own span does not go to the lane: the carrier hangs where that span would. */
export function addCarriedEvent(
  out: RehomedRequest,
  event: RehomedEvent,
  span: SpanContext,
  carrierName?: CarrierName,
): void {
  const { source, start, end, nameStart, nameEnd, eventNameStart, eventNameEnd, timeAt } = event
  const { traceIdAt, parentSpanIdAt, flags } = span
  const carried = {
    source,
    start,
    end,
    traceIdAt,
    parentSpanIdAt,
    nameStart,
    nameEnd,
    eventNameStart,
    eventNameEnd,
    flags,
    timeAt,
    rehomed: REHOMED.span_event,
  }
  openCarrier(out, carried, carrierName)
  out.writer.delimitedRange(source, start, end)
  out.close()
}

/** The first eight bytes of SHA-256 of the message; never all zero, which would be no id. */
function writeSpanId(writer: ProtobufWriter, bytes: Uint8Array, start: number, end: number): void {
  // As a string: a Buffer for each would cost more than the hash.
  const digest = hash('sha256', bytes.subarray(start, end), 'binary')
  let any = 0
  for (let index = 0; index < spanIdBytes; index++) any |= digest.charCodeAt(index)
  writer.byte(SPAN_ID)
  writer.byte(spanIdBytes)
  for (let index = 0; index < spanIdBytes - 1; index++) writer.byte(digest.charCodeAt(index))
  writer.byte(any === 0 ? 1 : digest.charCodeAt(spanIdBytes - 1))
}
