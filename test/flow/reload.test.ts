/** Reloading a sidecar that runs: under load, behind a dead backend, with files that are wrong. */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { startBackend } from '../lane/support.ts'
import { decode, encode, messagesOf } from '../oracle/oracle.ts'
import {
  arrivedAt,
  drained,
  exporterItems,
  type Flow,
  freePort,
  HEAD,
  rowItems,
  startFlow,
  startFlowIn,
  startSink,
  watchLedger,
} from './flow.ts'

const SECRET = 'what a person wrote'

function logsOf(target: string, id: string): Uint8Array {
  const attributes = [
    { key: 'id', value: { stringValue: id } },
    { key: 'prompt', value: { stringValue: SECRET } },
  ]
  return encode('ExportLogsServiceRequest', {
    resourceLogs: [{ scopeLogs: [{ scope: { name: target }, logRecords: [{ attributes }] }] }],
  })
}

function idsIn(bytes: Uint8Array): readonly string[] {
  const request = decode('ExportLogsServiceRequest', bytes)
  const records = messagesOf(request, 'resourceLogs')
    .flatMap((resource) => messagesOf(resource, 'scopeLogs'))
    .flatMap((scope) => messagesOf(scope, 'logRecords'))
  return records.map(
    (record) =>
      JSON.stringify(record.attributes)
        .match(/"id-[^"]*"/)?.[0]
        .slice(1, -1) ?? '',
  )
}

/** Two lanes by family; `fields` of the first. */
function yamlOf(a: string, b: string, { fields = '[]', family = 'a', storage = 'disk' } = {}): string {
  const queue = `compression: none, sending_queue: { storage: ${storage} }, retry_on_failure: { initial_interval: 50ms, max_interval: 100ms }`
  return `${HEAD}
policy: { preset: none, namespace: app, target: { log_record: [scope.name] }, families: { ${family}: { targets: [app.x] }, other: { targets: [app.y] } } }
exporters:
  otlp_http/a: { endpoint: "${a}", ${queue} }
  otlp_http/b: { endpoint: "${b}", ${queue} }
lanes:
  a: { signal: logs, accept: [{ events: [${family}] }], fields: ${fields}, exporters: [otlp_http/a] }
  b: { signal: logs, accept: [{ events: [other] }], exporters: [otlp_http/b] }
`
}

function rewrite(flow: Flow, yaml: string): void {
  writeFileSync(join(flow.cwd, 'next.yaml'), yaml)
  renameSync(join(flow.cwd, 'next.yaml'), join(flow.cwd, 'laneway.yaml'))
}

async function reload(flow: Flow): Promise<{ readonly status: number; readonly body: string }> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${flow.running.admin}/api/v1/reload`, { method: 'POST', headers, body: '{}' })
  return { status: response.status, body: await response.text() }
}

async function until(what: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (await what()) return
    await delay(25)
  }
  throw new Error('it did not come to pass')
}

t.test(
  'a hundred reloads in a row under load: no request fails, every item arrives, the ledger balances',
  async (t) => {
    const [one, other] = [await startSink(t), await startSink(t)]
    const cwd = t.testdir({ 'laneway.yaml': yamlOf(one.url, other.url) })
    const flow = await startFlowIn(t, cwd, [])
    const watch = watchLedger(flow)
    const sent: string[] = []
    const statuses = new Set<number>()
    let isOver = false
    const senders = Array.from({ length: 4 }, async (_, sender) => {
      for (let count = 0; !isOver; count++) {
        const id = `id-${sender}-${count}`
        const { status } = await flow.post('/v1/logs', logsOf(count % 2 === 0 ? 'app.x' : 'app.y', id))
        statuses.add(status)
        sent.push(id)
      }
    })
    for (let round = 0; round < 100; round++) {
      // The backends change places, the family its name; the field policy comes and goes.
      const [a, b] = round % 2 === 0 ? [other.url, one.url] : [one.url, other.url]
      const fields = round % 3 === 0 ? '[{ remove: [prompt] }]' : '[]'
      rewrite(flow, yamlOf(a, b, { fields, family: round % 5 === 0 ? 'renamed' : 'a' }))
      const { status, body } = await reload(flow)
      if (status !== 200) t.fail(body)
    }
    isOver = true
    await Promise.all(senders)
    t.strictSame([...statuses], [200])
    const ledger = await drained(flow)
    t.ok((await watch.stop()) > 20)
    const arrived = [...idsIn(arrivedAt(one, '/v1/logs')), ...idsIn(arrivedAt(other, '/v1/logs'))]
    t.strictSame(arrived.toSorted(), sent.toSorted(), `${sent.length} items, each once`)
    t.equal(rowItems(ledger, { outcome: 'forwarded' }), sent.length)
  },
)

for (const storage of ['disk', 'memory']) {
  t.test(
    `queue on ${storage}: a policy that is tightened holds for what waits behind a dead backend`,
    async (t) => {
      const port = await freePort()
      const sink = await startSink(t)
      const dead = `http://127.0.0.1:${port}`
      const cwd = t.testdir({ 'laneway.yaml': yamlOf(dead, sink.url, { storage }) })
      const flow = await startFlowIn(t, cwd, [])
      for (let count = 0; count < 50; count++) {
        t.equal((await flow.post('/v1/logs', logsOf('app.x', `id-${count}`))).status, 200)
      }
      rewrite(flow, yamlOf(dead, sink.url, { storage, fields: '[{ remove: [prompt] }]' }))
      t.equal((await reload(flow)).status, 200)
      const backend = await startSink(t, port)
      const ledger = await drained(flow)
      const arrived = arrivedAt(backend, '/v1/logs')
      t.equal(idsIn(arrived).length, 50)
      t.notOk(arrived.includes(SECRET), 'nothing that was admitted before shows what may not leave now')
      t.equal(exporterItems(ledger, 'otlp_http/a', 'sent'), 50)
    },
  )
}

