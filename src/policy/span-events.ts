/** The events of one span while it is judged and edited. Scratch, reused from span to span. */
import { TooLarge } from '../errors.ts'
import type { ByteString } from './family.ts'
import type { Verdict } from './verdict.ts'

/** Events that one span may have: far beyond what SDKs send, and a bound on scratch memory. */
export const eventsMax: number = 1 << 20

/** The events of the current span, in the order of the document, and its `dropped_events_count`. */
export class SpanEvents {
  fields: Int32Array = new Int32Array(64)
  starts: Int32Array = new Int32Array(64)
  ends: Int32Array = new Int32Array(64)
  /** Which of the reading's inner notes are of the event: `[firstNotes, lastNotes)`. */
  firstNotes: Int32Array = new Int32Array(64)
  lastNotes: Int32Array = new Int32Array(64)
  /** Range of the event's own name. */
  nameStarts: Int32Array = new Int32Array(64)
  nameEnds: Int32Array = new Int32Array(64)
  /** Range of the target in the request; empty where there is none. */
  targetStarts: Int32Array = new Int32Array(64)
  targetEnds: Int32Array = new Int32Array(64)
  /** Index of the path that gave the target, or -1. */
  paths: Int32Array = new Int32Array(64)
  /** The target that stands for a doubtful one; undefined where the target is beyond doubt. */
  readonly standIns: (ByteString | undefined)[] = []
  readonly verdicts: Verdict[] = []
  /** What the event is called, once that was asked for. */
  readonly names: (readonly ByteString[] | undefined)[] = []
  count = 0
  /** The count that the span came with, and the range of that field; `countEnd` is 0 if it has none. */
  droppedCount = 0
  countField = 0
  countEnd = 0

  clear(): void {
    this.count = 0
    this.droppedCount = 0
    this.countField = 0
    this.countEnd = 0
  }

  /** Adds an event and returns its index; whoever reads and judges it fills in the rest. */
  add(field: number, start: number, end: number): number {
    const index = this.count++
    if (index === this.fields.length) this.#grow()
    this.fields[index] = field
    this.starts[index] = start
    this.ends[index] = end
    return index
  }

  /** The count of dropped events that the field in `[field, end)` gives; the last one counts. */
  noteCount(field: number, end: number, count: number): void {
    this.droppedCount = count
    this.countField = field
    this.countEnd = end
  }

  #grow(): void {
    if (this.count > eventsMax)
      throw new TooLarge(`more than ${eventsMax} events in one span: send fewer in each`)
    this.fields = grown(this.fields)
    this.starts = grown(this.starts)
    this.ends = grown(this.ends)
    this.firstNotes = grown(this.firstNotes)
    this.lastNotes = grown(this.lastNotes)
    this.nameStarts = grown(this.nameStarts)
    this.nameEnds = grown(this.nameEnds)
    this.targetStarts = grown(this.targetStarts)
    this.targetEnds = grown(this.targetEnds)
    this.paths = grown(this.paths)
  }
}

function grown(array: Int32Array): Int32Array {
  const larger = new Int32Array(array.length * 2)
  larger.set(array)
  return larger
}
