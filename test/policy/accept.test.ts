import t from 'tap'
import { glob } from '../../src/policy/accept.ts'
import { toByteString } from '../../src/policy/family.ts'
import type { OracleMessage } from '../oracle/oracle.ts'
import { attribute, eventRequest, fateOf, logRequest, spanRequest, witness } from './fates.ts'
import { createSpec, type Lane, type Line } from './spec.ts'

const logs = (...accept: Line[]): { lanes: Record<string, Lane> } => ({
  lanes: { log: { signal: 'logs', accept } },
})
const NAMED = (...names: string[]): OracleMessage => ({
  eventName: 'event src/x.rs:1',
  attributes: names.map((name) => attribute('event.name', name)),
})

t.test('the first line of a lane that names the item decides', async (t) => {
  const text = 'codex_otel.log_only.x'
  const except = { except: { events: ['log_only'] } }
  t.equal(fateOf(logRequest(text), 'logs', logs(except, { events: ['*'] })), 'log_only lane_rule log')
  t.equal(fateOf(logRequest(text), 'logs', logs({ events: ['*'] }, except)), 'log_only forwarded log')
  t.equal(fateOf(logRequest(text), 'logs', logs(except)), 'log_only lane_rule log')
  t.equal(fateOf(logRequest(text), 'logs', logs()), 'log_only no_lane')
  t.equal(fateOf(logRequest(text), 'logs', { lanes: {} }), 'log_only no_lane')
})

t.test('a star names the whole namespace, malformed targets too, and nothing else', async (t) => {
  for (const target of ['codex_otel', 'codex_otel.', 'codex_otel..x', 'codex_otel.log_only']) {
    t.match(fateOf(logRequest(target), 'logs', logs({ events: ['*'] })), / forwarded log$/, target)
  }
  for (const target of ['', 'codex_otelx', 'codex_otel::x', 'h2']) {
    t.equal(fateOf(logRequest(target), 'logs', logs({ events: ['*'] })), 'foreign foreign', target)
    t.equal(
      fateOf(logRequest(target), 'logs', { ...logs({ events: ['*'] }), foreign: 'forward' }),
      'foreign forwarded log',
    )
    t.equal(
      fateOf(logRequest(target), 'logs', logs({ events: ['foreign'] })),
      'foreign forwarded log',
      target,
    )
    t.equal(fateOf(logRequest(target), 'logs', logs({ events: ['any'] })), 'foreign forwarded log', target)
  }
  t.equal(fateOf(logRequest('codex_otel.x'), 'logs', logs({ events: ['foreign'] })), 'unreviewed no_lane')
})

t.test('unreviewed: drop speaks only where no line names the target', async (t) => {
  const drop = { unreviewed: 'drop' } as const
  t.equal(fateOf(logRequest('codex_otel.x'), 'logs', drop), 'unreviewed unreviewed')
  t.equal(fateOf(logRequest('codex_otel.trace_safe.'), 'logs', drop), 'unreviewed unreviewed')
  t.equal(fateOf(logRequest('codex_otel.log_only'), 'logs', drop), 'log_only forwarded log')
  t.equal(
    fateOf(logRequest('codex_otel.x.y'), 'logs', { ...drop, ...logs({ events: ['codex_otel.x'] }) }),
    'unreviewed forwarded log',
  )
  t.equal(
    fateOf(logRequest('codex_otel.xy'), 'logs', { ...drop, ...logs({ events: ['codex_otel.x'] }) }),
    'unreviewed unreviewed',
  )
  t.equal(
    fateOf(logRequest('codex_otel.x'), 'logs', { ...drop, ...logs({ events: ['any'] }) }),
    'unreviewed forwarded log',
  )
  const some = logs({ events: [{ target: 'codex_otel.x', event_name: 'a' }] }, { events: ['*'] })
  t.equal(
    fateOf(logRequest('codex_otel.x', NAMED('a')), 'logs', { ...drop, ...some }),
    'unreviewed forwarded log',
  )
  t.equal(
    fateOf(logRequest('codex_otel.x', NAMED('b')), 'logs', { ...drop, ...some }),
    'unreviewed unreviewed',
  )
  const span = spanRequest({ attributes: [attribute('target', 'codex_otel.x')] })
  t.equal(
    fateOf(span, 'traces', { ...drop, foreign: 'drop' }),
    'unreviewed forwarded trace',
    'spans are not spoken of',
  )
})

