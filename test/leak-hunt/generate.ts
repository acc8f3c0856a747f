/**
 * Requests with canaries anywhere that content can hide.
 *
 * In: randomness and a mint. Out: a decoded request of one signal, for the oracle to encode. Every attribute place,
 * nested values, links, scopes, resources, entity references, names, status, trace state, schema URLs, bodies, events of
 * every family in either carriage, events whose target is missing, doubtful or nearly right, metrics in all their
 * texts. Numbers are not canaries: no search could tell them.
 */
import type { Signal } from '../../src/otlp/signal.ts'
import type { OracleMessage, OracleValue } from '../oracle/oracle.ts'
import type { Mint } from './canary.ts'
import type { Random } from './random.ts'

/** Keys that preset `codex` removes or hashes on the trace lane. */
const REMOVED_ON_TRACES = [
  'prompt',
  'arguments',
  'output',
  'content',
  'file.path',
  'user.email',
  'user.account_id',
  'mcp_servers',
  'mcp_server',
  'mcp_server_origin',
  'server_name',
  'server.address',
  'client.address',
  'cwd',
  'url',
  'url.full',
  'url.',
  'http.url',
  'http.target',
  'auth.cf_ray',
  'auth.env_provider_key_name',
  'exception',
  'exception.message',
  'exception.stacktrace',
  'exception.chain',
  'otel.status_message',
  'otel.status_description',
  'host.name',
  'host.id',
  'process.command',
  'process.command_args',
  'process.executable.path',
  'process.owner',
  'enduser.id',
  'error.message',
  'auth.request_id',
  'rpc.request_id',
] as const

const REMOVED_ON_METRICS = ['host.name', 'host.id', 'user.email', 'user.account_id'] as const

/** Keys that no preset knows, and that look nearly like some that they do. */
const FREE = [
  'note',
  'free.text',
  'Prompt',
  'prompt2',
  'a.b.c',
  'x',
  '',
  'otel',
  'modelx',
  'event.nam',
  'Level',
  'lanewa.x',
  'ключ',
  'conversation.id.x',
  'tool.name2',
] as const

/** Keys that the contract exempts from every rule that does not name them exactly. */
const EXEMPT = ['event.name', 'level', 'laneway.rehomed', 'laneway.x', 'laneway.prompt'] as const

const TRACE_SAFE = ['codex_otel.trace_safe', 'codex_otel.trace_safe.debug'] as const
const NOT_TRACE_SAFE = [
  'codex_otel.log_only',
  'codex_otel.log_only.x',
  'codex_otel.network_proxy',
  'codex_otel.newthing',
  'codex_otel',
  'codex_otel.',
  'codex_otel.trace_safe.',
  'codex_otel..trace_safe',
  'codex_otel.trace_safety',
  'codex_otel.TRACE_SAFE',
  'codex_otel::trace_safe',
  'CODEX_OTEL.trace_safe',
  ' codex_otel.trace_safe',
  'codex_otel.trace_safe ',
  'codex_core::tasks',
  'h2::client',
  '',
  'log',
  'unknown',
  'codex_otel.trace_safe\0',
  'codex_otel.trace_safe::x',
] as const

const EVENT_NAMES = [
  'codex.user_prompt',
  'codex.tool_result',
  'codex.api_request',
  'codex.sse_event',
  'codex.retry',
  'codex.unheard_of',
] as const

/** Levels of nesting, well under what makes a request too deep to be taken. */
const DEEPEST = 24

/** What of a request's signal matters to its canaries. */
interface Context {
  readonly random: Random
  readonly mint: Mint
  readonly signal: Signal
  /** Whether values are texts and targets are beyond doubt: as SDKs write spans, which the kernel takes. */
  readonly isUsual: boolean
  /** Set inside an item that is not for the lane under watch, whatever its fields are. */
  readonly isMisplaced: boolean
}

/** Classes that are made here; bytes that no decoder reads come with the spelling. */
type Kind = 'R' | 'F' | 'X'

type Shape = readonly [key: string, value: OracleMessage]

