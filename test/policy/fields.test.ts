/** Field policies by example: bytes that went wrong once, and what the contract says of one field at a time. */
import t from 'tap'
import { SIGNAL_TRAITS, type Signal } from '../../src/otlp/signal.ts'
import { route } from '../../src/policy/route.ts'
import { decode, encode, messagesOf, type OracleMessage } from '../oracle/oracle.ts'
import { compile } from './agree.ts'
import { attribute } from './fates.ts'
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
