/**
 * Scratch space that `route` uses again for every request: the scan, the edits of each lane, the counts.
 *
 * Nothing in it outlives a call: what `route` returns is copied out. It is owned by a compiled policy, and
 * `route` is synchronous, so no two requests share it.
 */
import { AttributeReader } from '../otlp/attribute.ts'
import { Cursor } from '../otlp/cursor.ts'
import { Scan } from '../otlp/scan.ts'
import { Edits } from '../otlp/splice.ts'
import type { Verdict } from './verdict.ts'

export class Workspace {
  readonly scan: Scan = new Scan()
  readonly cursor: Cursor = new Cursor()
  readonly attribute: AttributeReader = new AttributeReader()
  /** One recording a lane. */
  readonly edits: readonly Edits[]
  /** Items that each lane takes of the current request. */
  readonly laneItems: Int32Array
  readonly counts: VerdictCounts = new VerdictCounts()
  readonly events: SpanParts = new SpanParts()

  constructor(lanes: number) {
    this.edits = Array.from({ length: lanes }, () => new Edits())
    this.laneItems = new Int32Array(lanes)
  }
}

/** How many items each verdict was given in the current request. */
export class VerdictCounts {
  #counts = new Int32Array(64)
  readonly #given: Verdict[] = []

  add(verdict: Verdict, items: number): void {
    if (items === 0) return
    if (verdict.id >= this.#counts.length) {
      const larger = new Int32Array(verdict.id * 2)
      larger.set(this.#counts)
      this.#counts = larger
    }
    if (this.#counts[verdict.id] === 0) this.#given.push(verdict)
    this.#counts[verdict.id] += items
  }

  /** Calls `each` for every verdict given, with its count, and forgets them. */
  drain(each: (verdict: Verdict, items: number) => void): void {
    for (const verdict of this.#given) {
      each(verdict, this.#counts[verdict.id])
      this.#counts[verdict.id] = 0
    }
    this.#given.length = 0
  }
}

/** The parts of the current span that may be edited, in the order of the document. */
export class SpanParts {
  fields: Int32Array = new Int32Array(64)
  starts: Int32Array = new Int32Array(64)
  ends: Int32Array = new Int32Array(64)
  /** The event's verdict, or undefined where the part is a `dropped_events_count`. */
  readonly verdicts: (Verdict | undefined)[] = []
  count = 0

  add(field: number, start: number, end: number, verdict: Verdict | undefined): void {
    const index = this.count++
    if (index === this.fields.length) {
      const [fields, starts, ends] = [this.fields, this.starts, this.ends].map((array) => {
        const larger = new Int32Array(array.length * 2)
        larger.set(array)
        return larger
      })
      this.fields = fields
      this.starts = starts
      this.ends = ends
    }
    this.fields[index] = field
    this.starts[index] = start
    this.ends[index] = end
    this.verdicts[index] = verdict
  }
}
