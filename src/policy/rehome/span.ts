/**
 * What a span says for its events when they leave it: its ids and its flags.
 *
 * The last occurrence of a field counts. An id of a wrong length, or all zero, is no error: it is no link.
 */
import { Cursor, FIXED32, LEN, tagOf } from '../../otlp/cursor.ts'
import { idAt, spanIdBytes, traceIdBytes } from './field.ts'

const TRACE_ID = tagOf(1, LEN)
const SPAN_ID = tagOf(2, LEN)
const PARENT_SPAN_ID = tagOf(4, LEN)
const FLAGS = tagOf(16, FIXED32)

/** Scratch: one span. Offsets into the request; -1 for an id that is absent or no link. */
export class SpanContext {
  traceIdAt = -1
  spanIdAt = -1
  parentSpanIdAt = -1
  /** The low eight bits: the trace flags of W3C. */
  flags = 0
  readonly #cursor = new Cursor()

  /** Reads the span whose payload is `[start, end)`. */
  read(request: Uint8Array, start: number, end: number): void {
    const cursor = this.#cursor
    cursor.reset(request, start)
    this.traceIdAt = -1
    this.spanIdAt = -1
    this.parentSpanIdAt = -1
    this.flags = 0
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      const at = cursor.at
      cursor.skip(tag, end)
      if (tag === FLAGS) this.flags = request[at]
      if (tag !== TRACE_ID && tag !== SPAN_ID && tag !== PARENT_SPAN_ID) continue
      const idEnd = cursor.at
      cursor.at = at
      cursor.payloadEnd(end)
      const size = tag === TRACE_ID ? traceIdBytes : spanIdBytes
      const id = idAt(request, cursor.at, idEnd, size)
      if (tag === TRACE_ID) this.traceIdAt = id
      else if (tag === SPAN_ID) this.spanIdAt = id
      else this.parentSpanIdAt = id
      cursor.at = idEnd
    }
  }
}
