/**
 * From Span.Event to LogRecord: what is read of the event and of its span, and how the record is written.
 *
 *     event: time name attributes ─┐
 *     span:  trace_id span_id flags ┴─► LogRecord; the target becomes the name of its scope
 *
 * Of an attribute that is given several times the first that can be used counts: the first `event.name` that is a
 * string and not empty, the first `level`, the first `message`. Fields of the event that OTLP does not know stay
 * behind: in a LogRecord their numbers mean something else.
 * Source: contract, section "Rehomed items", first row.
 */
import type { Viewed } from '../../otlp/copy.ts'
import { Cursor, FIXED32, FIXED64, LEN, tagOf, VARINT } from '../../otlp/cursor.ts'
import type { ProtobufWriter } from '../../otlp/protobuf-writer.ts'
import type { ByteString } from '../family.ts'
import { EVENT_NAME, type Key, LEVEL, MESSAGE_TEXT } from '../keys.ts'
import type { Reading } from '../reading.ts'
import { moveAttributes } from './attributes.ts'
import {
  isText,
  REHOMED,
  spanIdBytes,
  type TextRange,
  timeAt,
  traceIdBytes,
  writeCount,
  writeId,
  writeMerged,
  writeStringValue,
  writeText,
  writeTime,
} from './field.ts'
import type { RehomedRequest } from './request.ts'
import { severityNumber } from './severity.ts'
import type { SpanContext } from './span.ts'

const EVENT_TIME = tagOf(1, FIXED64)
const NAME = tagOf(2, LEN)
const EVENT_ATTRIBUTE = tagOf(3, LEN)
const EVENT_DROPPED = tagOf(4, VARINT)
const KEY_VALUE_VALUE = tagOf(2, LEN)

const TIME = tagOf(1, FIXED64)
const SEVERITY_NUMBER = tagOf(2, VARINT)
const SEVERITY_TEXT = tagOf(3, LEN)
const BODY = tagOf(5, LEN)
const ATTRIBUTE = tagOf(6, LEN)
const DROPPED = tagOf(7, VARINT)
const FLAGS = tagOf(8, FIXED32)
const TRACE_ID = tagOf(9, LEN)
const RECORD_SPAN_ID = tagOf(10, LEN)
const OBSERVED_TIME = tagOf(11, FIXED64)
const RECORD_EVENT_NAME = tagOf(12, LEN)

/** How Rust names an event that has no message: `event <file>:<line>`. It says where, not what. */
const CALL_SITE: Uint8Array = Buffer.from('event ')

/** Scratch: one Span.Event. Read once, written for as many lanes as take it. Offsets into `source`. */
export class RehomedEvent {
  source: Viewed = new Cursor()
  start = 0
  end = 0
  timeAt = -1
  nameStart = 0
  nameEnd = 0
  /** Range of attribute `event.name`; empty if it has none that is a non-empty string. */
  eventNameStart = 0
  eventNameEnd = 0
  #reading: Reading | undefined
  #dropped = 0
  #targetKey: ByteString | undefined
  #hasLevel = false
  #levelStart = 0
  #levelEnd = 0
  /** Range of the first attribute `message`, a KeyValue; empty if there is none. */
  #messageStart = 0
  #messageEnd = 0
  readonly #cursor = new Cursor()
  /** What the record has elsewhere: its target, its level. */
  readonly #isReplaced = (key: Key): boolean => (key.role & LEVEL) !== 0 || key.text === this.#targetKey

  /**
   * Takes the event that was read, all of it, whose payload is `[start, end)`. `targetKey`: the key of the attribute
   * that gave its target, which a log record does not need; undefined if no attribute did.
   */
  read(reading: Reading, start: number, end: number, targetKey: ByteString | undefined): void {
    const { tags, starts, ends, cursor } = reading
    this.source = cursor
    this.#cursor.reset(cursor.bytes, 0)
    this.start = start
    this.end = end
    this.timeAt = -1
    this.nameStart = 0
    this.nameEnd = 0
    this.eventNameStart = 0
    this.eventNameEnd = 0
    this.#reading = reading
    this.#dropped = 0
    this.#targetKey = targetKey
    this.#hasLevel = false
    this.#levelStart = 0
    this.#levelEnd = 0
    this.#messageStart = 0
    this.#messageEnd = 0
    for (let at = 0; at < reading.count; at++) {
      switch (tags[at]) {
        case EVENT_ATTRIBUTE:
          if (reading.keys[at].role !== 0) this.#readAttribute(reading, at)
          break
        case NAME:
          this.nameStart = starts[at]
          this.nameEnd = ends[at]
          break
        case EVENT_DROPPED:
          this.#cursor.at = starts[at]
          this.#dropped = this.#cursor.uint32(ends[at])
          break
        case EVENT_TIME:
          this.timeAt = timeAt(cursor.bytes, starts[at])
          break
      }
    }
  }

