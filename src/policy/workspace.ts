/**
 * Scratch space that `route` uses again for every request: the scan, the records of the lanes, the counts.
 *
 * Nothing in it outlives a call: what `route` returns is copied out. It is owned by a compiled policy, and
 * `route` is synchronous, so no two requests share it.
 */
import { AttributeReader } from '../otlp/attribute.ts'
import { Cursor } from '../otlp/cursor.ts'
import { Scan } from '../otlp/scan.ts'
import type { ByteString } from './family.ts'
import { FindingSink } from './finding.ts'
import type { PolicyLane } from './lane.ts'
import { LaneRecord } from './lane-record.ts'
import { Lookup } from './lookup.ts'
import { RehomedEvent } from './rehome/event.ts'
import { RehomedRecord } from './rehome/record.ts'
import { SpanContext } from './rehome/span.ts'
import type { Verdict } from './verdict.ts'

export class Workspace {
  readonly scan: Scan = new Scan()
  readonly cursor: Cursor = new Cursor()
  readonly attribute: AttributeReader = new AttributeReader()
  readonly lookup: Lookup
  /** One a lane, in the order of the configuration. */
  readonly lanes: readonly LaneRecord[]
  readonly counts: VerdictCounts = new VerdictCounts()
  readonly findings: FindingSink = new FindingSink()
  readonly events: SpanEvents = new SpanEvents()
  readonly span: SpanContext = new SpanContext()
  readonly rehomedEvent: RehomedEvent = new RehomedEvent()
  readonly rehomedRecord: RehomedRecord = new RehomedRecord()

  constructor(lanes: readonly PolicyLane[], hashKey: Uint8Array) {
    this.lookup = new Lookup(this.cursor, this.attribute, this.scan)
    this.lanes = lanes.map((lane, index) => new LaneRecord(lane, index, this.cursor, hashKey))
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
