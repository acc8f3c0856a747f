/**
 * What a span says for its events when they leave it: its ids and its flags.
 *
 * The last occurrence of a field counts. An id of a wrong length, or all zero, is no error: it is no link.
 */
import { FIXED32, LEN, tagOf } from '../../otlp/cursor.ts'
import type { Reading } from '../reading.ts'
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

  /** Takes them from a span that was read for its facts. */
  read({ tags, starts, ends, count, cursor }: Reading): void {
    this.traceIdAt = -1
    this.spanIdAt = -1
    this.parentSpanIdAt = -1
    this.flags = 0
    const { bytes } = cursor
    for (let row = 0; row < count; row++) {
      switch (tags[row]) {
        case TRACE_ID:
          this.traceIdAt = idAt(bytes, starts[row], ends[row], traceIdBytes)
          break
        case SPAN_ID:
          this.spanIdAt = idAt(bytes, starts[row], ends[row], spanIdBytes)
          break
        case PARENT_SPAN_ID:
          this.parentSpanIdAt = idAt(bytes, starts[row], ends[row], spanIdBytes)
          break
        case FLAGS:
          this.flags = bytes[starts[row]]
          break
      }
    }
  }
}
