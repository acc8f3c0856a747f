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
import { type ItemFacts, unanswered } from './fields-reference.ts'
import { heldOf, type ReferenceHeld } from './held-reference.ts'
import { type Home, KEYS, parcelsOf, type ReadAnew, type ReferenceParcel } from './parcels-reference.ts'
import { hasSpan } from './rehome-reference.ts'

/** What became of one item. */
export interface Fate {
  readonly carriage: Carriage
  readonly items: number
  readonly family: string
  /** Lanes that get it, in the order of the policy. */
  readonly lanes: readonly string[]
  /** Lanes of the other carriage's signal that get it rehomed. */
  readonly rehomed: readonly string[]
  /** Lanes that take this span event and not its span: it rides there on a carrier. */
  readonly carried: readonly string[]
  /** What a rehomed item is called after, and what field rules ask. */
  readonly home: Home
  /** The lines that decided for them, by lane. */
  readonly rules: ReadonlyMap<string, Position>
  readonly outcome: Outcome
  readonly reason: Reason | ''
  readonly lane: string
  readonly rule: Position | undefined
}

export interface ReferenceRouting {
  readonly parcels: readonly ReferenceParcel[]
  readonly held: readonly ReferenceHeld[]
  readonly tally: readonly TallyRow[]
  readonly fates: readonly Fate[]
}

/** Decoded objects (attributes, scope entries) whose bytes another decoder could read differently. */
export type Doubts = ReadonlySet<OracleMessage>

export type { ReferenceParcel }

const DATA_KINDS = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary']

export interface ReferenceOptions {
  readonly doubts?: Doubts
  /** Bytes of each record and span event as they came: a carrier's id is made of them. */
  readonly payloads?: ReadonlyMap<OracleMessage, Uint8Array>
  readonly hashKey?: Uint8Array
  /** Its spans stand for spans that have left: they are no items, and nothing takes them. */
  readonly isHeld?: boolean
}