t.test('three log lanes share the events among them, and a further taker gets a copy', async (t) => {
  const lanes = {
    audit: { signal: 'logs', accept: [{ events: ['network_proxy'] }] },
    user: { signal: 'logs', accept: [{ events: [{ family: 'log_only', event_name: '*.user_*' }] }] },
    rest: {
      signal: 'logs',
      accept: [{ except: { events: ['trace_safe', 'network_proxy'] } }, { events: ['*'] }],
    },
  } as const
  t.equal(
    fateOf(logRequest('codex_otel.network_proxy.audit'), 'logs', { lanes }),
    'network_proxy forwarded audit',
  )
  t.equal(
    fateOf(logRequest('codex_otel.log_only', NAMED('codex.user_prompt')), 'logs', { lanes }),
    'log_only forwarded user',
  )
  t.equal(
    fateOf(logRequest('codex_otel.log_only', NAMED('codex.tool_result')), 'logs', { lanes }),
    'log_only forwarded rest',
  )
})

/** The effective name of an event, as an `event_name` of `hit` sees it. */
const EVENT_NAMES: readonly (readonly [title: string, record: OracleMessage, isHit: boolean])[] = [
  ['the attribute', { attributes: [attribute('event.name', 'hit')], eventName: 'x' }, true],
  ['the field, for want of an attribute', { eventName: 'hit' }, true],
  [
    'not the field, where there is an attribute',
    { attributes: [attribute('event.name', 'x')], eventName: 'hit' },
    false,
  ],
  [
    'the field, where the attribute is empty',
    { attributes: [attribute('event.name', '')], eventName: 'hit' },
    true,
  ],
  [
    'the field, where the attribute is no string',
    { attributes: [attribute('event.name', { intValue: 1n })], eventName: 'hit' },
    true,
  ],
  ['no name', {}, false],
]

for (const [title, record, isHit] of EVENT_NAMES) {
  t.test(`event_name asks ${title}`, async (t) => {
    const takes = logs({ events: [{ event_name: 'hit' }] })
    t.equal(
      fateOf(logRequest('codex_otel.a', record), 'logs', takes),
      `unreviewed ${isHit ? 'forwarded log' : 'no_lane'}`,
    )
    const refuses = logs({ except: { events: [{ event_name: 'hit' }] } }, { events: ['any'] })
    t.equal(
      fateOf(logRequest('codex_otel.a', record), 'logs', refuses),
      `unreviewed ${isHit ? 'lane_rule log' : 'forwarded log'}`,
    )
  })
}

t.test('an event_name given twice is taken only if all values match, and excepted if one does', async (t) => {
  const takes = logs({ events: [{ event_name: 'a*' }] })
  const refuses = logs({ except: { events: [{ event_name: 'a*' }] } }, { events: ['*'] })
  t.equal(fateOf(logRequest('codex_otel.x', NAMED('a1', 'a2')), 'logs', takes), 'unreviewed forwarded log')
  t.equal(fateOf(logRequest('codex_otel.x', NAMED('a1', 'b')), 'logs', takes), 'unreviewed no_lane')
  t.equal(fateOf(logRequest('codex_otel.x', NAMED('b', 'a1')), 'logs', refuses), 'unreviewed lane_rule log')
})

t.test("a span event's name is its attribute, else its own", async (t) => {
  const lanes = {
    trace: { signal: 'traces', accept: [{ spans: ['any'] }, { events: [{ event_name: 'hit' }] }] },
  } as const
  const event = (name: string, ...attributes: OracleMessage[]) =>
    spanRequest({ events: [{ name, attributes: [attribute('target', 'codex_otel.x'), ...attributes] }] })
  t.equal(fateOf(event('hit'), 'traces', { lanes }), 'unreviewed forwarded trace')
  t.equal(fateOf(event('hit', attribute('event.name', 'x')), 'traces', { lanes }), 'unreviewed no_lane')
  t.equal(
    fateOf(event('x', attribute('event.name', 'hit')), 'traces', { lanes }),
    'unreviewed forwarded trace',
  )
})

