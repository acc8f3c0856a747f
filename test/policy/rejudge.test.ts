/** Judged again: by the lane's rules alone, nothing moves, and the same policy written otherwise has the same digest. */
import t from 'tap'
import type { PolicySpec } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { digestOf } from '../../src/policy/digest.ts'
import { createRejudge } from '../../src/policy/rejudge.ts'
import { encode } from '../oracle/oracle.ts'

function policyOf(t: { testdir(files: Readonly<Record<string, string>>): string }, yaml: string): PolicySpec {
  const cwd = t.testdir({ 'laneway.yaml': yaml })
  return loadConfig({ files: ['laneway.yaml'], set: [], env: {}, cwd }).policy
}

const BASE = 'policy: { preset: codex }\nexporters: { debug: {} }\nlanes: { log: { exporters: [debug] } }\n'

function logs(...names: readonly string[]): Uint8Array {
  const scopeLogs = names.map((name) => ({ scope: { name }, logRecords: [{ severityText: 'x' }] }))
  return encode('ExportLogsServiceRequest', { resourceLogs: [{ scopeLogs }] })
}

t.test('the digest tells what a policy says, not where it says it nor who takes it', async (t) => {
  const digest = (yaml: string) => digestOf(policyOf(t, yaml))
  const base = digest(BASE)
  t.equal(digest(`\n# a comment\n${BASE}`), base)
  t.equal(
    digest(BASE.replace('debug: {}', 'debug: {}, debug/b: {}').replace('[debug]', '[debug, debug/b]')),
    base,
  )
  t.not(digest(BASE.replace('codex }', 'codex-strict, unreviewed: forward }')), base)
  t.not(digest(BASE.replace('log: {', 'log: { fields: [{ remove: [prompt] }],')), base)
  const by = (key: string, value: string) =>
    digest(
      BASE.replace(
        'log: {',
        `log: { accept: [{ events: [{ family: log_only, resource: { ${key}: ${value} } }] }],`,
      ),
    )
  for (const key of ['env', 'position', 'positions', 'exporters']) t.not(by(key, 'a'), by(key, 'b'), key)
})

t.test(
  'what the lane still takes stays as it is, and what it does not take any more goes nowhere',
  async (t) => {
    const rejudge = createRejudge(policyOf(t, BASE), undefined)
    const kept = logs('codex_otel.a')
    t.same(rejudge({ bytes: kept, signal: 'logs', lane: 'log' }), { bytes: kept, items: 1 })
    const mixed = logs('codex_otel.a', 'codex_otel.trace_safe', 'foreign')
    t.equal(rejudge({ bytes: mixed, signal: 'logs', lane: 'log' })?.items, 1)
    t.equal(rejudge({ bytes: logs('codex_otel.trace_safe'), signal: 'logs', lane: 'log' }), undefined)
    t.equal(rejudge({ bytes: kept, signal: 'logs', lane: 'gone' }), undefined, 'a lane that is no more')
    t.equal(
      rejudge({ bytes: Buffer.from([0x0a, 0x7f]), signal: 'logs', lane: 'log' }),
      undefined,
      'not to be read',
    )
  },
)
