/**
 * fast-check arbitraries for whole requests of each signal, as objects that the oracle encodes.
 *
 * They lean towards what a policy has to decide: targets at the borders of families, `target` attributes
 * that are absent, doubled or no strings, `log.target`, empty envelopes, every kind of value, nested.
 */
import fc from 'fast-check'
import type { OracleMessage, OracleValue } from './oracle.ts'

export const TARGETS = [
  'codex_otel.log_only',
  'codex_otel.trace_safe',
  'codex_otel.trace_safe.debug',
  'codex_otel.trace_safe.',
  'codex_otel.trace_safety',
  'codex_otel.network_proxy',
  'codex_otel.network_proxy.policy',
  'codex_otel.newthing',
  'codex_otel',
  'codex_otel.',
  'codex_otel..x',
  'codex_otelx',
  'codex_otel::provider',
  'CODEX_OTEL.trace_safe',
  'h2::client',
  '',
  'log',
  'unknown',
  'codex_core::tasks',
] as const

export const EVENT_NAMES = [
  'codex.user_prompt',
  'codex.tool_result',
  'codex.conversation_starts',
  '',
] as const

export interface RequestOptions {
  /** Names to draw scope names and `target` values from. */
  readonly targets?: readonly string[]
  readonly eventNames?: readonly string[]
  /** Most entries of any list. */
  readonly lengthMax?: number
  /** How deep values nest. */
  readonly depthMax?: number
}

type Messages = fc.Arbitrary<OracleMessage>

interface Pools {
  readonly target: fc.Arbitrary<string>
  readonly eventName: fc.Arbitrary<string>
  readonly lengthMax: number
  readonly depthMax: number
}

export function requestArbitrary(
  signal: 'logs' | 'traces' | 'metrics',
  options: RequestOptions = {},
): Messages {
  const pools: Pools = {
    target: fc.constantFrom(...(options.targets ?? TARGETS)),
    eventName: fc.constantFrom(...(options.eventNames ?? EVENT_NAMES)),
    lengthMax: options.lengthMax ?? 3,
    depthMax: options.depthMax ?? 2,
  }
  const [resources, scopes, items, item] = {
    logs: ['resourceLogs', 'scopeLogs', 'logRecords', logRecord(pools)] as const,
    traces: ['resourceSpans', 'scopeSpans', 'spans', span(pools)] as const,
    metrics: ['resourceMetrics', 'scopeMetrics', 'metrics', metric(pools)] as const,
  }[signal]
  const scope = message({
    scope: message({
      name: pools.target,
      version: fc.constantFrom('', '1.0'),
      attributes: attributes(pools),
      droppedAttributesCount: uint32,
    }),
    [items]: list(item, pools),
    schemaUrl,
  })
  const resource = message({
    resource: message({
      attributes: attributes(pools),
      droppedAttributesCount: uint32,
      entityRefs: list(entityRef, pools),
    }),
    [scopes]: list(scope, pools),
    schemaUrl,
  })
  return message({ [resources]: list(resource, pools) })
}

const uint32 = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** 32 - 1 }))
const uint64 = fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
const int64 = fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))
const nanos = fc.oneof(
  fc.constant(0n),
  fc.bigInt({ min: 1_795_395_159_000_000_000n, max: 1_795_395_160_000_000_000n }),
)
const text = fc.oneof(
  fc.constantFrom('', 'x', 'CANARY-PROMPT', 'déjà vu 👀', 'a"b\\c\n\u0000'),
  fc.string({ unit: 'binary' }),
)
/** Within kvlists: keys whose path is that of an attribute which a policy names, or any other. */
const nestedKey = fc.oneof(fc.constantFrom('user', 'email', 'user.email', 'prompt', 'level'), text)
const schemaUrl = fc.constantFrom('', 'https://opentelemetry.io/schemas/1.30.0')
const hex = (lengths: readonly number[]) =>
  fc
    .constantFrom(...lengths)
    .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }))
    .map((bytes) => Buffer.from(bytes).toString('hex'))
/** Mostly right; sometimes empty or of a wrong length, which means no link. */
const traceId = hex([16, 16, 16, 0, 5])
const spanId = hex([8, 8, 8, 0, 16])
const double = fc.double()

const entityRef = message({
  schemaUrl,
  type: text,
  idKeys: fc.array(text, { minLength: 1, maxLength: 2 }),
  descriptionKeys: fc.array(text, { minLength: 1, maxLength: 2 }),
})

function anyValue(pools: Pools, depth = pools.depthMax): Messages {
  const leaves: Messages[] = [
    record({ stringValue: text }),
    record({ boolValue: fc.boolean() }),
    record({ intValue: int64 }),
    record({ doubleValue: double }),
    record({ bytesValue: hex([0, 1, 3, 16]) }),
    record({ stringValueStrindex: fc.integer() }),
    fc.constant({}),
  ]
  if (depth === 0) return fc.oneof(...leaves)
  const inner = anyValue(pools, depth - 1)
  return fc.oneof(
    ...leaves,
    record({ arrayValue: message({ values: list(inner, pools) }) }),
    record({ kvlistValue: message({ values: list(keyValue(nestedKey, inner), pools) }) }),
  )
}

function keyValue(key: fc.Arbitrary<string>, value: Messages): Messages {
  return fc.oneof(
    { weight: 9, arbitrary: message({ key, value }) },
    { weight: 1, arbitrary: message({ key, value, keyStrindex: fc.integer() }) },
  )
}

