/**
 * Scratch space that `route` uses again for every request: the scan, the records of the lanes, the counts.
 *
 * Nothing in it outlives a call: what `route` returns is copied out. It is owned by a compiled policy, and
 * `route` is synchronous, so no two requests share it.
 */
import { AttributeReader } from '../otlp/attribute.ts'
import { Canonicaliser } from '../otlp/canonical.ts'
import { Cursor } from '../otlp/cursor.ts'
import { Scan } from '../otlp/scan.ts'
import type { Carriage } from '../otlp/signal.ts'
import type { ByteString } from './family.ts'
import { type Finding, FindingSink } from './finding.ts'
import {
  createKeyTraits,
  MOVING_EVENT_ROLES,
  NAMED_EVENT_ROLES,
  NO_EVENT_ROLES,
  type TargetReaders,
} from './key-traits.ts'
import type { PolicyLane } from './lane.ts'
import { LaneRecord } from './lane-record.ts'
import { Lookup } from './lookup.ts'
import { Memory } from './memory.ts'
import { Reading, type Wanted } from './reading.ts'
import { RehomedEvent } from './rehome/event.ts'
import { RehomedRecord } from './rehome/record.ts'
import { SpanContext } from './rehome/span.ts'
import { Sightings } from './sightings.ts'
import { UndecidedFields } from './undecided.ts'
import type { Verdict } from './verdict.ts'

export class Workspace {
  readonly scan: Scan = new Scan()
  readonly cursor: Cursor = new Cursor()
  readonly attribute: AttributeReader = new AttributeReader()
  readonly lookup: Lookup
  /** The item in hand; the resource, or scope, around it, which is edited before the item is; an event that moves. */
  readonly reading: Reading
  readonly envelope: Reading
  readonly moving: Reading
  /** One list for each name of events, however often it occurs. */
  readonly names: Memory<readonly ByteString[]> = new Memory((name) => [name])
  /** One a lane, in the order of the configuration. */
  readonly lanes: readonly LaneRecord[]
  readonly canonicaliser: Canonicaliser = new Canonicaliser()
  readonly counts: VerdictCounts = new VerdictCounts()
  readonly findings: FindingSink = new FindingSink()
  readonly undecided: UndecidedFields = new UndecidedFields()
  readonly sightings: Sightings = new Sightings()
  readonly span: SpanContext = new SpanContext()
  readonly rehomedEvent: RehomedEvent = new RehomedEvent()
  readonly rehomedRecord: RehomedRecord = new RehomedRecord()

  /** `readsEventNames`: whether some rule asks what an event is called. */
  constructor(
    lanes: readonly PolicyLane[],
    targets: TargetReaders,
    { hashKey, readsEventNames }: { readonly hashKey: Uint8Array; readonly readsEventNames: boolean },
  ) {
    let keys = 0
    const number = (): number => keys++
    const roles = readsEventNames ? NAMED_EVENT_ROLES : NO_EVENT_ROLES
    this.reading = new Reading(createKeyTraits(targets, lanes, roles), number)
    this.envelope = new Reading(createKeyTraits(targets, lanes, NO_EVENT_ROLES), number)
    this.moving = new Reading(createKeyTraits(targets, lanes, MOVING_EVENT_ROLES), number)
    this.lookup = new Lookup(this.cursor, this.attribute, this.scan)
    this.lanes = lanes.map((lane, index) => new LaneRecord(lane, index, this.cursor, hashKey))
  }

  /** Points what reads at a request. `wanted`: what is asked of its items. */
  begin(request: Uint8Array, wanted: Wanted): void {
    this.reading.begin(request, wanted)
    this.envelope.begin(request, 'all')
    this.moving.begin(request, 'all')
  }

  /** Forgets what a request that was malformed may have left: it is not the next one's. */
  forget(): void {
    this.drainFindings()
    this.sightings.drain()
  }

  /** The findings of the current request, which are forgotten here. */
  drainFindings(): readonly Finding[] {
    this.undecided.drain(this.findings)
    return this.findings.drain()
  }
}

const CARRIAGE_ORDER: Readonly<Record<Carriage, number>> = {
  log_record: 0,
  span: 1,
  span_event: 2,
  data_point: 3,
}

function byCarriageAndId(one: Verdict, other: Verdict): number {
  return CARRIAGE_ORDER[one.carriage] - CARRIAGE_ORDER[other.carriage] || one.id - other.id
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

  /** Calls `each` for every verdict given, with its count, and forgets them: in one order, however they were come by. */
  drain(each: (verdict: Verdict, items: number) => void): void {
    for (const verdict of this.#given.sort(byCarriageAndId)) {
      each(verdict, this.#counts[verdict.id])
      this.#counts[verdict.id] = 0
    }
    this.#given.length = 0
  }
}
