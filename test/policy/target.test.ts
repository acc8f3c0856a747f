import t from 'tap'
import { noTarget } from '../../src/policy/family.ts'
import { encode } from '../oracle/oracle.ts'
import { attribute, eventRequest, fateOf, logRequest, spanRequest, witness } from './fates.ts'
import { CODEX_FAMILIES, createSpec } from './spec.ts'
import { type Fate, TARGET_TABLE } from './target-table.ts'

function expected([family, lane]: Fate, home: 'log' | 'trace'): string {
  if (lane === 'none') return `${family} foreign`
  return lane === home ? `${family} forwarded ${lane}` : `${family} wrong_carriage ${lane}`
}

for (const [target, segment, prefix] of TARGET_TABLE) {
  t.test(`an event of target "${target}" goes where the table says, on both carriages`, async (t) => {
    for (const [match, fate] of [['segment', segment] as const, ['prefix', prefix] as const]) {
      t.equal(fateOf(logRequest(target), 'logs', { match }), expected(fate, 'log'), `record, ${match}`)
      const event = eventRequest(attribute('level', 'INFO'), attribute('target', target))
      t.equal(fateOf(event, 'traces', { match }), expected(fate, 'trace'), `span event, ${match}`)
    }
  })
}

t.test('a library is a family of its own on spans, and foreign as an event that no lane names', async (t) => {
  for (const target of [
    'h2',
    'h2::client',
    'h2.client',
    'hyper_util::client::legacy::pool',
    'rustls::client::hs',
  ]) {
    const span = { attributes: [attribute('target', target)] }
    t.equal(fateOf(spanRequest(span), 'traces'), 'dependency forwarded trace')
    t.equal(fateOf(logRequest(target), 'logs'), 'foreign foreign')
  }
  for (const target of ['h2o::client', 'h2:client', 'h', 'tonic_web', 'my::h2']) {
    const span = { attributes: [attribute('target', target)] }
    t.equal(fateOf(spanRequest(span), 'traces'), 'foreign forwarded trace')
  }
})

t.test('events of a library are its family, once a lane names it', async (t) => {
  const lanes = { log: { signal: 'logs', accept: [{ events: ['dependency'] }] } } as const
  t.equal(fateOf(logRequest('h2::client'), 'logs', { lanes }), 'dependency forwarded log')
  t.equal(fateOf(logRequest('h2o'), 'logs', { lanes }), 'foreign foreign')
})

t.test('the longest target that matches gives the family', async (t) => {
  const families = { ...CODEX_FAMILIES, wide: ['codex_otel.a', 'x'], narrow: ['codex_otel.a.b', 'x::y'] }
  t.equal(fateOf(logRequest('codex_otel.a.c'), 'logs', { families }), 'wide forwarded log')
  t.equal(fateOf(logRequest('codex_otel.a.b'), 'logs', { families }), 'narrow forwarded log')
  t.equal(fateOf(logRequest('codex_otel.a.b.c'), 'logs', { families }), 'narrow forwarded log')
  t.equal(fateOf(logRequest('codex_otel.a.bc'), 'logs', { families }), 'wide forwarded log')
  t.equal(
    fateOf(logRequest('codex_otel.a.bc'), 'logs', { families, match: 'prefix' }),
    'narrow forwarded log',
  )
  const span = (target: string) => spanRequest({ attributes: [attribute('target', target)] })
  t.equal(fateOf(span('x::y.z'), 'traces', { families }), 'narrow forwarded trace')
  t.equal(fateOf(span('x.y.z'), 'traces', { families }), 'wide forwarded trace')
})