export function routeReference(
  request: OracleMessage,
  signal: Signal,
  spec: PolicySpec,
  {
    doubts = new Set(),
    payloads = new Map(),
    hashKey = new Uint8Array(32),
    isHeld = false,
  }: ReferenceOptions = {},
): ReferenceRouting {
  const { resources, scopes, items } = KEYS[signal]
  const fates = new Map<OracleMessage, Fate>()
  for (const resource of messagesOf(request, resources)) {
    for (const scope of messagesOf(resource, scopes)) {
      for (const item of messagesOf(scope, items)) {
        const place: Place = { spec, resource: messageOf(resource, 'resource'), scope, doubts }
        if (signal === 'logs')
          fates.set(item, withoutSpan(decideEvent('log_record', item, place), item, spec))
        else if (signal === 'metrics') fates.set(item, decidePoints(item, place))
        else {
          const span = isHeld ? fateOf('span', '') : decideSpan(item, place)
          fates.set(item, span)
          for (const event of messagesOf(item, 'events')) {
            fates.set(event, withinSpan(decideEvent('span_event', event, place), span, spec))
          }
        }
      }
    }
  }
  const list = [...fates.values()].filter(({ carriage }) => !isHeld || carriage !== 'span')
  const readAnew: ReadAnew = (carriage, item, envelope) => {
    const place: Place = { spec, ...envelope, doubts }
    return (carriage === 'span' ? decideSpan(item, place) : decideEvent(carriage, item, place)).home.facts
  }
  const parcels = spec.lanes
    .filter(isOn)
    .map((lane) => parcelsOf({ request, signal, lane, fates, payloads, hashKey, readAnew }))
    .filter((parcel) => parcel !== undefined)
  return { parcels, held: heldOf(request, signal, fates), tally: tallyOf(list), fates: list }
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
  | {
      readonly kind: 'string'
      readonly target: string
      readonly inDoubt: boolean
      readonly key: string | undefined
    }
  | { readonly kind: 'conflict'; readonly strings: readonly string[]; readonly key: string | undefined }

function readTarget(paths: readonly TargetPathSpec[], item: OracleMessage, place: Place): Reading {
  for (const { path, except } of paths) {
    const inAttributes = /^(resource\.)?attributes\["(.*)"\]$/.exec(path)
    if (inAttributes === null) {
      const name = messageOf(place.scope, 'scope').name ?? ''
      if (typeof name !== 'string' || name === '' || except.includes(name)) continue
      return { kind: 'string', target: name, inDoubt: place.doubts.has(place.scope), key: undefined }
    }
    const holder = inAttributes[1] === undefined ? item : place.resource
    const key = inAttributes[1] === undefined ? inAttributes[2] : undefined
    const found = messagesOf(holder, 'attributes').filter((one) => (one.key ?? '') === inAttributes[2])
    const values = new Set(found.map((one) => messageOf(one, 'value').stringValue))
    const strings = [...values].filter((value) => typeof value === 'string')
    if (found.length === 0) continue
    if (values.size === 1 && strings.length === 1) {
      if (except.includes(strings[0])) continue
      return { kind: 'string', target: strings[0], inDoubt: found.some((one) => place.doubts.has(one)), key }
    }
    return { kind: 'conflict', strings, key }
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
  const homeOf = (cls: TargetClass, key: string | undefined): Home => ({
    target: cls.target ?? '',
    targetKey: key,
    facts: factsOf(asEvent(cls, spec), key, facts.eventNames),
  })
  if (reading.kind === 'absent') {
    const cls = classify(spec, undefined)
    return { ...eventFate(carriage, cls, facts, spec), home: homeOf(cls, undefined) }
  }
  if (reading.kind === 'string') {
    const cls = classify(spec, reading.target)
    if (!reading.inDoubt || !isTraceSafe(cls, spec)) {
      return { ...eventFate(carriage, cls, facts, spec), home: homeOf(cls, reading.key) }
    }
  }
  const strings = reading.kind === 'string' ? [reading.target] : reading.strings
  const ours = strings.map((value) => classify(spec, value)).filter((cls) => cls.inNamespace)
  if (ours.length === 0) {
    const home = {
      target: '',
      targetKey: undefined,
      facts: {
        ...unanswered,
        eventNames: factsOf(classify(spec, undefined), undefined, facts.eventNames).eventNames,
      },
    }
    return { ...fateOf(carriage, 'ambiguous'), outcome: 'dropped', reason: 'ambiguous_target', home }
  }
  const standIn = ours.find((cls) => !isTraceSafe(cls, spec)) ?? classify(spec, spec.namespace)
  const home = homeOf(standIn, reading.key)
  // What is in doubt has no family that a rule could ask for, and no attribute gave it a target.
  const inDoubt = { ...home, facts: { ...unanswered, eventNames: home.facts.eventNames } }
  return { ...eventFate(carriage, standIn, facts, spec, true), home: inDoubt }
}

function factsOf(
  cls: TargetClass,
  targetKey: string | undefined,
  eventNames: readonly string[] | undefined,
): ItemFacts {
  return {
    families: cls.family === undefined ? [] : [cls.family],
    // No name is no answer.
    eventNames: eventNames?.length === 0 ? undefined : eventNames,
    targetKey,
    target: cls.target,
  }
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

/** Which selectors name events of this class: `drop` and `quarantine` silence `*`, `forward` lets it speak for what is foreign. */
function namesOf(cls: TargetClass, spec: PolicySpec): Names {
  const disposal = disposalOf(cls, spec)
  const how = disposal === undefined ? undefined : spec[disposal]
  return (selector, facts, takes) =>
    !(how !== undefined && how !== 'forward' && selector.word === '*') &&
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
  const mayRehome = other === 'logs' ? spec.rehome.toLogs : spec.rehome.toTraces
  const fate = fateOfOpinions(none, opinions, native, mayRehome ? other : undefined)
  if (fate.outcome !== 'dropped' || fate.reason === 'no_exporter') return fate
  const misplaced = opinions.find(({ lane, line }) => !line.except && lane.signal === other)
  if (misplaced !== undefined) {
    return { ...none, reason: 'wrong_carriage', lane: misplaced.lane.name, rule: spec.positions.rehome }
  }
  if (disposal !== undefined && spec[disposal] !== 'forward') {
    const outcome = spec[disposal] === 'drop' ? 'dropped' : 'quarantined'
    return { ...none, outcome, reason: disposal, rule: spec.positions[disposal] }
  }
  return inDoubt ? { ...none, reason: 'ambiguous_target' } : fate
}

/** `other`: the signal that the item may be rehomed to. */
function fateOfOpinions(none: Fate, opinions: readonly Opinion[], signal: string, other?: string): Fate {
  const taking = opinions.filter(({ line }) => !line.except)
  const takers = taking.filter(({ lane }) => lane.signal === signal)
  const others = taking.filter(({ lane }) => lane.signal === other)
  const [native, rehomed] = [takers, others].map((list) => list.filter(({ lane }) => isOn(lane)))
  const first = native[0] ?? rehomed[0]
  if (first !== undefined) {
    return {
      ...none,
      outcome: native.length > 0 ? 'forwarded' : 'rehomed',
      reason: '',
      lanes: native.map(({ lane }) => lane.name),
      rehomed: rehomed.map(({ lane }) => lane.name),
      rules: new Map([...native, ...rehomed].map(({ lane, line }) => [lane.name, line.position])),
      lane: first.lane.name,
      rule: first.line.position,
    }
  }
  const off = takers[0] ?? others[0]
  if (off !== undefined) {
    return { ...none, reason: 'no_exporter', lane: off.lane.name, rule: off.line.position }
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
    rehomed: [],
    carried: [],
    home: { target: '', targetKey: undefined, facts: unanswered },
    rules: new Map(),
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
  const target = reading.kind === 'string' ? reading.target : undefined
  const asked = factsOf(cls, reading.kind === 'string' ? reading.key : undefined, undefined)
  const home: Home = {
    target: target ?? '',
    targetKey: undefined,
    facts: inDoubt ? { ...asked, families: undefined } : asked,
  }
  return {
    ...fateOfOpinions(fateOf('span', family), opinionsOn('spans', cls, facts, spec, inDoubt), 'traces'),
    home,
  }
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

/** An event rides only on lanes that take its span; on the others a carrier carries it. */
function withinSpan(event: Fate, span: Fate, spec: PolicySpec): Fate {
  const lanes = event.lanes.filter((lane) => span.lanes.includes(lane))
  const others = event.lanes.filter((lane) => !span.lanes.includes(lane))
  if (others.length === 0) return event
  const carried = spec.rehome.toTraces ? others : []
  const [lane] = [...lanes, ...carried, ...event.rehomed]
  if (lane === undefined) return { ...event, lanes, outcome: 'dropped', reason: 'no_span' }
  const outcome = lanes.length + carried.length > 0 ? 'forwarded' : 'rehomed'
  return { ...event, lanes, carried, outcome, lane, rule: event.rules.get(lane) }
}

/** A record without the ids of a span cannot ride on one. */
function withoutSpan(fate: Fate, record: OracleMessage, spec: PolicySpec): Fate {
  if (fate.rehomed.length === 0 || hasSpan(record)) return fate
  const rehomed = fate.rehomed.filter(
    (name) => spec.lanes.find((lane) => lane.name === name)?.signal !== 'traces',
  )
  if (fate.lanes.length > 0) return { ...fate, rehomed }
  return { ...fate, rehomed, outcome: 'dropped', reason: 'no_span' }
}

/** The rows of the ledger: one for each combination, `copied` for further lanes. */
function tallyOf(fates: readonly Fate[]): readonly TallyRow[] {
  return mergedTally(
    fates.flatMap(({ carriage, family, lanes, carried, rehomed, lane, outcome, reason, items }) => [
      { carriage, family, lane, outcome, reason, items },
      ...[...lanes, ...carried, ...rehomed]
        .filter((other) => other !== lane)
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
