/**
 * Never trace-safe: every way to say a target that is missing, doubtful or nearly right, in each carriage.
 *
 * Whatever is written, the event must not be in a byte of the trace lane, and its content neither; and every spelling of
 * the right target must be taken for it.
 */
import t from 'tap'
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts'
import type { Signal } from '../../src/otlp/signal.ts'
import { route } from '../../src/policy/route.ts'
import { encode, type OracleMessage } from '../oracle/oracle.ts'
import { varintBytes } from '../oracle/wire-tree.ts'
import { compile } from './agree.ts'
import { CONTRACT_CODEX, STRICTEST } from './contract-presets.ts'
import { attribute } from './fates.ts'
import { bytesOf } from './parcel-bytes.ts'
import { createSpec } from './spec.ts'

const SAFE = 'codex_otel.trace_safe'
const policies = [CONTRACT_CODEX, STRICTEST].map((text) => compile(createSpec(text)))

function field(number: number, payload: Uint8Array, extra = 0): Uint8Array {
  return Buffer.concat([
    varintBytes(BigInt(number * 8 + 2), extra),
    varintBytes(BigInt(payload.length), extra),
    payload,
  ])
}
const text = (value: string): Uint8Array => field(1, Buffer.from(value))
/** A KeyValue: its key, and its value in as many pieces as are given. */
const keyValue = (key: string, ...values: Uint8Array[]): Uint8Array =>
  Buffer.concat([text(key), ...values.map((value) => field(2, value))])
const encoded = (one: OracleMessage): Uint8Array => encode('KeyValue', one)
const CANARY = encoded(attribute('note', 'CANARY-NOTE'))
const IDS = { traceId: '01'.repeat(16), spanId: '02'.repeat(8) }

/** A request whose one event has these KeyValues as attributes, in the carriage of a span. */
function spanEventRequest(attributes: readonly Uint8Array[]): Uint8Array {
  const event = Buffer.concat([...attributes, CANARY].map((one) => field(3, one)))
  const span = Buffer.concat([encode('Span', IDS), field(11, event)])
  return field(1, field(2, field(2, span)))
}

/** The same as a log record: the attributes are its own, `scope` the bytes of its scope, in pieces. */
function logRecordRequest(scope: readonly Uint8Array[], attributes: readonly Uint8Array[]): Uint8Array {
  const record = Buffer.concat([
    encode('LogRecord', IDS),
    ...[...attributes, CANARY].map((one) => field(6, one)),
  ])
  return field(1, field(2, Buffer.concat([...scope.map((one) => field(1, one)), field(2, record)])))
}

/** Whether the event's content is anywhere on the trace lane, and how many items went where. */
function ridesOnTraces(request: Uint8Array, signal: Signal): readonly boolean[] {
  return policies.map((policy) =>
    route(request, signal, policy)
      .parcels.filter((parcel) => parcel.signal === 'traces')
      .some((parcel) => {
        const bytes = Buffer.from(bytesOf(parcel, request))
        return bytes.includes('CANARY') || bytes.includes(SAFE)
      }),
  )
}

const NEARLY = [
  'codex_otel.log_only',
  'codex_otel',
  'codex_otel.',
  'codex_otel.trace_safe.',
  'codex_otel..trace_safe',
  'codex_otel.trace_safe..debug',
  '.codex_otel.trace_safe',
  'codex_otel.trace_safety',
  'codex_otel.trace_safe_extra',
  'codex_otel.trace_safe::x',
  'codex_otel::trace_safe',
  'codex_otel.Trace_safe',
  'CODEX_OTEL.TRACE_SAFE',
  ' codex_otel.trace_safe',
  'codex_otel.trace_safe ',
  'codex_otel.trace_safe\0',
  'codex_otel.trace_safe\n',
  'codex_otel.trace_sаfe',
  'codex_otel\uff0etrace_safe',
  '\ufeffcodex_otel.trace_safe',
  'codex_otel.log_only,codex_otel.trace_safe',
  'trace_safe',
  '',
] as const

/** Attributes of an event that must not ride, where `key` is the one that is read. */
function unsafeOf(key: string): readonly (readonly [title: string, ...attributes: Uint8Array[]])[] {
  const sure = encoded(attribute(key, SAFE))
  return [
    ['no target'],
    ...NEARLY.map((target) => [`target ${JSON.stringify(target)}`, encoded(attribute(key, target))] as const),
    ['an array', encoded(attribute(key, { arrayValue: { values: [{ stringValue: SAFE }] } }))],
    ['bytes', encoded(attribute(key, { bytesValue: Buffer.from(SAFE).toString('hex') }))],
    ['a number', encoded(attribute(key, { intValue: 1n }))],
    ['a kvlist', encoded(attribute(key, { kvlistValue: { values: [attribute(key, SAFE)] } }))],
    ['an empty value', encoded(attribute(key, {}))],
    ['no value', text(key)],
    ['twice, safe first', sure, encoded(attribute(key, 'codex_otel.log_only'))],
    ['twice, safe last', encoded(attribute(key, 'codex_otel.log_only')), sure],
    ['twice, one no string', sure, encoded(attribute(key, { intValue: 1n }))],
    ['twice, one of another trace-safe name', sure, encoded(attribute(key, `${SAFE}.debug`))],
    ['twice, one foreign', sure, encoded(attribute(key, 'x'))],
    ['twice, one without a value', sure, text(key)],
    ['a value in pieces, safe last', keyValue(key, text('codex_otel.log_only'), text(SAFE))],
    ['a value in pieces, safe first', keyValue(key, text(SAFE), text('codex_otel.log_only'))],
    ['a value in pieces, one no string', keyValue(key, Buffer.from([0x18, 0x01]), text(SAFE))],
    ['a value in pieces, one empty', keyValue(key, text(SAFE), Buffer.alloc(0))],
    [
      'text overridden by a number in one value',
      keyValue(key, Buffer.concat([text(SAFE), Buffer.from([0x18, 1])])),
    ],
    ['a key overridden by another', Buffer.concat([text(key), text('other'), field(2, text(SAFE))])],
    ['a target in an unknown field', field(17, sure)],
    ['a target with the wrong wire type', Buffer.concat([text(key), Buffer.from([0x10, 0x01])])],
    ['nested', encoded(attribute('x', { kvlistValue: { values: [attribute(key, SAFE)] } }))],
    ['under another case', encoded(attribute(key.toUpperCase(), SAFE))],
    ['under a longer key', encoded(attribute(`${key}s`, SAFE))],
  ]
}

