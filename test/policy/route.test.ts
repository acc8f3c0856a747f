import t from 'tap'
import { SIGNAL_TRAITS } from '../../src/otlp/signal.ts'
import { route } from '../../src/policy/route.ts'
import { lanesMax } from '../../src/policy/verdict.ts'
import { decode, encode, messagesOf, type OracleMessage } from '../oracle/oracle.ts'
import { assertAgrees, compile } from './agree.ts'
import { attribute, logRequest, spanRequest, witness } from './fates.ts'
import { bytesOf } from './parcel-bytes.ts'
import { createSpec, type Lane } from './spec.ts'

const SAFE = { attributes: [attribute('target', 'codex_otel.trace_safe')] }
const RICH = { attributes: [attribute('target', 'codex_otel.log_only')] }

t.test('a request that a lane takes whole leaves as it is, and the others get no parcel', async (t) => {
  const { parcels } = route(logRequest('codex_otel.log_only'), 'logs', compile(createSpec()))
  t.same(parcels, [{ lane: 'log', signal: 'logs', items: 1, content: undefined }])
})

t.test('an empty request, and one with empty envelopes only, make no parcel and no count', async (t) => {
  const policy = compile(createSpec())
  for (const request of [
    {},
    { resourceLogs: [{}] },
    { resourceLogs: [{ scopeLogs: [{}, { scope: { name: 'codex_otel.x' } }] }] },
  ]) {
    const bytes = encode(SIGNAL_TRAITS.logs.requestMessage, request)
    t.same(route(bytes, 'logs', policy), { parcels: [], held: [], tally: [], findings: [], sightings: [] })
  }
})

t.test('envelopes that were empty before are pruned beside those that become empty', async (t) => {
  const resourceLogs = [
    {},
    {
      scopeLogs: [
        {},
        { scope: { name: 'codex_otel.log_only' }, logRecords: [{ severityText: 'a' }] },
        { scope: { name: 'h2' }, logRecords: [{}] },
      ],
    },
    { scopeLogs: [{ scope: { name: 'h2' }, logRecords: [{}, {}] }] },
  ]
  const bytes = encode(SIGNAL_TRAITS.logs.requestMessage, { resourceLogs })
  const { parcels } = assertAgrees({ bytes, signal: 'logs', spec: createSpec() })
  t.same(parcels[0].request, {
    resourceLogs: [
      { scopeLogs: [{ scope: { name: 'codex_otel.log_only' }, logRecords: [{ severityText: 'a' }] }] },
    ],
  })
})

t.test('an event that is dropped from a span is counted in the span, up to the largest count', async (t) => {
  const counts: readonly (readonly [before: number, after: number])[] = [
    [0, 2],
    [1, 3],
    [126, 128],
    [2 ** 32 - 3, 2 ** 32 - 1],
    [2 ** 32 - 2, 2 ** 32 - 1],
    [2 ** 32 - 1, 2 ** 32 - 1],
  ]
  for (const [before, after] of counts) {
    const bytes = spanRequest({ name: 's', events: [RICH, SAFE, RICH], droppedEventsCount: before })
    const [parcel] = assertAgrees({ bytes, signal: 'traces', spec: createSpec() }).parcels
    const [span] = spansOf(parcel.request)
    t.equal(span.droppedEventsCount, after)
    t.same(span.events, [SAFE])
  }
})

t.test('an event that another trace lane takes is not counted as dropped', async (t) => {
  const lanes: Record<string, Lane> = {
    safe: { signal: 'traces', accept: [{ spans: ['any'] }, { events: ['trace_safe'] }] },
    rich: { signal: 'traces', accept: [{ spans: ['any'] }, { events: ['log_only'] }] },
  }
  const bytes = spanRequest({ events: [RICH, SAFE], droppedEventsCount: 5 })
  const [safe, rich] = assertAgrees({ bytes, signal: 'traces', spec: createSpec({ lanes }) }).parcels
  t.same(spansOf(safe.request), [{ events: [SAFE], droppedEventsCount: 5 }])
  t.same(spansOf(rich.request), [{ events: [RICH], droppedEventsCount: 5 }])
})