t.test('an exporter that is added takes from then on; one that is gone delivers what it holds', async (t) => {
  const [one, other] = [await startSink(t), await startSink(t)]
  const port = await freePort()
  const cwd = t.testdir({ 'laneway.yaml': yamlOf(`http://127.0.0.1:${port}`, one.url) })
  const flow = await startFlowIn(t, cwd, [])
  t.equal((await flow.post('/v1/logs', logsOf('app.x', 'id-before'))).status, 200)
  const renamed = yamlOf(other.url, one.url).replaceAll('otlp_http/a', 'otlp_http/new')
  rewrite(flow, renamed)
  t.same(JSON.parse((await reload(flow)).body), { reloaded: true, changed: ['lanes', 'exporters'] })
  t.equal((await flow.post('/v1/logs', logsOf('app.x', 'id-after'))).status, 200)
  rewrite(flow, yamlOf(other.url, one.url))
  const refused = await reload(flow)
  t.equal(refused.status, 409)
  t.match(refused.body, /exporters\.otlp_http\/a: was removed and still holds 1 items/)
  const late = await startSink(t, port)
  const ledger = await drained(flow)
  t.strictSame(idsIn(arrivedAt(late, '/v1/logs')), ['id-before'])
  t.strictSame(idsIn(arrivedAt(other, '/v1/logs')), ['id-after'])
  t.equal(exporterItems(ledger, 'otlp_http/a', 'sent'), 1, 'its rows stay')
  t.equal((await reload(flow)).status, 200, 'then it may return')
})

t.test(
  'files are looked at by content: a ConfigMap’s links that are swapped are taken up by themselves',
  async (t) => {
    const [one, other] = [await startSink(t), await startSink(t)]
    const cwd = t.testdir({
      v1: { 'laneway.yaml': yamlOf(one.url, one.url) },
      v2: { 'laneway.yaml': yamlOf(other.url, one.url) },
    })
    symlinkSync('v1', join(cwd, 'data'))
    symlinkSync('data/laneway.yaml', join(cwd, 'laneway.yaml'))
    const flow = await startFlowIn(t, cwd, [])
    symlinkSync('v2', join(cwd, 'data.next'))
    renameSync(join(cwd, 'data.next'), join(cwd, 'data'))
    let sent = 0
    await until(async () => {
      const { status } = await flow.post('/v1/logs', logsOf('app.x', `id-${sent++}`))
      if (status !== 200) throw new Error(`answered ${status}`)
      return other.received.length > 0
    })
    t.pass('within some seconds')
  },
)