t.test(
  'a lane for the spans of one service takes them by the resource, and the rest stays where it was',
  async (t) => {
    const lanes = {
      proxy: {
        signal: 'traces',
        accept: [{ spans: [{ resource: { 'service.name': ['proxy', 'gate-*'] } }] }],
      },
      rest: {
        signal: 'traces',
        accept: [{ except: { spans: [{ resource: { 'service.name': 'proxy' } }] } }, { spans: ['any'] }],
      },
    } as const
    const from = (...names: string[]) =>
      spanRequest({}, 'tracer', { attributes: names.map((name) => attribute('service.name', name)) })
    t.equal(fateOf(from('proxy'), 'traces', { lanes }), 'foreign forwarded proxy')
    t.equal(fateOf(from('other'), 'traces', { lanes }), 'foreign forwarded rest')
    t.equal(fateOf(from(), 'traces', { lanes }), 'foreign forwarded rest')
    t.equal(fateOf(from('gate-7'), 'traces', { lanes }), 'foreign forwarded proxy')
    t.equal(fateOf(from('other', 'proxy'), 'traces', { lanes }), 'foreign lane_rule rest')
  },
)

t.test('a lane without exporters drops what is its own, and takes nothing from the others', async (t) => {
  const off: Lane = { signal: 'logs', accept: [{ events: ['log_only'] }], off: true }
  const on: Lane = { signal: 'logs', accept: [{ events: ['*'] }] }
  t.equal(fateOf(logRequest('codex_otel.log_only'), 'logs', { lanes: { off } }), 'log_only no_exporter off')
  t.equal(fateOf(logRequest('codex_otel.log_only'), 'logs', { lanes: { off, on } }), 'log_only forwarded on')
  t.equal(fateOf(logRequest('codex_otel.log_only'), 'logs', { lanes: { on, off } }), 'log_only forwarded on')
})

t.test('the rule that is told is that of the lane that is told', async (t) => {
  const all: Line = { events: ['any'] }
  const lanes = {
    other: { signal: 'traces', accept: [{ spans: [{ resource: { a: 'b' } }] }, all] },
    off: { signal: 'logs', accept: [all], off: true },
    first: { signal: 'logs', accept: [{ except: { events: ['h2'] } }, all] },
    trace: { signal: 'traces', accept: [{ spans: ['any'] }, all] },
  } as const
  const spec = createSpec({ lanes, families: { h2: ['h2'] } })
  const lineOf = (lane: number, line: number) => spec.lanes[lane].accept[line].position
  const [record] = witness(logRequest('codex_otel.x'), 'logs', spec)
  t.same([record.verdict.lane, record.verdict.rule], ['first', lineOf(2, 1)])
  const [span, event] = witness(eventRequest(attribute('target', 'codex_otel.x')), 'traces', spec)
  t.same([span.verdict.lane, span.verdict.rule], ['trace', lineOf(3, 0)])
  t.same([event.verdict.lane, event.verdict.rule], ['trace', lineOf(3, 1)])
})

const GLOBS: readonly (readonly [pattern: string, hits: string[], misses: string[]])[] = [
  ['a.b', ['a.b'], ['a.bc', 'xa.b', 'aXb', '']],
  ['*', ['', 'a', 'a.b\nc'], []],
  ['a*', ['a', 'a.b.c'], ['', 'ba']],
  ['*a', ['a', 'b.a'], ['ab']],
  ['a*a', ['aa', 'aba', 'a\na'], ['a', 'ab']],
  ['ab*ba', ['abba', 'ab.ba'], ['aba']],
  ['*a*b*', ['ab', 'xaybz'], ['ba', 'a']],
  ['a*b*b', ['abb', 'abxb'], ['ab']],
  ['a**b', ['ab', 'axb'], ['a']],
  ['(a+)[b]?$^|\\d', ['(a+)[b]?$^|\\d'], ['a', 'ab']],
  ['é*', ['é', 'éa'], ['Ã']],
]

for (const [pattern, hits, misses] of GLOBS) {
  t.test(`glob ${pattern}`, async (t) => {
    for (const text of hits) t.equal(glob(pattern)(toByteString(text)), true, `takes "${text}"`)
    for (const text of misses) t.equal(glob(pattern)(toByteString(text)), false, `leaves "${text}"`)
  })
}

t.test('a glob of many stars does not hang on a long name', async (t) => {
  const start = performance.now()
  t.equal(glob('*a*a*a*a*a*b')('a'.repeat(1_000_000)), false)
  t.equal(glob('*a*a*a*b*c*')('a'.repeat(1_000_000)), false)
  t.ok(performance.now() - start < 2000)
})
