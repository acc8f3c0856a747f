/** The reviews file: what it says wrong is told at its line, and what is written into it is read back. */
import { deepStrictEqual } from 'node:assert/strict'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { type NewReview, reviewLines, withReview } from '../../src/config/edit-reviews.ts'
import { loadConfig } from '../../src/config/load.ts'
import { ConfigError, formatProblem } from '../../src/errors.ts'
import { TRACE_PLACES } from '../../src/policy/place.ts'
import type { Reviews } from '../../src/policy/reviews.ts'

const CONFIG = `
policy: { preset: codex }
exporters: { file/out: { path: ./out.jsonl } }
lanes: { log: { exporters: [file/out] }, trace: { exporters: [file/out] }, metric: { exporters: [file/out] } }
`
const WHO = 'by: ana, at: 2026-11-27, reason: counts only'

function load(cwd: string): { readonly reviews: Reviews; readonly said: readonly string[] } {
  try {
    const { reviews, warnings } = loadConfig({ files: [], set: [], env: {}, cwd })
    return { reviews, said: warnings.map(formatProblem).filter((line) => line.startsWith('reviews.yaml')) }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const said = error.problems.map(formatProblem).filter((line) => line.startsWith('reviews.yaml'))
    return { reviews: { targets: [], fields: [], dismissed: [] }, said }
  }
}

/** Title, the file, what is said of it. */
const SINS: readonly (readonly [title: string, file: string, said: RegExp])[] = [
  [
    'a family that is not there',
    `targets: { codex_otel.a: { decision: accept, family: network_proxi, ${WHO} } }`,
    /^reviews.yaml:1:12: error: .*did you mean `network_proxy`/,
  ],
  [
    'an acceptance into no family',
    `targets: { codex_otel.a: { decision: accept, ${WHO} } }`,
    /1:12: error: .*accepted into no family/,
  ],
  [
    'a rejection with a family',
    `targets: { codex_otel.a: { decision: reject, family: log_only, ${WHO} } }`,
    /rejected, so it has no family/,
  ],
  [
    'a word that is no decision',
    `targets: { codex_otel.a: { decision: acept, family: log_only, ${WHO} } }`,
    /must be one of accept, reject, did you mean `accept`/,
  ],
  [
    'a target that a family has',
    `targets: { codex_otel.trace_safe.x: { decision: reject, ${WHO} } }`,
    /warning: .*a review never overrides/,
  ],
  [
    'a target outside the namespace',
    `targets: { other.client: { decision: reject, ${WHO} } }`,
    /error: .*outside the namespace/,
  ],
  [
    'a target that is not whole',
    `targets: { codex_otel.: { decision: reject, ${WHO} } }`,
    /error: .*no whole target/,
  ],
  [
    'a decision of nobody',
    `targets: { codex_otel.a: { decision: reject, at: 2026-11-27, reason: x } }`,
    /by: is missing; write who decided/,
  ],
  [
    'a key misspelt',
    `targets: { codex_otel.a: { decison: reject, ${WHO} } }`,
    /unknown key, did you mean `decision`/,
  ],
  ['a section misspelt', 'target: {}', /unknown key, did you mean `targets`/],
  [
    'a glob for a key',
    `fields: [{ key: "http.*", on: span, decision: accept, ${WHO} }]`,
    /1:17: error: .*one key by its name/,
  ],
  [
    'a text for a key',
    `fields: [{ key: "@name", on: span, decision: accept, ${WHO} }]`,
    /a review decides on attributes/,
  ],
  ['a place that is none', `fields: [{ key: a, on: spam, decision: accept, ${WHO} }]`, /did you mean `span`/],
  [
    'a field decided twice',
    `fields:\n  - { key: a, on: span, decision: accept, ${WHO} }\n  - { key: a, on: span, decision: reject, ${WHO} }`,
    /^reviews.yaml:3:5: error: .*twice/,
  ],
  [
    'a field of a family that is not there',
    `fields: [{ key: a, on: span, family: trace_saf, decision: accept, ${WHO} }]`,
    /did you mean `trace_safe`/,
  ],
  ['an id that is none', `dismissed: { abc: { ${WHO} } }`, /error/],
  ['what is no YAML', 'targets: {', /error: not YAML/],
]

for (const [title, file, said] of SINS) {
  t.test(`reviews: ${title} is told at its line`, async (t) => {
    const result = load(t.testdir({ 'laneway.yaml': CONFIG, 'reviews.yaml': `${file}\n` }))
    t.ok(
      result.said.some((line) => said.test(line)),
      result.said.join('\n'),
    )
  })
}

t.test('all problems come at once, and an absent or blank file has none', async (t) => {
  const file = `targets:\n  codex_otel.a: { decision: acept, ${WHO} }\n  h2.x: { decision: reject, ${WHO} }\n`
  t.equal(load(t.testdir({ 'laneway.yaml': CONFIG, 'reviews.yaml': file })).said.length, 2)
  for (const blank of [undefined, '', '# nothing yet\n\n', '---\n# later\n', 'targets:\nfields:\n']) {
    const dir = t.testdir({ 'laneway.yaml': CONFIG, ...(blank !== undefined && { 'reviews.yaml': blank }) })
    t.strictSame(load(dir), { reviews: { targets: [], fields: [], dismissed: [] }, said: [] })
  }
})