t.test(
  'SIGHUP reads the files again; a bad one leaves what is in force, is told once, and is a finding until it is mended',
  async (t) => {
    const [one, other] = [await startSink(t), await startSink(t)]
    const cwd = t.testdir({ 'laneway.yaml': yamlOf(one.url, one.url) })
    const flow = await startFlowIn(t, cwd, [])
    const findings = async () => {
      const response = await fetch(`${flow.running.admin}/api/v1/findings`)
      const body: unknown = await response.json()
      return body
    }
    writeFileSync(join(cwd, 'laneway.yaml'), `${yamlOf(one.url, one.url)}\nlanez: {}\n`)
    flow.running.signal('SIGHUP')
    await until(async () => JSON.stringify(await findings()).includes('refused_reload'))
    t.match(await findings(), {
      findings: [{ kind: 'refused_reload', target: 'laneway.yaml', state: 'open', count: 1 }],
    })
    const ready = await fetch(`${flow.running.admin}/readyz?verbose`)
    t.equal(ready.status, 200)
    t.match(await ready.text(), /unknown key, did you mean `lanes`/)
    t.equal((await flow.post('/v1/logs', logsOf('app.x', 'id-1'))).status, 200)
    flow.running.signal('SIGHUP')
    rmSync(join(cwd, 'laneway.yaml'))
    mkdirSync(join(cwd, 'laneway.yaml'))
    t.match(await reload(flow), { status: 409, body: /is a folder/ })
    rmSync(join(cwd, 'laneway.yaml'), { recursive: true })
    writeFileSync(join(cwd, 'laneway.yaml'), yamlOf(other.url, one.url))
    flow.running.signal('SIGHUP')
    await until(async () => JSON.stringify(await findings()).includes('"state":"closed"'))
    t.equal((await flow.post('/v1/logs', logsOf('app.x', 'id-2'))).status, 200)
    await drained(flow)
    t.strictSame(idsIn(arrivedAt(other, '/v1/logs')), ['id-2'])
    const { stderr } = await flow.stop()
    t.equal(stderr.split('unknown key').length - 1, 1, 'told once')
  },
)

t.test(
  'what is bound to the process is refused by name, all at once, and nothing of the file is taken up',
  async (t) => {
    const [one, other] = [await startSink(t), await startSink(t)]
    const cwd = t.testdir({ 'laneway.yaml': yamlOf(one.url, one.url) })
    const flow = await startFlowIn(t, cwd, [])
    const next = yamlOf(other.url, one.url, { storage: 'memory' })
      .replace('127.0.0.1:0" } } } }', '127.0.0.1:4999" } } } }')
      .replace('admin: { endpoint: "127.0.0.1:0" }', 'admin: { endpoint: "127.0.0.1:4998" }')
    rewrite(flow, `${next}storage: { directory: ./elsewhere }\n`)
    const { status, body } = await reload(flow)
    t.equal(status, 409)
    for (const key of [
      /laneway\.yaml:2:\d+: error: receivers\.otlp\.protocols\.http\.endpoint: cannot change/,
      /laneway\.yaml:3:\d+: error: admin: cannot change/,
      /storage: cannot change/,
      /exporters\.otlp_http\/a\.sending_queue\.storage: cannot change/,
    ]) {
      t.match(body, key)
    }
    t.equal((await flow.post('/v1/logs', logsOf('app.x', 'id-1'))).status, 200)
    await drained(flow)
    t.strictSame(idsIn(arrivedAt(one, '/v1/logs')), ['id-1'])
  },
)

t.test('limits change for the requests that come from then on', async (t) => {
  const sink = await startSink(t)
  const cwd = t.testdir({ 'laneway.yaml': yamlOf(sink.url, sink.url) })
  const flow = await startFlowIn(t, cwd, [])
  const body = logsOf('app.x', `id-${'x'.repeat(2000)}`)
  t.equal((await flow.post('/v1/logs', body)).status, 200)
  const smaller = yamlOf(sink.url, sink.url).replace(
    '127.0.0.1:0" }',
    '127.0.0.1:0", max_request_body_size: 1KiB }',
  )
  rewrite(flow, smaller)
  t.equal((await reload(flow)).status, 200)
  t.equal((await flow.post('/v1/logs', body)).status, 413)
})

t.test('a stop in the middle of reloads loses nothing', async (t) => {
  const backend = await startBackend((response) => void setTimeout(() => response.end(), 20))
  t.teardown(() => backend.close())
  const flow = await startFlow(t, yamlOf(backend.url, backend.url).replace(HEAD, ''))
  const ids = Array.from({ length: 40 }, (_, index) => `id-${index}`)
  for (const id of ids) t.equal((await flow.post('/v1/logs', logsOf('app.x', id))).status, 200)
  const storm = Promise.allSettled([1, 2, 3].map(() => reload(flow)))
  flow.running.signal('SIGHUP')
  const { code } = await flow.stop()
  await storm
  t.equal(code, 0)
  t.strictSame(idsIn(arrivedAt(backend, '/v1/logs')).toSorted(), ids.toSorted())
})
