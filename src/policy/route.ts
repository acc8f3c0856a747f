/**
 * The one function that decides: request in; parcels, tally and findings out.
 *
 *     scan ─► for each scope, or item: target ─► subject ─► decision ─► verdict ─► records of the lanes ─► parcels
 *
 * Pure: the same request under the same policy gives the same result, and nothing is emitted. Where the scope's
 * name decides, its items are counted and not entered. A lane that takes everything as it is gets the request's
 * own bytes. Whoever wants to know why passes a witness, which hears every verdict and every field; the pipeline
 * passes none. Throws `MalformedRequest` wherever the walk must look and cannot read, and `TooLarge`.
 */

import { LEN, tagOf } from '../otlp/cursor.ts'
import { countDataPoints } from '../otlp/metric.ts'
import type { Signal } from '../otlp/signal.ts'
import type { Policy } from './compile.ts'
import type { Judged } from './decide.ts'
import type { EditedItem } from './edit.ts'
import { FieldPass } from './field-pass.ts'
import { eventHeadOf, headOf } from './head.ts'
import { Holding } from './holding.ts'
import { Judge } from './judge.ts'
import type { LaneRecord } from './lane-record.ts'
import { LOG_RECORD_PLAN, METRIC_PLAN, type Plan } from './plan.ts'
import { Rehoming } from './rehoming.ts'
import { type RoutedParcel, type Routing, tallyOf } from './routing.ts'
import { sightEvent, sightRecord } from './sightings.ts'
import type { SpanKernel } from './span-kernel.ts'
import type { TargetReader } from './target.ts'
import { targetBytes } from './target-bytes.ts'
import type { Verdict } from './verdict.ts'
import { createListener, type Listener, type Witness, type WitnessedItem } from './witness.ts'

export type { RoutedParcel, Routing, Witness, WitnessedItem }

const RESOURCE = tagOf(1, LEN)
const SCOPE = tagOf(2, LEN)

export function route(request: Uint8Array, signal: Signal, policy: Policy, witness?: Witness): Routing {
  const listener = witness === undefined ? undefined : createListener(witness)
  const routing = new Walk(request, signal, policy, { ...whole, listener }).run()
  listener?.finish((bytes, lane, fields) => {
    new Walk(bytes, lane.lane.signal, policy, { ...whole, only: lane, listener: fields }).run()
    policy.workspace.drainFindings()
  })
  return routing
}

/**
 * The same for what was held before: its spans stand for spans that have left, so they are no items, and an event that
 * a traces lane takes rides a carrier span.
 */
export function routeHeld(request: Uint8Array, signal: Signal, policy: Policy): Routing {
  return new Walk(request, signal, policy, { ...whole, isHeld: true }).run()
}

interface WalkOptions {
  /** If given, every item is this lane's already (it was rehomed to it) and only the lane's field policy is applied. */
  readonly only: LaneRecord | undefined
  readonly listener: Listener | undefined
  /** Whether its items were held before. */
  readonly isHeld: boolean
}

const whole: WalkOptions = { only: undefined, listener: undefined, isHeld: false }

class Walk {
  readonly #request: Uint8Array
  readonly #signal: Signal
  readonly #policy: Policy
  readonly #only: LaneRecord | undefined
  readonly #listener: Listener | undefined
  readonly #isHeld: boolean
  /** Lanes of the request's own signal. */
  readonly #natives: readonly LaneRecord[]
  /** Lanes of other signals, to which events may be rehomed; and traces lanes, which may get carrier spans. */
  readonly #others: readonly LaneRecord[]
  readonly #judge: Judge
  readonly #fields: FieldPass
  readonly #rehoming: Rehoming
  readonly #holding: Holding
  readonly #kernel: SpanKernel | undefined
  /** Index of the current resource in the scan. */
  #resource = 0
  #isCanonicalRequest: boolean | undefined

