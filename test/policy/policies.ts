/**
 * fast-check arbitraries for policies: codex and everything that data may make of it.
 *
 * Several lanes a signal, some without exporters; families in and out of the namespace; lines with `except`,
 * with names of every kind, and with conditions. All of them compile without a problem.
 */
import fc from 'fast-check'
import { PLACES, type Place } from '../../src/policy/place.ts'
import type { FieldLine, Lane, Line, Path, PolicyText, Selector } from './spec.ts'
import { CODEX_LANES } from './spec.ts'

const FAMILY_TARGETS = [
  'codex_otel',
  'codex_otel.log_only',
  'codex_otel.trace_safe',
  'codex_otel.trace_safe.debug',
  'codex_otel.network_proxy',
  'codex_otel.network_proxy.policy',
  'h2',
  'h2::client',
  'codex_core',
  'log',
]
const FAMILIES = ['one', 'two', 'three']
const NAMED_TARGETS = [
  'codex_otel',
  'codex_otel.newthing',
  'codex_otel.trace_safe',
  'codex_otel.log_only',
  'codex_core::tasks',
  'h2::client',
]

const families: fc.Arbitrary<Record<string, string[]>> = fc
  .array(fc.constantFrom(...FAMILIES, undefined), {
    minLength: FAMILY_TARGETS.length,
    maxLength: FAMILY_TARGETS.length,
  })
  .map((owners) =>
    Object.fromEntries(
      FAMILIES.map((name) => [name, FAMILY_TARGETS.filter((_, index) => owners[index] === name)]),
    ),
  )

const resource = fc.constantFrom<Record<string, string>[]>(
  { level: 'INFO' },
  { level: '*' },
  { target: 'codex_otel.*' },
  { level: 'W*', target: '*' },
)
const event_name = fc.constantFrom<(string | string[])[]>(
  'codex.*',
  'codex.user_prompt',
  ['codex.tool_result', '*starts'],
  '*.*_*',
)
const subject = fc.oneof(
  fc.constantFrom(...FAMILIES.map((family) => ({ family }))),
  fc.constantFrom(...NAMED_TARGETS.map((target) => ({ target }))),
  fc.constant({}),
)
const word = fc.oneof(
  fc.constantFrom('any', '*', 'foreign', ...FAMILIES),
  fc.constantFrom(...NAMED_TARGETS.filter((target) => target.includes('.') || target.includes('::'))),
)

const eventSelector: fc.Arbitrary<Selector> = fc.oneof(
  { weight: 4, arbitrary: word },
  fc.tuple(subject, event_name).map(([one, event_name]) => ({ ...one, event_name })),
  fc.tuple(subject, resource).map(([one, resource]) => ({ ...one, resource })),
  fc
    .tuple(subject, event_name, resource)
    .map(([one, event_name, resource]) => ({ ...one, event_name, resource })),
)
const spanSelector: fc.Arbitrary<Selector> = fc.oneof(
  { weight: 3, arbitrary: word },
  { weight: 1, arbitrary: fc.constant('any') },
  fc.tuple(subject, resource).map(([one, resource]) => ({ ...one, resource })),
)
const pointSelector: fc.Arbitrary<Selector> = fc.oneof(
  fc.constantFrom('any', 'foreign', '*'),
  resource.map((resource) => ({ resource })),
)

function lines(items: 'events' | 'spans' | 'points', selector: fc.Arbitrary<Selector>): fc.Arbitrary<Line> {
  return fc
    .tuple(fc.array(selector, { minLength: 1, maxLength: 2 }), fc.integer({ min: 0, max: 3 }))
    .map(([selectors, draw]): Line => {
      const said = {
        events: { events: selectors },
        spans: { spans: selectors },
        points: { points: selectors },
      }
      return draw === 0 ? { except: said[items] } : said[items]
    })
}

function lane(signal: Lane['signal'], line: fc.Arbitrary<Line>): fc.Arbitrary<Lane> {
  return fc
    .tuple(fc.array(line, { maxLength: 4 }), fc.integer({ min: 0, max: 5 }))
    .map(([accept, draw]) => ({ signal, accept, off: draw === 0 }))
}

const logLane = lane('logs', lines('events', eventSelector))
const traceLane = lane('traces', fc.oneof(lines('events', eventSelector), lines('spans', spanSelector)))
const metricLane = lane('metrics', lines('points', pointSelector))

const lanes: fc.Arbitrary<Record<string, Lane>> = fc
  .tuple(
    fc.array(logLane, { maxLength: 3 }),
    fc.array(traceLane, { maxLength: 3 }),
    fc.array(metricLane, { maxLength: 2 }),
    fc.boolean(),
  )
  .map(([log, trace, metric, isReversed]) => {
    const all = [...log, ...trace, ...metric]
    const entries = (isReversed ? all.toReversed() : all).map((one, index) => [`lane${index}`, one])
    return Object.fromEntries(entries)
  })

