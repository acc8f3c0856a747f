/**
 * The one function that decides: request in; parcels, tally and findings out.
 *
 *     scan ─► for each scope, or item: target ─► subject ─► decision ─► verdict ─► edits of each lane ─► parcels
 *
 * Pure: the same request under the same policy gives the same result, and nothing is emitted. Where the scope's
 * name decides, its items are counted and not entered. A lane that takes everything gets the request's own
 * bytes. Whoever wants to know why passes a witness, which hears every verdict; the pipeline passes none.
 * Throws `MalformedRequest` wherever the walk must look and cannot read, and `TooLarge`.
 */
import { isUnwanted } from '../otlp/attribute.ts'
import { LEN, tagOf, VARINT } from '../otlp/cursor.ts'
import { countDataPoints } from '../otlp/metric.ts'
import type { Carriage, Signal } from '../otlp/signal.ts'
import { type Edits, type Splice, varintSize, writeVarint } from '../otlp/splice.ts'
import type { TallyRow } from '../telemetry/tally.ts'
import type { Facts } from './accept.ts'
import type { Policy } from './compile.ts'
import type { Decision, Subject } from './decide.ts'
import { type ByteString, latin1 } from './family.ts'
import type { TargetReader } from './target.ts'
import type { Verdict } from './verdict.ts'

/** What one lane takes of a request. */
export interface RoutedParcel {
  readonly lane: string
  readonly signal: Signal
  /** Log records, spans or data points. */
  readonly items: number
  /** How to make the parcel's bytes; undefined if they are the request's own. */
  readonly splice: Splice | undefined
}

/** Something that a person should review. */
export interface Finding {
  readonly kind: string
  readonly target: string
}

export interface Routing {
  readonly parcels: readonly RoutedParcel[]
  readonly tally: readonly TallyRow[]
  readonly findings: readonly Finding[]
}

/** What a witness hears of one item. */
export interface WitnessedItem {
  readonly carriage: Carriage
  /** The target as it was read; undefined if there is none, or none that is beyond doubt. */
  readonly target: ByteString | undefined
  /** The path that gave it, as configured; undefined if no path did. */
  readonly targetFrom: string | undefined
  readonly verdict: Verdict
}

export interface Witness {
  item(item: WitnessedItem): void
}

const RESOURCE = tagOf(1, LEN)
const SCOPE = tagOf(2, LEN)
const ITEM = tagOf(2, LEN)
const RESOURCE_ATTRIBUTE = tagOf(1, LEN)
const LOG_ATTRIBUTE = tagOf(6, LEN)
const LOG_EVENT_NAME = tagOf(12, LEN)
const SPAN_ATTRIBUTE = tagOf(9, LEN)
const SPAN_EVENT = tagOf(11, LEN)
const SPAN_DROPPED_EVENTS = tagOf(12, VARINT)
const EVENT_NAME = tagOf(2, LEN)
const EVENT_ATTRIBUTE = tagOf(3, LEN)
const EVENT_NAME_KEY = 'event.name'

export function route(request: Uint8Array, signal: Signal, policy: Policy, witness?: Witness): Routing {
  return new Walk(request, signal, policy, witness).run()
}

/** A native lane of the request's signal while its parcel is recorded. */
interface Recording {
  readonly bit: number
  readonly index: number
  readonly edits: Edits
}

class Walk {
  readonly #request: Uint8Array
  readonly #signal: Signal
  readonly #policy: Policy
  readonly #witness: Witness | undefined
  readonly #recordings: readonly Recording[]
  /** Index of the current resource and scope in the scan, for facts that are asked for late. */
  #resource = 0
  #scope = 0

