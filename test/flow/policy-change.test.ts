/** What was stored under one policy leaves under the policy that is in force then: after a restart, and on replay. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { checkoutMain, runToEnd } from '../cli/process.ts'
import { startBackend } from '../lane/support.ts'
import { encode } from '../oracle/oracle.ts'
import { drained, exporterItems, type Flow, HEAD, startFlowIn, type TestContext } from './flow.ts'

function logs(...targets: readonly string[]): Uint8Array {
  return encode('ExportLogsServiceRequest', {
    resourceLogs: [
      {
        scopeLogs: targets.map((name) => ({
          scope: { name },
          logRecords: [
            {
              attributes: [
                { key: 'prompt', value: { stringValue: 'a prompt' } },
                { key: 'turn', value: { stringValue: 'a turn' } },
              ],
            },
          ],
        })),
      },
    ],
  })
}

/** Answers with `state.status`. */
async function startMoody(t: TestContext, status: number) {
  const state = { status }
  const backend = await startBackend((response) => response.writeHead(state.status).end())
  t.teardown(() => backend.close())
  return { ...backend, state }
}

type Moody = Awaited<ReturnType<typeof startMoody>>

function write(cwd: string, { url }: Moody, log: string): void {
  writeFileSync(
    join(cwd, 'laneway.yaml'),
    `${HEAD}
shutdown_grace: 200ms
policy: { preset: codex }
exporters:
  otlp_http/a: { endpoint: "${url}", compression: none }
  otlp_http/b: { endpoint: "${url}", compression: none }
lanes: { log: { ${log} exporters: [otlp_http/a, otlp_http/b] } }
`,
  )
}

async function stopped(flow: Flow): Promise<void> {
  const { code, stderr } = await flow.stop()
  if (code !== 0) throw new Error(stderr)
}

const NARROW =
  'accept: [{ except: { events: [codex_otel.gone] } }], fields: [{ remove: [prompt] }, { hash: [turn] }],'

t.test(
  'after a restart with a narrower policy, what is stored leaves by it: fewer items, fewer fields',
  async (t) => {
    const backend = await startMoody(t, 503)
    const cwd = t.testdir({})
    write(cwd, backend, '')
    const first = await startFlowIn(t, cwd, [])
    t.equal((await first.post('/v1/logs', logs('codex_otel.kept', 'codex_otel.gone'))).status, 200)
    t.equal((await first.post('/v1/logs', logs('codex_otel.gone'))).status, 200)
    await stopped(first)

    write(cwd, backend, NARROW)
    const second = await startFlowIn(t, cwd, [])
    await lostOf(second, 'otlp_http/a', 2)
    await lostOf(second, 'otlp_http/b', 2)
    await stopped(second)
    backend.received.length = 0
    backend.state.status = 200
    const third = await startFlowIn(t, cwd, [])
    const ledger = await drained(third)
    for (const exporter of ['otlp_http/a', 'otlp_http/b']) {
      t.equal(exporterItems(ledger, exporter, 'sent'), 1, exporter)
      t.equal(exporterItems(ledger, exporter, 'lost'), 2)
      t.equal(exporterItems(ledger, exporter), 3, 'admitted is what it was')
    }
    const bodies = backend.received.map(({ body }) => body.toString('latin1'))
    t.equal(bodies.length, 2)
    for (const body of bodies) {
      t.match(body, 'codex_otel.kept')
      t.notMatch(body, 'codex_otel.gone')
      t.notMatch(body, 'a prompt')
      t.match(body, /hmac:[0-9a-f]{32}/)
    }
    t.equal(bodies[0], bodies[1], 'each exporter sends the same, judged once')
    await stopped(third)
  },
)

async function lostOf(flow: Flow, exporter: string, items: number): Promise<void> {
  for (let count = 0; exporterItems(await flow.ledger(), exporter, 'lost') !== items; count++) {
    if (count > 500) throw new Error(`not ${items} lost`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

t.test('with the same policy written otherwise, what is stored leaves byte for byte', async (t) => {
  const backend = await startMoody(t, 503)
  const cwd = t.testdir({})
  write(cwd, backend, '')
  const first = await startFlowIn(t, cwd, [])
  const body = logs('codex_otel.kept')
  t.equal((await first.post('/v1/logs', body)).status, 200)
  await stopped(first)
  write(cwd, backend, '\n\n\n  fields: [],')
  backend.received.length = 0
  backend.state.status = 200
  const second = await startFlowIn(t, cwd, [])
  await drained(second)
  t.same(
    backend.received.map((one) => one.body.equals(body)),
    [true, true],
  )
  await stopped(second)
})

t.test('a dead letter that is replayed under a narrower policy leaves by it', async (t) => {
  const backend = await startMoody(t, 400)
  const cwd = t.testdir({})
  write(cwd, backend, '')
  const first = await startFlowIn(t, cwd, [])
  t.equal((await first.post('/v1/logs', logs('codex_otel.kept', 'codex_otel.gone'))).status, 200)
  await drained(first)
  await stopped(first)
  write(cwd, backend, NARROW)
  backend.received.length = 0
  backend.state.status = 200
  const second = await startFlowIn(t, cwd, [])
  const replay = await runToEnd({ main: checkoutMain, cwd }, [
    'dead-letters',
    'replay',
    '--all',
    '--admin',
    second.running.admin,
  ])
  t.equal(replay.code, 0, replay.stderr)
  const ledger = await drained(second)
  t.equal(exporterItems(ledger, 'otlp_http/a', 'sent'), 1)
  t.equal(exporterItems(ledger, 'otlp_http/a', 'lost'), 1)
  t.equal(exporterItems(ledger, 'otlp_http/a', 'dead'), 0)
  for (const { body } of backend.received) t.notMatch(body.toString('latin1'), /gone|a prompt/)
  await stopped(second)
})
