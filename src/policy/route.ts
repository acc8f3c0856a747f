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

import type { Place } from '../config/config.ts'
import { isUnwanted } from '../otlp/attribute.ts'
import { canonicalise } from '../otlp/canonical.ts'
import { LEN, tagOf, VARINT } from '../otlp/cursor.ts'
import { countDataPoints } from '../otlp/metric.ts'
import type { Ranges } from '../otlp/scan.ts'
import type { Carriage, Signal } from '../otlp/signal.ts'
import type { Splice } from '../otlp/splice.ts'
import type { TallyRow } from '../telemetry/tally.ts'
import type { Facts } from './accept.ts'
import type { Policy } from './compile.ts'
import type { Decision, Subject } from './decide.ts'
import type { EditedItem } from './edit.ts'
import { type ByteString, latin1, toByteString } from './family.ts'
import type { Finding, FindingKind } from './finding.ts'
import type { LaneRecord } from './lane-record.ts'
import { fromBytes } from './lookup.ts'
import { LOG_RECORD_PLAN, METRIC_PLAN, type Plan, RESOURCE_PLAN, SCOPE_PLAN } from './plan.ts'
import { addCarriedEvent } from './rehome-carrier.ts'
import type { TextRange } from './rehome-field.ts'
import { RehomedRequest } from './rehome-request.ts'
import type { TargetReader } from './target.ts'
import type { Verdict } from './verdict.ts'
import { createListener, type Listener, type Witness, type WitnessedItem } from './witness.ts'

export type { Witness, WitnessedItem }

type WitnessedHead = Omit<WitnessedItem, 'fields'>

/** What one lane takes of a request. */
export interface RoutedParcel {
  readonly lane: string
  readonly signal: Signal
  /** Log records, spans or data points. */
  readonly items: number
  /** The parcel's bytes, or how to make them; undefined if they are the request's own. */
  readonly content: Splice | Uint8Array | undefined
}

export interface Routing {
  readonly parcels: readonly RoutedParcel[]
  readonly tally: readonly TallyRow[]
  readonly findings: readonly Finding[]
}

const RESOURCE = tagOf(1, LEN)
const SCOPE = tagOf(2, LEN)
const LOG_ATTRIBUTE = tagOf(6, LEN)
const LOG_EVENT_NAME = tagOf(12, LEN)
const SPAN_ATTRIBUTE = tagOf(9, LEN)
const SPAN_EVENT = tagOf(11, LEN)
const SPAN_DROPPED_EVENTS = tagOf(12, VARINT)
const EVENT_NAME = tagOf(2, LEN)
const EVENT_ATTRIBUTE = tagOf(3, LEN)

/** Where an item's attributes and its own name are, by carriage; 0 where it has none. */
const TAGS = {
  log_record: { attribute: LOG_ATTRIBUTE, name: LOG_EVENT_NAME },
  span_event: { attribute: EVENT_ATTRIBUTE, name: EVENT_NAME },
  span: { attribute: SPAN_ATTRIBUTE, name: 0 },
  data_point: { attribute: 0, name: 0 },
} as const

export function route(request: Uint8Array, signal: Signal, policy: Policy, witness?: Witness): Routing {
  const listener = witness === undefined ? undefined : createListener(witness)
  const routing = new Walk(request, signal, policy, { only: undefined, listener }).run()
  listener?.finish((bytes, lane, fields) => {
    new Walk(bytes, lane.lane.signal, policy, { only: lane, listener: fields }).run()
    policy.workspace.findings.drain()
  })
  return routing
}

interface WalkOptions {
  /** If given, every item is this lane's already (it was rehomed to it) and only the lane's field policy is applied. */
  readonly only: LaneRecord | undefined
  readonly listener: Listener | undefined
}

class Walk {
  readonly #request: Uint8Array
  readonly #signal: Signal
  readonly #policy: Policy
  readonly #only: LaneRecord | undefined
  readonly #listener: Listener | undefined
  /** Lanes of the request's own signal. */
  readonly #natives: readonly LaneRecord[]
  /** Lanes of other signals, to which events may be rehomed; and traces lanes, which may get carrier spans. */
  readonly #others: readonly LaneRecord[]
  readonly #editsFields: boolean
  /** Index of the current resource and scope in the scan, for what is asked late. */
  #resource = 0
  #scope = 0
  /** The next part of each that the field policies have not seen. */
  #resourcePart = 0
  #scopePart = 0