/** An attribute whose key a policy looks at, or any other. */
function attribute(pools: Pools): Messages {
  const ofText = (value: fc.Arbitrary<string>): Messages => record({ stringValue: value })
  const exact = (key: string, value: Messages): Messages => record({ key: fc.constant(key), value })
  return fc.oneof(
    exact('target', ofText(pools.target)),
    exact('target', anyValue(pools)),
    exact('log.target', ofText(pools.target)),
    exact('code.namespace', ofText(pools.target)),
    exact('event.name', ofText(pools.eventName)),
    exact('level', ofText(fc.constantFrom('INFO', 'WARN'))),
    keyValue(
      fc.oneof(fc.constantFrom('prompt', 'user.email', 'model', 'targe', 'targets'), text),
      anyValue(pools),
    ),
  )
}

function attributes(pools: Pools): fc.Arbitrary<OracleMessage[]> {
  return list(attribute(pools), { ...pools, lengthMax: pools.lengthMax + 1 })
}

function logRecord(pools: Pools): Messages {
  return message({
    timeUnixNano: nanos,
    observedTimeUnixNano: nanos,
    severityNumber: fc.integer({ min: 0, max: 24 }),
    severityText: fc.constantFrom('', 'INFO'),
    body: anyValue(pools),
    attributes: attributes(pools),
    droppedAttributesCount: uint32,
    flags: uint32,
    traceId,
    spanId,
    eventName: pools.eventName,
  })
}

function span(pools: Pools): Messages {
  return message({
    traceId,
    spanId,
    traceState: text,
    parentSpanId: spanId,
    name: text,
    kind: fc.integer({ min: -1, max: 5 }),
    startTimeUnixNano: nanos,
    endTimeUnixNano: nanos,
    attributes: attributes(pools),
    droppedAttributesCount: uint32,
    events: list(
      message({
        timeUnixNano: nanos,
        name: text,
        attributes: attributes(pools),
        droppedAttributesCount: uint32,
      }),
      { ...pools, lengthMax: pools.lengthMax + 1 },
    ),
    droppedEventsCount: uint32,
    links: list(
      message({ traceId, spanId, traceState: text, attributes: attributes(pools), flags: uint32 }),
      pools,
    ),
    droppedLinksCount: uint32,
    status: message({ message: text, code: fc.integer({ min: 0, max: 2 }) }),
    flags: uint32,
  })
}

function metric(pools: Pools): Messages {
  const common = {
    attributes: attributes(pools),
    startTimeUnixNano: nanos,
    timeUnixNano: nanos,
    flags: uint32,
  }
  const number = fc.oneof<Messages[]>(record({ asDouble: double }), record({ asInt: int64 }), fc.constant({}))
  const both = (fields: Messages): Messages =>
    fc.tuple(fields, number).map(([one, value]) => ({ ...one, ...value }))
  const exemplars = list(
    both(message({ filteredAttributes: attributes(pools), timeUnixNano: nanos, spanId, traceId })),
    pools,
  )
  const numberPoints = list(both(message({ ...common, exemplars })), pools)
  const buckets = message({
    offset: fc.integer(),
    bucketCounts: fc.array(uint64, { minLength: 1, maxLength: 4 }),
  })
  const range = { count: uint64, sum: double, min: double, max: double, exemplars }
  const aggregationTemporality = fc.integer({ min: 0, max: 2 })
  const data = fc.oneof<Messages[]>(
    record({ gauge: message({ dataPoints: numberPoints }) }),
    record({
      sum: message({ dataPoints: numberPoints, aggregationTemporality, isMonotonic: fc.boolean() }),
    }),
    record({
      histogram: message({
        dataPoints: list(
          message({
            ...common,
            ...range,
            bucketCounts: fc.array(uint64, { minLength: 1, maxLength: 4 }),
            explicitBounds: fc.array(double, { minLength: 1, maxLength: 4 }),
          }),
          pools,
        ),
        aggregationTemporality,
      }),
    }),
    record({
      exponentialHistogram: message({
        dataPoints: list(
          message({
            ...common,
            ...range,
            scale: fc.integer(),
            zeroCount: uint64,
            positive: buckets,
            negative: buckets,
            zeroThreshold: double,
          }),
          pools,
        ),
        aggregationTemporality,
      }),
    }),
    record({
      summary: message({
        dataPoints: list(
          message({
            ...common,
            count: uint64,
            // No presence here: a zero would not be reported.
            sum: double.filter((sum) => !Object.is(sum, 0)),
            quantileValues: list(message({ quantile: double, value: double }), pools),
          }),
          pools,
        ),
      }),
    }),
    fc.constant({}),
  )
  return fc
    .tuple(message({ name: text, description: text, unit: text, metadata: attributes(pools) }), data)
    .map(([one, value]) => ({ ...one, ...value }))
}

/** All keys present. fast-check's own objects have no prototype, and would differ from decoded ones in that alone. */
function record(fields: Readonly<Record<string, fc.Arbitrary<OracleValue>>>): Messages {
  return fc.record({ ...fields }, { noNullPrototype: true })
}

/** Every key may be absent; what a decoder would not report (empty lists, zeros) is left out. */
function message(fields: Readonly<Record<string, fc.Arbitrary<OracleValue>>>): Messages {
  return fc.record({ ...fields }, { requiredKeys: [], noNullPrototype: true }).map((object) => {
    const present: OracleMessage = {}
    for (const [key, value] of Object.entries(object)) {
      if (value !== undefined && !isDefault(key, value)) present[key] = value
    }
    return present
  })
}

/** Keys whose zero is kept: fields with presence. */
const WITH_PRESENCE = new Set(['sum', 'min', 'max'])

function isDefault(key: string, value: OracleValue): boolean {
  if (Array.isArray(value) && value.length === 0) return true
  return !WITH_PRESENCE.has(key) && (value === '' || value === false || value === 0n || Object.is(value, 0))
}

function list(item: Messages, pools: Pools): fc.Arbitrary<OracleMessage[]> {
  return fc.array(item, { maxLength: pools.lengthMax })
}
