/** What reviews make of a policy. */
import t from 'tap'
import type { PolicySpec } from '../../src/config/config.ts'
import { compilePolicy } from '../../src/policy/compile.ts'
import {
  applyReviews,
  type FieldReview,
  isReviewed,
  NO_REVIEWS,
  type Reviews,
  type TargetReview,
} from '../../src/policy/reviews.ts'
import { route, type WitnessedItem } from '../../src/policy/route.ts'
import { encode } from '../oracle/oracle.ts'
import { CODEX_FAMILIES, CODEX_LANES, CODEX_TARGETS, createSpec } from './spec.ts'

const decided = { by: 'ana', at: '2026-11-27', reason: 'counts only' }
const position = { file: 'reviews.yaml', line: 7, column: 3 }

function targetReview(target: string, family?: string, newFamily = false): TargetReview {
  const decision = family === undefined ? 'reject' : 'accept'
  return { target, decision, family, newFamily, ...decided, position }
}

function fieldReview(key: string, decision: 'accept' | 'reject', family?: string): FieldReview {
  return { key, place: 'span', family, decision, ...decided, position }
}

const spec = createSpec({
  namespace: 'codex_otel',
  families: CODEX_FAMILIES,
  target: CODEX_TARGETS,
  rehome: true,
  lanes: {
    ...CODEX_LANES,
    trace: { ...CODEX_LANES.trace, fields: [{ remove: ['prompt'] }], unlisted_fields: 'remove' },
  },
})

function withReviews(reviews: Partial<Reviews>, base: PolicySpec = spec): ReturnType<typeof applyReviews> {
  return applyReviews(base, { ...NO_REVIEWS, ...reviews })
}

/** Every item of the request, as a witness hears of it. */
function judged(
  signal: 'logs' | 'traces',
  request: Uint8Array,
  policySpec: PolicySpec,
): readonly WitnessedItem[] {
  const items: WitnessedItem[] = []
  const { policy } = compilePolicy(policySpec)
  route(request, signal, policy, { item: (item) => void items.push(item) })
  return items
}

function logOf(target: string): Uint8Array {
  const ids = { traceId: '0a'.repeat(16), spanId: '0b'.repeat(8) }
  return encode('ExportLogsServiceRequest', {
    resourceLogs: [{ scopeLogs: [{ scope: { name: target }, logRecords: [{ ...ids, eventName: 'x' }] }] }],
  })
}

function spanOf(keys: readonly string[], target?: string): Uint8Array {
  const attributes = keys.map((key) => ({ key, value: { stringValue: 'v' } }))
  const own = target === undefined ? [] : [{ key: 'target', value: { stringValue: target } }]
  const events = target === undefined ? [] : [{ name: 'e', attributes: own }]
  return encode('ExportTraceServiceRequest', {
    resourceSpans: [{ scopeSpans: [{ spans: [{ name: 's', attributes, events }] }] }],
  })
}

t.test(
  'an accepted target is of its family, segments and all; the longest reviewed target wins',
  async (t) => {
    const reviews = {
      targets: [
        targetReview('codex_otel.new', 'network_proxy'),
        targetReview('codex_otel.new.inner'),
        targetReview('codex_otel.new.inner.safe', 'trace_safe'),
        targetReview('codex_otel.other', 'of_its_own', true),
      ],
    }
    const { spec: reviewed, problems } = withReviews(reviews)
    t.strictSame(problems, [])
    const rows: readonly (readonly [string, string, string, string])[] = [
      ['codex_otel.new', 'network_proxy', 'forwarded', ''],
      ['codex_otel.new.a', 'network_proxy', 'forwarded', ''],
      ['codex_otel.newer', 'unreviewed', 'forwarded', ''],
      ['codex_otel.new.inner', 'unreviewed', 'dropped', 'rejected'],
      ['codex_otel.new.inner.a', 'unreviewed', 'dropped', 'rejected'],
      ['codex_otel.new.inner.safe', 'trace_safe', 'rehomed', ''],
      ['codex_otel.other', 'of_its_own', 'forwarded', ''],
    ]
    for (const [target, family, outcome, reason] of rows) {
      const [{ verdict }] = judged('logs', logOf(target), reviewed)
      t.match(verdict, { family, outcome, reason }, target)
    }
  },
)

