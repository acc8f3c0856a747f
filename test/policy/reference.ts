/**
 * The policy as the contract tells it, on decoded objects: what `route` is compared with.
 *
 * Written from the design and the contract, not from the code: no bytes, no tables, no memory, one item after
 * the other. In: a decoded request, the policy's specification, and the doubts that only the bytes tell
 * (doubt.ts). Out: what each lane gets, the tally, and each item's fate.
 */
import type {
  AcceptLineSpec,
  LaneSpec,
  PolicySpec,
  SelectorSpec,
  TargetPathSpec,
} from '../../src/config/config.ts'
import type { Position } from '../../src/errors.ts'
import type { Carriage, Signal } from '../../src/otlp/signal.ts'
import type { Outcome, Reason, TallyRow } from '../../src/telemetry/tally.ts'
import { isMessage, messageOf, messagesOf, type OracleMessage } from '../oracle/oracle.ts'

/** What became of one item. */
export interface Fate {
  readonly carriage: Carriage
  readonly items: number
  readonly family: string
  /** Lanes that get it, in the order of the policy. */
  readonly lanes: readonly string[]
  /** The lines that decided for them. */
  readonly rules: readonly Position[]
  readonly outcome: Outcome
  readonly reason: Reason | ''
  readonly lane: string
  readonly rule: Position | undefined
}

export interface ReferenceParcel {
  readonly lane: string
  readonly items: number
  readonly request: OracleMessage
}

export interface ReferenceRouting {
  readonly parcels: readonly ReferenceParcel[]
  readonly tally: readonly TallyRow[]
  readonly fates: readonly Fate[]
}

/** Decoded objects (attributes, scope entries) whose bytes another decoder could read differently. */
export type Doubts = ReadonlySet<OracleMessage>

const KEYS = {
  logs: { resources: 'resourceLogs', scopes: 'scopeLogs', items: 'logRecords' },
  traces: { resources: 'resourceSpans', scopes: 'scopeSpans', items: 'spans' },
  metrics: { resources: 'resourceMetrics', scopes: 'scopeMetrics', items: 'metrics' },
} as const

const DATA_KINDS = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary']

export function routeReference(
  request: OracleMessage,
  signal: Signal,
  spec: PolicySpec,
  doubts: Doubts = new Set(),
): ReferenceRouting {
  const { resources, scopes, items } = KEYS[signal]
  const fates = new Map<OracleMessage, Fate>()
  for (const resource of messagesOf(request, resources)) {
    for (const scope of messagesOf(resource, scopes)) {
      for (const item of messagesOf(scope, items)) {
        const place: Place = { spec, resource: messageOf(resource, 'resource'), scope, doubts }
        if (signal === 'logs') fates.set(item, decideEvent('log_record', item, place))
        else if (signal === 'metrics') fates.set(item, decidePoints(item, place))
        else {
          const span = decideSpan(item, place)
          fates.set(item, span)
          for (const event of messagesOf(item, 'events')) {
            fates.set(event, withinSpan(decideEvent('span_event', event, place), span))
          }
        }
      }
    }
  }
  const list = [...fates.values()]
  const parcels = spec.lanes
    .filter((lane) => lane.signal === signal && lane.exporters.length > 0)
    .map((lane) => parcelOf(request, signal, lane.name, fates))
    .filter((parcel) => parcel !== undefined)
  return { parcels, tally: tallyOf(list), fates: list }
}

function parcelOf(
  request: OracleMessage,
  signal: Signal,
  lane: string,
  fates: ReadonlyMap<OracleMessage, Fate>,
): ReferenceParcel | undefined {
  const keys = KEYS[signal]
  const isKept = (item: OracleMessage): boolean => fates.get(item)?.lanes.includes(lane) === true
  const isLost = (event: OracleMessage): boolean => fates.get(event)?.outcome === 'dropped'
  let count = 0
  const scopeOf = (scope: OracleMessage): OracleMessage[] => {
    const kept = messagesOf(scope, keys.items).filter(isKept)
    for (const item of kept) count += fates.get(item)?.items ?? 0
    if (kept.length === 0) return []
    return [
      {
        ...scope,
        [keys.items]: signal === 'traces' ? kept.map((span) => spanOf(span, isKept, isLost)) : kept,
      },
    ]
  }
  const resourcesKept = messagesOf(request, keys.resources).flatMap((resource) => {
    const kept = messagesOf(resource, keys.scopes).flatMap(scopeOf)
    return kept.length === 0 ? [] : [{ ...resource, [keys.scopes]: kept }]
  })
  if (resourcesKept.length === 0) return undefined
  return { lane, items: count, request: { ...request, [keys.resources]: resourcesKept } }
}