  constructor(request: Uint8Array, signal: Signal, policy: Policy, witness: Witness | undefined) {
    this.#request = request
    this.#signal = signal
    this.#policy = policy
    this.#witness = witness
    const recordings: Recording[] = []
    policy.lanes.forEach((lane, index) => {
      if (lane.signal !== signal) return
      const edits = policy.workspace.edits[index]
      edits.reset()
      policy.workspace.laneItems[index] = 0
      recordings.push({ bit: 1 << index, index, edits })
    })
    this.#recordings = recordings
  }

  run(): Routing {
    const { scan, cursor } = this.#policy.workspace
    this.#policy.workspace.counts.drain(() => {})
    scan.walk(this.#request)
    cursor.reset(this.#request, 0)
    for (let resource = 0; resource < scan.resources.count; resource++) {
      this.#resource = resource
      this.#readResource()
      this.#enter(
        RESOURCE,
        scan.resources.fields[resource],
        scan.resources.starts[resource],
        scan.resources.ends[resource],
      )
      for (let scope = scan.firstScope[resource]; scope < scan.firstScope[resource + 1]; scope++) {
        this.#scope = scope
        this.#enter(SCOPE, scan.scopes.fields[scope], scan.scopes.starts[scope], scan.scopes.ends[scope])
        this.#scopeItems(scan.firstItem[scope], scan.firstItem[scope + 1])
        this.#leave()
      }
      this.#leave()
    }
    return { parcels: this.#parcels(), tally: this.#tally(), findings: [] }
  }

  #scopeItems(first: number, last: number): void {
    switch (this.#signal) {
      case 'logs':
        return this.#logRecords(first, last)
      case 'traces':
        return this.#spans(first, last)
      case 'metrics':
        return this.#metrics(first, last)
    }
  }

  // Log records.

  #logRecords(first: number, last: number): void {
    const { logRecordTarget, workspace, subjects, decider } = this.#policy
    const { scan } = workspace
    const nameStart = scan.nameStarts[this.#scope]
    if (logRecordTarget.settleByScope(this.#request, nameStart, scan.nameEnds[this.#scope])) {
      const { start, end } = logRecordTarget
      const subject = start === end ? decider.none : subjects.of(this.#request, start, end)
      const isDoubted = scan.nameDoubts[this.#scope] === 1 && start !== end && subject.isTraceSafe
      const decision = isDoubted
        ? decider.decideDoubtful([latin1(this.#request, start, end)], 'log_record')
        : decider.decide(subject, 'log_record')
      if (decision.verdict !== undefined && this.#witness === undefined) {
        this.#takeAll(decision.verdict, last - first)
        return
      }
      for (let item = first; item < last; item++) {
        this.#takeItem(
          item,
          decision.verdict ?? decision.ask(this.#logRecordFacts(item)),
          1,
          logRecordTarget,
          isDoubted,
        )
      }
      return
    }
    for (let item = first; item < last; item++) {
      const itemEnd = scan.items.ends[item]
      logRecordTarget.clear('attribute')
      this.#seeAttributes('attribute', logRecordTarget, LOG_ATTRIBUTE, scan.items.starts[item], itemEnd)
      const decision = this.#decide(
        'log_record',
        logRecordTarget,
        LOG_ATTRIBUTE,
        scan.items.starts[item],
        itemEnd,
      )
      this.#takeItem(
        item,
        decision.verdict ?? decision.ask(this.#logRecordFacts(item)),
        1,
        logRecordTarget,
        false,
      )
    }
  }

  #logRecordFacts(item: number): Facts {
    const { items } = this.#policy.workspace.scan
    return this.#facts(LOG_ATTRIBUTE, LOG_EVENT_NAME, items.starts[item], items.ends[item])
  }

  // Spans and their events.

  #spans(first: number, last: number): void {
    for (let item = first; item < last; item++) this.#span(item)
  }

  #span(item: number): void {
    const { spanTarget, workspace, verdicts } = this.#policy
    const { scan, cursor, attribute, events } = workspace
    const start = scan.items.starts[item]
    const end = scan.items.ends[item]
    spanTarget.clear('attribute')
    events.count = 0
    let droppedEvents = 0
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
        const eventStart = cursor.at
        events.add(field, eventStart, eventEnd, this.#event(eventStart, eventEnd))
        cursor.at = eventEnd
      } else if (tag === SPAN_DROPPED_EVENTS) {
        droppedEvents = cursor.uint32(end)
        events.add(field, cursor.at, cursor.at, undefined)
      } else {
        cursor.skip(tag, end)
      }
    }
    const decision = this.#decide('span', spanTarget, SPAN_ATTRIBUTE, start, end)
    const verdict = decision.verdict ?? decision.ask(this.#facts(0, 0, start, end))
    this.#witnessItem(verdict, spanTarget, false)
    workspace.counts.add(verdict, 1)
    for (let index = 0; index < events.count; index++) {
      const given = events.verdicts[index]
      if (given === undefined) continue
      const settled = verdicts.withinSpan(given, verdict.native)
      events.verdicts[index] = settled
      workspace.counts.add(settled, 1)
      if (this.#witness !== undefined) this.#witnessEvent(index, settled)
    }
    for (const recording of this.#recordings) this.#recordSpan(recording, item, verdict, droppedEvents)
  }

  /** Writes one lane's edits of the span: it goes, or its misplaced events do and are counted in it. */
  #recordSpan(recording: Recording, item: number, verdict: Verdict, droppedEvents: number): void {
    const { scan, events, laneItems } = this.#policy.workspace
    const { edits, bit } = recording
    const field = scan.items.fields[item]
    const end = scan.items.ends[item]
    if ((verdict.native & bit) === 0) {
      edits.cut(field, end)
      return
    }
    edits.kept++
    laneItems[recording.index]++
    let gone = 0
    let lost = 0
    for (let index = 0; index < events.count; index++) {
      const event = events.verdicts[index]
      if (event === undefined || (event.native & bit) !== 0) continue
      gone++
      if (event.outcome === 'dropped') lost++
    }
    if (gone === 0) return
    edits.enter(ITEM, field, scan.items.starts[item], end)
    for (let index = 0; index < events.count; index++) {
      const event = events.verdicts[index]
      const isGone = event === undefined ? lost > 0 : (event.native & bit) === 0
      if (isGone) edits.cut(events.fields[index], events.ends[index])
    }
    if (lost > 0)
      edits.put(end, varintField(SPAN_DROPPED_EVENTS, Math.min(droppedEvents + lost, 0xffff_ffff)))
    edits.leave()
  }

  /** The verdict on a span event, its span not yet considered. */
  #event(start: number, end: number): Verdict {
    const { spanEventTarget } = this.#policy
    spanEventTarget.clear('attribute')
    this.#seeAttributes('attribute', spanEventTarget, EVENT_ATTRIBUTE, start, end)
    const decision = this.#decide('span_event', spanEventTarget, EVENT_ATTRIBUTE, start, end)
    return decision.verdict ?? decision.ask(this.#facts(EVENT_ATTRIBUTE, EVENT_NAME, start, end))
  }

  /** Reads the event's target once more, for a witness wants to hear of it beside the settled verdict. */
  #witnessEvent(part: number, verdict: Verdict): void {
    const { spanEventTarget, workspace } = this.#policy
    this.#event(workspace.events.starts[part], workspace.events.ends[part])
    this.#witnessItem(verdict, spanEventTarget, false)
  }

  // Metrics.

  #metrics(first: number, last: number): void {
    const { decider, workspace } = this.#policy
    const { scan, cursor } = workspace
    const decision = decider.decide(decider.none, 'data_point')
    const verdict = decision.verdict ?? decision.ask(this.#facts(0, 0, 0, 0))
    for (let item = first; item < last; item++) {
      const points = countDataPoints(cursor, scan.items.starts[item], scan.items.ends[item])
      this.#takeItem(item, verdict, points, undefined, false)
    }
  }

  // Targets and decisions.

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

  #decide(
    carriage: Carriage,
    reader: TargetReader,
    attributeTag: number,
    start: number,
    end: number,
  ): Decision {
    const { workspace, decider } = this.#policy
    const { scan, cursor, attribute } = workspace
    const nameStart = scan.nameStarts[this.#scope]
    const nameEnd = scan.nameEnds[this.#scope]
    const reading = reader.settle(this.#request, nameStart, nameEnd, scan.nameDoubts[this.#scope] === 1)
    switch (reading) {
      case 'absent':
        return decider.decide(decider.none, carriage)
      case 'conflict': {
        const holder =
          reader.paths[reader.path].kind === 'resource_attribute' ? this.#resourceAttributes() : undefined
        const ranges = holder ?? this.#fields(attributeTag, start, end)
        const at = cursor.at
        const values = reader.stringsOf(cursor, attribute, ranges)
        cursor.at = at
        return decider.decideDoubtful(values, carriage)
      }
      case 'string':
      case 'doubted': {
        const subject = this.#subject(reader)
        const isEvent = carriage !== 'span'
        if (reading === 'string' || !isEvent || !subject.isTraceSafe) return decider.decide(subject, carriage)
        return decider.decideDoubtful([latin1(this.#request, reader.start, reader.end)], carriage)
      }
    }
  }

  #subject(reader: TargetReader): Subject {
    const { subjects, decider } = this.#policy
    return reader.start === reader.end ? decider.none : subjects.of(this.#request, reader.start, reader.end)
  }

  #readResource(): void {
    for (const reader of this.#resourceReaders()) {
      reader.clear('resource_attribute')
      const { cursor, attribute } = this.#policy.workspace
      for (const [start, end] of this.#resourceAttributes()) {
        attribute.read(cursor, start, end)
        reader.see('resource_attribute', cursor, attribute)
      }
    }
  }

  #resourceReaders(): readonly TargetReader[] {
    const { logRecordTarget, spanEventTarget, spanTarget } = this.#policy
    const readers = this.#signal === 'logs' ? [logRecordTarget] : [spanEventTarget, spanTarget]
    return this.#signal === 'metrics' ? [] : readers.filter((reader) => reader.usesResource)
  }

  // Facts for conditions: asked for seldom, so they are looked up anew.

  #facts(attributeTag: number, nameTag: number, start: number, end: number): Facts {
    return {
      eventNames: () => {
        const names = this.#stringsOf(this.#fields(attributeTag, start, end), EVENT_NAME_KEY).filter(
          (name) => name !== '',
        )
        if (names.length > 0) return names
        const given = this.#fields(nameTag, start, end).at(-1)
        return given === undefined || given[0] === given[1] ? [] : [latin1(this.#request, given[0], given[1])]
      },
      resourceValues: (key) => this.#stringsOf(this.#resourceAttributes(), key),
    }
  }

  /** The ranges of the attributes of the current resource, all its pieces together. */
  #resourceAttributes(): readonly (readonly [number, number])[] {
    const { resources } = this.#policy.workspace.scan
    const pieces = this.#fields(RESOURCE, resources.starts[this.#resource], resources.ends[this.#resource])
    return pieces.flatMap(([start, end]) => this.#fields(RESOURCE_ATTRIBUTE, start, end))
  }

  /** The payload ranges of every field with `tag` in the message `[start, end)`. The cursor stays where it is. */
  #fields(wanted: number, start: number, end: number): readonly (readonly [number, number])[] {
    const { cursor } = this.#policy.workspace
    const at = cursor.at
    const ranges: (readonly [number, number])[] = []
    cursor.at = start
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === wanted) {
        const payloadEnd = cursor.payloadEnd(end)
        ranges.push([cursor.at, payloadEnd])
        cursor.at = payloadEnd
      } else {
        cursor.skip(tag, end)
      }
    }
    cursor.at = at
    return ranges
  }

  #stringsOf(attributes: readonly (readonly [number, number])[], key: ByteString): readonly ByteString[] {
    const { cursor, attribute } = this.#policy.workspace
    const at = cursor.at
    const values: ByteString[] = []
    for (const [start, end] of attributes) {
      attribute.read(cursor, start, end)
      if (latin1(this.#request, attribute.keyStart, attribute.keyEnd) !== key) continue
      if (attribute.readString(cursor))
        values.push(latin1(this.#request, attribute.stringStart, attribute.stringEnd))
    }
    cursor.at = at
    return values
  }

  // Recording what the lanes take.

  #enter(tag: number, field: number, start: number, end: number): void {
    for (const { edits } of this.#recordings) edits.enter(tag, field, start, end)
  }

  /** Leaves an envelope: a lane that took nothing in it does not get it. */
  #leave(): void {
    for (const { edits } of this.#recordings) edits.leaveOrPrune()
  }

  /** All items of the current scope, which were not entered, have one verdict. */
  #takeAll(verdict: Verdict, items: number): void {
    const { counts, laneItems } = this.#policy.workspace
    counts.add(verdict, items)
    for (const { edits, bit, index } of this.#recordings) {
      if ((verdict.native & bit) === 0) continue
      edits.kept += items
      laneItems[index] += items
    }
  }

  /** One log record or metric; `items` is how many a backend counts in it. */
  #takeItem(
    item: number,
    verdict: Verdict,
    items: number,
    reader: TargetReader | undefined,
    isDoubted: boolean,
  ): void {
    const { scan, counts, laneItems } = this.#policy.workspace
    for (let heard = 0; heard < items; heard++) this.#witnessItem(verdict, reader, isDoubted)
    counts.add(verdict, items)
    for (const { edits, bit, index } of this.#recordings) {
      if ((verdict.native & bit) === 0) {
        edits.cut(scan.items.fields[item], scan.items.ends[item])
      } else {
        edits.kept++
        laneItems[index] += items
      }
    }
  }

  #witnessItem(verdict: Verdict, reader: TargetReader | undefined, isDoubted: boolean): void {
    if (this.#witness === undefined) return
    const { carriage } = verdict
    const targetFrom = reader === undefined || reader.path < 0 ? undefined : reader.paths[reader.path].text
    const isKnown =
      targetFrom !== undefined && reader !== undefined && verdict.family !== 'ambiguous' && !isDoubted
    const target = isKnown ? latin1(this.#request, reader.start, reader.end) : undefined
    this.#witness.item({ carriage, target, targetFrom, verdict })
  }

  #parcels(): readonly RoutedParcel[] {
    const { lanes, workspace } = this.#policy
    const parcels: RoutedParcel[] = []
    for (const { edits, index } of this.#recordings) {
      if (edits.kept === 0) continue
      const { name, signal } = lanes[index]
      parcels.push({
        lane: name,
        signal,
        items: workspace.laneItems[index],
        splice: edits.take(this.#request),
      })
    }
    return parcels
  }

  #tally(): readonly TallyRow[] {
    const { workspace, verdicts } = this.#policy
    const rows: TallyRow[] = []
    workspace.counts.drain((verdict, items) => {
      const { carriage, family, lane, outcome, reason } = verdict
      rows.push({ carriage, family, lane, outcome, reason, items })
      for (const copy of verdicts.names(verdict.native | verdict.rehomed)) {
        if (copy !== lane) rows.push({ carriage, family, lane: copy, outcome: 'copied', reason: '', items })
      }
    })
    return rows
  }
}

/** A varint field as bytes; its tag is one byte. */
function varintField(tag: number, value: number): Uint8Array {
  const bytes = new Uint8Array(1 + varintSize(value))
  bytes[0] = tag
  writeVarint(value, bytes, 1)
  return bytes
}