t.test(
  'a rejected target is dropped in both carriages, by the line of its review, and is no finding',
  async (t) => {
    const { spec: reviewed } = withReviews({ targets: [targetReview('codex_otel.new')] })
    for (const [signal, request] of [
      ['logs', logOf('codex_otel.new')],
      ['traces', spanOf([], 'codex_otel.new')],
    ] as const) {
      const event = judged(signal, request, reviewed).at(-1)
      t.match(event?.verdict, { outcome: 'dropped', reason: 'rejected', rule: position }, signal)
      const kinds = route(request, signal, compilePolicy(reviewed).policy).findings.map(({ kind }) => kind)
      t.notOk(kinds.includes('unreviewed_subsystem'), signal)
    }
  },
)

t.test('a lane that names a rejected target does not get it', async (t) => {
  const named = createSpec({
    namespace: 'codex_otel',
    families: CODEX_FAMILIES,
    target: CODEX_TARGETS,
    lanes: { log: { signal: 'logs', accept: [{ events: ['codex_otel.new', '*'] }] } },
  })
  const { spec: reviewed } = withReviews({ targets: [targetReview('codex_otel.new')] }, named)
  t.equal(judged('logs', logOf('codex_otel.new'), named)[0].verdict.outcome, 'forwarded')
  t.equal(judged('logs', logOf('codex_otel.new'), reviewed)[0].verdict.outcome, 'dropped')
})

t.test('a field that was decided on is kept or removed where no line of the policy speaks', async (t) => {
  const fieldsOf = (reviews: readonly FieldReview[]): readonly unknown[] => {
    const [span] = judged('traces', spanOf(['prompt', 'a', 'b']), withReviews({ fields: reviews }).spec)
    const own = span.fields.filter(({ place, key }) => place === 'span' && !key.startsWith('@'))
    return own.map(({ key, action }) => [key, action.removes, action.rule === position])
  }
  const none = [
    ['prompt', true, false],
    ['a', true, false],
    ['b', true, false],
  ]
  t.strictSame(fieldsOf([]), none)
  t.strictSame(
    fieldsOf([fieldReview('prompt', 'accept'), fieldReview('a', 'accept'), fieldReview('b', 'reject')]),
    [
      ['prompt', true, false],
      ['a', false, true],
      ['b', true, true],
    ],
    'a line of the policy is not overridden',
  )
  t.strictSame(fieldsOf([fieldReview('a', 'accept', 'trace_safe')]), none, 'of another family')
  t.strictSame(fieldsOf([fieldReview('a', 'accept', 'foreign')])[1], ['a', false, true])
})

t.test('a review changes no family of the policy', async (t) => {
  const targets = [targetReview('codex_otel.trace_safe.x', 'log_only'), targetReview('codex_otel.log_only')]
  const { spec: reviewed, problems } = withReviews({ targets })
  t.strictSame(reviewed.families, spec.families)
  t.strictSame(reviewed.rejected, [])
  t.strictSame(
    problems.map((problem) => [problem.severity, problem.position]),
    [
      ['warning', position],
      ['warning', position],
    ],
  )
})

t.test('a finding is closed by the review of its subject, and by no other', async (t) => {
  const reviews: Reviews = {
    targets: [targetReview('codex_otel.new')],
    fields: [fieldReview('a', 'accept'), fieldReview('b', 'reject', 'foreign')],
    dismissed: [{ id: '0123456789ab', ...decided, position }],
  }
  const isClosed = (kind: string, about: Partial<Parameters<typeof isReviewed>[1]>): boolean =>
    isReviewed(reviews, { id: '', kind, target: null, family: null, place: null, key: null, ...about })
  t.ok(isClosed('unreviewed_subsystem', { target: 'codex_otel.new' }))
  t.ok(isClosed('unreviewed_subsystem', { target: 'codex_otel.new.inner' }))
  t.notOk(isClosed('unreviewed_subsystem', { target: 'codex_otel.newer' }))
  t.notOk(isClosed('near_miss', { target: 'codex_otel.new' }))
  t.ok(isClosed('near_miss', { id: '0123456789ab' }))
  t.ok(isClosed('undecided_field', { key: 'a', place: 'span', family: 'foreign' }))
  t.notOk(isClosed('undecided_field', { key: 'a', place: 'span_event', family: 'foreign' }))
  t.ok(isClosed('undecided_field', { key: 'b', place: 'span', family: 'foreign' }))
  t.notOk(isClosed('undecided_field', { key: 'b', place: 'span', family: 'trace_safe' }))
})
