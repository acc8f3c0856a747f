/** The events of one span while it is judged and edited. Scratch, reused from span to span. */
import type { ByteString } from './family.ts'
import type { Verdict } from './verdict.ts'

/** The events of the current span, in the order of the document, and its `dropped_events_count`. */
export class SpanEvents {
  fields: Int32Array = new Int32Array(64)
  starts: Int32Array = new Int32Array(64)
  ends: Int32Array = new Int32Array(64)
  /** Range of the target in the request; empty where there is none. */
  targetStarts: Int32Array = new Int32Array(64)
  targetEnds: Int32Array = new Int32Array(64)
  /** Index of the path that gave the target, or -1. */
  paths: Int32Array = new Int32Array(64)
  /** The target that stands for a doubtful one; undefined where the target is beyond doubt. */
  readonly standIns: (ByteString | undefined)[] = []
  readonly verdicts: Verdict[] = []
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

  /** Adds an event and returns its index; its target is filled in by the caller. */
  add(field: number, start: number, end: number): number {
    const index = this.count++
    if (index === this.fields.length) {
      this.fields = grown(this.fields)
      this.starts = grown(this.starts)
      this.ends = grown(this.ends)
      this.targetStarts = grown(this.targetStarts)
      this.targetEnds = grown(this.targetEnds)
      this.paths = grown(this.paths)
    }
    this.fields[index] = field
    this.starts[index] = start
    this.ends[index] = end
    return index
  }
}

function grown(array: Int32Array): Int32Array {
  const larger = new Int32Array(array.length * 2)
  larger.set(array)
  return larger
}