export function generateRequest(signal: Signal, random: Random, mint: Mint, isUsual: boolean): OracleMessage {
  const context: Context = { random, mint, signal, isUsual, isMisplaced: false }
  const list = (most: number, make: () => OracleMessage): OracleMessage[] =>
    Array.from({ length: 1 + random.below(most) }, make)
  const [resources, scopes, items] = KEYS[signal]
  const itemsOf = (): Record<string, OracleValue> => {
    const isLogs = signal === 'logs'
    const isSafe = random.chance(1, 2)
    const name = isLogs ? random.pick<string>(isSafe ? TRACE_SAFE : NOT_TRACE_SAFE) : scopeName(context)
    const within: Context = { ...context, isMisplaced: isLogs && !isSafe }
    const make = signal === 'traces' ? span : signal === 'logs' ? logRecord : metric
    return {
      scope: {
        ...(name === '' ? {} : { name }),
        ...maybe(random, 'version', () => text(within, 'scope.version')),
        ...attributes(within, 'scope', 1),
      },
      ...schemaUrl(within, 'scope'),
      [items]: list(2, () => make(within)),
    }
  }
  return {
    [resources]: list(1, () => ({
      resource: {
        ...attributes(context, 'resource', 3),
        ...maybe(random, 'entityRefs', () => [entityRef(context)]),
      },
      ...schemaUrl(context, 'resource'),
      [scopes]: list(2, itemsOf),
    })),
  }
}

const KEYS = {
  logs: ['resourceLogs', 'scopeLogs', 'logRecords'],
  traces: ['resourceSpans', 'scopeSpans', 'spans'],
  metrics: ['resourceMetrics', 'scopeMetrics', 'metrics'],
} as const

function maybe(random: Random, key: string, make: () => OracleValue): OracleMessage {
  return random.chance(1, 3) ? { [key]: make() } : {}
}

/** A text outside attributes that only a strict policy removes. */
function text(context: Context, where: string): string {
  return canary(context, 'F', where)
}

/** A metric's name, unit and scope: what makes it that metric. Presets keep the names, and no rule can name the unit. */
function identity(context: Context, where: string): string {
  return canary(context, context.signal === 'metrics' ? 'X' : 'F', where)
}

function canary({ mint, isMisplaced }: Context, kind: Kind, where: string): string {
  return mint.make(isMisplaced ? 'R' : kind, where)
}

function scopeName(context: Context): string {
  return context.random.chance(1, 2) ? 'codex_cli_rs' : identity(context, 'scope.name')
}

function schemaUrl(context: Context, place: string): OracleMessage {
  return maybe(context.random, 'schemaUrl', () => text(context, `${place} schema_url`))
}

/** Attributes of one place; every key of a link or scope on the trace lane is removed, and of an exemplar on the metric lane. */
function attributes(context: Context, place: string, most: number): { attributes?: OracleMessage[] } {
  const { random } = context
  const made = Array.from({ length: random.below(most + 1) }, () => attribute(context, place))
  return made.length === 0 ? {} : { attributes: made }
}

function attribute(context: Context, place: string): OracleMessage {
  const { random, signal } = context
  const isAllRemoved =
    signal === 'metrics' ? place === 'exemplar' : place === 'scope' || place === 'span_link'
  const removed: readonly string[] = signal === 'metrics' ? REMOVED_ON_METRICS : REMOVED_ON_TRACES
  const draw = random.below(10)
  if (draw === 0) {
    const key = random.pick(EXEMPT)
    return { key, value: value(context, 'X', `${place} ${key}`, removed) }
  }
  const key =
    draw < 5
      ? random.pick(removed)
      : draw === 5
        ? canary(context, isAllRemoved ? 'R' : 'F', `${place} key`)
        : random.pick(FREE)
  if (draw < 5 && !context.isUsual && random.chance(1, 4)) {
    const [top, content] = split(context, key, place, removed, 0)
    return keyValue(top, content)
  }
  if (draw === 9 && !context.isUsual && random.chance(1, 10)) return keyValue('deep', deep(context, place))
  const kind: Kind = draw < 5 || isAllRemoved ? 'R' : 'F'
  return keyValue(key, value(context, kind, `${place} ${key}`, removed))
}

function keyValue(key: string, content: OracleMessage): OracleMessage {
  return key === '' ? { value: content } : { key, value: content }
}

/** A value with a canary in it, of any kind and depth. Inside of a free one an entry with a removed key is removed. */
function value(
  context: Context,
  kind: Kind,
  where: string,
  removed: readonly string[],
  depth = 0,
): OracleMessage {
  const { random } = context
  const shape = depth > 3 || context.isUsual ? 0 : random.below(9)
  if (shape === 5) return { bytesValue: Buffer.from(canary(context, kind, `${where} bytes`)).toString('hex') }
  if (shape === 6) {
    const values = Array.from({ length: 1 + random.below(2) }, () =>
      value(context, kind, `${where}[]`, removed, depth + 1),
    )
    return { arrayValue: { values } }
  }
  if (shape >= 7) {
    const entries = Array.from({ length: 1 + random.below(2) }, (): OracleMessage => {
      const [key, content] = entry(context, kind, where, removed, depth)
      return keyValue(key, content)
    })
    return { kvlistValue: { values: entries } }
  }
  return { stringValue: canary(context, kind, where) }
}

