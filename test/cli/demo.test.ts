/**
 * The demo against a real sidecar: what it prints is what the sidecar counted.
 */
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { createDemoRequests, readDemoSession } from '../../src/cli/demo-session.ts'
import { formatTable } from '../../src/cli/table.ts'
import { decode } from '../oracle/oracle.ts'
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

t.test('the demo shows a session split over its lanes, every item accounted for', async (t) => {
  const cwd = t.testdir({ 'laneway.yaml': config })
  const program = { main: checkoutMain, cwd }
  const sidecar = await startSidecar(program, [])
  const demo = await runToEnd(program, ['demo', '--endpoint', sidecar.receiver, '--admin', sidecar.admin])
  t.equal(demo.stderr, '')
  t.equal(demo.code, 0)
  t.match(demo.stdout, /log_only +log_record +11 +forwarded +log\b/)
  t.match(demo.stdout, /network_proxy +log_record +2 +forwarded +log\b/)
  t.match(demo.stdout, /unreviewed +log_record +1 +forwarded +log\b/)
  t.match(demo.stdout, /trace_safe +span_event +9 +forwarded +trace\b/)
  t.match(
    demo.stdout,
    /log_only +span_event +2 +(?:dropped|rehomed) +log\b/,
    'a misplaced event leaves its span',
  )
  t.match(demo.stdout, /foreign +log_record +1 +dropped +- +foreign\b/)
  t.match(demo.stdout, /data_point +2 +forwarded +metric\b/)
  t.notMatch(demo.stdout, /Made up|example\.invalid/, 'counts and names are printed, content is not')

  const items = demo.stdout.matchAll(/^ {2}\S+ +(?:log_record|span|span_event|data_point) +(\d+) +\S+/gm)
  const sum = [...items].reduce((sum, [, count]) => sum + Number(count), 0)
  const session = readDemoSession()
  const sent =
    session.logRecords.length +
    session.spans.flatMap(({ events }) => ['span', ...events]).length +
    session.counters.length
  t.equal(sum, sent)
  t.match(demo.stdout, /file\/out +\d+ +sent/)

  const again = await runToEnd(program, ['demo', '--endpoint', sidecar.receiver, '--admin', sidecar.admin])
  t.equal(
    again.stdout.replace(/^.*\n/, ''),
    demo.stdout.replace(/^.*\n/, ''),
    'a second run shows its own items only',
  )
  t.equal((await sidecar.stop()).code, 0)
})

t.test('with no sidecar there, the demo says so, and how to start one', async (t) => {
  const program = { main: checkoutMain, cwd: t.testdir() }
  const port = await freePort()
  const demo = await runToEnd(program, ['demo', '--admin', `http://127.0.0.1:${port}`])
  t.equal(demo.code, 1)
  t.equal(demo.stdout, '')
  t.match(demo.stderr, /^laneway: nothing listens at http:\/\/127\.0\.0\.1:\d+; .*`npm start`.*\n$/)
})

t.test('an address that is none, and an option that is none, are refused with exit code 2', async (t) => {
  const program = { main: checkoutMain, cwd: t.testdir() }
  for (const args of [
    ['--admin', 'localhost:13133'],
    ['--endpoint', 'https://h'],
    ['--endpont', 'x'],
  ]) {
    const demo = await runToEnd(program, ['demo', ...args])
    t.equal(demo.code, 2, args.join(' '))
    t.match(demo.stderr, /^laneway: [^\n]+\n$/)
  }
})

t.test('a configuration names the sidecar as well as two addresses do', async (t) => {
  const path = join(t.testdir({ 'x.yaml': config }), 'x.yaml')
  const port = await freePort()
  const demo = await runToEnd({ main: checkoutMain, cwd: t.testdirName }, [
    'demo',
    '--config',
    path,
    '--set',
    `admin.endpoint=127.0.0.1:${port}`,
  ])
  t.equal(demo.code, 1)
  t.match(demo.stderr, new RegExp(`nothing listens at http://127\\.0\\.0\\.1:${port};`))
})

t.test('the requests are what an SDK would send: whole, and of one trace', async (t) => {
  const session = readDemoSession()
  const requests = await createDemoRequests(session, Date.UTC(2030, 0, 1))
  const [logs, traces, metrics] = requests.map(({ body }) => body)
  t.match(decode('ExportLogsServiceRequest', logs), { resourceLogs: [{ scopeLogs: Array }] })
  t.match(decode('ExportMetricsServiceRequest', metrics), { resourceMetrics: [{ scopeMetrics: Array }] })
  t.match(decode('ExportTraceServiceRequest', traces), {
    resourceSpans: [{ scopeSpans: [{ spans: session.spans.map(({ name }) => ({ name })) }] }],
  })
})

t.test('a table aligns words to the left and numbers to the right', async (t) => {
  const rows = [
    ['a', 5],
    ['longer', 10],
  ]
  t.equal(formatTable(['name', 'items'], rows), '  name    items\n  a           5\n  longer     10\n')
  t.equal(formatTable(['name'], []), '  name\n')
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}
