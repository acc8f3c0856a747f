/**
 * What a user sees of findings and of `explain`, with the program as a process of its own.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { root } from '../house/source.ts'
import { checkoutMain, runToEnd, startSidecar } from './process.ts'

const config = `
receivers: { otlp: { protocols: { http: { endpoint: "127.0.0.1:0" } } } }
admin: { endpoint: "127.0.0.1:0" }
policy: { preset: codex }
exporters: { file/out: { path: ./out.jsonl } }
lanes:
  log: { exporters: [file/out] }
  trace: { exporters: [file/out] }
  metric: { exporters: [file/out] }
`

t.test(
  'the demo leaves its new subsystem among the findings, in the metrics and, once, in the log',
  async (t) => {
    const program = { main: checkoutMain, cwd: t.testdir({ 'laneway.yaml': config }) }
    const sidecar = await startSidecar(program, [])
    const read = async (path: string): Promise<string> => (await fetch(sidecar.admin + path)).text()
    t.same(JSON.parse(await read('/api/v1/findings')), { findings: [], dropped: 0 })
    const demo = ['demo', '--endpoint', sidecar.receiver, '--admin', sidecar.admin]
    for (let times = 0; times < 2; times++) t.equal((await runToEnd(program, demo)).code, 0)
    const findings = await read('/api/v1/findings')
    const subsystems = JSON.parse(findings).findings.filter(
      ({ kind }: { readonly kind: string }) => kind === 'unreviewed_subsystem',
    )
    t.match(subsystems, [
      { target: /^codex_otel\.\w+$/, family: 'unreviewed', event_names: [/^codex\./], count: 2, key: null },
    ])
    t.equal(subsystems.length, 1)
    t.notMatch(findings, /Made up|example\.invalid/, 'names are listed, content is not')
    t.match(await read('/metrics'), 'laneway_findings_total{kind="unreviewed_subsystem"} 2\n')
    t.match(JSON.parse(await read('/api/v1/lanes')), {
      lanes: [
        { name: 'log', signal: 'logs', state: 'on', exporters: [{ name: 'file/out', state: 'up' }] },
        { name: 'trace', signal: 'traces', state: 'on' },
        { name: 'metric', signal: 'metrics', state: 'on' },
      ],
    })
    const { code, stderr } = await sidecar.stop()
    t.equal(code, 0)
    t.equal(stderr.match(/nobody has reviewed/g)?.length, 1)
  },
)

t.test('explain reads a request from a pipe', async (t) => {
  const cwd = t.testdir({ 'laneway.yaml': config })
  const file = join(root, 'test/corpus/rust/26-traces-simple-exporter.pb')
  const named = await runToEnd({ main: checkoutMain, cwd }, ['explain', file])
  t.match(named, {
    code: 0,
    stderr: '',
    stdout: /2 × span event {2}codex_otel\.log_only .* family log_only\n {2}→ log, rehomed/,
  })
  const child = spawn(process.execPath, [checkoutMain, 'explain', '-'], {
    cwd,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  child.stdin.end(readFileSync(file))
  t.equal(await text(child.stdout), named.stdout)
})
