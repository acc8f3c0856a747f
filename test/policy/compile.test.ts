import t from 'tap'
import { compilePolicy } from '../../src/policy/compile.ts'
import { lanesMax } from '../../src/policy/verdict.ts'
import { CODEX_FAMILIES, createSpec, type Lane, type PolicyText, type Selector } from './spec.ts'

const logLane = (...events: Selector[]): Lane => ({ signal: 'logs', accept: [{ events }] })

/** A policy that cannot be, and what its author reads. */
const SINS: readonly (readonly [title: string, text: PolicyText, messages: readonly RegExp[]])[] = [
  [
    'one target in two families',
    { families: { ...CODEX_FAMILIES, twin: ['codex_otel.log_only'] } },
    [/`codex_otel.log_only` is in family `log_only` already/],
  ],
  [
    'a family with a reserved name',
    { families: { ...CODEX_FAMILIES, foreign: ['x.y'] } },
    [/choose another name/],
  ],
  [
    'a target with an empty segment',
    { families: { ...CODEX_FAMILIES, odd: ['codex_otel.a.'] } },
    [/empty segment/],
  ],
  [
    'an unknown family',
    { lanes: { log: logLane('log_onyl') } },
    [/no family `log_onyl`, did you mean `log_only`\?/],
  ],
  [
    'an unknown family with no neighbour',
    { lanes: { log: logLane('zzzzzzzzzz') } },
    [/no family `zzzzzzzzzz`/],
  ],
  ['an unknown family in a map', { lanes: { log: logLane({ family: 'codex_otel.x' }) } }, [/no family/]],
  [
    'a family and a target in one selector',
    { lanes: { log: logLane({ family: 'log_only', target: 'codex_otel.x' }) } },
    [/a family or a target/],
  ],
  [
    'spans on a log lane',
    { lanes: { log: { signal: 'logs', accept: [{ spans: ['any'] }] } } },
    [/signal logs cannot take `spans`/],
  ],
  [
    'points on a traces lane',
    { lanes: { trace: { signal: 'traces', accept: [{ points: ['any'] }] } } },
    [/`events` or `spans`/],
  ],
  [
    'an event name of spans',
    { lanes: { trace: { signal: 'traces', accept: [{ spans: [{ event_name: 'x' }] }] } } },
    [/spans have none/],
  ],
  ['a path that is none', { target: { log_record: ['scope.nam'] } }, [/did you mean `scope.name`/]],
  [
    'two sins at once',
    { lanes: { log: logLane('trace_saf', 'log_onli') } },
    [/did you mean `trace_safe`/, /did you mean `log_only`/],
  ],
]

for (const [title, text, messages] of SINS) {
  t.test(`${title} is an error that names the remedy and its place`, async (t) => {
    const { problems } = compilePolicy(createSpec(text))
    t.equal(problems.length, messages.length)
    messages.forEach((message, index) => {
      t.match(problems[index].message, message)
      t.equal(problems[index].severity, 'error')
      t.ok(problems[index].position.line > 0)
    })
  })
}

t.test('the preset, and a policy with nothing in it, compile without a problem', async (t) => {
  t.same(compilePolicy(createSpec()).problems, [])
  t.same(compilePolicy(createSpec({ namespace: '', families: {}, lanes: {} })).problems, [])
})

t.test('a policy has as many lanes as the limit says, and not one more', async (t) => {
  const lanes = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`lane${index}`, logLane('any')]))
  t.same(compilePolicy(createSpec({ lanes: lanes(lanesMax) })).problems, [])
  t.match(compilePolicy(createSpec({ lanes: lanes(lanesMax + 1) })).problems, [
    { key: 'lanes', message: /at most 30 lanes/ },
  ])
})
