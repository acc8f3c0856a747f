import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { healthCheck } from '../../src/cli/health.ts'
import type { AdminConfig } from '../../src/config/config.ts'
import { type Admin, type AdminHandlers, createAdmin } from '../../src/server/admin.ts'

const HANDLERS: AdminHandlers = {
  ready: () => ({ ready: true, details: { backends: [{ exporter: 'otlp_http/a', down: true }] } }),
  metrics: async () => 'laneway_x 1\n',
  ledger: () => ({ rows: [], exporters: [], since: 'now' }),
  findings: () => ({ findings: [], dropped: 0 }),
  lanes: () => ({ lanes: [] }),
}

async function start(
  t: { teardown(fn: () => Promise<unknown>): unknown },
  config: Partial<AdminConfig> = {},
  handlers: Partial<AdminHandlers> = {},
): Promise<{
  readonly admin: Admin
  readonly ports: readonly number[]
  readonly faults: readonly unknown[]
}> {
  const faults: unknown[] = []
  const admin = createAdmin({
    config: {
      endpoint: { kind: 'tcp', host: '127.0.0.1', port: 0 },
      healthEndpoint: undefined,
      token: undefined,
      ...config,
    },
    handlers: { ...HANDLERS, ...handlers },
    emit: (event) => faults.push(event),
  })
  const addresses = await admin.listen()
  t.teardown(() => admin.close())
  return { admin, ports: addresses.map((address) => Number(address.split(':').at(-1))), faults }
}

