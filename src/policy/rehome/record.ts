/**
 * From LogRecord to Span.Event: what is read of the record, and how the event in its carrier span is written.
 *
 * Of an attribute `event.name` that is given several times the first that is a string and not empty counts.
 * Fields of the record that OTLP does not know stay behind: in a Span.Event their numbers mean something else.
 * Source: contract, section "Rehomed items", second row.
 */
import { MEMBERS } from '../../otlp/attribute.ts'
import { type Viewed, viewed } from '../../otlp/copy.ts'
import { Cursor, FIXED32, FIXED64, LEN, tagOf, VARINT } from '../../otlp/cursor.ts'
import type { ProtobufWriter } from '../../otlp/protobuf-writer.ts'
import { EVENT_NAME, type Key, LEVEL, MESSAGE_TEXT } from '../keys.ts'
import type { Reading } from '../reading.ts'
import { moveAttributes } from './attributes.ts'
import { type CarrierName, openCarrier } from './carrier.ts'
import {
  idAt,
  REHOMED,
  spanIdBytes,
  type TextRange,
  timeAt,
  traceIdBytes,
  writeCount,
  writeMerged,
  writeStringAttribute,
  writeText,
  writeTime,
} from './field.ts'
import type { RehomedRequest } from './request.ts'

const TIME = tagOf(1, FIXED64)
const SEVERITY_TEXT = tagOf(3, LEN)
const BODY = tagOf(5, LEN)
const RECORD_ATTRIBUTE = tagOf(6, LEN)
const RECORD_DROPPED = tagOf(7, VARINT)
const TRACE_ID = tagOf(9, LEN)
const SPAN_ID = tagOf(10, LEN)
const OBSERVED_TIME = tagOf(11, FIXED64)
const FLAGS = tagOf(8, FIXED32)

const EVENT_TIME = tagOf(1, FIXED64)
const NAME = tagOf(2, LEN)
const ATTRIBUTE = tagOf(3, LEN)
const DROPPED = tagOf(4, VARINT)

const KEY = tagOf(1, LEN)
const VALUE = tagOf(2, LEN)
const STRING = tagOf(1, LEN)

const TARGET_KEY: Viewed = viewed(Buffer.from('target'))
const LEVEL_KEY: Viewed = viewed(Buffer.from('level'))
const MESSAGE_KEY: Viewed = viewed(Buffer.from('message'))
const BODY_KEY: Viewed = viewed(Buffer.from('body'))

/** Scratch: one LogRecord. Read once, written for as many lanes as take it. Offsets into `source`. */
export class RehomedRecord {
  source: Viewed = new Cursor()
  start = 0
  end = 0
  #reading: Reading | undefined
  #timeAt = -1
  #observedTimeAt = -1
  traceIdAt = -1
  spanIdAt = -1
  #severityStart = 0
  #severityEnd = 0
  /** The effective name: attribute `event.name`, else the record's own. */
  nameStart = 0
  nameEnd = 0
  #eventNameStart = 0
  #eventNameEnd = 0
  #flags = 0
  #dropped = 0
  #hasMessage = false
  /** The last member that a piece of the body sets; 0 for none. */
  #bodyMember = 0
  readonly #cursor = new Cursor()

  /** Whether the record has a span to ride on: a valid trace id and a valid span id. */
  get hasSpan(): boolean {
    return this.traceIdAt >= 0 && this.spanIdAt >= 0
  }

  /** Takes the record that was read whole, whose payload is `[start, end)`. */
  read(reading: Reading, start: number, end: number): void {
    this.source = reading.cursor
    this.#cursor.reset(reading.cursor.bytes, 0)
    this.#reading = reading
    this.start = start
    this.end = end
    this.#timeAt = -1
    this.#observedTimeAt = -1
    this.traceIdAt = -1
    this.spanIdAt = -1
    this.#severityStart = 0
    this.#severityEnd = 0
    this.#eventNameStart = 0
    this.#eventNameEnd = 0
    this.#flags = 0
    this.#dropped = 0
    this.#hasMessage = false
    this.#bodyMember = 0
    for (let row = 0; row < reading.count; row++) this.#readRow(reading, row)
    const isNamed = this.#eventNameStart < this.#eventNameEnd
    this.nameStart = isNamed ? this.#eventNameStart : reading.nameStart
    this.nameEnd = isNamed ? this.#eventNameEnd : reading.nameEnd
  }