  constructor(request: Uint8Array, signal: Signal, policy: Policy, { only, listener, isHeld }: WalkOptions) {
    this.#request = request
    this.#signal = signal
    this.#policy = policy
    this.#only = only
    this.#listener = listener
    this.#isHeld = isHeld
    const { lanes } = policy.workspace
    this.#natives = only === undefined ? lanes.filter(({ lane }) => lane.signal === signal) : [only]
    const isRehomed = only === undefined && signal !== 'metrics'
    this.#others = isRehomed
      ? lanes.filter(({ lane }) => lane.signal === 'traces' || lane.signal !== signal)
      : []
    this.#judge = new Judge(request, signal, policy, only?.bit ?? 0)
    this.#fields = new FieldPass(this.#natives, policy.workspace, this.#judge)
    const isPlain = !this.#fields.isActive && !policy.rehomes
    policy.workspace.begin(request, listener !== undefined ? 'all' : isPlain ? 'roles' : 'edits')
    for (const record of this.#natives) {
      record.begin(request)
      record.editor.witness = listener?.fieldsOf(record)
    }
    this.#rehoming = new Rehoming(request, this.#others, policy.workspace, this.#fields, listener)
    this.#holding = new Holding(request, policy.workspace)
    const isKernels = signal === 'traces' && only === undefined && listener === undefined && !isHeld
    this.#kernel = isKernels ? policy.spanKernel() : undefined
    this.#kernel?.begin(request, this.#fields, this.#rehoming)
  }