const recordPaths = fc.constantFrom<Path[][]>(
  [{ path: 'scope.name', except: ['', 'log', 'unknown'] }, 'attributes["log.target"]', 'scope.name'],
  ['scope.name'],
  ['attributes["target"]', 'scope.name'],
  ['resource.attributes["target"]', { path: 'attributes["log.target"]', except: ['log'] }, 'scope.name'],
)
const itemPaths = fc.constantFrom<Path[][]>(
  ['attributes["target"]'],
  ['attributes["target"]', 'attributes["code.namespace"]', 'scope.name'],
  [{ path: 'attributes["target"]', except: ['', 'codex_otel'] }, 'resource.attributes["target"]'],
)

/** Anything that the configuration allows. */
export const anyPolicy: fc.Arbitrary<PolicyText> = fc.record({
  match: fc.constantFrom('segment', 'prefix'),
  families,
  lanes,
  unreviewed: fc.constantFrom('forward', 'drop', 'quarantine'),
  foreign: fc.constantFrom('forward', 'drop', 'quarantine'),
  target: fc.record({ log_record: recordPaths, span_event: itemPaths, span: itemPaths }),
})

/** Preset `codex` in its variants. */
export const codexPolicy: fc.Arbitrary<PolicyText> = fc.record({
  match: fc.constantFrom('segment', 'prefix'),
  unreviewed: fc.constantFrom('forward', 'drop', 'quarantine'),
  foreign: fc.constantFrom('forward', 'drop', 'quarantine'),
})

/** Policies as users write them, and any other. */
export const policyArbitrary: fc.Arbitrary<PolicyText> = fc.oneof(
  { weight: 1, arbitrary: codexPolicy },
  { weight: 4, arbitrary: anyPolicy },
)

const fieldKeys = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom('prompt', 'user.email', 'email', 'model', 'x', '', 'CANARY-PROMPT'),
    },
    { weight: 3, arbitrary: fc.constantFrom('*', 'user.*', '*.email', 'targe*', 'l*', '*o*', '*.*') },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        'level',
        'event.name',
        'target',
        'code.namespace',
        'laneway.rehomed',
        'message',
      ),
    },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        '@name',
        '@status.message',
        '@trace_state',
        '@body',
        '@event_name',
        '@severity_text',
      ),
    },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        '@schema_url',
        '@scope.name',
        '@scope.version',
        '@metric.name',
        '@metric.description',
      ),
    },
  ),
  { minLength: 1, maxLength: 4 },
)
const PLACES_WITH_ITEMS = PLACES.filter((place: Place) => place !== 'resource' && place !== 'scope')

const on: fc.Arbitrary<{ on?: readonly Place[] }> = fc.oneof(
  fc.constant({}),
  fc.subarray([...PLACES], { minLength: 1, maxLength: 4 }).map((on) => ({ on })),
)
const filters: fc.Arbitrary<FieldLine> = fc.oneof(
  { weight: 2, arbitrary: on },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...FAMILIES), fc.subarray(PLACES_WITH_ITEMS, { minLength: 2 }))
      .map(([family, on]) => ({ family, on })),
  },
  { weight: 1, arbitrary: event_name.map((name) => ({ event_name: name })) },
)

const fieldLine: fc.Arbitrary<FieldLine> = fc
  .tuple(
    fc.constantFrom('keep', 'remove', 'remove', 'only', 'hash', 'truncate' as const),
    fieldKeys,
    filters,
    fc.integer({ min: 0, max: 6 }),
  )
  .map(([verb, keys, filter, to]) => ({ ...filter, [verb]: keys, ...(verb === 'truncate' ? { to } : {}) }))

const rehome = fc.oneof(fc.boolean(), fc.record({ to_logs: fc.boolean(), to_traces: fc.boolean() }))

/** Any policy, with field rules on every lane and items that move between them. */
export const fieldPolicy: fc.Arbitrary<PolicyText> = fc
  .tuple(
    policyArbitrary,
    fc.array(fc.array(fieldLine, { maxLength: 4 }), { minLength: 8, maxLength: 8 }),
    fc.array(fc.constantFrom('keep', 'keep', 'remove' as const), { minLength: 8, maxLength: 8 }),
    fc.array(fc.constantFrom('as_is', 'as_is', 'canonical' as const), { minLength: 8, maxLength: 8 }),
    rehome,
  )
  .map(([text, fields, unlisted, wires, rehome]) => {
    const entries = Object.entries(text.lanes ?? CODEX_LANES).map(([name, lane], index): [string, Lane] => [
      name,
      { ...lane, fields: fields[index], unlisted_fields: unlisted[index], wire: wires[index] },
    ])
    // A target that the resource gives may read otherwise in the other carriage; then a carrier is named for both.
    const isOfResource = JSON.stringify(text.target ?? {}).includes('resource.')
    return { ...text, rehome: isOfResource ? false : rehome, lanes: Object.fromEntries(entries) }
  })