  /** Adds the record as an event of `target`, in a carrier span, to `out`. Only for a record that `hasSpan`. */
  addCarrierSpan(out: RehomedRequest, target: TextRange, carrierName?: CarrierName): void {
    const { source, start, end } = this
    const timeAt = this.#timeAt < 0 ? this.#observedTimeAt : this.#timeAt
    const carried = {
      source,
      start,
      end,
      traceIdAt: this.traceIdAt,
      parentSpanIdAt: this.spanIdAt,
      nameStart: this.nameStart,
      nameEnd: this.nameEnd,
      eventNameStart: this.#eventNameStart,
      eventNameEnd: this.#eventNameEnd,
      flags: this.#flags,
      timeAt,
      rehomed: REHOMED.log_record,
    }
    openCarrier(out, carried, carrierName)
    const { writer } = out
    const event = writer.open(2)
    writeTime(writer, EVENT_TIME, source, timeAt)
    writeText(writer, NAME, source, this.nameStart, this.nameEnd)
    writeStringAttribute(writer, ATTRIBUTE, TARGET_KEY, target)
    if (this.#severityEnd > this.#severityStart) {
      const level = { source, start: this.#severityStart, end: this.#severityEnd }
      writeStringAttribute(writer, ATTRIBUTE, LEVEL_KEY, level)
    }
    this.#writeAttributes(writer)
    this.#writeBody(writer)
    writeCount(writer, DROPPED, this.#dropped)
    writer.close(event, 2)
    out.close()
  }

  #readRow(reading: Reading, row: number): void {
    const { bytes } = this.source
    const start = reading.starts[row]
    const end = reading.ends[row]
    switch (reading.tags[row]) {
      case RECORD_ATTRIBUTE:
        if (reading.keys[row].role !== 0) this.#readAttribute(reading, row)
        break
      case SEVERITY_TEXT:
        this.#severityStart = start
        this.#severityEnd = end
        break
      case BODY:
        this.#readBody(start, end)
        break
      case TRACE_ID:
        this.traceIdAt = idAt(bytes, start, end, traceIdBytes)
        break
      case SPAN_ID:
        this.spanIdAt = idAt(bytes, start, end, spanIdBytes)
        break
      case TIME:
        this.#timeAt = timeAt(bytes, start)
        break
      case OBSERVED_TIME:
        this.#observedTimeAt = timeAt(bytes, start)
        break
      case FLAGS:
        this.#flags = bytes[start]
        break
      case RECORD_DROPPED:
        this.#cursor.at = start
        this.#dropped = this.#cursor.uint32(end)
        break
    }
  }

  #readAttribute(reading: Reading, row: number): void {
    const { role } = reading.keys[row]
    if ((role & MESSAGE_TEXT) !== 0) this.#hasMessage = true
    if ((role & EVENT_NAME) === 0 || this.#eventNameStart < this.#eventNameEnd) return
    if (!reading.readText(row)) return
    this.#eventNameStart = reading.textStart
    this.#eventNameEnd = reading.textEnd
  }

  /** One piece of the body. */
  #readBody(start: number, end: number): void {
    const cursor = this.#cursor
    cursor.at = start
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      cursor.skip(tag, end)
      if (MEMBERS.has(tag)) this.#bodyMember = tag
    }
  }

  #writeAttributes(writer: ProtobufWriter): void {
    const reading = this.#reading
    if (reading === undefined) return
    moveAttributes(writer, { reading, from: RECORD_ATTRIBUTE, to: ATTRIBUTE }, isReplaced)
  }

  /** The body as the attribute `message` or `body`, behind the record's own; nothing if it has no value. */
  #writeBody(writer: ProtobufWriter): void {
    if (this.#bodyMember === 0) return
    const key = this.#bodyMember === STRING && !this.#hasMessage ? MESSAGE_KEY : BODY_KEY
    writer.byte(ATTRIBUTE)
    const attribute = writer.open()
    writer.byte(KEY)
    writer.delimitedRange(key, 0, key.bytes.length)
    writeMerged(writer, VALUE, { cursor: this.#cursor, wanted: BODY, start: this.start, end: this.end })
    writer.close(attribute)
  }
}

/** What the event has from elsewhere: its target, its level. */
function isReplaced(key: Key): boolean {
  return (key.role & LEVEL) !== 0 || key.text === 'target'
}