const uint32Max = 2 ** 32 - 1

/** An event that another traces lane takes has left this span, but it is not lost, and not counted as dropped. */
function spanOf(
  span: OracleMessage,
  isKept: (event: OracleMessage) => boolean,
  isLost: (event: OracleMessage) => boolean,
): OracleMessage {
  const events = messagesOf(span, 'events')
  const kept = events.filter(isKept)
  if (kept.length === events.length) return span
  const { events: _, ...rest } = span
  const lost = events.filter(isLost).length
  const dropped = Math.min(Number(span.droppedEventsCount ?? 0) + lost, uint32Max)
  const edited = dropped === 0 ? rest : { ...rest, droppedEventsCount: dropped }
  return kept.length === 0 ? edited : { ...edited, events: kept }
}

/** Where an item stands. `resource` is the Resource, `scope` the scope's entry. */
interface Place {
  readonly spec: PolicySpec
  readonly resource: OracleMessage
  readonly scope: OracleMessage
  readonly doubts: Doubts
}

type Reading =
  | { readonly kind: 'absent' }
  | { readonly kind: 'string'; readonly target: string; readonly inDoubt: boolean }
  | { readonly kind: 'conflict'; readonly strings: readonly string[] }

function readTarget(paths: readonly TargetPathSpec[], item: OracleMessage, place: Place): Reading {
  for (const { path, except } of paths) {
    const inAttributes = /^(resource\.)?attributes\["(.*)"\]$/.exec(path)
    if (inAttributes === null) {
      const name = messageOf(place.scope, 'scope').name ?? ''
      if (typeof name !== 'string' || name === '' || except.includes(name)) continue
      return { kind: 'string', target: name, inDoubt: place.doubts.has(place.scope) }
    }
    const holder = inAttributes[1] === undefined ? item : place.resource
    const found = messagesOf(holder, 'attributes').filter((one) => (one.key ?? '') === inAttributes[2])
    const values = new Set(found.map((one) => messageOf(one, 'value').stringValue))
    const strings = [...values].filter((value) => typeof value === 'string')
    if (found.length === 0) continue
    if (values.size === 1 && strings.length === 1) {
      if (except.includes(strings[0])) continue
      return { kind: 'string', target: strings[0], inDoubt: found.some((one) => place.doubts.has(one)) }
    }
    return { kind: 'conflict', strings }
  }
  return { kind: 'absent' }
}

interface TargetClass {
  readonly target: string | undefined
  readonly inNamespace: boolean
  readonly family: string | undefined
}

export function classify(spec: PolicySpec, target: string | undefined): TargetClass {
  if (target === undefined) return { target, inNamespace: false, family: undefined }
  const owners = spec.families.flatMap((family) =>
    family.targets
      .filter((one) => !isMalformed(spec, target) && owns(spec, one.target, target))
      .map((one) => ({ family, one })),
  )
  const [longest] = owners.toSorted((a, b) => b.one.target.length - a.one.target.length)
  return { target, inNamespace: isInNamespace(spec, target), family: longest?.family.name }
}

function isInNamespace(spec: PolicySpec, target: string): boolean {
  if (spec.namespace === '') return false
  if (spec.match === 'prefix') return target.startsWith(spec.namespace)
  return target === spec.namespace || target.startsWith(`${spec.namespace}.`)
}

function owns(spec: PolicySpec, owner: string, target: string): boolean {
  if (spec.match === 'prefix') return target.startsWith(owner)
  if (target === owner || target.startsWith(`${owner}.`)) return true
  return !isInNamespace(spec, owner) && target.startsWith(`${owner}::`)
}

/** In the namespace, with an empty segment: of no family, and named by nothing but itself and `*`. */
function isMalformed(spec: PolicySpec, target: string): boolean {
  return spec.match === 'segment' && isInNamespace(spec, target) && target.split('.').includes('')
}

type Facts = { readonly eventNames: readonly string[]; readonly resource: OracleMessage }

