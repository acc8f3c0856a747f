/**
 * Policies for tests, said briefly: what YAML would say, without the loader, and with a position of its own
 * for every rule, so that a test can tell which one decided.
 */
import type {
  AcceptLineSpec,
  Disposal,
  FamilySpec,
  FieldRuleSpec,
  LaneSpec,
  PolicySpec,
  SelectorSpec,
} from '../../src/config/config.ts'
import type { Position } from '../../src/errors.ts'
import type { Signal } from '../../src/otlp/signal.ts'
import type { Place } from '../../src/policy/place.ts'

export interface SelectorMap {
  readonly family?: string
  readonly target?: string
  readonly event_name?: string | readonly string[]
  readonly resource?: Readonly<Record<string, string | readonly string[]>>
}
export type Selector = string | SelectorMap

interface Items {
  readonly events?: readonly Selector[]
  readonly spans?: readonly Selector[]
  readonly points?: readonly Selector[]
}
export type Line = Items | { readonly except: Items }

/** One line of a field policy: exactly one of the verbs. */
export interface FieldLine {
  readonly keep?: readonly string[]
  readonly remove?: readonly string[]
  readonly only?: readonly string[]
  readonly hash?: readonly string[]
  readonly truncate?: readonly string[]
  /** Bytes that `truncate` leaves. */
  readonly to?: number
  readonly on?: Place | readonly Place[]
  readonly family?: string | readonly string[]
  readonly event_name?: string | readonly string[]
}

export interface Lane {
  readonly signal: Signal
  readonly accept: readonly Line[]
  readonly fields?: readonly FieldLine[]
  readonly unlisted_fields?: 'keep' | 'remove'
  readonly wire?: 'as_is' | 'canonical'
  /** True: the lane has no exporter. */
  readonly off?: boolean
}

export type Path = string | { readonly path: string; readonly except: readonly string[] }

export interface PolicyText {
  readonly namespace?: string
  readonly match?: 'segment' | 'prefix'
  readonly target?: {
    readonly log_record?: readonly Path[]
    readonly span_event?: readonly Path[]
    readonly span?: readonly Path[]
  }
  readonly families?: Readonly<Record<string, readonly string[]>>
  readonly unreviewed?: Disposal
  readonly foreign?: Disposal
  /** Both ways; neither by default, so that tests of the accept lines see each carriage alone. */
  readonly rehome?: boolean | { readonly to_logs: boolean; readonly to_traces: boolean }
  readonly lanes?: Readonly<Record<string, Lane>>
}

/** What preset `codex` says of families and targets. */
export const CODEX_FAMILIES: Readonly<Record<string, readonly string[]>> = {
  log_only: ['codex_otel.log_only'],
  trace_safe: ['codex_otel.trace_safe'],
  network_proxy: ['codex_otel.network_proxy'],
  dependency: ['h2', 'hyper', 'hyper_util', 'tokio', 'tonic', 'reqwest', 'rustls'],
}
export const CODEX_TARGETS = {
  log_record: [
    { path: 'scope.name', except: ['', 'log', 'unknown'] },
    'attributes["log.target"]',
    'scope.name',
  ],
  span_event: ['attributes["target"]'],
  span: [
    'attributes["target"]',
    'attributes["code.module.name"]',
    'attributes["code.namespace"]',
    'scope.name',
  ],
} as const
export const CODEX_LANES: Readonly<Record<string, Lane>> = {
  log: { signal: 'logs', accept: [{ except: { events: ['trace_safe'] } }, { events: ['*'] }] },
  trace: { signal: 'traces', accept: [{ spans: ['any'] }, { events: ['trace_safe'] }] },
  metric: { signal: 'metrics', accept: [{ points: ['any'] }] },
}

/** Preset `codex`, with what `text` says instead. */
export function createSpec(text: PolicyText = {}): PolicySpec {
  const positionOf = counter()
  const paths = (list: readonly Path[]) =>
    list.map((path) => ({
      path: typeof path === 'string' ? path : path.path,
      except: typeof path === 'string' ? [] : path.except,
      position: positionOf(),
    }))
  const target = { ...CODEX_TARGETS, ...text.target }
  return {
    namespace: text.namespace ?? 'codex_otel',
    match: text.match ?? 'segment',
    target: {
      logRecord: paths(target.log_record),
      spanEvent: paths(target.span_event),
      span: paths(target.span),
    },
    families: Object.entries(text.families ?? CODEX_FAMILIES).map(
      ([name, targets]): FamilySpec => ({
        name,
        targets: targets.map((target) => ({ target, position: positionOf() })),
        owner: undefined,
        position: positionOf(),
      }),
    ),
    rejected: [],
    unreviewed: text.unreviewed ?? 'forward',
    foreign: text.foreign ?? 'drop',
    rehome: rehomeOf(text.rehome),
    positions: { unreviewed: positionOf(), foreign: positionOf(), rehome: positionOf() },
    lanes: Object.entries(text.lanes ?? CODEX_LANES).map(([name, lane]) =>
      createLane(name, lane, positionOf),
    ),
  }
}

function rehomeOf(said: PolicyText['rehome'] = false): PolicySpec['rehome'] {
  if (typeof said === 'boolean') return { toLogs: said, toTraces: said }
  return { toLogs: said.to_logs, toTraces: said.to_traces }
}

const VERBS = ['keep', 'remove', 'only', 'hash', 'truncate'] as const

function createRule(line: FieldLine, positionOf: () => Position): FieldRuleSpec {
  const verb = VERBS.find((one) => line[one] !== undefined)
  if (verb === undefined) throw new Error('a line has a verb')
  const places = line.on ?? []
  const position = positionOf()
  return {
    verb,
    keys: (line[verb] ?? []).map((key) => ({ key, position: positionOf() })),
    bytesMax: verb === 'truncate' ? (line.to ?? 0) : undefined,
    on: typeof places === 'string' ? [places] : places,
    families: listOf(line.family),
    eventNames: listOf(line.event_name),
    position,
  }
}

function createLane(name: string, lane: Lane, positionOf: () => Position): LaneSpec {
  return {
    name,
    signal: lane.signal,
    accept: lane.accept.map((line) => createLine(line, positionOf)),
    fields: (lane.fields ?? []).map((line) => createRule(line, positionOf)),
    unlistedFields: lane.unlisted_fields ?? 'keep',
    wire: lane.wire ?? 'as_is',
    exporters: lane.off === true ? [] : [{ name: `debug/${name}`, position: positionOf() }],
    position: positionOf(),
  }
}

function createLine(line: Line, positionOf: () => Position): AcceptLineSpec {
  const except = 'except' in line
  const said: Items = 'except' in line ? line.except : line
  const items = said.events !== undefined ? 'events' : said.spans !== undefined ? 'spans' : 'points'
  const position = positionOf()
  const selectors = said[items] ?? []
  return { except, items, selectors: selectors.map((one) => createSelector(one, positionOf)), position }
}

function createSelector(selector: Selector, positionOf: () => Position): SelectorSpec {
  const map: SelectorMap = typeof selector === 'string' ? {} : selector
  return {
    position: positionOf(),
    word: typeof selector === 'string' ? selector : undefined,
    family: map.family,
    target: map.target,
    eventNames: listOf(map.event_name),
    resource: Object.fromEntries(
      Object.entries(map.resource ?? {}).map(([key, globs]) => [key, listOf(globs)]),
    ),
  }
}

function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return []
  return typeof value === 'string' ? [value] : value
}

/** A new line of a file that does not exist, each time. */
function counter(): () => Position {
  let line = 0
  return () => ({ file: 'policy.yaml', line: ++line, column: 1 })
}
