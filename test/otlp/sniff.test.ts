import fc from 'fast-check'
import t from 'tap'
import { MalformedRequest } from '../../src/errors.ts'
import { SIGNAL_TRAITS, SIGNALS, type Signal } from '../../src/otlp/signal.ts'
import { sniffSignal } from '../../src/otlp/sniff.ts'
import { readCorpus } from '../oracle/corpus.ts'
import { mutateKeepingMeaning } from '../oracle/mutate.ts'
import { encode, type OracleMessage } from '../oracle/oracle.ts'

/** A request of the signal with these items in one scope. */
function request(signal: Signal, ...items: OracleMessage[]): Uint8Array {
  const [scopes, list] = {
    logs: ['scopeLogs', 'logRecords'] as const,
    traces: ['scopeSpans', 'spans'] as const,
    metrics: ['scopeMetrics', 'metrics'] as const,
  }[signal]
  const { requestMessage, resourcesKey } = SIGNAL_TRAITS[signal]
  return encode(requestMessage, { [resourcesKey]: [{ [scopes]: [{ scope: { name: 'a' }, [list]: items }] }] })
}

/** True if it throws MalformedRequest; any other error goes on. */
function isMalformed(body: Uint8Array, encoding: 'proto' | 'json'): boolean {
  try {
    sniffSignal(body, encoding)
    return false
  } catch (error) {
    if (error instanceof MalformedRequest) return true
    throw error
  }
}

t.test('every captured request is of the signal that it was sent as', async (t) => {
  for (const { file, signal, encoding, body } of readCorpus())
    t.equal(sniffSignal(body, encoding), signal, file)
})

t.test(
  'captured requests stay of their signal with fields in any order and messages in pieces',
  async (t) => {
    for (const { file, signal, encoding, body } of readCorpus()) {
      if (encoding === 'json' || body.length > 50_000) continue
      const liberties = ['reorder', 'split_message', 'overlong_varint'] as const
      const mutated = mutateKeepingMeaning(body, SIGNAL_TRAITS[signal].requestMessage, 7, { liberties })
      t.equal(sniffSignal(mutated.bytes, 'proto'), signal, file)
    }
  },
)

t.test('the wire types of the first item that decides tell the signal', async (t) => {
  const ids = { traceId: '0'.repeat(31).concat('1'), spanId: '0'.repeat(15).concat('1') }
  const gauge = { gauge: { dataPoints: [{ timeUnixNano: 1n, asInt: 1n }] } }
  const summary = { summary: { dataPoints: [{ timeUnixNano: 1n }] } }
  const sum = { sum: { dataPoints: [{}], isMonotonic: true } }
  const cases: readonly (readonly [Signal, OracleMessage])[] = [
    ['logs', { timeUnixNano: 1n }],
    ['logs', { observedTimeUnixNano: 1n }],
    ['logs', { severityNumber: 9 }],
    ['logs', { ...ids, observedTimeUnixNano: 1n }],
    ['traces', ids],
    ['traces', { ...ids, name: 'x', startTimeUnixNano: 1n }],
    ['traces', { ...ids, name: 'x', attributes: [{ key: 'a', value: { stringValue: 'b' } }] }],
    ['traces', { ...ids, name: 'x', events: [{ name: 'e' }] }],
    ['metrics', { name: 'a', ...gauge }],
    ['metrics', { name: 'a', ...summary }],
    ['metrics', { name: 'codex.turn.count', ...gauge }],
    ['metrics', { name: 'codex.turn.count', ...summary }],
    ['metrics', { name: 'codex.turn.count', ...sum }],
    ['metrics', { name: 'codex.turn.count', description: '12345678', unit: '1', ...gauge }],
  ]
  for (const [signal, item] of cases) {
    t.equal(sniffSignal(request(signal, item), 'proto'), signal, JSON.stringify(Object.keys(item)))
    t.equal(sniffSignal(request(signal, {}, item), 'proto'), signal, 'behind an item that tells nothing')
  }
})

t.test('a request without items is empty', async (t) => {
  for (const signal of SIGNALS) {
    const { requestMessage, resourcesKey } = SIGNAL_TRAITS[signal]
    t.equal(
      sniffSignal(encode(requestMessage, { [resourcesKey]: [{}, { schemaUrl: 'x' }] }), 'proto'),
      'empty',
    )
    t.equal(sniffSignal(request(signal), 'proto'), 'empty')
    t.equal(sniffSignal(Buffer.from(`{"${resourcesKey}":[]}`), 'json'), signal)
  }
  t.equal(sniffSignal(new Uint8Array(), 'proto'), 'empty')
  t.equal(sniffSignal(new Uint8Array(), 'json'), 'empty')
  t.equal(sniffSignal(Buffer.from('{}'), 'json'), 'empty')
  t.equal(sniffSignal(Buffer.from('{"other":{"resourceLogs":[]}}'), 'json'), 'empty')
})

t.test('JSON tells by its top key, however it is spelt and wherever it stands', async (t) => {
  t.equal(sniffSignal(Buffer.from('{"x":[1,{"y":2}],"resource\\u0053pans":[]}'), 'json'), 'traces')
  // 150 levels of JSON are fewer than 100 messages.
  const deep = `${'['.repeat(150)}${']'.repeat(150)}`
  t.equal(sniffSignal(Buffer.from(`{"resourceMetrics":${deep}}`), 'json'), 'metrics')
})

t.test('what cannot be read, or could be two signals, is malformed', async (t) => {
  const cases = [
    ['json', '{"resourceLogs":[],"resourceSpans":[]}'],
    ['json', '{"resourceLogs":[],"resourceLogs":[]}'],
    ['json', '[]'],
    ['json', '{"resourceLogs":['],
    ['json', '{} {}'],
    ['proto', Buffer.from(request('logs', {})).toString('latin1')],
    ['proto', Buffer.from(request('logs', { eventName: 'x' })).toString('latin1')],
    ['proto', '\x0a\x05\x12'],
    ['proto', '\x0b\x0c'],
    ['proto', 'hello'],
  ] as const
  for (const [encoding, text] of cases) {
    t.ok(isMalformed(Buffer.from(text, 'latin1'), encoding), text)
  }
})

t.test('random bytes throw nothing but MalformedRequest', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, isJson) => {
      isMalformed(bytes, isJson ? 'json' : 'proto')
    }),
    { numRuns: 2000 },
  )
  t.pass('for all bytes')
})