for (const [title, ...attributes] of unsafeOf('target')) {
  t.test(`on a span, ${title}: never on the trace lane`, async (t) => {
    t.same(ridesOnTraces(spanEventRequest(attributes), 'traces'), [false, false])
    t.same(
      ridesOnTraces(spanEventRequest(attributes.toReversed()), 'traces'),
      [false, false],
      'in another order',
    )
  })
}

for (const [title, ...attributes] of unsafeOf('log.target')) {
  t.test(`in a log record of a scope without a name, ${title}: never on the trace lane`, async (t) => {
    for (const scope of [[], [text('')], [text('log')], [text('unknown')]]) {
      t.same(ridesOnTraces(logRecordRequest(scope, attributes), 'logs'), [false, false])
    }
  })
}

for (const target of NEARLY) {
  t.test(`a scope named ${JSON.stringify(target)}: never on the trace lane`, async (t) => {
    t.same(ridesOnTraces(logRecordRequest([text(target)], []), 'logs'), [false, false])
    const both = [text('codex_otel.log_only'), text(SAFE)]
    t.same(ridesOnTraces(logRecordRequest(both, []), 'logs'), [false, false], 'in pieces that differ')
    t.same(ridesOnTraces(logRecordRequest(both.toReversed(), []), 'logs'), [false, false])
  })
}

t.test('a user field `log.target` makes no record of another scope trace-safe', async (t) => {
  const own = [encoded(attribute('log.target', SAFE)), encoded(attribute('target', SAFE))]
  for (const scope of ['codex_otel.log_only', 'codex_otel.newthing', 'codex_core::x']) {
    const request = logRecordRequest([text(scope)], own)
    for (const policy of policies)
      t.notOk(route(request, 'logs', policy).parcels.some(({ signal }) => signal === 'traces'))
  }
})

const sure = encoded(attribute('target', SAFE))

/** Every way to spell the right target. */
const SPELT: readonly (readonly [title: string, one: Uint8Array])[] = [
  ['plainly', sure],
  [
    'with lengths and tags of ten bytes',
    Buffer.concat([field(1, Buffer.from('target'), 8), field(2, field(1, Buffer.from(SAFE), 8), 8)]),
  ],
  ['value before key', Buffer.concat([field(2, text(SAFE)), text('target')])],
  ['among unknown fields', Buffer.concat([field(99, Buffer.from('x')), sure, field(2047, Buffer.from('y'))])],
  ['with the same value twice', Buffer.concat([sure, field(2, text(SAFE))])],
  ['with an earlier key', Buffer.concat([text('other'), sure])],
]

for (const [title, one] of SPELT) {
  t.test(`the target said ${title} is the target`, async (t) => {
    const request = spanEventRequest([one])
    const [rides] = ridesOnTraces(request, 'traces')
    t.ok(rides)
  })
}

t.test('JSON escapes hide no target, in either carriage', async (t) => {
  const escaped = (name: string) => name.replace('c', '\\u0063').replace('.', '\\u002e')
  const requests = (target: string): readonly (readonly [Signal, string])[] => [
    [
      'traces',
      `{"resourceSpans":[{"scopeSpans":[{"spans":[{"events":[{"attributes":[{"\\u006bey":"t\\u0061rget","value":{"stringV\\u0061lue":"${target}"}},{"key":"note","value":{"stringValue":"CANARY"}}]}]}]}]}]}`,
    ],
    [
      'logs',
      `{"resourceLogs":[{"scopeLogs":[{"scope":{"n\\u0061me":"${target}"},"logRecords":[{"traceId":"${IDS.traceId}","spanId":"${IDS.spanId}","attributes":[{"key":"note","value":{"stringValue":"CANARY"}}]}]}]}]}`,
    ],
  ]
  for (const target of ['codex_otel.log_only', 'codex_otel.trace_safety', 'codex_otel.trace_safe\\u0000']) {
    for (const [signal, json] of requests(escaped(target))) {
      t.same(
        ridesOnTraces(jsonToProtobuf(Buffer.from(json), signal), signal),
        [false, false],
        `${signal} ${target}`,
      )
    }
  }
  for (const [signal, json] of requests(escaped(SAFE))) {
    const [rides] = ridesOnTraces(jsonToProtobuf(Buffer.from(json), signal), signal)
    t.ok(rides, signal)
  }
  const doubled =
    '{"resourceLogs":[{"scopeLogs":[{"scope":{"name":"codex_otel.log_only","n\\u0061me":"codex_otel.trace_safe"}}]}]}'
  t.throws(
    () => jsonToProtobuf(Buffer.from(doubled), 'logs'),
    { code: 'malformed' },
    'a key twice is refused',
  )
})
