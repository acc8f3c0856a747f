/** `laneway dead-letters`, with a sidecar that runs and on the files of one that does not. */
import { createServer } from 'node:http'
import t from 'tap'
import { drained, exporterItems, type Flow, startFlow, startFlowIn, type TestContext } from '../flow/flow.ts'
import { startBackend } from '../lane/support.ts'
import { encode } from '../oracle/oracle.ts'
import { checkoutMain, type Finished, runToEnd } from './process.ts'

const SECRET = 'the prompt of a person'

function logsOf(target: string): Uint8Array {
  const attributes = [
    { key: 'event.name', value: { stringValue: 'codex.user_prompt' } },
    { key: 'prompt', value: { stringValue: SECRET } },
  ]
  return encode('ExportLogsServiceRequest', {
    resourceLogs: [
      { scopeLogs: [{ scope: { name: target }, logRecords: [{ attributes }, { attributes }] }] },
    ],
  })
}

function yamlOf(url: string, storage: string, admin = ''): string {
  return `
policy: { preset: codex }
telemetry: { logs: { level: info } }
exporters:
  otlp_http/logs: { endpoint: "${url}", compression: none, sending_queue: { storage: ${storage} } }
  otlp_http/traces: { endpoint: "${url}" }
lanes: { log: { exporters: [otlp_http/logs] }, trace: { exporters: [otlp_http/traces] } }
${admin}`
}

/** Refuses everything with 400 until it is mended. */
async function startBroken(t: TestContext) {
  const state = { isMended: false }
  const backend = await startBackend((response) => {
    if (state.isMended) response.end()
    else response.writeHead(400, { 'content-type': 'application/json' }).end('{"message":"no such tenant"}')
  })
  t.teardown(() => backend.close())
  return { ...backend, state }
}

async function kill(flow: Flow, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent++) {
    const { status } = await flow.post('/v1/logs', logsOf('codex_otel.log_only'))
    if (status !== 200) throw new Error(`answered ${status}`)
    await drained(flow)
  }
}

function command(flow: Flow, ...args: readonly string[]): Promise<Finished> {
  return runToEnd({ main: checkoutMain, cwd: flow.cwd }, ['dead-letters', ...args])
}

for (const storage of ['disk', 'memory']) {
  t.test(
    `queues on ${storage}: what was refused for good is listed, shown without values, replayed, dropped`,
    async (t) => {
      const backend = await startBroken(t)
      const flow = await startFlow(t, yamlOf(backend.url, storage))
      await kill(flow, 3)
      const at = ['--admin', flow.running.admin]
      t.equal(exporterItems(await flow.ledger(), 'otlp_http/logs', 'dead'), 6)

      const list = await command(flow, 'list', ...at)
      t.equal(list.code, 0, list.stderr)
      t.match(list.stdout, /id +when +exporter +lane +signal +items +bytes +status +message\n/)
      t.match(list.stdout, /1 +\d{4}-.*Z +otlp_http\/logs +log +logs +2 +\d+ +400 +no such tenant\n/)
      const { dead_letters } = JSON.parse((await command(flow, 'list', '--format', 'json', ...at)).stdout)
      t.strictSame(
        dead_letters.map(({ id }: { readonly id: number }) => id),
        [1, 2, 3],
      )

      const show = await command(flow, 'show', '1', ...at)
      t.match(show.stdout, /item 2\n/)
      t.match(show.stdout, /log_record +prompt +\d+\n/)
      t.notMatch(show.stdout, SECRET)
      const refused = await command(flow, 'show', '1', '--values', ...at)
      t.equal(refused.code, 1)
      t.match(refused.stderr, /values are shown only where/)
      t.notMatch(refused.stdout + refused.stderr, SECRET)

      const missing = await command(flow, 'replay', '1', '99', ...at)
      t.equal(missing.code, 1)
      t.match(missing.stderr, /there is no dead letter 99/)

      backend.state.isMended = true
      const before = backend.received.length
      const replay = await command(flow, 'replay', '1', '2', ...at)
      t.match(replay.stdout, /^2 dead letters with 4 items .* are in their queues again/, replay.stderr)
      const ledger = await drained(flow)
      t.equal(exporterItems(ledger, 'otlp_http/logs', 'dead'), 2)
      t.equal(exporterItems(ledger, 'otlp_http/logs', 'sent'), 4)
      t.equal(exporterItems(ledger, 'otlp_http/logs'), 6, 'admitted is what it was')
      const bodies = backend.received.slice(before).map(({ body }) => body)
      t.equal(Buffer.concat(bodies).byteLength, 2 * logsOf('codex_otel.log_only').byteLength)

      t.match((await command(flow, 'drop', '--all', ...at)).stdout, /^1 dead letters with 2 items/)
      t.match((await command(flow, 'list', ...at)).stdout, /There are no dead letters/)
      t.equal(exporterItems(await flow.ledger(), 'otlp_http/logs', 'dead'), 2, 'dropped ones stay dead')
      const { stderr } = await flow.stop()
      t.notMatch(stderr, SECRET)
    },
  )
}