function entry(
  context: Context,
  kind: Kind,
  where: string,
  removed: readonly string[],
  depth: number,
): Shape {
  const { random } = context
  if (random.chance(1, 2)) {
    const key = random.pick(FREE)
    // What is in an exempt attribute is not exempt.
    return [key, value(context, kind === 'X' ? 'F' : kind, `${where}/${key}`, removed, depth + 1)]
  }
  return split(context, random.pick(removed), where, removed, depth)
}

/** A removed key in one piece, or its path in several kvlists: email within user; with an array between now and then. */
function split(
  context: Context,
  key: string,
  where: string,
  removed: readonly string[],
  depth: number,
): Shape {
  const { random } = context
  const parts = key.split('.')
  const inner = (): OracleMessage => value(context, 'R', `${where}/${key}`, removed, depth + 1)
  if (parts.length < 2 || parts.includes('') || random.chance(1, 2)) return [key, inner()]
  const cut = 1 + random.below(parts.length - 1)
  const nested = { kvlistValue: { values: [keyValue(parts.slice(cut).join('.'), inner())] } }
  const content = random.chance(1, 3) ? { arrayValue: { values: [nested] } } : nested
  return [parts.slice(0, cut).join('.'), content]
}

/** A removed key under many levels of kvlists and arrays. */
function deep(context: Context, where: string): OracleMessage {
  const { random } = context
  let content: OracleMessage = {
    kvlistValue: { values: [keyValue('user.email', { stringValue: canary(context, 'R', `${where} deep`) })] },
  }
  for (let level = random.below(DEEPEST); level > 0; level--) {
    content = random.chance(1, 3)
      ? { arrayValue: { values: [content] } }
      : { kvlistValue: { values: [keyValue('d', content)] } }
  }
  return content
}

function entityRef(context: Context): OracleMessage {
  return {
    ...maybe(context.random, 'schemaUrl', () => text(context, 'entity schema_url')),
    ...maybe(context.random, 'type', () => text(context, 'entity type')),
    idKeys: [context.random.chance(1, 2) ? 'service.name' : text(context, 'entity id_keys')],
    ...maybe(context.random, 'descriptionKeys', () => [text(context, 'entity description_keys')]),
  }
}

function id(random: Random, bytes: number): string {
  return Array.from({ length: bytes }, () => (1 + random.below(255)).toString(16).padStart(2, '0')).join('')
}

/** Right, absent, or of a wrong length with a canary in it. */
function maybeId(context: Context, key: string, bytes: number): OracleMessage {
  const { random } = context
  const draw = random.below(8)
  if (draw === 0) return {}
  if (draw === 1)
    return { [key]: Buffer.from(`${text(context, `${key} of a wrong length`)}+++++++++`).toString('hex') }
  return { [key]: id(random, bytes) }
}

function ids(context: Context): OracleMessage {
  return { ...maybeId(context, 'traceId', 16), ...maybeId(context, 'spanId', 8) }
}

function span(context: Context): OracleMessage {
  const { random } = context
  const target = random.below(4)
  const own: OracleMessage[] = [
    ...(attributes(context, 'span', 3).attributes ?? []),
    ...(target === 0
      ? [targetOf('codex_core::tasks')]
      : target === 1 && !context.isUsual
        ? spanTargets(context)
        : []),
  ]
  return {
    ...ids(context),
    ...maybe(random, 'parentSpanId', () => id(random, 8)),
    ...maybe(random, 'traceState', () => text(context, 'span trace_state')),
    ...maybe(random, 'name', () => text(context, 'span name')),
    ...(own.length === 0 ? {} : { attributes: own }),
    ...maybe(random, 'status', () => ({ message: canary(context, 'R', 'status.message'), code: 2 })),
    ...maybe(random, 'links', () => [
      {
        ...ids(context),
        ...maybe(random, 'traceState', () => text(context, 'link trace_state')),
        ...attributes(context, 'span_link', 2),
      },
    ]),
    events: Array.from({ length: random.below(4) }, () => spanEvent(context)),
    startTimeUnixNano: 1_795_395_159_000_000_000n,
  }
}

