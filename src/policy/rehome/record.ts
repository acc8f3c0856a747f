/**
 * From LogRecord to Span.Event: what is read of the record, and how the event in its carrier span is written.
 *
 * Of an attribute `event.name` that is given several times the first that is a string and not empty counts.
 * Fields of the record that OTLP does not know stay behind: in a Span.Event their numbers mean something else.
 * Source: contract, section "Rehomed items", second row.
 */
import { AttributeReader, MEMBERS } from '../../otlp/attribute.ts'
import { Cursor, FIXED32, FIXED64, LEN, tagOf, VARINT } from '../../otlp/cursor.ts'
import type { ProtobufWriter } from '../../otlp/protobuf-writer.ts'
import { AttributeMover } from './attributes.ts'
import { type CarrierName, openCarrier } from './carrier.ts'
import {
  idAt,
  isText,
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
const RECORD_EVENT_NAME = tagOf(12, LEN)

const EVENT_TIME = tagOf(1, FIXED64)
const NAME = tagOf(2, LEN)
const ATTRIBUTE = tagOf(3, LEN)
const DROPPED = tagOf(4, VARINT)

const KEY = tagOf(1, LEN)
const VALUE = tagOf(2, LEN)
const STRING = tagOf(1, LEN)

const TARGET_KEY: Uint8Array = Buffer.from('target')
const LEVEL_KEY: Uint8Array = Buffer.from('level')
const EVENT_NAME_KEY: Uint8Array = Buffer.from('event.name')
const MESSAGE_KEY: Uint8Array = Buffer.from('message')
const BODY_KEY: Uint8Array = Buffer.from('body')

/** Scratch: one LogRecord. Read once, written for as many lanes as take it. */
export class RehomedRecord {
  bytes: Uint8Array = new Uint8Array(0)
  start = 0
  end = 0
  #timeAt = -1
  #observedTimeAt = -1
  #traceIdAt = -1
  #spanIdAt = -1
  #severityStart = 0
  #severityEnd = 0
  #fieldNameStart = 0
  #fieldNameEnd = 0
  #nameStart = 0
  #nameEnd = 0
  #eventNameStart = 0
  #eventNameEnd = 0
  #flags = 0
  #dropped = 0
  #hasMessage = false
  /** The last member that a piece of the body sets; 0 for none. */
  #bodyMember = 0
  readonly #cursor = new Cursor()
  readonly #attribute = new AttributeReader()
  readonly #mover = new AttributeMover()
  /** How many attributes the event's own `target` and `level` replace. */
  #replaced = 0
  readonly #isReplaced = (start: number, end: number): boolean => {
    this.#attribute.read(this.#cursor, start, end)
    const { keyStart, keyEnd } = this.#attribute
    return isReplacedKey(this.bytes, keyStart, keyEnd)
  }

  /** Whether the record has a span to ride on: a valid trace id and a valid span id. */
  get hasSpan(): boolean {
    return this.#traceIdAt >= 0 && this.#spanIdAt >= 0
  }

  /** Reads the record whose payload is `[start, end)`. */
  read(request: Uint8Array, start: number, end: number): void {
    const cursor = this.#cursor
    cursor.reset(request, start)
    this.bytes = request
    this.start = start
    this.end = end
    this.#timeAt = -1
    this.#observedTimeAt = -1
    this.#traceIdAt = -1
    this.#spanIdAt = -1
    this.#severityStart = 0
    this.#severityEnd = 0
    this.#fieldNameStart = 0
    this.#fieldNameEnd = 0
    this.#nameStart = 0
    this.#nameEnd = 0
    this.#flags = 0
    this.#dropped = 0
    this.#replaced = 0
    this.#hasMessage = false
    this.#bodyMember = 0
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if ((tag & 7) === LEN) this.#readDelimited(tag, cursor.payloadEnd(end))
      else if (tag === RECORD_DROPPED) this.#dropped = cursor.uint32(end)
      else {
        const at = cursor.at
        cursor.skip(tag, end)
        if (tag === TIME) this.#timeAt = timeAt(request, at)
        else if (tag === OBSERVED_TIME) this.#observedTimeAt = timeAt(request, at)
        else if (tag === FLAGS) this.#flags = request[at]
      }
    }
    this.#eventNameStart = this.#nameStart
    this.#eventNameEnd = this.#nameEnd
    if (this.#nameStart === this.#nameEnd) {
      this.#nameStart = this.#fieldNameStart
      this.#nameEnd = this.#fieldNameEnd
    }
  }

  /** Adds the record as an event of `target`, in a carrier span, to `out`. Only for a record that `hasSpan`. */
  addCarrierSpan(out: RehomedRequest, target: TextRange, carrierName?: CarrierName): void {
    const { bytes, start, end } = this
    const timeAt = this.#timeAt < 0 ? this.#observedTimeAt : this.#timeAt
    const carried = {
      bytes,
      start,
      end,
      traceIdAt: this.#traceIdAt,
      parentSpanIdAt: this.#spanIdAt,
      nameStart: this.#nameStart,
      nameEnd: this.#nameEnd,
      eventNameStart: this.#eventNameStart,
      eventNameEnd: this.#eventNameEnd,
      flags: this.#flags,
      timeAt,
      rehomed: REHOMED.log_record,
    }
    openCarrier(out, carried, carrierName)
    const { writer } = out
    const event = writer.open(2)
    writeTime(writer, EVENT_TIME, bytes, timeAt)
    writeText(writer, NAME, bytes, this.#nameStart, this.#nameEnd)
    writeStringAttribute(writer, ATTRIBUTE, TARGET_KEY, target.bytes, target.start, target.end)
    if (this.#severityEnd > this.#severityStart) {
      writeStringAttribute(writer, ATTRIBUTE, LEVEL_KEY, bytes, this.#severityStart, this.#severityEnd)
    }
    this.#mover.move(writer, {
      bytes,
      start,
      end,
      from: RECORD_ATTRIBUTE,
      to: ATTRIBUTE,
      replaced: this.#replaced,
      isReplaced: this.#isReplaced,
    })
    this.#writeBody(writer)
    writeCount(writer, DROPPED, this.#dropped)
    writer.close(event, 2)
    out.close()
  }

  #readDelimited(tag: number, end: number): void {
    const cursor = this.#cursor
    const { bytes } = this
    const start = cursor.at
    switch (tag) {
      case RECORD_ATTRIBUTE:
        this.#readAttribute(end)
        break
      case SEVERITY_TEXT:
        this.#severityStart = start
        this.#severityEnd = end
        break
      case BODY:
        this.#readBody(end)
        break
      case TRACE_ID:
        this.#traceIdAt = idAt(bytes, start, end, traceIdBytes)
        break
      case SPAN_ID:
        this.#spanIdAt = idAt(bytes, start, end, spanIdBytes)
        break
      case RECORD_EVENT_NAME:
        this.#fieldNameStart = start
        this.#fieldNameEnd = end
        break
    }
    cursor.at = end
  }

  #readAttribute(end: number): void {
    const cursor = this.#cursor
    const attribute = this.#attribute
    const { bytes } = this
    attribute.read(cursor, cursor.at, end)
    const { keyStart, keyEnd } = attribute
    if (isReplacedKey(bytes, keyStart, keyEnd)) this.#replaced++
    if (isText(MESSAGE_KEY, bytes, keyStart, keyEnd)) this.#hasMessage = true
    const isNamed = this.#nameEnd > this.#nameStart
    if (isNamed || !isText(EVENT_NAME_KEY, bytes, keyStart, keyEnd) || !attribute.readString(cursor)) return
    this.#nameStart = attribute.stringStart
    this.#nameEnd = attribute.stringEnd
  }

  /** One piece of the body, which ends at `end`. */
  #readBody(end: number): void {
    const cursor = this.#cursor
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      cursor.skip(tag, end)
      if (MEMBERS.has(tag)) this.#bodyMember = tag
    }
  }

  /** The body as the attribute `message` or `body`, behind the record's own; nothing if it has no value. */
  #writeBody(writer: ProtobufWriter): void {
    if (this.#bodyMember === 0) return
    const key = this.#bodyMember === STRING && !this.#hasMessage ? MESSAGE_KEY : BODY_KEY
    writer.byte(ATTRIBUTE)
    const attribute = writer.open()
    writer.byte(KEY)
    writer.delimited(key, 0, key.length)
    writeMerged(writer, VALUE, { cursor: this.#cursor, wanted: BODY, start: this.start, end: this.end })
    writer.close(attribute)
  }
}

function isReplacedKey(bytes: Uint8Array, start: number, end: number): boolean {
  return isText(TARGET_KEY, bytes, start, end) || isText(LEVEL_KEY, bytes, start, end)
}