t.test(
  'without a sidecar they are read from the files, and replayed ones leave at the next start',
  async (t) => {
    const backend = await startBroken(t)
    // A port that is closed again: no sidecar answers there.
    const closed = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => closed.once('listening', resolve))
    const address = closed.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    await new Promise((resolve) => closed.close(resolve))
    const flow = await startFlow(t, yamlOf(backend.url, 'disk'))
    await kill(flow, 2)
    const offline = ['--set', `admin.endpoint=127.0.0.1:${port}`]

    const locked = await command(flow, 'list', ...offline)
    t.equal(locked.code, 1)
    t.match(locked.stderr, /laneway-data/)

    t.equal((await flow.stop()).code, 0)
    t.match((await command(flow, 'list', ...offline)).stdout, /no such tenant/)
    t.match((await command(flow, 'show', '1', '--values', ...offline)).stdout, SECRET)
    t.match(
      (await command(flow, 'replay', '--all', '--exporter', 'otlp_http/logs', ...offline)).stdout,
      /^2 dead letters/,
    )
    backend.state.isMended = true
    const before = backend.received.length
    const args = ['--config', 'laneway.yaml']
    const again = await startFlowIn(t, flow.cwd, args)
    const ledger = await drained(again)
    t.equal(exporterItems(ledger, 'otlp_http/logs', 'sent'), 4)
    t.equal(exporterItems(ledger, 'otlp_http/logs', 'dead'), 0)
    t.ok(backend.received.length > before)
    await again.stop()
  },
)

t.test('with a token values are shown to whoever has it, over the admin port', async (t) => {
  const backend = await startBroken(t)
  const flow = await startFlow(t, yamlOf(backend.url, 'disk'), ['--set', 'admin.token=a-token'])
  const response = await flow.post('/v1/logs', logsOf('codex_otel.log_only'))
  t.equal(response.status, 200)
  const url = `${flow.running.admin}/api/v1/dead-letters/show?id=1&values`
  for (;;) {
    const shown = await fetch(url, { headers: { authorization: 'Bearer a-token' } })
    if (shown.status === 409) continue
    t.equal(shown.status, 200)
    t.match(await shown.text(), SECRET)
    break
  }
  t.equal((await fetch(url)).status, 401)
})

t.test('bad words are answered with the right ones', async (t) => {
  const flow = await startFlow(t, yamlOf('http://127.0.0.1:1', 'disk'))
  for (const args of [
    [],
    ['lits'],
    ['show'],
    ['replay'],
    ['drop', '1', '--all'],
    ['show', 'x'],
    ['list', '--format', 'xml'],
  ]) {
    const { code, stderr } = await command(flow, ...args)
    t.equal(code, 2, args.join(' '))
    t.match(stderr, /write|no id/)
  }
  const post = (path: string, body: string, type = 'application/json') =>
    fetch(`${flow.running.admin}/api/v1/dead-letters/${path}`, {
      method: 'POST',
      body,
      headers: { 'content-type': type },
    })
  t.equal((await post('replay', '{}')).status, 400)
  t.equal((await post('replay', '{"ids":["1"]}')).status, 400)
  t.equal((await post('drop', '{"ids":[1]')).status, 400)
  t.equal((await post('drop', '{"ids":[1]}')).status, 409)
  t.equal((await post('drop', '{"all":true}', 'text/plain')).status, 415)
  t.equal((await post('drop', ' '.repeat(200_000))).status, 413)
  t.equal((await fetch(`${flow.running.admin}/api/v1/dead-letters/drop`)).status, 405)
  t.equal((await post('drop', '{"all":true}')).status, 200)
})