  /** Adds the event as a log record of `target` to `out`. */
  addLogRecord(out: RehomedRequest, span: SpanContext, target: TextRange): void {
    const { source } = this
    out.openLogRecord(target)
    const { writer } = out
    writeTime(writer, TIME, source, this.timeAt)
    writeCount(writer, SEVERITY_NUMBER, severityNumber(source.bytes, this.#levelStart, this.#levelEnd))
    writeText(writer, SEVERITY_TEXT, source, this.#levelStart, this.#levelEnd)
    this.#writeBody(writer)
    this.#writeAttributes(writer)
    writeCount(writer, DROPPED, this.#dropped)
    if (span.flags !== 0) {
      writer.byte(FLAGS)
      writer.fixed32(span.flags)
    }
    writeId(writer, TRACE_ID, source, span.traceIdAt, traceIdBytes)
    writeId(writer, RECORD_SPAN_ID, source, span.spanIdAt, spanIdBytes)
    writeTime(writer, OBSERVED_TIME, source, this.timeAt)
    if (this.#hasEventName) {
      writeText(writer, RECORD_EVENT_NAME, source, this.eventNameStart, this.eventNameEnd)
    } else {
      writeText(writer, RECORD_EVENT_NAME, source, this.nameStart, this.nameEnd)
    }
    out.close()
  }

  get #hasEventName(): boolean {
    return this.eventNameStart < this.eventNameEnd
  }

  #readAttribute(reading: Reading, row: number): void {
    const { role } = reading.keys[row]
    if ((role & LEVEL) !== 0 && !this.#hasLevel) {
      this.#hasLevel = true
      if (reading.readText(row)) {
        this.#levelStart = reading.textStart
        this.#levelEnd = reading.textEnd
      }
    } else if ((role & EVENT_NAME) !== 0 && !this.#hasEventName) {
      if (reading.readText(row) && reading.textStart < reading.textEnd) {
        this.eventNameStart = reading.textStart
        this.eventNameEnd = reading.textEnd
      }
    } else if ((role & MESSAGE_TEXT) !== 0 && this.#messageStart === 0) {
      this.#messageStart = reading.starts[row]
      this.#messageEnd = reading.ends[row]
    }
  }

  /** The attribute `message` as it is; else the event's name, where `event.name` says what it is called and the name is more than a call site. */
  #writeBody(writer: ProtobufWriter): void {
    const { source, nameStart, nameEnd } = this
    if (this.#messageStart > 0) {
      writeMerged(writer, BODY, {
        cursor: this.#cursor,
        wanted: KEY_VALUE_VALUE,
        start: this.#messageStart,
        end: this.#messageEnd,
      })
    } else if (this.#hasEventName && nameEnd > nameStart && !isCallSite(source.bytes, nameStart, nameEnd)) {
      writeStringValue(writer, BODY, source, nameStart, nameEnd)
    }
  }

  #writeAttributes(writer: ProtobufWriter): void {
    const reading = this.#reading
    if (reading !== undefined) {
      moveAttributes(writer, { reading, from: EVENT_ATTRIBUTE, to: ATTRIBUTE }, this.#isReplaced)
    }
    writer.byte(ATTRIBUTE)
    writer.delimitedRange(REHOMED.span_event, 0, REHOMED.span_event.bytes.length)
  }
}

/** Whether a name is `event <file>:<line>`. */
function isCallSite(bytes: Uint8Array, start: number, end: number): boolean {
  const fileStart = start + CALL_SITE.length
  if (fileStart >= end || !isText(CALL_SITE, bytes, start, fileStart)) return false
  let at = end
  while (at > fileStart && bytes[at - 1] >= 0x30 && bytes[at - 1] <= 0x39) at--
  return at < end && at - 1 > fileStart && bytes[at - 1] === 0x3a
}