/** A span's target is exempt where it is one: a string, and not two that differ. */
function spanTargets(context: Context): OracleMessage[] {
  const { random } = context
  const free = (): string => canary(context, 'F', 'span target in doubt')
  switch (random.below(4)) {
    case 0:
      return [targetOf(free()), targetOf(free())]
    case 1:
      return [keyValue('target', { arrayValue: { values: [{ stringValue: free() }] } })]
    case 2:
      return [keyValue('target', { bytesValue: Buffer.from(free()).toString('hex') })]
    default:
      return [targetOf(canary(context, 'X', 'span target'))]
  }
}

function targetOf(target: string): OracleMessage {
  return keyValue('target', { stringValue: target })
}

/** The `target` attributes of an event that must not ride, or undefined for one that may. */
function targets(context: Context): { readonly isSafe: boolean; readonly list: OracleMessage[] } {
  const { random } = context
  const safe = targetOf(random.pick(TRACE_SAFE))
  const other = targetOf(random.pick(NOT_TRACE_SAFE))
  switch (context.isUsual ? 3 + random.below(3) : random.below(8)) {
    case 0:
      return { isSafe: false, list: [] }
    case 1:
      return { isSafe: false, list: random.chance(1, 2) ? [safe, other] : [other, safe] }
    case 2:
      return {
        isSafe: false,
        list: [
          keyValue(
            'target',
            random.pick([
              { bytesValue: Buffer.from('codex_otel.trace_safe').toString('hex') },
              { arrayValue: { values: [{ stringValue: 'codex_otel.trace_safe' }] } },
              { intValue: 1n },
              {},
            ]),
          ),
        ],
      }
    case 3:
    case 4:
      return { isSafe: false, list: [other] }
    default:
      return { isSafe: true, list: [safe] }
  }
}

/** One `event.name` mostly; none, or two that disagree, now and then. */
function eventNames({ random, isUsual }: Context): OracleMessage[] {
  const one = (): OracleMessage => keyValue('event.name', { stringValue: random.pick(EVENT_NAMES) })
  const draw = random.below(8)
  return draw < 2 ? [] : draw === 2 && !isUsual ? [one(), one()] : [one()]
}

function spanEvent(outer: Context): OracleMessage {
  const { random } = outer
  const { isSafe, list } = targets(outer)
  const context = { ...outer, isMisplaced: !isSafe }
  const own = [...list, ...eventNames(context), ...(attributes(context, 'span_event', 3).attributes ?? [])]
  return {
    timeUnixNano: 1_795_395_159_000_000_001n,
    ...maybe(random, 'name', () => canary(context, 'R', 'span event name')),
    attributes: random.chance(1, 2) ? own : own.toReversed(),
  }
}

function logRecord(context: Context): OracleMessage {
  const { random } = context
  const own = [...eventNames(context), ...(attributes(context, 'log_record', 3).attributes ?? [])]
  return {
    observedTimeUnixNano: 1_795_395_159_000_000_002n,
    ...maybe(random, 'severityText', () => canary(context, 'X', 'severity_text')),
    ...maybe(random, 'body', () => value(context, 'F', 'body', REMOVED_ON_TRACES)),
    ...maybe(random, 'eventName', () => canary(context, 'R', 'event_name')),
    ...(own.length === 0 ? {} : { attributes: own }),
    ...ids(context),
  }
}

function metric(context: Context): OracleMessage {
  const { random } = context
  const exemplar = (): OracleMessage => {
    const { attributes: filteredAttributes } = attributes(context, 'exemplar', 2)
    return { asInt: 1n, ...(filteredAttributes === undefined ? {} : { filteredAttributes }) }
  }
  const point = (): OracleMessage => ({
    timeUnixNano: 1_795_395_159_000_000_003n,
    ...attributes(context, 'data_point', 2),
  })
  const withExemplars = (): OracleMessage => ({
    ...point(),
    ...maybe(random, 'exemplars', () => [exemplar()]),
  })
  const dataPoints = (make: () => OracleMessage): OracleMessage => ({ dataPoints: [make()] })
  const { attributes: metadata } = attributes(context, 'metadata', 1)
  return {
    name: identity(context, 'metric name'),
    ...maybe(random, 'description', () => text(context, 'metric description')),
    ...maybe(random, 'unit', () => identity(context, 'metric unit')),
    ...random.pick([
      () => ({ gauge: dataPoints(withExemplars) }),
      () => ({ sum: dataPoints(withExemplars) }),
      () => ({ histogram: dataPoints(withExemplars) }),
      () => ({ exponentialHistogram: dataPoints(withExemplars) }),
      () => ({ summary: dataPoints(point) }),
    ])(),
    ...(metadata === undefined ? {} : { metadata }),
  }
}