/** Whether a selector names an item of this class. `admits`: `*` speaks for what is foreign, too. */
function isNamed(
  selector: SelectorSpec,
  cls: TargetClass,
  asked: {
    readonly spec: PolicySpec
    readonly facts: Facts
    readonly takes: boolean
    readonly admits: boolean
  },
): boolean {
  const { spec, facts, takes, admits } = asked
  const word = selector.word ?? selector.family ?? selector.target
  const isFamily = selector.target === undefined && spec.families.some((family) => family.name === word)
  const isSubject =
    word === undefined || word === 'any'
      ? true
      : word === 'foreign'
        ? !cls.inNamespace
        : word === '*'
          ? cls.inNamespace || admits
          : isFamily
            ? cls.family === word
            : isTargetOf(spec, word, cls.target)
  if (!isSubject) return false
  const matches = (values: readonly string[], globs: readonly string[]): boolean => {
    const isMatch = (value: string): boolean => globs.some((glob) => globMatches(glob, value))
    return takes ? values.length > 0 && values.every(isMatch) : values.some(isMatch)
  }
  if (selector.eventNames.length > 0 && !matches(facts.eventNames, selector.eventNames)) return false
  return Object.entries(selector.resource).every(([key, globs]) =>
    matches(stringsAt(facts.resource, key), globs),
  )
}

function isTargetOf(spec: PolicySpec, owner: string, target: string | undefined): boolean {
  if (target === undefined || target === '') return false
  return isMalformed(spec, target) ? target === owner : owns(spec, owner, target)
}

