/** Field policies by example: bytes that went wrong once, and what the contract says of one field at a time. */
import t from 'tap'
import { SIGNAL_TRAITS, type Signal } from '../../src/otlp/signal.ts'
import { route } from '../../src/policy/route.ts'
import { decode, encode, messagesOf, type OracleMessage } from '../oracle/oracle.ts'
import { compile } from './agree.ts'
import { attribute, eventRequest, logRequest, spanRequest } from './fates.ts'
import { bytesOf } from './parcel-bytes.ts'
import { createSpec, type FieldLine } from './spec.ts'

/** The one item of the lane that takes everything of its signal, under these lines. */
function itemUnder(signal: Signal, lines: readonly FieldLine[], item: OracleMessage): OracleMessage {
  const [resources, scopes, items, accept] = {
    logs: ['resourceLogs', 'scopeLogs', 'logRecords', { events: ['any'] }] as const,
    traces: ['resourceSpans', 'scopeSpans', 'spans', { spans: ['any'] }] as const,
    metrics: ['resourceMetrics', 'scopeMetrics', 'metrics', { points: ['any'] }] as const,
  }[signal]
  const message = SIGNAL_TRAITS[signal].requestMessage
  const bytes = encode(message, { [resources]: [{ [scopes]: [{ scope: { name: 'x' }, [items]: [item] }] }] })
  const spec = createSpec({ lanes: { one: { signal, accept: [accept], fields: lines } } })
  const [parcel] = route(bytes, signal, compile(spec)).parcels
  const [resource] = messagesOf(decode(message, bytesOf(parcel, bytes)), resources)
  return messagesOf(messagesOf(resource, scopes)[0], items)[0]
}

const pointKinds = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'] as const

for (const kind of pointKinds) {
  t.test(`a ${kind}'s point loses an attribute, and gains no count: it has no field for one`, async (t) => {
    const point = (...attributes: OracleMessage[]): OracleMessage => ({
      name: 'm',
      [kind]: { dataPoints: [{ attributes }] },
    })
    const kept = attribute('model', 'x')
    t.same(
      itemUnder('metrics', [{ remove: ['user.email'] }], point(attribute('user.email', 'a'), kept)),
      point(kept),
    )
  })
}

t.test('an exemplar loses its attributes, and gains no count either', async (t) => {
  const metric = (exemplar: OracleMessage): OracleMessage => ({
    name: 'm',
    gauge: { dataPoints: [{ timeUnixNano: 1n, exemplars: [exemplar] }] },
  })
  t.same(
    itemUnder(
      'metrics',
      [{ on: 'exemplar', remove: ['*'] }],
      metric({ asInt: 1n, filteredAttributes: [attribute('a', 'b')] }),
    ),
    metric({ asInt: 1n }),
  )
})

const kvlist = (...values: OracleMessage[]): OracleMessage => ({ kvlistValue: { values } })

t.test('a key that looks like the path of others does not decide for them', async (t) => {
  const spec = createSpec({
    lanes: { one: { signal: 'traces', accept: [{ spans: ['any'] }], fields: [{ remove: ['prompt'] }] } },
  })
  const policy = compile(spec)
  const of = (...attributes: OracleMessage[]) =>
    JSON.stringify(spansOf(route(spanRequest({ attributes }), 'traces', policy), spanRequest({ attributes })))
  for (const separator of ['\0', '\n', '","', '\u001f']) {
    t.match(of({ key: 'a', value: kvlist(attribute(`b${separator}prompt`, 'kept')) }), /kept/)
    t.notMatch(
      of({ key: 'a', value: kvlist({ key: 'b', value: kvlist(attribute('prompt', 'CANARY')) }) }),
      /CANARY/,
      `after ${JSON.stringify(separator)}`,
    )
  }
})

function spansOf(routing: ReturnType<typeof route>, request: Uint8Array): readonly OracleMessage[] {
  return routing.parcels
    .filter(({ signal }) => signal === 'traces')
    .flatMap((parcel) =>
      messagesOf(decode('ExportTraceServiceRequest', bytesOf(parcel, request)), 'resourceSpans'),
    )
    .flatMap((one) => messagesOf(one, 'scopeSpans'))
    .flatMap((one) => messagesOf(one, 'spans'))
}

t.test('a target in doubt exempts no attribute: none of them gave the target', async (t) => {
  const lines: FieldLine[] = [{ remove: ['*'] }]
  const sure = itemUnder('traces', lines, { attributes: [attribute('target', 'x'), attribute('a', 'b')] })
  t.same(sure, { attributes: [attribute('target', 'x')], droppedAttributesCount: 1 })
  const twice = [attribute('target', 'x'), attribute('target', 'y')]
  t.same(itemUnder('traces', lines, { attributes: twice }), { droppedAttributesCount: 2 })
  const array = { key: 'target', value: { arrayValue: { values: [{ stringValue: 'CANARY' }] } } }
  t.same(itemUnder('traces', lines, { attributes: [array] }), { droppedAttributesCount: 1 })
})

