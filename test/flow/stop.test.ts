/**
 * How a whole sidecar ends: what was acknowledged is delivered within the grace, and a second signal waits for nothing.
 */
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { startBackend, startRawBackend, until } from '../lane/support.ts'
import { postTo, startFlowIn } from './flow.ts'
import { bodiesIn, logsOf } from './records.ts'

const config = (url: string, rest: string): string => `
receivers: { otlp: { protocols: { http: { endpoint: "127.0.0.1:0" } } } }
admin: { endpoint: "127.0.0.1:0" }
policy: { preset: codex }
exporters: { otlp_http: { endpoint: "${url}", compression: none } }
lanes: { log: { exporters: [otlp_http] } }
${rest}
`

for (const [name, answerMs] of Object.entries({ 'a quick': 0, 'a slow': 100 })) {
  t.test(
    `SIGTERM under load, before ${name} backend: every acknowledged record arrives once, and the end is 0`,
    async (t) => {
      const backend = await startBackend((response) => {
        setTimeout(() => response.end(), answerMs)
      })
      t.teardown(() => backend.close())
      const cwd = t.testdir({ 'laneway.yaml': config(backend.url, 'shutdown_delay: 500ms') })
      const flow = await startFlowIn(t, cwd, [])
      const acknowledged: string[] = []
      const answers = new Set<number>()
      const senders = Array.from({ length: 8 }, async (_, sender) => {
        for (let count = 0; ; count++) {
          const text = `${sender} ${count}`
          try {
            const { status } = await postTo(
              `${flow.running.receiver}/v1/logs`,
              logsOf({ target: 'codex_otel.log_only', texts: [text] }),
            )
            answers.add(status)
            if (status === 200) acknowledged.push(text)
            else await delay(5)
          } catch {
            return
          }
        }
      })
      await until(() => acknowledged.length > 50)
      const beforeSignal = acknowledged.length
      flow.running.signal('SIGTERM')
      const { code } = await flow.running.finished
      await Promise.all(senders)
      t.equal(code, 0)
      t.ok(acknowledged.length > beforeSignal, 'requests are taken after the signal too')
      t.strictSame(
        [...answers].filter((status) => status !== 200 && status !== 503),
        [],
        'whoever is not served hears 503 or finds nobody',
      )
      const arrived = bodiesIn(Buffer.concat(backend.received.map(({ body }) => body)))
      const missing = new Set(acknowledged)
      for (const text of arrived) missing.delete(text)
      t.strictSame([...missing], [])
      t.equal(new Set(arrived).size, arrived.length, 'none twice')
    },
  )
}

t.test('a backend that is dead holds the end up for the grace and no longer', async (t) => {
  const silent = await startRawBackend(() => {})
  t.teardown(() => silent.close())
  const cwd = t.testdir({
    'laneway.yaml': config(silent.url, 'shutdown_delay: 0s\nshutdown_grace: 1s'),
  })
  const flow = await startFlowIn(t, cwd, [])
  t.equal((await flow.post('/v1/logs', logsOf({ target: 'codex_otel.log_only', texts: ['x'] }))).status, 200)
  const askedAtMs = Date.now()
  flow.running.signal('SIGTERM')
  const { code } = await flow.running.finished
  const tookMs = Date.now() - askedAtMs
  t.equal(code, 0)
  t.ok(tookMs >= 900 && tookMs < 2500, `${tookMs} ms`)
})

t.test('a second signal ends it at once', async (t) => {
  const silent = await startRawBackend(() => {})
  t.teardown(() => silent.close())
  const cwd = t.testdir({ 'laneway.yaml': config(silent.url, 'shutdown_delay: 0s\nshutdown_grace: 60s') })
  const flow = await startFlowIn(t, cwd, [])
  t.equal((await flow.post('/v1/logs', logsOf({ target: 'codex_otel.log_only', texts: ['x'] }))).status, 200)
  await until(() => silent.received.length > 0)
  flow.running.signal('SIGINT')
  await delay(300)
  const askedAtMs = Date.now()
  flow.running.signal('SIGINT')
  const { code } = await flow.running.finished
  t.equal(code, 1)
  t.ok(Date.now() - askedAtMs < 1000)
})

t.test('while it stops, /readyz says so and /livez still answers', async (t) => {
  const silent = await startRawBackend(() => {})
  t.teardown(() => silent.close())
  const cwd = t.testdir({ 'laneway.yaml': config(silent.url, 'shutdown_delay: 2s') })
  const flow = await startFlowIn(t, cwd, [])
  t.equal((await fetch(`${flow.running.admin}/readyz`)).status, 200)
  flow.running.signal('SIGTERM')
  await delay(200)
  t.equal((await fetch(`${flow.running.admin}/readyz`)).status, 503)
  t.equal((await fetch(`${flow.running.admin}/livez`)).status, 200)
  t.equal((await flow.running.finished).code, 0)
})