function globMatches(glob: string, value: string): boolean {
  const [first, ...rest] = glob.split('*')
  if (rest.length === 0) return value === glob
  const last = rest.pop() ?? ''
  if (!value.startsWith(first) || value.length < first.length + last.length || !value.endsWith(last))
    return false
  let at = first.length
  for (const part of rest) {
    const found = value.slice(0, value.length - last.length).indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return at <= value.length - last.length
}

function stringsAt(holder: OracleMessage, key: string): readonly string[] {
  return messagesOf(holder, 'attributes')
    .filter((one) => (one.key ?? '') === key)
    .map((one) => messageOf(one, 'value').stringValue)
    .filter((value) => typeof value === 'string')
}

function eventNamesOf(carriage: Carriage, item: OracleMessage): readonly string[] {
  const attribute = stringsAt(item, 'event.name').filter((name) => name !== '')
  if (attribute.length > 0) return attribute
  const name = carriage === 'log_record' ? item.eventName : item.name
  return typeof name === 'string' ? [name] : []
}

/** The line of a lane that decides, or undefined. */
function deciding(
  lane: LaneSpec,
  items: AcceptLineSpec['items'],
  names: (selector: SelectorSpec, takes: boolean) => boolean,
): AcceptLineSpec | undefined {
  return lane.accept.find(
    (line) => line.items === items && line.selectors.some((selector) => names(selector, !line.except)),
  )
}

interface Opinion {
  readonly lane: LaneSpec
  readonly line: AcceptLineSpec
}

function decideEvent(carriage: 'log_record' | 'span_event', item: OracleMessage, place: Place): Fate {
  const { spec } = place
  const paths = carriage === 'log_record' ? spec.target.logRecord : spec.target.spanEvent
  const reading = readTarget(paths, item, place)
  const facts: Facts = { eventNames: eventNamesOf(carriage, item), resource: place.resource }
  if (reading.kind === 'absent') return eventFate(carriage, classify(spec, undefined), facts, spec)
  if (reading.kind === 'string') {
    const cls = classify(spec, reading.target)
    if (!reading.inDoubt || !isTraceSafe(cls, spec)) return eventFate(carriage, cls, facts, spec)
  }
  const strings = reading.kind === 'string' ? [reading.target] : reading.strings
  const ours = strings.map((value) => classify(spec, value)).filter((cls) => cls.inNamespace)
  if (ours.length === 0) {
    return { ...fateOf(carriage, 'ambiguous'), outcome: 'dropped', reason: 'ambiguous_target' }
  }
  const standIn = ours.find((cls) => !isTraceSafe(cls, spec)) ?? classify(spec, spec.namespace)
  return eventFate(carriage, standIn, facts, spec, true)
}

/** Whether some traces lane takes events of this class, be it under a condition. */
function isTraceSafe(cls: TargetClass, spec: PolicySpec): boolean {
  const names = namesOf(asEvent(cls, spec), spec)
  return spec.lanes.some((lane) => {
    if (lane.signal !== 'traces') return false
    for (const line of lane.accept) {
      if (line.items !== 'events') continue
      for (const selector of line.selectors) {
        if (!names(unconditional(selector), noFacts, true)) continue
        if (!line.except) return true
        if (!isConditional(selector)) return false
      }
    }
    return false
  })
}

const noFacts: Facts = { eventNames: [], resource: {} }

function isConditional(selector: SelectorSpec): boolean {
  return selector.eventNames.length > 0 || Object.keys(selector.resource).length > 0
}

function unconditional(selector: SelectorSpec): SelectorSpec {
  return { ...selector, eventNames: [], resource: {} }
}

/** Events of a family outside the namespace are foreign unless a lane names the family. */
function asEvent(cls: TargetClass, spec: PolicySpec): TargetClass {
  const isFamilyNamed = spec.lanes.some((lane) =>
    lane.accept.some(
      (line) =>
        line.items === 'events' &&
        line.selectors.some(
          (one) => (one.target === undefined ? (one.word ?? one.family) : '') === cls.family,
        ),
    ),
  )
  return cls.inNamespace || isFamilyNamed ? cls : { ...cls, family: undefined }
}

type Names = (selector: SelectorSpec, facts: Facts, takes: boolean) => boolean

/** What `unreviewed` or `foreign` says of a class, where it speaks: no family, and no line that names it for certain. */
function disposalOf(cls: TargetClass, spec: PolicySpec): 'unreviewed' | 'foreign' | undefined {
  if (cls.family !== undefined) return undefined
  const isNamedForCertain = spec.lanes.some((lane) =>
    lane.accept.some(
      (line) =>
        line.items === 'events' &&
        line.selectors.some(
          (one) =>
            !isConditional(one) &&
            one.word !== '*' &&
            isNamed(one, cls, { spec, facts: noFacts, takes: true, admits: false }),
        ),
    ),
  )
  if (isNamedForCertain) return undefined
  return cls.inNamespace ? 'unreviewed' : 'foreign'
}

/** Which selectors name events of this class: `drop` silences `*`, `forward` lets it speak for what is foreign. */
function namesOf(cls: TargetClass, spec: PolicySpec): Names {
  const disposal = disposalOf(cls, spec)
  const how = disposal === undefined ? undefined : spec[disposal]
  return (selector, facts, takes) =>
    !(how === 'drop' && selector.word === '*') &&
    isNamed(selector, cls, { spec, facts, takes, admits: how === 'forward' })
}

function eventFate(
  carriage: 'log_record' | 'span_event',
  target: TargetClass,
  facts: Facts,
  spec: PolicySpec,
  inDoubt = false,
): Fate {
  const cls = asEvent(target, spec)
  const names = namesOf(cls, spec)
  const disposal = disposalOf(cls, spec)
  const family = cls.family ?? (cls.inNamespace ? 'unreviewed' : 'foreign')
  const none = fateOf(carriage, inDoubt ? 'ambiguous' : family)
  const [native, other] = carriage === 'log_record' ? ['logs', 'traces'] : ['traces', 'logs']
  const opinions: Opinion[] = spec.lanes.flatMap((lane) => {
    if (inDoubt && lane.signal !== 'logs') return []
    const line = deciding(lane, 'events', (selector, takes) => names(selector, facts, takes))
    return line === undefined ? [] : [{ lane, line }]
  })
  const fate = fateOfOpinions(none, opinions, native)
  if (fate.outcome === 'forwarded' || fate.reason === 'no_exporter') return fate
  const misplaced = opinions.find(({ lane, line }) => !line.except && lane.signal === other)
  if (misplaced !== undefined) {
    return { ...none, reason: 'wrong_carriage', lane: misplaced.lane.name, rule: spec.positions.rehome }
  }
  if (disposal !== undefined && spec[disposal] === 'drop') {
    return { ...none, reason: disposal, rule: spec.positions[disposal] }
  }
  return inDoubt ? { ...none, reason: 'ambiguous_target' } : fate
}

function fateOfOpinions(none: Fate, opinions: readonly Opinion[], signal: string): Fate {
  const takers = opinions.filter(({ lane, line }) => lane.signal === signal && !line.except)
  const taking = takers.filter(({ lane }) => isOn(lane))
  if (taking.length > 0) {
    return {
      ...none,
      outcome: 'forwarded',
      reason: '',
      lanes: taking.map(({ lane }) => lane.name),
      rules: taking.map(({ line }) => line.position),
      lane: taking[0].lane.name,
      rule: taking[0].line.position,
    }
  }
  if (takers.length > 0) {
    return { ...none, reason: 'no_exporter', lane: takers[0].lane.name, rule: takers[0].line.position }
  }
  const refusing = opinions.find(({ line }) => line.except)
  if (refusing === undefined) return none
  return { ...none, reason: 'lane_rule', lane: refusing.lane.name, rule: refusing.line.position }
}

function isOn(lane: LaneSpec): boolean {
  return lane.exporters.length > 0
}

function fateOf(carriage: Carriage, family: string): Fate {
  return {
    carriage,
    items: 1,
    family,
    lanes: [],
    rules: [],
    outcome: 'dropped',
    reason: 'no_lane',
    lane: '',
    rule: undefined,
  }
}

function decideSpan(item: OracleMessage, place: Place): Fate {
  const { spec } = place
  const reading = readTarget(spec.target.span, item, place)
  const cls = classify(spec, reading.kind === 'string' ? reading.target : undefined)
  const inDoubt = reading.kind === 'conflict'
  const family = inDoubt ? 'ambiguous' : (cls.family ?? (cls.inNamespace ? 'unreviewed' : 'foreign'))
  const facts: Facts = { eventNames: [], resource: place.resource }
  return fateOfOpinions(fateOf('span', family), opinionsOn('spans', cls, facts, spec, inDoubt), 'traces')
}

function decidePoints(metric: OracleMessage, place: Place): Fate {
  const { spec } = place
  const facts: Facts = { eventNames: [], resource: place.resource }
  const opinions = opinionsOn('points', classify(spec, undefined), facts, spec)
  const kind = DATA_KINDS.find((key) => isMessage(metric[key])) ?? ''
  const items = messagesOf(messageOf(metric, kind), 'dataPoints').length
  return { ...fateOfOpinions(fateOf('data_point', 'foreign'), opinions, 'metrics'), items }
}

function opinionsOn(
  items: 'spans' | 'points',
  cls: TargetClass,
  facts: Facts,
  spec: PolicySpec,
  inDoubt = false,
): readonly Opinion[] {
  return spec.lanes.flatMap((lane) => {
    const line = deciding(
      lane,
      items,
      (selector, takes) =>
        !(inDoubt && selector.word === 'foreign') &&
        isNamed(selector, cls, { spec, facts, takes, admits: false }),
    )
    return line === undefined ? [] : [{ lane, line }]
  })
}

/** An event rides only on lanes that take its span. */
function withinSpan(event: Fate, span: Fate): Fate {
  if (event.outcome !== 'forwarded') return event
  const lanes = event.lanes.filter((lane) => span.lanes.includes(lane))
  if (lanes.length > 0)
    return { ...event, lanes, lane: lanes[0], rule: event.rules[event.lanes.indexOf(lanes[0])] }
  return { ...event, lanes, outcome: 'dropped', reason: 'no_span', lane: event.lanes[0] }
}

/** The rows of the ledger: one for each combination, `copied` for further lanes. */
function tallyOf(fates: readonly Fate[]): readonly TallyRow[] {
  return mergedTally(
    fates.flatMap(({ carriage, family, lanes, lane, outcome, reason, items }) => [
      { carriage, family, lane, outcome, reason, items },
      ...lanes
        .slice(1)
        .map((other) => ({ carriage, family, lane: other, outcome: 'copied', reason: '', items }) as const),
    ]),
  )
}

/** Rows as the ledger adds them up, in an order. */
export function mergedTally(rows: readonly TallyRow[]): readonly TallyRow[] {
  const merged = new Map<string, TallyRow>()
  for (const row of rows) {
    if (row.items === 0) continue
    const key = [row.carriage, row.family, row.lane, row.outcome, row.reason].join('|')
    merged.set(key, { ...row, items: row.items + (merged.get(key)?.items ?? 0) })
  }
  return [...merged].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([, row]) => row)
}