t.test('an event that only a lane without its span takes has no span to ride on', async (t) => {
  const lanes: Record<string, Lane> = {
    spans: { signal: 'traces', accept: [{ spans: ['any'] }] },
    events: { signal: 'traces', accept: [{ events: ['trace_safe'] }] },
  }
  const bytes = spanRequest({ events: [SAFE] })
  const { parcels, tally } = assertAgrees({ bytes, signal: 'traces', spec: createSpec({ lanes }) })
  t.same(spansOf(parcels[0].request), [{ droppedEventsCount: 1 }])
  t.match(tally, [
    { carriage: 'span_event', lane: 'events', outcome: 'dropped', reason: 'no_span' },
    { carriage: 'span', outcome: 'forwarded' },
  ])
})

t.test('the last of as many lanes as there may be gets its own', async (t) => {
  const lanes = Object.fromEntries(
    Array.from({ length: lanesMax }, (_, index): [string, Lane] => [
      `lane${index}`,
      { signal: 'logs', accept: [{ events: [index === lanesMax - 1 ? 'log_only' : 'network_proxy'] }] },
    ]),
  )
  const spec = createSpec({ lanes })
  const { parcels } = assertAgrees({ bytes: logRequest('codex_otel.log_only'), signal: 'logs', spec })
  t.same(
    parcels.map((parcel) => parcel.lane),
    [`lane${lanesMax - 1}`],
  )
  const many = assertAgrees({ bytes: logRequest('codex_otel.network_proxy'), signal: 'logs', spec })
  t.equal(many.parcels.length, lanesMax - 1)
})

t.test('what no rule looks into travels byte for byte, unknown fields and bad text included', async (t) => {
  const record = Buffer.from('3205ff000102039a3e0161', 'hex')
  const scopeLogs = Buffer.concat([
    encode('ScopeLogs', { scope: { name: 'codex_otel.x' } }),
    Buffer.from([0x12, record.length]),
    record,
  ])
  const resource = Buffer.concat([Buffer.from([0x12, scopeLogs.length]), scopeLogs])
  const whole = Buffer.concat([Buffer.from([0x0a, resource.length]), resource])
  const bytes = Buffer.concat([whole, logRequest('h2')])
  const [parcel] = route(bytes, 'logs', compile(createSpec())).parcels
  t.same(Buffer.from(bytesOf(parcel, bytes)), whole)
})

t.test('a target that is not UTF-8 matches nothing by accident', async (t) => {
  const bytes = Buffer.from(logRequest('codex_otel.log_onlX'))
  bytes[bytes.indexOf('X')] = 0xff
  const [item] = witness(bytes, 'logs', createSpec())
  t.equal(item.verdict.family, 'unreviewed')
})

t.test(
  'of metrics the data points are counted, and a metric without any is kept and not counted',
  async (t) => {
    const metrics = [{ gauge: { dataPoints: [{}, {}] } }, { name: 'none' }, { summary: { dataPoints: [{}] } }]
    const bytes = encode(SIGNAL_TRAITS.metrics.requestMessage, {
      resourceMetrics: [{ scopeMetrics: [{ metrics }] }],
    })
    const { tally, parcels } = assertAgrees({ bytes, signal: 'metrics', spec: createSpec() })
    t.same(tally, [
      {
        carriage: 'data_point',
        family: 'foreign',
        lane: 'metric',
        outcome: 'forwarded',
        reason: '',
        items: 3,
      },
    ])
    t.same(
      parcels.map(({ items }) => items),
      [3],
    )
    t.equal(witness(bytes, 'metrics', createSpec()).length, 3)
  },
)

t.test('a request after one that was refused is decided as if there had been none', async (t) => {
  const policy = compile(createSpec())
  const good = spanRequest({ events: [RICH, SAFE] })
  const expected = route(good, 'traces', compile(createSpec()))
  const event = Buffer.from('5a041a020a09', 'hex')
  const bad = Buffer.concat([
    good,
    Buffer.from([0x0a, event.length + 4, 0x12, event.length + 2, 0x12, event.length]),
    event,
  ])
  t.throws(() => route(bad, 'traces', policy), { code: 'malformed' })
  const after = route(good, 'traces', policy)
  t.same(after.tally, expected.tally)
  t.same(
    decode(SIGNAL_TRAITS.traces.requestMessage, bytesOf(after.parcels[0], good)),
    decode(SIGNAL_TRAITS.traces.requestMessage, bytesOf(expected.parcels[0], good)),
  )
})

function spansOf(request: OracleMessage): readonly OracleMessage[] {
  return messagesOf(request, 'resourceSpans')
    .flatMap((one) => messagesOf(one, 'scopeSpans'))
    .flatMap((one) => messagesOf(one, 'spans'))
}
