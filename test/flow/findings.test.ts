/** Findings over restarts and kills, and events that come twice. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { encode } from '../oracle/oracle.ts'
import { type Flow, HEAD, startFlowIn } from './flow.ts'

const YAML = `${HEAD}
policy: { preset: codex }
exporters: { file/log: { path: ./log.jsonl }, file/trace: { path: ./trace.jsonl } }
lanes: { log: { exporters: [file/log] }, trace: { exporters: [file/trace] } }
`

interface Row {
  readonly id: string
  readonly kind: string
  readonly state: string
  readonly target: string | null
  readonly family: string | null
  readonly event_names: readonly string[]
  readonly count: number
}

async function findings(
  flow: Flow,
): Promise<{ readonly findings: readonly Row[]; readonly dropped: number }> {
  return JSON.parse(await (await fetch(`${flow.running.admin}/api/v1/findings`)).text())
}

const SECRET = 'what a person wrote'
const IDS = { traceId: '0a'.repeat(16), spanId: '0b'.repeat(8) }

function logsOf(targets: readonly string[], ids: object = {}): Uint8Array {
  const attributes = [
    { key: 'event.name', value: { stringValue: 'codex.user_prompt' } },
    { key: 'prompt', value: { stringValue: SECRET } },
  ]
  const scopeLogs = targets.map((name) => ({ scope: { name }, logRecords: [{ ...ids, attributes }] }))
  return encode('ExportLogsServiceRequest', { resourceLogs: [{ scopeLogs }] })
}

function spanOf(target: string, eventName = 'codex.user_prompt'): Uint8Array {
  const attributes = [
    { key: 'target', value: { stringValue: target } },
    { key: 'event.name', value: { stringValue: eventName } },
  ]
  const spans = [{ ...IDS, name: 's', events: [{ name: 'event src/a.rs:1', attributes }] }]
  return encode('ExportTraceServiceRequest', { resourceSpans: [{ scopeSpans: [{ spans }] }] })
}

t.test(
  'findings and their ids outlive a restart and, some seconds old, a kill; values are nowhere',
  async (t) => {
    const cwd = t.testdir({ 'laneway.yaml': YAML })
    const file = join(cwd, 'laneway-data/findings.json')
    const first = await startFlowIn(t, cwd, [])
    await first.post('/v1/logs', logsOf(['codex_otel.new']))
    const [before] = (await findings(first)).findings
    t.match(before, { kind: 'unreviewed_subsystem', target: 'codex_otel.new', count: 1, state: 'open' })
    await first.stop()
    t.equal(statSync(file).mode & 0o777, 0o600)
    const second = await startFlowIn(t, cwd, [])
    await second.post('/v1/logs', logsOf(['codex_otel.new', 'codex_otel.other']))
    t.match(await findings(second), {
      findings: [{ target: 'codex_otel.other' }, { id: before.id, target: 'codex_otel.new', count: 2 }],
    })
    for (let tries = 0; !readFileSync(file, 'utf8').includes('codex_otel.other') && tries < 200; tries++)
      await delay(50)
    second.running.signal('SIGKILL')
    await second.running.finished
    const third = await startFlowIn(t, cwd, [])
    t.equal((await findings(third)).findings.length, 2)
    t.notOk(readFileSync(file, 'utf8').includes(SECRET))
  },
)

t.test(
  'a file that is no list of findings is set aside, and what is no finding in one is left out',
  async (t) => {
    const cwd = t.testdir({ 'laneway.yaml': YAML, 'laneway-data': { 'findings.json': '{"findings": [' } })
    const flow = await startFlowIn(t, cwd, [])
    t.same(await findings(flow), { findings: [], dropped: 0 })
    t.ok(existsSync(join(cwd, 'laneway-data/findings.json.corrupt')))
    await flow.stop()
    writeFileSync(
      join(cwd, 'laneway-data/findings.json'),
      '{"findings":[7,{"kind":"none"},{"kind":"near_miss"}]}',
    )
    const again = await startFlowIn(t, cwd, [])
    t.same(await findings(again), { findings: [], dropped: 0 })
  },
)

const LOG = ['/v1/logs', logsOf(['codex_otel.log_only'], IDS)] as const
const SPAN = ['/v1/traces', spanOf('codex_otel.log_only')] as const

for (const [title, requests, doubled] of [
  ['a log record, then the same event in its span', [LOG, SPAN], 1],
  ['the event in its span, then the log record', [SPAN, LOG], 1],
  ['the same log record twice', [LOG, LOG], 0],
  ['events of other names', [LOG, ['/v1/traces', spanOf('codex_otel.log_only', 'codex.other')] as const], 0],
  ['a record without ids', [['/v1/logs', logsOf(['codex_otel.log_only'])] as const, SPAN], 0],
] as const) {
  t.test(`doubled: ${title}: ${doubled === 0 ? 'no finding' : 'a finding'}`, async (t) => {
    const flow = await startFlowIn(t, t.testdir({ 'laneway.yaml': YAML }), [])
    for (const [path, body] of requests) t.equal((await flow.post(path, body)).status, 200)
    const found = (await findings(flow)).findings.filter(({ kind }) => kind === 'doubled')
    t.equal(found.length, doubled)
    if (doubled === 1) t.match(found, [{ family: 'log_only', event_names: ['codex.user_prompt'], count: 1 }])
  })
}

t.test(
  'a million invented targets take their share and no more, in memory, on the disk and in the metrics',
  async (t) => {
    const cwd = t.testdir({ 'laneway.yaml': YAML })
    const flow = await startFlowIn(t, cwd, [])
    await flow.post('/v1/logs', logsOf(['CODEX_OTEL.trace_safe']))
    const each = 50_000
    for (let round = 0; round < 20; round++) {
      const targets = Array.from({ length: each }, (_, index) => `codex_otel.invented_${round}_${index}`)
      t.equal((await flow.post('/v1/logs', logsOf(targets))).status, 200)
    }
    const { findings: rows, dropped } = await findings(flow)
    const invented = rows.filter(({ kind }) => kind === 'unreviewed_subsystem')
    t.equal(invented.length, 150)
    t.ok(dropped > 0)
    t.equal(rows.filter(({ kind }) => kind === 'near_miss').length, 1, 'a flood of one kind hides no other')
    const metrics = await (await fetch(`${flow.running.admin}/metrics`)).text()
    t.notMatch(metrics, /invented_/)
    await flow.stop()
    t.ok(statSync(join(cwd, 'laneway-data/findings.json')).size < 1024 * 1024)
  },
)