t.test(
  'the file lies beside the one that names it, and a reviews file is found there without being named',
  async (t) => {
    const dir = t.testdir({
      etc: {
        'laneway.yaml': CONFIG,
        'reviews.yaml': `targets: { codex_otel.a: { decision: reject, ${WHO} } }`,
      },
      'named.yaml': `${CONFIG.replace('codex }', 'codex, reviews: etc/reviews.yaml }')}`,
    })
    for (const file of ['etc/laneway.yaml', 'named.yaml']) {
      const config = loadConfig({ files: [file], set: [], env: {}, cwd: dir })
      t.equal(config.reviewsFile, join(dir, 'etc/reviews.yaml'))
      t.equal(config.reviews.targets.length, 1)
    }
  },
)

const text = fc.stringMatching(/^[ -~]{1,20}$/).filter((one) => one.trim() !== '')
const decided = fc.record({ by: text, at: fc.constant('2026-11-27T10:00:00Z'), reason: text })
const segment = fc.stringMatching(/^[a-z_0-9]{1,8}$/)
const decision = fc.oneof(
  fc.record({ target: segment.map((name) => `codex_otel.${name}`), isAccepted: fc.boolean(), decided }).map(
    ({ target, isAccepted, decided }): NewReview => ({
      section: 'targets',
      review: isAccepted
        ? { target, decision: 'accept', family: 'of_the_reviews', newFamily: true, ...decided }
        : { target, decision: 'reject', family: undefined, newFamily: false, ...decided },
    }),
  ),
  fc.record({ key: text, place: fc.constantFrom(...TRACE_PLACES), isAccepted: fc.boolean(), decided }).map(
    ({ key, place, isAccepted, decided }): NewReview => ({
      section: 'fields',
      review: {
        key: key.replaceAll(/[*@]/g, '-'),
        place,
        family: isAccepted ? undefined : 'log_only',
        decision: isAccepted ? 'accept' : 'reject',
        ...decided,
      },
    }),
  ),
  fc
    .record({ id: fc.stringMatching(/^[0-9a-f]{12}$/), decided })
    .map(({ id, decided }): NewReview => ({ section: 'dismissed', review: { id, ...decided } })),
)

function subjectOf({ section, review }: NewReview): string {
  if (section === 'targets') return `target ${review.target}`
  return section === 'dismissed'
    ? `id ${review.id}`
    : JSON.stringify([review.key, review.place, review.family])
}

t.test(
  'whatever is decided, in whatever order, is read back, sorted, the last word on each subject',
  async (t) => {
    let file = ''
    const dir = t.testdir({ 'laneway.yaml': CONFIG })
    const { writeFileSync } = await import('node:fs')
    fc.assert(
      fc.property(fc.array(decision, { maxLength: 12 }), (decisions) => {
        file = decisions.reduce(withReview, '')
        writeFileSync(join(dir, 'reviews.yaml'), file)
        const last = new Map(decisions.map((one) => [subjectOf(one), one]))
        const { reviews, said } = load(dir)
        deepStrictEqual(said, [])
        const read = [
          ...reviews.targets.map((review): NewReview => ({ section: 'targets', review })),
          ...reviews.fields.map((review): NewReview => ({ section: 'fields', review })),
          ...reviews.dismissed.map((review): NewReview => ({ section: 'dismissed', review })),
        ]
        const bySubject = (all: Iterable<NewReview>): ReadonlyMap<string, object> =>
          new Map(Array.from(all, (one) => [subjectOf(one), { ...one.review, position: undefined }]))
        deepStrictEqual(bySubject(read), bySubject(last.values()))
        const names = reviews.targets.map(({ target }) => target)
        deepStrictEqual(names, names.toSorted())
        const keys = reviews.fields.map(({ key }) => key)
        deepStrictEqual(keys, keys.toSorted())
      }),
      { numRuns: 200 },
    )
    t.pass('for every list of decisions')
  },
)

t.test('comments stay where they are, and a decision changes the lines of its own entry only', async (t) => {
  const who = { by: 'ana', at: '2026-11-27T10:00:00Z', reason: 'counts only' }
  const before = `# Reviews of the team.
targets:
  # Asked in the meeting of the 3rd.
  codex_otel.b:
    decision: reject # for now
    by: bob
    at: 2026-01-01
    reason: holds text
fields:
  - key: z.last
    on: span
    decision: accept
    by: bob
    at: 2026-01-01
    reason: a number
`
  const review = { target: 'codex_otel.a', decision: 'accept', family: 'f', newFamily: true, ...who } as const
  const after = withReview(before, { section: 'targets', review })
  const added = reviewLines({ section: 'targets', review }).split('\n').slice(1, -1)
  const block = `${added.join('\n')}\n`
  t.ok(after.includes(block), 'it stands there as it is printed')
  t.equal(after.replace(block, ''), before, 'and nothing else has changed')
  t.ok(after.indexOf('codex_otel.a') < after.indexOf('codex_otel.b'))
})
