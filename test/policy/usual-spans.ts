/**
 * fast-check arbitraries for trace requests as SDKs write them: what the kernel takes, with enough beside it that it
 * does not.
 */
import fc from 'fast-check'
import type { OracleMessage, OracleValue } from '../oracle/oracle.ts'

const TARGETS = [
  'codex_otel.log_only',
  'codex_otel.trace_safe',
  'codex_otel.network_proxy',
  'h2::client',
  '',
  'n'.repeat(127),
]
const ODD_TARGETS = ['codex_otel.newthing', 'codex_otel', 'codex_otelx', 'n'.repeat(128)]
const NAMES = ['codex.user_prompt', 'codex.tool_result', 'event src/a.rs:12', 'event src/a.rs', 'x', '']
const KEYS = [
  'prompt',
  'user.email',
  'error.message',
  'http.request_id',
  'duration_ms',
  'tool_name',
  'model',
  'code.module.name',
  'thread.id',
  'busy_ns',
  'event.timestamp',
  'laneway.x',
  'x',
  'sixteen_bytes_ok',
  'k'.repeat(127),
]
const ODD_KEYS = ['', 'k'.repeat(128)]

const often = <T>(usual: fc.Arbitrary<T>, other: fc.Arbitrary<T>, weight = 19): fc.Arbitrary<T> =>
  fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: other })

const text = often(
  fc.string({ maxLength: 40 }),
  fc.integer({ min: 100, max: 20_000 }).map((size) => 'y'.repeat(size)),
)
const scalar: fc.Arbitrary<OracleMessage> = fc.oneof(
  { weight: 6, arbitrary: text.map((stringValue) => ({ stringValue })) },
  {
    weight: 2,
    arbitrary: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((intValue) => ({ intValue })),
  },
  { weight: 1, arbitrary: fc.boolean().map((boolValue) => ({ boolValue })) },
  { weight: 1, arbitrary: fc.double({ noNaN: true }).map((doubleValue) => ({ doubleValue })) },
)
const nested: fc.Arbitrary<OracleMessage> = fc.oneof(
  scalar.map((value) => ({ arrayValue: { values: [value] } })),
  scalar.map((value) => ({ kvlistValue: { values: [{ key: 'prompt', value }] } })),
  fc.constant({}),
)
const list: fc.Arbitrary<OracleMessage> = fc
  .array(scalar, { maxLength: 4 })
  .map((values) => ({ arrayValue: { values } }))
const attribute: fc.Arbitrary<OracleMessage> = fc.record({
  key: often(fc.constantFrom(...KEYS), fc.oneof(fc.constantFrom(...ODD_KEYS), fc.string({ maxLength: 20 }))),
  value: often(often(scalar, list), nested, 60),
})

/** Present mostly, and then mostly a string. */
function known(key: string, values: readonly string[], weight: number): fc.Arbitrary<OracleMessage[]> {
  const value = often(
    fc.constantFrom(...values).map((stringValue): OracleMessage => ({ stringValue })),
    fc.constantFrom<OracleMessage>(
      { intValue: 7n },
      { boolValue: true },
      ...ODD_TARGETS.map((stringValue) => ({ stringValue })),
    ),
    40,
  )
  return often(
    value.map((value) => [{ key, value }]),
    fc.constant([]),
    weight,
  )
}

function attributes(...ones: readonly fc.Arbitrary<OracleMessage[]>[]): fc.Arbitrary<OracleMessage[]> {
  return fc
    .tuple(fc.array(attribute, { maxLength: 6 }), fc.boolean(), ...ones)
    .map(([others, isFirst, ...found]) =>
      isFirst ? [...found.flat(), ...others] : [...others, ...found.flat()],
    )
}

const count = often(
  fc.constant<OracleValue | undefined>(undefined),
  fc.constantFrom<OracleValue>(0, 3, 4294967295),
  4,
)
const time = fc.constantFrom(0n, 1763888400000000000n)

/** Without what is undefined. */
function message(fields: Readonly<Record<string, OracleValue | undefined>>): OracleMessage {
  const present: OracleMessage = {}
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) present[name] = value
  return present
}

const event = fc
  .record({
    timeUnixNano: time,
    name: often(fc.constantFrom(...NAMES), fc.constant(undefined)),
    attributes: attributes(
      known('level', ['INFO', 'warn', 'ERROR', 'Fatal', 'other'], 9),
      known('target', TARGETS, 19),
      known('event.name', NAMES, 9),
      known('message', ['it went well'], 1),
    ),
    droppedAttributesCount: count,
  })
  .map(message)

const link = fc
  .record({
    traceId: fc.constant('ab'.repeat(16)),
    traceState: fc.constantFrom('a=b', ''),
    attributes: fc.array(attribute, { maxLength: 2 }),
    droppedAttributesCount: count,
  })
  .map(message)

const span = fc
  .record({
    traceId: fc.constantFrom('0af7651916cd43dd8448eb211c80319c', '00'.repeat(16), '0af7', ''),
    spanId: fc.constantFrom('b7ad6b7169203331', '00'.repeat(8), 'b7'),
    traceState: fc.constantFrom(undefined, 'a=b'),
    parentSpanId: fc.constantFrom('', 'b7ad6b7169203332'),
    flags: fc.constantFrom(0, 1, 257),
    name: often(fc.constantFrom('session_task.turn', ''), fc.constant(undefined)),
    kind: fc.constantFrom(1, 3),
    startTimeUnixNano: time,
    endTimeUnixNano: time,
    attributes: attributes(known('target', TARGETS, 1), known('code.module.name', ['codex_core', 'h2'], 1)),
    droppedAttributesCount: count,
    events: fc.array(event, { maxLength: 4 }),
    droppedEventsCount: count,
    links: often(fc.constant<OracleMessage[]>([]), fc.array(link, { maxLength: 2 }), 4),
    status: fc.constantFrom(undefined, {}, { message: 'failed for x' }),
  })
  .map(message)

/** Requests of up to some dozen spans, in one scope or two. */
export const usualSpans: fc.Arbitrary<OracleMessage> = fc
  .array(
    fc.record({
      scope: fc.constantFrom(
        undefined,
        { name: 'codex_cli_rs' },
        { name: 'codex_otel.trace_safe' },
        { name: 'n'.repeat(128) },
      ),
      spans: fc.array(span, { maxLength: 8 }),
    }),
    { maxLength: 2 },
  )
  .map((scopes) => ({
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'codex' } }] },
        scopeSpans: scopes.map(message),
      },
    ],
  }))