  constructor(request: Uint8Array, signal: Signal, policy: Policy, { only, listener }: WalkOptions) {
    this.#request = request
    this.#signal = signal
    this.#policy = policy
    this.#only = only
    this.#listener = listener
    const { lanes } = policy.workspace
    this.#natives = only === undefined ? lanes.filter(({ lane }) => lane.signal === signal) : [only]
    const isRehomed = only === undefined && signal !== 'metrics'
    this.#others = isRehomed
      ? lanes.filter(({ lane }) => lane.signal === 'traces' || lane.signal !== signal)
      : []
    this.#editsFields = this.#natives.some(({ editsFields }) => editsFields)
    for (const record of this.#natives) {
      record.begin(request)
      record.editor.witness = listener?.fieldsOf(record)
    }
    for (const { rehomed } of this.#others) rehomed.begin(request)
  }

  run(): Routing {
    const { findings } = this.#policy.workspace
    this.#walk()
    const native = this.#natives.flatMap((record) => this.#nativeParcel(record))
    if (this.#only !== undefined) return { parcels: native, tally: [], findings: [] }
    const tally = this.#tally()
    const rehomed = this.#others.flatMap((record) => this.#rehomedParcel(record))
    return { parcels: [...native, ...rehomed], tally, findings: findings.drain() }
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
      this.#resourcePart = scan.firstResourcePart[resource]
      this.#listener?.enterResource()
      this.#readResource()
      for (const { rehomed } of this.#others) rehomed.resource(start, end)
      for (const { edits } of this.#natives)
        edits.enter(RESOURCE, scan.resources.fields[resource], start, end)
      for (let scope = scan.firstScope[resource]; scope < scan.firstScope[resource + 1]; scope++) {
        this.#editPartsBefore(scan.scopes.fields[scope])
        this.#walkScope(scope)
      }
      this.#scope = -1
      this.#editPartsBefore(end)
      for (const { edits } of this.#natives) edits.leaveOrPrune()
    }
  }

  #walkScope(scope: number): void {
    const { scan } = this.#policy.workspace
    const start = scan.scopes.starts[scope]
    const end = scan.scopes.ends[scope]
    const first = scan.firstItem[scope]
    const last = scan.firstItem[scope + 1]
    this.#scope = scope
    this.#scopePart = scan.firstScopePart[scope]
    this.#listener?.enterScope()
    for (const { rehomed } of this.#others) rehomed.scope(start, end)
    for (const { edits } of this.#natives) edits.enter(SCOPE, scan.scopes.fields[scope], start, end)
    switch (this.#signal) {
      case 'logs':
        this.#logRecords(first, last)
        break
      case 'traces':
        for (let item = first; item < last; item++) this.#span(item)
        break
      case 'metrics':
        this.#metrics(first, last)
        break
    }
    this.#editScopePartsBefore(end)
    for (const { edits } of this.#natives) edits.leaveOrPrune()
  }

  // Log records.

  #logRecords(first: number, last: number): void {
    const { logRecordTarget, workspace, subjects, decider } = this.#policy
    const { scan } = workspace
    const start = scan.nameStarts[this.#scope]
    const end = scan.nameEnds[this.#scope]
    if (!logRecordTarget.settleByScope(this.#request, start, end)) {
      for (let item = first; item < last; item++) this.#logRecord(item, undefined)
      return
    }
    const isEmpty = logRecordTarget.start === logRecordTarget.end
    const subject = isEmpty ? decider.none : subjects.of(this.#request, start, end)
    const isDoubted = scan.nameDoubts[this.#scope] === 1 && subject.isTraceSafe
    const judged = isDoubted
      ? this.#doubtful([subject.text], 'log_record')
      : this.#sure(subject, 'log_record')
    const { verdict } = judged.decision
    const isUniform = verdict !== undefined && verdict.rehomed === 0 && judged.finding === undefined
    if (isUniform && this.#listener === undefined && !this.#editsFields) this.#takeAll(verdict, last - first)
    else for (let item = first; item < last; item++) this.#logRecord(item, judged)
  }

  /** One log record; `judged` where its scope's name has decided. */
  #logRecord(item: number, judged: Judged | undefined): void {
    const { logRecordTarget, workspace, verdicts } = this.#policy
    const { scan, rehomedRecord } = workspace
    const start = scan.items.starts[item]
    const end = scan.items.ends[item]
    let judgment = judged
    if (judgment === undefined) {
      logRecordTarget.clear('attribute')
      this.#seeAttributes('attribute', logRecordTarget, LOG_ATTRIBUTE, start, end)
      judgment = this.#judge('log_record', logRecordTarget, start, end)
    }
    let verdict = this.#verdict(judgment, 'log_record', start, end)
    if (verdict.rehomed !== 0) {
      rehomedRecord.read(this.#request, start, end)
      if (!rehomedRecord.hasSpan) verdict = verdicts.withoutSpan(verdict)
    }
    this.#takeItem(item, LOG_RECORD_PLAN, verdict, 1, logRecordTarget, judgment)
    if (verdict.rehomed !== 0) {
      const target = this.#targetText(judgment, logRecordTarget)
      this.#rehome(verdict.rehomed, undefined, (record, out) => {
        rehomedRecord.addCarrierSpan(out, target, (name) => record.eventName(name))
      })
    }
  }

  // Spans and their events.

  #span(item: number): void {
    const { spanTarget, workspace, verdicts } = this.#policy
    const { scan, events, counts } = workspace
    const field = scan.items.fields[item]
    const start = scan.items.starts[item]
    const end = scan.items.ends[item]
    this.#readSpan(start, end)
    const judged = this.#judge('span', spanTarget, start, end)
    const verdict = this.#verdict(judged, 'span', start, end)
    counts.add(verdict, 1)
    this.#listener?.item(this.#head(verdict, spanTarget, judged))
    let moved = 0
    for (let index = 0; index < events.count; index++) {
      const settled =
        this.#only === undefined ? verdicts.withinSpan(events.verdicts[index], verdict.native) : verdict
      events.verdicts[index] = settled
      counts.add(settled, 1)
      moved |= settled.rehomed | settled.carried
      if (this.#listener !== undefined) this.#listener.item(this.#eventHead(index, settled))
    }
    if (this.#editsFields) this.#editScopePartsBefore(field)
    for (const record of this.#natives) {
      if ((verdict.native & record.bit) === 0) record.edits.cut(field, end)
      else if (record.editsFields) this.#takeEditedSpan(record, item, verdict, judged)
      else record.takeSpan(field, start, end, events)
    }
    if (moved !== 0) this.#rehomeEvents(start, end)
  }

  /** Walks a span once: the attributes that may hold its target, and its events, each judged. */
  #readSpan(start: number, end: number): void {
    const { spanTarget, workspace } = this.#policy
    const { cursor, attribute, events } = workspace
    spanTarget.clear('attribute')
    events.clear()
    cursor.at = start
    while (cursor.at < end) {
      const field = cursor.at
      const tag = cursor.tag(end)
      if (tag === SPAN_ATTRIBUTE) {
        const attributeEnd = cursor.payloadEnd(end)
        if (isUnwanted(this.#request, cursor.at, attributeEnd, spanTarget.keyLengths)) {
          cursor.at = attributeEnd
        } else {
          attribute.read(cursor, cursor.at, attributeEnd)
          spanTarget.see('attribute', cursor, attribute)
        }
      } else if (tag === SPAN_EVENT) {
        const eventEnd = cursor.payloadEnd(end)
        this.#readEvent(field, cursor.at, eventEnd)
        cursor.at = eventEnd
      } else if (tag === SPAN_DROPPED_EVENTS) {
        events.droppedCount = cursor.uint32(end)
        events.countField = field
        events.countEnd = cursor.at
      } else {
        cursor.skip(tag, end)
      }
    }
  }

  /** Judges a span event, its span not yet considered. */
  #readEvent(field: number, start: number, end: number): void {
    const { spanEventTarget, workspace } = this.#policy
    const { events } = workspace
    spanEventTarget.clear('attribute')
    this.#seeAttributes('attribute', spanEventTarget, EVENT_ATTRIBUTE, start, end)
    const judged = this.#judge('span_event', spanEventTarget, start, end)
    const index = events.add(field, start, end)
    events.verdicts[index] = this.#verdict(judged, 'span_event', start, end)
    events.targetStarts[index] = spanEventTarget.start
    events.targetEnds[index] = spanEventTarget.end
    events.paths[index] = spanEventTarget.path
    events.standIns[index] = judged.standIn
  }

  #takeEditedSpan(record: LaneRecord, item: number, verdict: Verdict, judged: Judged): void {
    const { spanTarget, spanEventTarget, workspace } = this.#policy
    const { scan, events } = workspace
    const start = scan.items.starts[item]
    const end = scan.items.ends[item]
    const edited = this.#edited(record, 'span', verdict, spanTarget, judged, start, end)
    record.takeEditedSpan(scan.items.fields[item], start, end, events, edited, (index) => {
      this.#listener?.event(index)
      const from = events.starts[index]
      const to = events.ends[index]
      const key = keyOf(spanEventTarget, events.paths[index])
      const contexts = this.#contexts(record, 'span_event', events.verdicts[index].family, key, from, to)
      return { contexts, targetStart: 0, targetEnd: 0 }
    })
  }

  /** Moves events of the span in `[start, end)` to where they go: to log lanes, or onto carrier spans. */
  #rehomeEvents(start: number, end: number): void {
    const { spanEventTarget, workspace } = this.#policy
    const { events, span, rehomedEvent } = workspace
    span.read(this.#request, start, end)
    for (let index = 0; index < events.count; index++) {
      const { rehomed, carried } = events.verdicts[index]
      if ((rehomed | carried) === 0) continue
      const key = keyOf(spanEventTarget, events.paths[index])
      rehomedEvent.read(this.#request, events.starts[index], events.ends[index], Buffer.from(key, 'latin1'))
      const target = textRange(
        this.#request,
        events.targetStarts[index],
        events.targetEnds[index],
        events.standIns[index],
      )
      this.#rehome(rehomed, index, (_, out) => rehomedEvent.addLogRecord(out, span, target))
      this.#rehome(carried, index, (record, out) => {
        addCarriedEvent(out, rehomedEvent, span, (name) => record.eventName(name))
      })
    }
  }

  // Metrics.

  #metrics(first: number, last: number): void {
    const { decider, workspace } = this.#policy
    const { scan, cursor } = workspace
    const judged: Judged = this.#sure(decider.none, 'data_point')
    for (let item = first; item < last; item++) {
      const start = scan.items.starts[item]
      const end = scan.items.ends[item]
      const points = countDataPoints(cursor, start, end)
      this.#takeItem(
        item,
        METRIC_PLAN,
        this.#verdict(judged, 'data_point', start, end),
        points,
        undefined,
        judged,
      )
    }
  }

  // Targets and judgments.

  /** Lets `reader` see every attribute of the message in `[start, end)`. */
  #seeAttributes(
    kind: 'attribute' | 'resource_attribute',
    reader: TargetReader,
    attributeTag: number,
    start: number,
    end: number,
  ): void {
    const { cursor, attribute } = this.#policy.workspace
    cursor.at = start
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === attributeTag) {
        const attributeEnd = cursor.payloadEnd(end)
        if (isUnwanted(this.#request, cursor.at, attributeEnd, reader.keyLengths)) {
          cursor.at = attributeEnd
        } else {
          attribute.read(cursor, cursor.at, attributeEnd)
          reader.see(kind, cursor, attribute)
        }
      } else {
        cursor.skip(tag, end)
      }
    }
  }

  #judge(carriage: Carriage, reader: TargetReader, start: number, end: number): Judged {
    const { workspace, decider, subjects } = this.#policy
    const { scan, cursor, attribute, lookup } = workspace
    const nameStart = scan.nameStarts[this.#scope]
    const nameEnd = scan.nameEnds[this.#scope]
    const reading = reader.settle(this.#request, nameStart, nameEnd, scan.nameDoubts[this.#scope] === 1)
    if (reading === 'absent') return this.#sure(decider.none, carriage)
    if (reading === 'conflict') {
      const isOfResource = reader.paths[reader.path].kind === 'resource_attribute'
      const ranges = isOfResource
        ? lookup.resourceAttributes(this.#resource)
        : lookup.fields(TAGS[carriage].attribute, start, end)
      const at = cursor.at
      const values = reader.stringsOf(cursor, attribute, ranges)
      cursor.at = at
      return this.#doubtful(values, carriage)
    }
    const isEmpty = reader.start === reader.end
    const subject = isEmpty ? decider.none : subjects.of(this.#request, reader.start, reader.end)
    const isDoubted = reading === 'doubted' && carriage !== 'span' && subject.isTraceSafe
    return isDoubted ? this.#doubtful([subject.text], carriage) : this.#sure(subject, carriage)
  }

  #sure(subject: Subject, carriage: Carriage): Judged {
    const { decider } = this.#policy
    const isEvent = carriage === 'log_record' || carriage === 'span_event'
    const decision = decider.decide(subject, carriage)
    if (!isEvent || !(subject.isUnreviewed || subject.isNearMiss)) return { decision, ...plain }
    const finding = subject.isUnreviewed ? 'unreviewed_subsystem' : 'near_miss'
    return { decision, standIn: undefined, finding, about: subject.text }
  }

  #doubtful(values: readonly ByteString[], carriage: Carriage): Judged {
    const { decision, target } = this.#policy.decider.decideDoubtful(values, carriage)
    return { decision, standIn: target, finding: 'conflicted_target', about: target }
  }

  /** The verdict on the item in `[start, end)`, with its findings noted. */
  #verdict(judged: Judged, carriage: Carriage, start: number, end: number): Verdict {
    const { decision, finding } = judged
    const verdict = decision.verdict ?? decision.ask(this.#facts(carriage, start, end))
    if (this.#only !== undefined) return { ...verdict, ...taken, native: this.#only.bit }
    if (finding !== undefined) this.#note(finding, judged.about, verdict, carriage, start, end)
    return verdict
  }

  #note(
    kind: FindingKind,
    target: ByteString,
    verdict: Verdict,
    carriage: Carriage,
    start: number,
    end: number,
  ): void {
    const { findings, lookup } = this.#policy.workspace
    const { attribute, name } = TAGS[carriage]
    const [eventName = ''] =
      kind === 'unreviewed_subsystem' ? lookup.eventNames(attribute, name, start, end) : []
    findings.add(
      {
        kind,
        target: fromBytes(target),
        family: verdict.family,
        eventName: fromBytes(eventName),
        place: undefined,
      },
      () => (kind === 'unreviewed_subsystem' ? lookup.keys(lookup.fields(attribute, start, end)) : []),
    )
  }

  #facts(carriage: Carriage, start: number, end: number): Facts {
    const { lookup } = this.#policy.workspace
    const { attribute, name } = TAGS[carriage]
    return {
      eventNames: () => lookup.eventNames(attribute, name, start, end),
      resourceValues: (key) => lookup.strings(lookup.resourceAttributes(this.#resource), key),
    }
  }

  #readResource(): void {
    const { logRecordTarget, spanEventTarget, spanTarget, workspace } = this.#policy
    const { cursor, attribute, lookup } = workspace
    const readers = this.#signal === 'logs' ? [logRecordTarget] : [spanEventTarget, spanTarget]
    for (const reader of readers) {
      if (!reader.usesResource) continue
      reader.clear('resource_attribute')
      for (const [start, end] of lookup.resourceAttributes(this.#resource)) {
        attribute.read(cursor, start, end)
        reader.see('resource_attribute', cursor, attribute)
      }
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
    const { scan, counts } = this.#policy.workspace
    const field = scan.items.fields[item]
    const start = scan.items.starts[item]
    const end = scan.items.ends[item]
    for (let heard = 0; heard < items; heard++) this.#listener?.item(this.#head(verdict, reader, judged))
    counts.add(verdict, items)
    if (this.#editsFields) this.#editScopePartsBefore(field)
    for (const record of this.#natives) {
      if ((verdict.native & record.bit) === 0) {
        record.edits.cut(field, end)
      } else {
        const carriage = verdict.carriage
        const edited = record.editsFields
          ? this.#edited(record, carriage, verdict, reader, judged, start, end)
          : undefined
        record.take(plan, items, field, start, end, edited)
      }
    }
  }

  #edited(
    record: LaneRecord,
    carriage: Carriage,
    verdict: Verdict,
    reader: TargetReader | undefined,
    judged: Judged,
    start: number,
    end: number,
  ): EditedItem {
    const isKnown = reader !== undefined && reader.path >= 0 && judged.standIn === undefined
    const key = reader === undefined ? '' : keyOf(reader, reader.path)
    return {
      contexts: this.#contexts(record, carriage, verdict.family, key, start, end),
      targetStart: isKnown ? reader.start : 0,
      targetEnd: isKnown ? reader.end : 0,
    }
  }

  #contexts(
    record: LaneRecord,
    carriage: Carriage,
    family: string,
    targetKey: ByteString,
    start: number,
    end: number,
  ): EditedItem['contexts'] {
    const { fields, signal } = record.lane
    const asksName = fields.asksEventName && (carriage === 'log_record' || carriage === 'span_event')
    const names = asksName ? this.#facts(carriage, start, end).eventNames() : []
    // Two names that differ are no answer: then every line that asks for a name applies.
    const eventName = names.every((name) => name === names[0])
      ? (names[0] ?? (asksName ? '' : undefined))
      : undefined
    record.editor.undecided = signal === 'traces' ? this.#undecided(carriage, family, start, end) : undefined
    return fields.contexts(family, eventName, targetKey)
  }

  /** Notes attributes that no rule of a traces lane decided. */
  #undecided(
    carriage: Carriage,
    family: string,
    start: number,
    end: number,
  ): (place: Place, key: string) => void {
    const { findings, lookup } = this.#policy.workspace
    return (place, key) => {
      const isEvent = place === 'span_event' && carriage === 'span_event'
      const [name = ''] = isEvent ? lookup.eventNames(EVENT_ATTRIBUTE, EVENT_NAME, start, end) : []
      findings.add({ kind: 'undecided_field', target: '', family, eventName: fromBytes(name), place }, () => [
        key,
      ])
    }
  }

  /** Adds an item to the rehomed request of every lane in the set; `index` is the event's in its span. */
  #rehome(
    lanes: number,
    index: number | undefined,
    add: (record: LaneRecord, out: RehomedRequest) => void,
  ): void {
    for (const record of this.#others) {
      if ((lanes & record.bit) === 0) continue
      add(record, record.rehomed)
      if (this.#listener !== undefined) this.#listener.rehomed(this.#alone(record, add), record, index)
    }
  }

  /** A request that holds the one rehomed item. */
  #alone(record: LaneRecord, add: (record: LaneRecord, out: RehomedRequest) => void): Uint8Array {
    const { resources, scopes } = this.#policy.workspace.scan
    const out = new RehomedRequest()
    out.begin(this.#request)
    out.resource(resources.starts[this.#resource], resources.ends[this.#resource])
    out.scope(scopes.starts[this.#scope], scopes.ends[this.#scope])
    add(record, out)
    return out.take()?.bytes ?? new Uint8Array(0)
  }

  #targetText(judged: Judged, reader: TargetReader): TextRange {
    return textRange(this.#request, reader.start, reader.end, judged.standIn)
  }

  #editPartsBefore(limit: number): void {
    if (!this.#editsFields) return
    const { resourceParts, firstResourcePart } = this.#policy.workspace.scan
    const last = firstResourcePart[this.#resource + 1]
    this.#resourcePart = this.#editParts(resourceParts, this.#resourcePart, last, limit, RESOURCE_PLAN)
  }

  #editScopePartsBefore(limit: number): void {
    if (!this.#editsFields) return
    const { scopeParts, firstScopePart } = this.#policy.workspace.scan
    const last = firstScopePart[this.#scope + 1]
    this.#scopePart = this.#editParts(scopeParts, this.#scopePart, last, limit, SCOPE_PLAN)
  }

  #editParts(parts: Ranges, next: number, last: number, limit: number, plan: Plan): number {
    let left = next
    for (const record of this.#natives) {
      if (!record.editsFields) continue
      const isTraces = record.lane.signal === 'traces'
      record.editor.undecided = isTraces ? this.#undecided('data_point', '', 0, 0) : undefined
      left = record.editParts(parts, next, last, limit, plan)
    }
    return left
  }

  // Results.

  #nativeParcel(record: LaneRecord): readonly RoutedParcel[] {
    const { edits, items, lane } = record
    if (edits.kept === 0) return []
    const content = edits.take(this.#request)
    const parcel = { lane: lane.name, signal: this.#signal, items }
    if (lane.wire === 'as_is') return [{ ...parcel, content }]
    const bytes = content === undefined ? this.#request : content.toBytes()
    const canonical = canonicalise(bytes, this.#signal)
    return [{ ...parcel, content: canonical.bytes === this.#request ? undefined : canonical.bytes }]
  }

  /** The parcel of items that were rehomed to a lane, under the lane's own field policy. */
  #rehomedParcel(record: LaneRecord): readonly RoutedParcel[] {
    const built = record.rehomed.take()
    if (built === undefined) return []
    const { lane } = record
    if (!record.editsFields && lane.wire === 'as_is') {
      return [{ lane: lane.name, signal: lane.signal, items: built.items, content: built.bytes }]
    }
    const { parcels } = new Walk(built.bytes, lane.signal, this.#policy, {
      only: record,
      listener: undefined,
    }).run()
    return parcels.map((parcel) => ({ ...parcel, content: parcel.content ?? built.bytes }))
  }

  #tally(): readonly TallyRow[] {
    const { workspace, verdicts } = this.#policy
    const rows: TallyRow[] = []
    workspace.counts.drain((verdict, items) => {
      const { carriage, family, lane, outcome, reason } = verdict
      rows.push({ carriage, family, lane, outcome, reason, items })
      for (const copy of verdicts.names(verdict.native | verdict.rehomed | verdict.carried)) {
        if (copy !== lane) rows.push({ carriage, family, lane: copy, outcome: 'copied', reason: '', items })
      }
    })
    return rows
  }

  // For the witness.

  #head(verdict: Verdict, reader: TargetReader | undefined, judged: Judged): WitnessedHead {
    const targetFrom = reader === undefined || reader.path < 0 ? undefined : reader.paths[reader.path].text
    const isKnown = reader !== undefined && reader.path >= 0 && judged.standIn === undefined
    const target = isKnown ? latin1(this.#request, reader.start, reader.end) : undefined
    return { carriage: verdict.carriage, target, targetFrom, verdict }
  }

  #eventHead(index: number, verdict: Verdict): WitnessedHead {
    const { spanEventTarget, workspace } = this.#policy
    const { targetStarts, targetEnds, paths, standIns } = workspace.events
    const path = paths[index]
    const isKnown = path >= 0 && standIns[index] === undefined
    const target = isKnown ? latin1(this.#request, targetStarts[index], targetEnds[index]) : undefined
    return { carriage: 'span_event', target, targetFrom: spanEventTarget.paths[path]?.text, verdict }
  }
}

/** What is known of an item when its target is. */
interface Judged {
  readonly decision: Decision
  /** The target that stands for one in doubt (empty if none can); undefined where there is no doubt. */
  readonly standIn: ByteString | undefined
  readonly finding: FindingKind | undefined
  /** The target that the finding is about. */
  readonly about: ByteString
}

const plain = { standIn: undefined, finding: undefined, about: '' } as const

/** How an item that was rehomed to a lane is taken by it. */
const taken = { rehomed: 0, carried: 0, outcome: 'forwarded', reason: '' } as const

/** The key of the attribute that a path reads, or empty. */
function keyOf(reader: TargetReader, path: number): ByteString {
  const found = reader.paths[path]
  return found?.kind === 'attribute' ? toByteString(found.key) : ''
}

function textRange(
  request: Uint8Array,
  start: number,
  end: number,
  standIn: ByteString | undefined,
): TextRange {
  if (standIn === undefined) return { bytes: request, start, end }
  const bytes = Buffer.from(standIn, 'latin1')
  return { bytes, start: 0, end: bytes.length }
}