const INT = { intValue: 7n }
/** Attributes of a span event, and its fate: rule 6 of the design. */
const DOUBTS: readonly (readonly [
  title: string,
  attributes: ReturnType<typeof attribute>[],
  fate: string,
])[] = [
  ['no target', [], 'foreign foreign'],
  [
    'a target given twice alike',
    [attribute('target', 'codex_otel.trace_safe'), attribute('target', 'codex_otel.trace_safe')],
    'trace_safe forwarded trace',
  ],
  [
    'two of one family',
    [attribute('target', 'codex_otel.trace_safe'), attribute('target', 'codex_otel.trace_safe.x')],
    'ambiguous wrong_carriage log',
  ],
  [
    'trace-safe, then log-only',
    [attribute('target', 'codex_otel.trace_safe'), attribute('target', 'codex_otel.log_only')],
    'ambiguous wrong_carriage log',
  ],
  [
    'log-only, then trace-safe',
    [attribute('target', 'codex_otel.log_only'), attribute('target', 'codex_otel.trace_safe')],
    'ambiguous wrong_carriage log',
  ],
  [
    'trace-safe, then foreign',
    [attribute('target', 'codex_otel.trace_safe'), attribute('target', 'h2')],
    'ambiguous wrong_carriage log',
  ],
  [
    'trace-safe, then a number',
    [attribute('target', 'codex_otel.trace_safe'), attribute('target', INT)],
    'ambiguous wrong_carriage log',
  ],
  [
    'a number, then trace-safe',
    [attribute('target', INT), attribute('target', 'codex_otel.trace_safe')],
    'ambiguous wrong_carriage log',
  ],
  [
    'trace-safe, then an empty value',
    [attribute('target', 'codex_otel.trace_safe'), attribute('target', {})],
    'ambiguous wrong_carriage log',
  ],
  [
    'trace-safe, then no value at all',
    [attribute('target', 'codex_otel.trace_safe'), { key: 'target' }],
    'ambiguous wrong_carriage log',
  ],
  ['a number', [attribute('target', INT)], 'ambiguous ambiguous_target'],
  ['a bool', [attribute('target', { boolValue: true })], 'ambiguous ambiguous_target'],
  [
    'bytes',
    [attribute('target', { bytesValue: Buffer.from('codex_otel.trace_safe').toString('hex') })],
    'ambiguous ambiguous_target',
  ],
  [
    'an array of it',
    [attribute('target', { arrayValue: { values: [{ stringValue: 'codex_otel.trace_safe' }] } })],
    'ambiguous ambiguous_target',
  ],
  ['an empty value', [attribute('target', {})], 'ambiguous ambiguous_target'],
  [
    'two foreign ones',
    [attribute('target', 'h2'), attribute('target', 'tokio')],
    'ambiguous ambiguous_target',
  ],
  ['the empty text', [attribute('target', '')], 'foreign foreign'],
  ['another case of the key', [attribute('Target', 'codex_otel.trace_safe')], 'foreign foreign'],
  ['a key that begins with it', [attribute('target.', 'codex_otel.trace_safe')], 'foreign foreign'],
]

for (const [title, attributes, fate] of DOUBTS) {
  t.test(`a span event with ${title}: ${fate}`, async (t) => {
    t.equal(fateOf(eventRequest(...attributes), 'traces'), fate)
  })
}

t.test('a doubt on a span chooses no family, and the span still goes where any span goes', async (t) => {
  const conflict = [attribute('target', 'codex_otel.log_only'), attribute('target', 'h2')]
  const fallback = attribute('code.namespace', 'h2')
  for (const attributes of [conflict, [attribute('target', INT), fallback], [{ key: 'target' }, fallback]]) {
    t.equal(fateOf(spanRequest({ attributes }), 'traces'), 'ambiguous forwarded trace')
    const others = {
      other: { signal: 'traces', accept: [{ spans: ['foreign', 'dependency', 'log_only'] }] },
    } as const
    t.equal(fateOf(spanRequest({ attributes }), 'traces', { lanes: others }), 'ambiguous no_lane')
  }
})

t.test(
  'on a span the paths are fallbacks in their order, and their disagreement is no conflict',
  async (t) => {
    const keys = ['target', 'code.module.name', 'code.namespace']
    keys.forEach((key, index) => {
      const attributes = [
        ...keys
          .slice(index + 1)
          .map((later) => attribute(later, 'codex_otel.log_only'))
          .reverse(),
        attribute(key, 'h2::client'),
      ]
      const [item] = witness(spanRequest({ attributes }, 'codex_otel.trace_safe'), 'traces', createSpec())
      t.equal(item.verdict.family, 'dependency')
      t.equal(item.target, 'h2::client')
      t.equal(item.targetFrom, `attributes["${key}"]`)
    })
    const [item] = witness(spanRequest({}, 'h2'), 'traces', createSpec())
    t.equal(item.verdict.family, 'dependency')
    t.equal(item.targetFrom, 'scope.name')
    const [none] = witness(spanRequest({}, ''), 'traces', createSpec())
    t.same([none.target, none.targetFrom, none.verdict.family], [undefined, undefined, 'foreign'])
  },
)

