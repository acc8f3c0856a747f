/**
 * Findings: what is merged, what is new, and that nothing a client sends can make them grow without bound.
 */
import t from 'tap'
import { FINDING_KINDS, type Finding } from '../../src/telemetry/finding.ts'
import {
  createFindings,
  EVENT_NAMES_MAX,
  FIELDS_MAX,
  FINDINGS_MAX,
  NAME_CHARACTERS_MAX,
} from '../../src/telemetry/findings.ts'
import { createTelemetry } from '../../src/telemetry/telemetry.ts'

const SUBSYSTEM: Finding = {
  kind: 'unreviewed_subsystem',
  target: 'codex_otel.newthing',
  family: 'unreviewed',
  eventName: 'a',
  place: undefined,
  keys: ['x', 'y'],
  count: 1,
}
const FIELD: Finding = {
  kind: 'undecided_field',
  target: '',
  family: 'foreign',
  eventName: 'a',
  place: 'span_event',
  keys: ['x'],
  count: 2,
}

t.test('a target is one finding, with all its event names and fields', async (t) => {
  const findings = createFindings()
  t.same(findings.record([SUBSYSTEM], 0), [SUBSYSTEM], 'it is new')
  t.same(findings.record([{ ...SUBSYSTEM, eventName: 'b', keys: ['y', 'z'], count: 3 }], 5000), [])
  t.strictSame(findings.snapshot(), {
    findings: [
      {
        // The SHA-256 of `["unreviewed_subsystem","codex_otel.newthing",null]`, cut.
        id: '918f8afbafec',
        kind: 'unreviewed_subsystem',
        target: 'codex_otel.newthing',
        family: 'unreviewed',
        lane: null,
        place: null,
        event_names: ['a', 'b'],
        fields: ['x', 'y', 'z'],
        key: null,
        count: 4,
        first_seen: '1970-01-01T00:00:00.000Z',
        last_seen: '1970-01-01T00:00:05.000Z',
        state: 'open',
      },
    ],
    dropped: 0,
  })
  const [closed] = findings.snapshot(({ target }) => target === 'codex_otel.newthing').findings
  t.equal(closed.state, 'closed')
})

t.test('a field is one finding for each family, place and event that has it', async (t) => {
  const findings = createFindings()
  const others: readonly Partial<Finding>[] = [
    { family: 'x' },
    { place: 'span' },
    { eventName: 'b' },
    { keys: ['y'] },
    { keys: ['x\ny'] },
  ]
  findings.record([FIELD, ...others.map((other) => ({ ...FIELD, ...other })), FIELD], 0)
  const rows = findings.snapshot().findings
  t.equal(rows.length, 6)
  t.match(rows.at(-1), {
    target: null,
    place: 'span_event',
    key: 'x',
    fields: [],
    event_names: ['a'],
    count: 4,
  })
})

t.test('the newest finding stands first', async (t) => {
  const findings = createFindings()
  findings.record([SUBSYSTEM], 0)
  findings.record([{ ...SUBSYSTEM, target: 'codex_otel.other' }], 1)
  findings.record([SUBSYSTEM], 2)
  t.same(
    findings.snapshot().findings.map(({ target }) => target),
    ['codex_otel.other', 'codex_otel.newthing'],
  )
})

t.test('a flood of one kind is counted, takes its share of the room, and hides no other kind', async (t) => {
  const findings = createFindings()
  const max = FINDINGS_MAX.undecided_field
  for (let index = 0; index < max + 10; index++) {
    findings.record([{ ...FIELD, keys: [`key.${index}`] }], index)
  }
  t.equal(findings.snapshot().findings.length, max, 'at the limit')
  t.equal(findings.snapshot().dropped, 20, 'past it')
  t.equal(findings.counts().get('undecided_field'), 2 * (max + 10))
  t.same(findings.record([{ ...FIELD, keys: ['key.0'] }], 0), [], 'what is known is still merged')
  t.equal(findings.snapshot().dropped, 20)
  t.same(findings.record([SUBSYSTEM], 0), [SUBSYSTEM])
  t.equal(
    FINDING_KINDS.reduce((sum, kind) => sum + FINDINGS_MAX[kind], 0),
    1000,
    'all shares together',
  )
})

t.test('a finding keeps a bounded number of names, each of bounded length', async (t) => {
  const findings = createFindings()
  const long = 'n'.repeat(10_000)
  for (let index = 0; index <= FIELDS_MAX; index++) {
    findings.record(
      [{ ...SUBSYSTEM, target: long, eventName: `${index}${long}`, keys: [`${index}${long}`] }],
      0,
    )
  }
  const [row] = findings.snapshot().findings
  t.equal(row.event_names.length, EVENT_NAMES_MAX)
  t.equal(row.fields.length, FIELDS_MAX)
  for (const name of [row.target ?? '', ...row.event_names, ...row.fields])
    t.equal(name.length, NAME_CHARACTERS_MAX)
})

t.test(
  'a new subsystem and a near miss are one line of the log each, by name; a field is none',
  async (t) => {
    const lines: Record<string, unknown>[] = []
    const { emit } = createTelemetry({
      config: { logLevel: 'info' },
      exporters: [],
      clock: () => 0,
      destination: { write: (line) => lines.push(JSON.parse(line)) },
    })
    const nearMiss: Finding = {
      ...SUBSYSTEM,
      kind: 'near_miss',
      target: 'codex_otel2',
      eventName: '',
      keys: [],
    }
    for (let times = 0; times < 3; times++)
      emit({ type: 'findings_noted', findings: [SUBSYSTEM, nearMiss, FIELD] })
    t.match(lines, [
      { level: 'info', msg: 'a subsystem that nobody has reviewed', target: 'codex_otel.newthing' },
      { level: 'info', msg: 'a target that is nearly one of the policy', target: 'codex_otel2' },
    ])
    t.equal(lines.length, 2)
  },
)
