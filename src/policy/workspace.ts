/**
 * Scratch space that `route` uses again for every request: the scan, the records of the lanes, the counts.
 *
 * Nothing in it outlives a call: what `route` returns is copied out. It is owned by a compiled policy, and
 * `route` is synchronous, so no two requests share it.
 */
import { AttributeReader } from '../otlp/attribute.ts'
import { Cursor } from '../otlp/cursor.ts'
import { Scan } from '../otlp/scan.ts'
import { type Finding, FindingSink } from './finding.ts'
import type { PolicyLane } from './lane.ts'
import { LaneRecord } from './lane-record.ts'
import { Lookup } from './lookup.ts'
import { RehomedEvent } from './rehome/event.ts'
import { RehomedRecord } from './rehome/record.ts'
import { SpanContext } from './rehome/span.ts'
import { SpanEvents } from './span-events.ts'
import { UndecidedFields } from './undecided.ts'
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
  readonly undecided: UndecidedFields = new UndecidedFields()
  readonly events: SpanEvents = new SpanEvents()
  readonly span: SpanContext = new SpanContext()
  readonly rehomedEvent: RehomedEvent = new RehomedEvent()
  readonly rehomedRecord: RehomedRecord = new RehomedRecord()

  constructor(lanes: readonly PolicyLane[], hashKey: Uint8Array) {
    this.lookup = new Lookup(this.cursor, this.attribute, this.scan)
    this.lanes = lanes.map((lane, index) => new LaneRecord(lane, index, this.cursor, hashKey))
  }

  /** The findings of the current request, which are forgotten here. */
  drainFindings(): readonly Finding[] {
    this.undecided.drain(this.findings)
    return this.findings.drain()
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