t.test('log.target counts only where the scope is empty, log or unknown', async (t) => {
  const record = { attributes: [attribute('log.target', 'codex_otel.log_only')] }
  for (const scope of ['', 'log', 'unknown']) {
    t.equal(fateOf(logRequest(scope, record), 'logs'), 'log_only forwarded log', `scope "${scope}"`)
  }
  for (const scope of ['h2', 'Log', 'log ', 'unknown.x']) {
    t.equal(fateOf(logRequest(scope, record), 'logs'), 'foreign foreign', `scope "${scope}"`)
  }
  t.equal(fateOf(logRequest('codex_otel.trace_safe', record), 'logs'), 'trace_safe wrong_carriage trace')
  const [item] = witness(logRequest('log'), 'logs', createSpec())
  t.same([item.target, item.targetFrom], ['log', 'scope.name'])
  const conflict = { attributes: [...record.attributes, attribute('log.target', 'h2')] }
  t.equal(fateOf(logRequest('log', conflict), 'logs'), 'ambiguous forwarded log')
  const foreign = { attributes: [attribute('log.target', INT)] }
  t.equal(fateOf(logRequest('log', foreign), 'logs'), 'ambiguous ambiguous_target')
})

t.test('a scope that is named twice is doubtful if a decoder could take it for trace-safe', async (t) => {
  const named = (...names: string[]): Uint8Array => {
    const scopes = names.map((name) => encode('ScopeLogs', { scope: { name } }))
    const scopeLogs = Buffer.concat([...scopes, encode('ScopeLogs', { logRecords: [{}, {}] })])
    const resource = Buffer.concat([Buffer.from([0x12, scopeLogs.length]), scopeLogs])
    return Buffer.concat([Buffer.from([0x0a, resource.length]), resource])
  }
  t.equal(fateOf(named('codex_otel.log_only', 'codex_otel.trace_safe'), 'logs'), 'ambiguous forwarded log')
  t.equal(fateOf(named('codex_otel.trace_safe', 'codex_otel.log_only'), 'logs'), 'log_only forwarded log')
  t.equal(
    fateOf(named('codex_otel.trace_safe', 'codex_otel.trace_safe'), 'logs'),
    'trace_safe wrong_carriage trace',
  )
})

t.test('where no path is configured there is no target', async (t) => {
  const target = { log_record: [], span_event: [], span: [] }
  t.equal(fateOf(logRequest('codex_otel.log_only'), 'logs', { target }), 'foreign foreign')
  t.equal(
    fateOf(eventRequest(attribute('target', 'codex_otel.trace_safe')), 'traces', { target }),
    'foreign foreign',
  )
  t.equal(noTarget.inNamespace, false)
})

t.test("a target may be the resource's, all pieces of which count", async (t) => {
  const target = { log_record: ['resource.attributes["app"]', 'scope.name'] }
  const of = (...values: string[]) => ({ attributes: values.map((value) => attribute('app', value)) })
  t.equal(
    fateOf(logRequest('h2', {}, of('codex_otel.log_only')), 'logs', { target }),
    'log_only forwarded log',
  )
  t.equal(
    fateOf(logRequest('h2', {}, of('codex_otel.log_only', 'h2')), 'logs', { target }),
    'ambiguous forwarded log',
  )
  t.equal(fateOf(logRequest('codex_otel.log_only', {}, of()), 'logs', { target }), 'log_only forwarded log')
})

t.test(
  'a target in pieces is doubtful wherever it stands, if a decoder could take it for trace-safe',
  async (t) => {
    const safe = encode('KeyValue', attribute('target', 'codex_otel.trace_safe'))
    const rich = encode('KeyValue', attribute('target', 'codex_otel.log_only'))
    const piece = encode('KeyValue', { value: { intValue: 1n } })
    const within = (tag: number, ...payloads: Uint8Array[]): Buffer =>
      Buffer.concat(payloads.flatMap((payload) => [Buffer.from([tag, payload.length]), payload]))
    const fate = (...attributes: Uint8Array[]): string =>
      fateOf(within(0x0a, within(0x12, within(0x12, within(0x5a, within(0x1a, ...attributes))))), 'traces')
    const doubtful = Buffer.concat([piece, safe])
    t.equal(fate(safe), 'trace_safe forwarded trace')
    t.equal(fate(doubtful), 'ambiguous wrong_carriage log')
    t.equal(fate(safe, doubtful), 'ambiguous wrong_carriage log')
    t.equal(fate(doubtful, safe), 'ambiguous wrong_carriage log')
    t.equal(fate(Buffer.concat([safe, rich])), 'log_only wrong_carriage log')
    t.equal(fate(Buffer.concat([rich, safe])), 'ambiguous wrong_carriage log')
  },
)