interface Got {
  readonly status: number | undefined
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

function ask(
  port: number | string,
  path: string,
  options: {
    readonly method?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
  } = {},
): Promise<Got> {
  const { method = 'GET', headers = {}, body } = options
  const where = typeof port === 'string' ? { socketPath: port } : { port }
  return new Promise((resolve, reject) => {
    const outgoing = http.request(
      { ...where, host: '127.0.0.1', path, method, headers, agent: false },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () =>
          resolve({ status: response.statusCode, headers: response.headers, body: text }),
        )
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

t.test('health, readiness, metrics, the ledger, findings and lanes are served to GET and HEAD', async (t) => {
  const { ports } = await start(t)
  for (const path of [
    '/livez',
    '/readyz',
    '/metrics',
    '/api/v1/ledger',
    '/api/v1/findings',
    '/api/v1/lanes',
    '/livez/',
    '/readyz?verbose',
  ]) {
    t.equal((await ask(ports[0], path)).status, 200, path)
    const head = await ask(ports[0], path, { method: 'HEAD' })
    t.equal(head.status, 200)
    t.equal(head.body, '')
  }
  t.match((await ask(ports[0], '/metrics')).headers['content-type'], 'text/plain; version=0.0.4')
  t.same(JSON.parse((await ask(ports[0], '/api/v1/ledger')).body), { rows: [], exporters: [], since: 'now' })
  t.same(JSON.parse((await ask(ports[0], '/api/v1/findings')).body), { findings: [], dropped: 0 })
  t.same(JSON.parse((await ask(ports[0], '/api/v1/lanes')).body), { lanes: [] })
  t.same(JSON.parse((await ask(ports[0], '/readyz?verbose')).body), {
    ready: true,
    backends: [{ exporter: 'otlp_http/a', down: true }],
  })
  t.same(JSON.parse((await ask(ports[0], '/readyz')).body), { ready: true })
})

t.test('not ready is 503 while alive', async (t) => {
  const { ports } = await start(t, {}, { ready: () => ({ ready: false, details: {} }) })
  t.equal((await ask(ports[0], '/readyz')).status, 503)
  t.equal((await ask(ports[0], '/livez')).status, 200)
})

t.test('an unknown path is 404 and a wrong method 405 with Allow, in JSON', async (t) => {
  const { ports } = await start(t)
  const missing = await ask(ports[0], '/nothing')
  t.equal(missing.status, 404)
  t.match(JSON.parse(missing.body), { error: /livez/ })
  const wrong = await ask(ports[0], '/livez', { method: 'DELETE' })
  t.equal(wrong.status, 405)
  t.equal(wrong.headers.allow, 'GET, HEAD')
  t.equal((await ask(ports[0], '/%zz')).status, 400)
})

t.test('a foreign Host or Origin is refused, whatever it asks for', async (t) => {
  const { ports } = await start(t)
  for (const host of ['localhost', '127.0.0.1', '[::1]', 'LOCALHOST:99', '127.0.0.1:1']) {
    t.equal((await ask(ports[0], '/livez', { headers: { host } })).status, 200, host)
  }
  for (const host of [
    'evil.example',
    '127.0.0.1.evil.example',
    'localhost.evil',
    '169.254.169.254',
    '127.0.0.1@evil',
  ]) {
    for (const path of ['/livez', '/api/v1/ledger', '/nothing']) {
      t.equal((await ask(ports[0], path, { headers: { host } })).status, 403, host)
    }
  }
  const own = `127.0.0.1:${ports[0]}`
  t.equal((await ask(ports[0], '/livez', { headers: { host: own, origin: `http://${own}` } })).status, 200)
  for (const origin of ['http://evil.example', 'null', 'http://localhost:1', `https://${own}`]) {
    t.equal((await ask(ports[0], '/livez', { headers: { host: own, origin } })).status, 403, origin)
  }
})

t.test('a POST without a JSON content type is 415', async (t) => {
  const { ports } = await start(t)
  const post = (type: string) =>
    ask(ports[0], '/api/v1/ledger', { method: 'POST', headers: { 'content-type': type }, body: '{}' })
  t.equal((await post('text/plain')).status, 415)
  t.equal((await post('application/json; charset=utf-8')).status, 405)
})

t.test('with a token nothing is told without it, and a token on disk may change', async (t) => {
  const file = join(t.testdir({ token: 'first\n' }), 'token')
  const { ports } = await start(t, { token: [{ file }] })
  const withToken = (authorization: string) => ask(ports[0], '/api/v1/ledger', { headers: { authorization } })
  for (const path of ['/livez', '/metrics', '/api/v1/ledger', '/nothing']) {
    const refused = await ask(ports[0], path)
    t.equal(refused.status, 401, path)
    t.equal(refused.headers['www-authenticate'], 'Bearer')
    t.notMatch(refused.body, /first/)
  }
  t.equal((await withToken('Bearer first')).status, 200)
  t.equal((await withToken('bearer  first')).status, 200)
  for (const wrong of ['Bearer firs', 'Bearer first2', 'Basic first', 'first', 'Bearer ']) {
    t.equal((await withToken(wrong)).status, 401, wrong)
  }
  writeFileSync(file, 'second')
  t.equal((await withToken('Bearer first')).status, 401)
  t.equal((await withToken('Bearer second')).status, 200)
  writeFileSync(file, '')
  t.equal((await withToken('Bearer ')).status, 401, 'an empty token opens nothing')
  rmSync(file)
  const unreadable = await withToken('Bearer second')
  t.equal(unreadable.status, 500)
  t.notMatch(unreadable.body, /token/)
})

t.test('the health endpoint serves health alone, to any Host and without a token', async (t) => {
  const { ports } = await start(t, {
    healthEndpoint: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    token: ['secret'],
  })
  const headers = { host: 'pod.example', origin: 'http://x' }
  for (const path of ['/livez', '/readyz', '/metrics']) {
    t.equal((await ask(ports[1], path, { headers })).status, 200)
  }
  t.equal((await ask(ports[1], '/api/v1/ledger', { headers })).status, 404)
  t.equal((await ask(ports[0], '/livez')).status, 401)
})

t.test('a handler that fails is 500 without its message, and a fault', async (t) => {
  const { ports, faults } = await start(t, {}, { metrics: () => Promise.reject(new Error('secret')) })
  const failed = await ask(ports[0], '/metrics')
  t.equal(failed.status, 500)
  t.notMatch(failed.body + JSON.stringify(faults), /secret/)
  t.match(faults, [{ type: 'fault', place: 'admin' }])
})

t.test('a Unix socket takes any Host', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'laneway-'))
  t.teardown(async () => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'admin.sock')
  await start(t, { endpoint: { kind: 'unix', path } })
  t.equal((await ask(path, '/livez', { headers: { host: 'anything' } })).status, 200)
  t.equal(await healthCheck({ kind: 'unix', path }), true)
})

t.test('the health check is true only of a sidecar that answers', async (t) => {
  const { ports, admin } = await start(t, { token: ['secret'] })
  const address = { kind: 'tcp', host: 'localhost', port: ports[0] } as const
  t.equal(await healthCheck(address, 'secret'), true)
  t.equal(await healthCheck(address), false)
  await admin.close()
  t.equal(await healthCheck(address, 'secret'), false)
})
