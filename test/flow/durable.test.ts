/**
 * What was acknowledged outlives the process: after kill -9, or an end before the backend came back, the next start
 * delivers it, and the exporter's counts go on from where they were.
 */
import t from 'tap'
import { until } from '../lane/support.ts'
import {
  arrivedAt,
  drained,
  exporterItems,
  type Flow,
  freePort,
  postTo,
  startFlowIn,
  startSink,
} from './flow.ts'
import { bodiesIn, logsOf } from './records.ts'

const TARGET = 'codex_otel.log_only'

const configOf = (port: number): string => `
receivers: { otlp: { protocols: { http: { endpoint: "127.0.0.1:0" } } } }
admin: { endpoint: "127.0.0.1:0" }
shutdown_delay: 0s
shutdown_grace: 200ms
policy: { preset: codex }
exporters:
  otlp_http:
    endpoint: "http://127.0.0.1:${port}"
    compression: none
    retry_on_failure: { initial_interval: 20ms, max_interval: 100ms }
lanes: { log: { exporters: [otlp_http] } }
`

/** Sends until the sidecar is gone; the texts that it acknowledged. */
async function sendUntilGone(flow: Flow, acknowledged: string[]): Promise<void> {
  await Promise.all(
    Array.from({ length: 6 }, async (_, sender) => {
      for (let count = 0; ; count++) {
        const text = `${sender} ${count}`
        try {
          const body = logsOf({ target: TARGET, texts: [text] })
          const { status } = await postTo(`${flow.running.receiver}/v1/logs`, body)
          if (status === 200) acknowledged.push(text)
        } catch {
          return
        }
      }
    }),
  )
}

t.test(
  'kill -9 under load, before a dead backend: every acknowledged record arrives after the next start',
  async (t) => {
    const port = await freePort()
    const cwd = t.testdir({ 'laneway.yaml': configOf(port) })
    const killed = await startFlowIn(t, cwd, [])
    const acknowledged: string[] = []
    const sending = sendUntilGone(killed, acknowledged)
    await until(() => acknowledged.length > 200, 20_000)
    killed.running.signal('SIGKILL')
    await Promise.all([killed.running.finished, sending])

    const sink = await startSink(t, port)
    const flow = await startFlowIn(t, cwd, [])
    const ledger = await drained(flow)
    const arrived = bodiesIn(arrivedAt(sink, '/v1/logs'))
    const missing = new Set(acknowledged)
    for (const text of arrived) missing.delete(text)
    t.strictSame([...missing], [])
    t.equal(new Set(arrived).size, arrived.length, 'none twice: nothing had been sent')
    t.equal(exporterItems(ledger, 'otlp_http', 'sent'), arrived.length)
    t.equal((await flow.stop()).code, 0)
  },
)

t.test('kill -9 in the middle of deliveries: every acknowledged record arrives at least once', async (t) => {
  const sink = await startSink(t)
  const cwd = t.testdir({ 'laneway.yaml': configOf(sink.port) })
  const killed = await startFlowIn(t, cwd, [])
  const acknowledged: string[] = []
  const sending = sendUntilGone(killed, acknowledged)
  await until(() => acknowledged.length > 200, 20_000)
  killed.running.signal('SIGKILL')
  await Promise.all([killed.running.finished, sending])

  const flow = await startFlowIn(t, cwd, [])
  await drained(flow)
  const missing = new Set(acknowledged)
  for (const text of bodiesIn(arrivedAt(sink, '/v1/logs'))) missing.delete(text)
  t.strictSame([...missing], [])
  t.equal((await flow.stop()).code, 0)
})

t.test('what the grace did not suffice for stays, and is delivered by the next start', async (t) => {
  const port = await freePort()
  const cwd = t.testdir({ 'laneway.yaml': configOf(port) })
  const first = await startFlowIn(t, cwd, [])
  const texts = Array.from({ length: 50 }, (_, index) => `record ${index}`)
  for (const text of texts) {
    t.equal((await first.post('/v1/logs', logsOf({ target: TARGET, texts: [text] }))).status, 200)
  }
  t.equal((await first.stop()).code, 0)

  const sink = await startSink(t, port)
  const second = await startFlowIn(t, cwd, [])
  const ledger = await drained(second)
  t.strictSame(bodiesIn(arrivedAt(sink, '/v1/logs')), texts, 'in the order in which they came')
  t.equal(exporterItems(ledger, 'otlp_http', 'sent'), texts.length)
  t.equal((await second.stop()).code, 0)

  const third = await startFlowIn(t, cwd, [])
  t.equal(exporterItems(await third.ledger(), 'otlp_http', 'sent'), texts.length, 'the counts go on')
  t.equal(bodiesIn(arrivedAt(sink, '/v1/logs')).length, texts.length, 'nothing is sent twice')
})

t.test('two sidecars do not share a storage directory', async (t) => {
  const sink = await startSink(t)
  const cwd = t.testdir({ 'laneway.yaml': configOf(sink.port) })
  const first = await startFlowIn(t, cwd, [])
  await t.rejects(startFlowIn(t, cwd, []), /laneway-data/, 'the second ends, and names the directory')
  t.equal((await first.post('/v1/logs', logsOf({ target: TARGET, texts: ['x'] }))).status, 200)
})
