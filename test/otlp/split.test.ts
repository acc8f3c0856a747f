/** Splitting against the oracle: the halves together are the whole, whatever spelling it came in. */
import { deepStrictEqual, ok } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { SIGNAL_TRAITS, SIGNALS, type Signal } from '../../src/otlp/signal.ts'
import { splitRequest } from '../../src/otlp/split.ts'
import { requestArbitrary } from '../oracle/arbitrary.ts'
import { mutateKeepingMeaning } from '../oracle/mutate.ts'
import { decode, encode, messageOf, messagesOf, type OracleMessage } from '../oracle/oracle.ts'

const KEYS = {
  logs: ['resourceLogs', 'scopeLogs', 'logRecords'],
  traces: ['resourceSpans', 'scopeSpans', 'spans'],
  metrics: ['resourceMetrics', 'scopeMetrics', 'metrics'],
} as const
const KINDS = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary']

function without(message: OracleMessage, key: string): OracleMessage {
  return Object.fromEntries(Object.entries(message).filter(([name]) => name !== key))
}

/** Every item with all that stands around it. */
function itemsOf(bytes: Uint8Array, signal: Signal): readonly unknown[] {
  const [resources, scopes, items] = KEYS[signal]
  const request = decode(SIGNAL_TRAITS[signal].requestMessage, bytes, { keepUnknown: true })
  return messagesOf(request, resources).flatMap((resource) =>
    messagesOf(resource, scopes).flatMap((scope) =>
      messagesOf(scope, items).flatMap((item): readonly unknown[] => {
        const around = { resource: without(resource, scopes), scope: without(scope, items) }
        if (signal !== 'metrics') return [{ ...around, item }]
        return KINDS.flatMap((kind) => {
          const data = messageOf(item, kind)
          const metric = { ...without(item, kind), kind, data: without(data, 'dataPoints') }
          return messagesOf(data, 'dataPoints').map((point) => ({ ...around, metric, point }))
        })
      }),
    ),
  )
}

for (const signal of SIGNALS) {
  const message = SIGNAL_TRAITS[signal].requestMessage
  t.test(
    `the halves of a request of ${signal} hold its items once, in order, each with all around it`,
    async (t) => {
      fc.assert(
        fc.property(requestArbitrary(signal), fc.integer(), (request, seed) => {
          const { bytes } = mutateKeepingMeaning(encode(message, request), message, seed)
          const whole = itemsOf(bytes, signal)
          const halves = splitRequest(bytes, signal)
          if (halves === undefined) return ok(whole.length < 2)
          const parts = halves.map((half) => itemsOf(half.bytes, signal))
          deepStrictEqual(parts.flat(), whole)
          deepStrictEqual(
            halves.map(({ items }) => items),
            parts.map(({ length }) => length),
          )
          ok(Math.abs(halves[0].items - halves[1].items) <= 1)
        }),
        { numRuns: 400 },
      )
      t.pass('400 requests')
    },
  )
}

t.test('splitting again and again ends with single items, which cannot be split', async (t) => {
  const logRecords = Array.from({ length: 11 }, (_, index) => ({ severityText: `${index}` }))
  const bytes = encode('ExportLogsServiceRequest', { resourceLogs: [{ scopeLogs: [{ logRecords }] }] })
  const atoms = (part: Uint8Array): readonly Uint8Array[] =>
    splitRequest(part, 'logs')?.flatMap((half) => atoms(half.bytes)) ?? [part]
  t.equal(atoms(bytes).length, 11)
  t.same(
    atoms(bytes).flatMap((one) => itemsOf(one, 'logs')),
    itemsOf(bytes, 'logs'),
  )
})

t.test('an empty half keeps no envelope', async (t) => {
  const record = { logRecords: [{ severityText: 'a' }] }
  const bytes = encode('ExportLogsServiceRequest', {
    resourceLogs: [{ scopeLogs: [record] }, { scopeLogs: [record] }],
  })
  t.same(
    splitRequest(bytes, 'logs')?.map((half) => half.bytes.length),
    [bytes.length / 2, bytes.length / 2],
  )
})

t.test('a request without items, and one of one item, cannot be split', async (t) => {
  t.equal(splitRequest(new Uint8Array(), 'traces'), undefined)
  t.equal(
    splitRequest(
      encode('ExportTraceServiceRequest', { resourceSpans: [{ scopeSpans: [{ spans: [{}] }] }] }),
      'traces',
    ),
    undefined,
  )
})