  run(): Routing {
    const { workspace } = this.#policy
    if (this.#only === undefined) workspace.forget()
    this.#walk()
    const native = this.#natives.flatMap((record) => this.#nativeParcel(record))
    if (this.#only !== undefined) return { parcels: native, held: [], tally: [], findings: [], sightings: [] }
    const tally = tallyOf(workspace.counts, this.#policy.verdicts)
    const rehomed = this.#others.flatMap((record) => this.#rehomedParcel(record))
    const parcels = [...native, ...rehomed]
    const held = this.#holding.take()
    return {
      parcels,
      held,
      tally,
      findings: workspace.drainFindings(),
      sightings: workspace.sightings.drain(),
    }
  }

  #walk(): void {
    const { scan, cursor, counts } = this.#policy.workspace
    counts.drain(() => {})
    scan.walk(this.#request)
    cursor.reset(this.#request, 0)
    for (let resource = 0; resource < scan.resources.count; resource++) {
      const start = scan.resources.starts[resource]
      const end = scan.resources.ends[resource]
      this.#resource = resource
      this.#judge.enterResource(resource)
      this.#fields.enterResource(resource)
      this.#listener?.enterResource()
      this.#rehoming.enterResource(resource)
      for (const { edits } of this.#natives)
        edits.enter(RESOURCE, scan.resources.fields[resource], start, end)
      for (let scope = scan.firstScope[resource]; scope < scan.firstScope[resource + 1]; scope++) {
        this.#fields.resourceBefore(scan.scopes.fields[scope])
        this.#walkScope(scope)
      }
      this.#fields.resourceBefore(end)
      for (const { edits } of this.#natives) edits.leaveOrPrune()
    }
  }

  #walkScope(scope: number): void {
    const { scan } = this.#policy.workspace
    const start = scan.scopes.starts[scope]
    const end = scan.scopes.ends[scope]
    const first = scan.firstItem[scope]
    const last = scan.firstItem[scope + 1]
    this.#judge.enterScope(scope)
    this.#fields.enterScope(scope)
    this.#listener?.enterScope()
    this.#rehoming.enterScope(scope)
    for (const { edits } of this.#natives) edits.enter(SCOPE, scan.scopes.fields[scope], start, end)
    switch (this.#signal) {
      case 'logs':
        this.#logRecords(scope)
        break
      case 'traces':
        this.#spans(first, last, scope)
        break
      case 'metrics':
        this.#metrics(first, last)
        break
    }
    this.#fields.scopeBefore(end)
    for (const { edits } of this.#natives) edits.leaveOrPrune()
  }

  // Log records.

  #logRecords(scope: number): void {
    const { firstItem } = this.#policy.workspace.scan
    const first = firstItem[scope]
    const last = firstItem[scope + 1]
    const judged = this.#judge.judgeScope()
    const verdict = judged?.decision.verdict
    const isUniform = verdict !== undefined && verdict.rehomed === 0 && judged?.findings.length === 0
    if (isUniform && this.#listener === undefined && !this.#fields.isActive) {
      this.#takeAll(verdict, last - first)
      for (let item = first; item < last && this.#sights(verdict); item++) {
        sightRecord(this.#policy.workspace, item, verdict.family)
      }
      if (verdict.outcome === 'quarantined') this.#holdRecords(scope, first, last, verdict, judged)
    } else {
      for (let item = first; item < last; item++) this.#logRecord(item, scope, judged)
    }
  }

  /** One log record; `judged` where its scope's name has decided. */
  #logRecord(item: number, scope: number, judged: Judged | undefined): void {
    const { logRecordTarget, workspace, verdicts } = this.#policy
    const { scan, moving, rehomedRecord } = workspace
    const start = scan.items.starts[item]
    const end = scan.items.ends[item]
    this.#judge.enterRecord(start, end)
    const judgment = judged ?? this.#judge.judgeLogRecord()
    let verdict = this.#judge.verdict(judgment, 'log_record', start, end)
    if (verdict.rehomed !== 0) {
      moving.read(LOG_RECORD_PLAN, start, end)
      rehomedRecord.read(moving, start, end)
      if (!rehomedRecord.hasSpan) verdict = verdicts.withoutSpan(verdict)
    }
    if (verdict.native !== 0 && this.#fields.isActive) this.#judge.readRecord()
    this.#takeItem(item, LOG_RECORD_PLAN, verdict, 1, logRecordTarget, judgment)
    if (verdict.outcome === 'quarantined') this.#holdRecords(scope, item, item + 1, verdict, judgment)
    this.#rehoming.logRecord(verdict, logRecordTarget, judgment)
    if (verdict.rehomed === 0 && this.#sights(verdict)) sightRecord(workspace, item, verdict.family)
  }

  /** Whether one more event that is taken natively is to be looked at, to see whether it comes rehomed, too. */
  #sights({ native }: Verdict): boolean {
    const { rehomes, workspace } = this.#policy
    const isAsked = rehomes && native !== 0 && this.#only === undefined && this.#listener === undefined
    return isAsked && workspace.sightings.asksNative()
  }

  /** The log records `[first, last)` of a scope, whose one target was read last, wait for a review. */
  #holdRecords(
    scope: number,
    first: number,
    last: number,
    verdict: Verdict,
    { standIn }: Pick<Judged, 'standIn'>,
  ): void {
    const { start, end } = this.#policy.logRecordTarget
    const target = targetBytes(this.#request, start, end, standIn)
    this.#holding.logRecords({ resource: this.#resource, scope }, { first, last }, verdict, target)
  }

  // Spans and their events.

  /** The spans `[first, last)`: as many as can be by the kernel, the others one by one. */
  #spans(first: number, last: number, scope: number): void {
    for (let item = first; item < last; item++) {
      if (this.#kernel !== undefined) item = this.#kernel.take(item, last, scope)
      if (item < last) this.#span(item, scope)
    }
  }

  #span(item: number, scope: number): void {
    const { spanTarget, workspace, verdicts } = this.#policy
    const { scan, reading, counts } = workspace
    const { events } = reading
    const field = scan.items.fields[item]
    const start = scan.items.starts[item]
    const end = scan.items.ends[item]
    const judged = this.#judge.judgeSpan(start, end)
    const verdict = this.#isHeld ? verdicts.spanThatLeft() : this.#judge.verdict(judged, 'span', start, end)
    if (!this.#isHeld) counts.add(verdict, 1)
    this.#listener?.item(headOf(this.#request, verdict, spanTarget, judged), 1)
    let moved = 0
    let isHolding = false
    for (let index = 0; index < events.count; index++) {
      const settled =
        this.#only === undefined
          ? verdicts.withinSpan(events.verdicts[index], verdict.native)
          : events.verdicts[index]
      events.verdicts[index] = settled
      counts.add(settled, 1)
      moved |= settled.rehomed | settled.carried
      if (settled.outcome === 'quarantined') isHolding = true
      this.#listener?.item(
        eventHeadOf(this.#request, settled, this.#policy.spanEventTarget, { events, index }),
        1,
      )
    }
    this.#fields.scopeBefore(field)
    for (const record of this.#natives) {
      if ((verdict.native & record.bit) === 0) record.edits.cut(field, end)
      else if (!record.editsFields) record.takeSpan(field, start, end, events)
      else {
        const edited = this.#fields.item(
          record,
          'span',
          verdict.family,
          spanTarget,
          judged.standIn !== undefined,
        )
        record.takeEditedSpan(field, start, end, reading, edited, this.#editEvent)
      }
    }
    if (moved !== 0) this.#rehoming.spanEvents(this.#policy.spanEventTarget, start, end)
    for (let index = 0; index < events.count && this.#sights(events.verdicts[index]); index++) {
      sightEvent(workspace, index, { start, end })
    }
    if (isHolding) this.#holding.spanEvents({ resource: this.#resource, scope }, { start, end })
  }

  readonly #editEvent = (record: LaneRecord, index: number): EditedItem => {
    const { spanEventTarget, workspace } = this.#policy
    const { verdicts, paths } = workspace.reading.events
    this.#listener?.event(index)
    return this.#fields.event(record, verdicts[index].family, spanEventTarget, paths[index], index)
  }

  // Metrics.

  #metrics(first: number, last: number): void {
    const { scan, cursor, reading } = this.#policy.workspace
    const judged = this.#judge.judgePoints()
    for (let item = first; item < last; item++) {
      const start = scan.items.starts[item]
      const end = scan.items.ends[item]
      const points = countDataPoints(cursor, start, end)
      const verdict = this.#judge.verdict(judged, 'data_point', start, end)
      if (verdict.native !== 0 && this.#fields.isActive) reading.read(METRIC_PLAN, start, end)
      this.#takeItem(item, METRIC_PLAN, verdict, points, undefined, judged)
    }
  }

  // What the lanes take.

  /** All items of the current scope, which were not entered, have one verdict. */
  #takeAll(verdict: Verdict, items: number): void {
    this.#policy.workspace.counts.add(verdict, items)
    for (const record of this.#natives) {
      if ((verdict.native & record.bit) === 0) continue
      record.edits.kept += items
      record.items += items
    }
  }

  /** One log record or metric; `items` is how many a backend counts in it. */
  #takeItem(
    item: number,
    plan: Plan,
    verdict: Verdict,
    items: number,
    reader: TargetReader | undefined,
    judged: Judged,
  ): void {
    const { scan, counts, reading } = this.#policy.workspace
    const field = scan.items.fields[item]
    const start = scan.items.starts[item]
    const end = scan.items.ends[item]
    this.#listener?.item(headOf(this.#request, verdict, reader, judged), items)
    counts.add(verdict, items)
    this.#fields.scopeBefore(field)
    for (const record of this.#natives) {
      if ((verdict.native & record.bit) === 0) record.edits.cut(field, end)
      else if (!record.editsFields) record.take(items)
      else {
        const isDoubtful = judged.standIn !== undefined
        const edited = this.#fields.item(record, verdict.carriage, verdict.family, reader, isDoubtful)
        record.take(items)
        record.edit(plan, field, start, end, reading, edited)
      }
    }
  }

  // Results.

  #nativeParcel(record: LaneRecord): readonly RoutedParcel[] {
    const { edits, items, lane } = record
    if (edits.kept === 0) return []
    const content = edits.take(this.#request)
    const parcel = { lane: lane.name, signal: this.#signal, items }
    if (lane.wire === 'as_is' || this.#isCanonical()) return [{ ...parcel, content }]
    const bytes = content === undefined ? this.#request : content.toBytes()
    content?.release()
    const canonical = this.#policy.workspace.canonicaliser.canonicalise(bytes, this.#signal)
    if (canonical.removed > 0) this.#policy.workspace.findings.addCanonicalised(lane.name, canonical.removed)
    return [{ ...parcel, content: canonical.bytes === this.#request ? undefined : canonical.bytes }]
  }

  /** Whether the request is canonical: then so is whatever is spliced from it, and need not be looked at again. */
  #isCanonical(): boolean {
    this.#isCanonicalRequest ??= this.#policy.workspace.canonicaliser.isCanonical(this.#request, this.#signal)
    return this.#isCanonicalRequest
  }

  /** The parcel of items that were rehomed to a lane, under the lane's own field policy. */
  #rehomedParcel(record: LaneRecord): readonly RoutedParcel[] {
    const built = record.rehomed.take()
    if (built === undefined) return []
    const { lane } = record
    if (!record.editsFields && lane.wire === 'as_is') {
      return [{ lane: lane.name, signal: lane.signal, ...built }]
    }
    const bytes = built.content.toBytes()
    built.content.release()
    const { parcels } = new Walk(bytes, lane.signal, this.#policy, { ...whole, only: record }).run()
    return parcels.map((parcel) => ({ ...parcel, content: parcel.content ?? bytes }))
  }
}
