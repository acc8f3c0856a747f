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
import { AttributeReader } from '../../otlp/attribute.ts'
import { Cursor, FIXED32, FIXED64, LEN, tagOf, VARINT } from '../../otlp/cursor.ts'
import type { ProtobufWriter } from '../../otlp/protobuf-writer.ts'
import { AttributeMover } from './attributes.ts'
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
const EVENT_NAME = tagOf(2, LEN)
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

const EVENT_NAME_KEY: Uint8Array = Buffer.from('event.name')
const LEVEL_KEY: Uint8Array = Buffer.from('level')
const MESSAGE_KEY: Uint8Array = Buffer.from('message')

/** How Rust names an event that has no message: `event <file>:<line>`. It says where, not what. */
const CALL_SITE: Uint8Array = Buffer.from('event ')

/** Scratch: one Span.Event. Read once, written for as many lanes as take it. */
export class RehomedEvent {
  bytes: Uint8Array = new Uint8Array(0)
  start = 0
  end = 0
  timeAt = -1
  nameStart = 0
  nameEnd = 0
  #dropped = 0
  #targetKey: Uint8Array | undefined
  /** Range of attribute `event.name`; empty if it has none that is a non-empty string. */
  eventNameStart = 0
  eventNameEnd = 0
  #hasEventName = false
  #hasLevel = false
  #levelStart = 0
  #levelEnd = 0
  #hasMessage = false
  #messageStart = 0
  #messageEnd = 0
  readonly #cursor = new Cursor()
  readonly #attribute = new AttributeReader()
  readonly #mover = new AttributeMover()
  /** How many attributes the record has elsewhere: its target, its level. */
  #replaced = 0
  readonly #isReplaced = (start: number, end: number): boolean => {
    this.#attribute.read(this.#cursor, start, end)
    const { keyStart, keyEnd } = this.#attribute
    return isText(LEVEL_KEY, this.bytes, keyStart, keyEnd) || this.#isTarget()
  }

  /**
   * Reads the event whose payload is `[start, end)`. `targetKey`: the key of the attribute that gave its target,
   * which a log record does not need; undefined if no attribute did.
   */
  read(request: Uint8Array, start: number, end: number, targetKey: Uint8Array | undefined): void {
    const cursor = this.#cursor
    cursor.reset(request, start)
    this.bytes = request
    this.start = start
    this.end = end
    this.timeAt = -1
    this.nameStart = 0
    this.nameEnd = 0
    this.#dropped = 0
    this.#targetKey = targetKey
    this.#hasEventName = false
    this.eventNameStart = 0
    this.eventNameEnd = 0
    this.#hasLevel = false
    this.#levelStart = 0
    this.#levelEnd = 0
    this.#hasMessage = false
    this.#replaced = 0
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === EVENT_ATTRIBUTE) {
        this.#readAttribute(cursor.payloadEnd(end))
      } else if (tag === EVENT_NAME) {
        this.nameEnd = cursor.payloadEnd(end)
        this.nameStart = cursor.at
        cursor.at = this.nameEnd
      } else if (tag === EVENT_DROPPED) {
        this.#dropped = cursor.uint32(end)
      } else {
        const at = cursor.at
        cursor.skip(tag, end)
        if (tag === EVENT_TIME) this.timeAt = timeAt(request, at)
      }
    }
  }

  /** Adds the event as a log record of `target` to `out`. */
  addLogRecord(out: RehomedRequest, span: SpanContext, target: TextRange): void {
    const { bytes } = this
    out.openLogRecord(target.bytes, target.start, target.end)
    const { writer } = out
    writeTime(writer, TIME, bytes, this.timeAt)
    writeCount(writer, SEVERITY_NUMBER, severityNumber(bytes, this.#levelStart, this.#levelEnd))
    writeText(writer, SEVERITY_TEXT, bytes, this.#levelStart, this.#levelEnd)
    this.#writeBody(writer)
    this.#writeAttributes(writer)
    writeCount(writer, DROPPED, this.#dropped)
    if (span.flags !== 0) {
      writer.byte(FLAGS)
      writer.fixed32(span.flags)
    }
    writeId(writer, TRACE_ID, bytes, span.traceIdAt, traceIdBytes)
    writeId(writer, RECORD_SPAN_ID, bytes, span.spanIdAt, spanIdBytes)
    writeTime(writer, OBSERVED_TIME, bytes, this.timeAt)
    if (this.#hasEventName) {
      writeText(writer, RECORD_EVENT_NAME, bytes, this.eventNameStart, this.eventNameEnd)
    } else {
      writeText(writer, RECORD_EVENT_NAME, bytes, this.nameStart, this.nameEnd)
    }
    out.close()
  }

  #readAttribute(end: number): void {
    const cursor = this.#cursor
    const attribute = this.#attribute
    const { bytes } = this
    const start = cursor.at
    attribute.read(cursor, start, end)
    const { keyStart, keyEnd } = attribute
    const isLevel = isText(LEVEL_KEY, bytes, keyStart, keyEnd)
    if (isLevel || this.#isTarget()) this.#replaced++
    if (isLevel && !this.#hasLevel) {
      this.#hasLevel = true
      if (attribute.readString(cursor)) {
        this.#levelStart = attribute.stringStart
        this.#levelEnd = attribute.stringEnd
      }
    } else if (!this.#hasEventName && isText(EVENT_NAME_KEY, bytes, keyStart, keyEnd)) {
      if (attribute.readString(cursor) && attribute.stringEnd > attribute.stringStart) {
        this.#hasEventName = true
        this.eventNameStart = attribute.stringStart
        this.eventNameEnd = attribute.stringEnd
      }
    } else if (!this.#hasMessage && isText(MESSAGE_KEY, bytes, keyStart, keyEnd)) {
      this.#hasMessage = true
      this.#messageStart = start
      this.#messageEnd = end
    }
    cursor.at = end
  }

  /** The attribute `message` as it is; else the event's name, where `event.name` says what it is called and the name is more than a call site. */
  #writeBody(writer: ProtobufWriter): void {
    const { bytes, nameStart, nameEnd } = this
    if (this.#hasMessage) {
      writeMerged(writer, BODY, {
        cursor: this.#cursor,
        wanted: KEY_VALUE_VALUE,
        start: this.#messageStart,
        end: this.#messageEnd,
      })
    } else if (this.#hasEventName && nameEnd > nameStart && !isCallSite(bytes, nameStart, nameEnd)) {
      writeStringValue(writer, BODY, bytes, nameStart, nameEnd)
    }
  }

  #writeAttributes(writer: ProtobufWriter): void {
    this.#mover.move(writer, {
      bytes: this.bytes,
      start: this.start,
      end: this.end,
      from: EVENT_ATTRIBUTE,
      to: ATTRIBUTE,
      replaced: this.#replaced,
      isReplaced: this.#isReplaced,
    })
    writer.byte(ATTRIBUTE)
    writer.delimited(REHOMED.span_event, 0, REHOMED.span_event.length)
  }

  #isTarget(): boolean {
    const { keyStart, keyEnd } = this.#attribute
    return this.#targetKey !== undefined && isText(this.#targetKey, this.bytes, keyStart, keyEnd)
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