t.test('a line that asks for a family applies to points, which have none to answer with', async (t) => {
  const metric = (...attributes: OracleMessage[]) => ({
    name: 'm',
    sum: { dataPoints: [{ timeUnixNano: 1n, attributes }] },
  })
  const lines: FieldLine[] = [{ family: 'trace_safe', on: 'data_point', remove: ['user.email'] }]
  const kept = attribute('model', 'x')
  t.same(itemUnder('metrics', lines, metric(attribute('user.email', 'a'), kept)), metric(kept))
})

t.test(
  'a line that asks for an event name applies to an event without one, and to one with two',
  async (t) => {
    const lines: FieldLine[] = [{ event_name: 'codex.x', on: 'log_record', remove: ['prompt'] }]
    const names = (...all: string[]) => all.map((name) => attribute('event.name', name))
    for (const own of [[], names('codex.x'), names('codex.x', 'codex.y'), names('codex.y', 'codex.x')]) {
      const record = itemUnder('logs', lines, { attributes: [...own, attribute('prompt', 'CANARY')] })
      t.equal(messagesOf(record, 'attributes').length, own.length)
    }
    const other = itemUnder('logs', lines, { attributes: [...names('codex.y'), attribute('prompt', 'kept')] })
    t.equal(messagesOf(other, 'attributes').length, 2)
  },
)

t.test('a carrier is not called by a name that another event may keep', async (t) => {
  const fields: FieldLine[] = [
    { on: 'span_event', event_name: 'codex.harmless', keep: ['@name'] },
    { on: 'span_event', remove: ['@name'] },
  ]
  const lanes = { trace: { signal: 'traces', accept: [{ events: ['trace_safe'] }], fields } } as const
  const policy = compile(createSpec({ rehome: true, lanes }))
  const record = (...attributes: OracleMessage[]): OracleMessage => ({
    eventName: 'CANARY',
    attributes,
    traceId: '01'.repeat(16),
    spanId: '02'.repeat(8),
  })
  for (const attributes of [[attribute('event.name', 'codex.other')], []]) {
    const request = logRequest('codex_otel.trace_safe', record(...attributes))
    const [span] = spansOf(route(request, 'logs', policy), request)
    t.notMatch(JSON.stringify([span.name, span.events]), /CANARY/)
    t.equal(span.name, attributes.length === 0 ? 'event' : 'codex.other')
  }
})

t.test('a rehomed event keeps an attribute with an empty key', async (t) => {
  const lanes = { log: { signal: 'logs', accept: [{ events: ['any'] }] } } as const
  const request = eventRequest({ value: { intValue: 1n } })
  const [parcel] = route(
    request,
    'traces',
    compile(createSpec({ rehome: true, foreign: 'forward', lanes })),
  ).parcels
  const sent = JSON.stringify(decode('ExportLogsServiceRequest', bytesOf(parcel, request)), (_, value) =>
    typeof value === 'bigint' ? Number(value) : value,
  )
  t.match(sent, '{"value":{"intValue":1}}')
})

t.test('what a malformed request has shown is no finding of the next one', async (t) => {
  const policy = compile(createSpec())
  const whole = logRequest('codex_otel.newthing')
  const again = route(whole, 'logs', policy).findings
  const broken = Buffer.concat([whole, Buffer.from([0x0a, 0x7f])])
  t.throws(() => route(broken, 'logs', policy))
  const scopes = Buffer.concat([
    whole,
    logRequest('log', { attributes: [attribute('log.target', 'codex_otelx')] }),
  ])
  scopes[scopes.length - 1] = 0xff
  try {
    route(scopes, 'logs', policy)
  } catch {}
  t.same(route(whole, 'logs', policy).findings, again)
})

t.test('a text that an allow-list names goes on to the lines behind it', async (t) => {
  const lines: FieldLine[] = [{ only: ['@name', 'a'] }, { remove: ['@name'] }]
  t.same(itemUnder('traces', lines, { name: 'CANARY', attributes: [attribute('a', 'b')] }), {
    // A span without a target of its own has its scope's name for one.
    name: 'x',
    attributes: [attribute('a', 'b')],
  })
})

t.test('an entity reference goes with a key of it, and where the unnamed goes', async (t) => {
  const entityRefs = [{ type: 'CANARY', idKeys: ['service.name'], schemaUrl: 'CANARY' }]
  const resource = { attributes: [attribute('service.name', 'x'), attribute('host.name', 'y')], entityRefs }
  const request = spanRequest({ name: 'x' }, 'tracer', resource)
  const sentUnder = (fields: FieldLine[], unlisted_fields: 'keep' | 'remove') => {
    const lanes = {
      one: { signal: 'traces', accept: [{ spans: ['any'] }], fields, unlisted_fields },
    } as const
    const [parcel] = route(request, 'traces', compile(createSpec({ lanes }))).parcels
    return Buffer.from(bytesOf(parcel, request)).toString('latin1')
  }
  t.match(sentUnder([{ remove: ['host.name'] }], 'keep'), /CANARY/)
  t.notMatch(sentUnder([{ remove: ['service.*'] }], 'keep'), /CANARY/)
  t.notMatch(sentUnder([{ keep: ['service.name'] }], 'remove'), /CANARY/)
})
