/** `wait_for_result`: the sender's answer is the backend's, and nothing that it is told to send again stays behind. */
import t from 'tap'
import { startBackend } from '../lane/support.ts'
import { encode } from '../oracle/oracle.ts'
import { exporterItems, rowItems, startFlow } from './flow.ts'

const RECORD = encode('ExportLogsServiceRequest', {
  resourceLogs: [
    { scopeLogs: [{ scope: { name: 'codex_otel.log_only' }, logRecords: [{ severityText: 'x' }] }] },
  ],
})

for (const storage of ['disk', 'memory']) {
  t.test(
    `a queue on ${storage}: 200 is the backend's, 503 leaves nothing behind, 400 passes on its message`,
    async (t) => {
      const state = { status: 200, isHanging: false }
      const backend = await startBackend((response) => {
        if (state.isHanging) return
        const headers = {
          'content-type': 'application/json',
          ...(state.status === 503 && { 'retry-after': '7' }),
        }
        response.writeHead(state.status, headers).end('{"message":"the tenant is closed"}')
      })
      t.teardown(() => backend.close())
      const flow = await startFlow(
        t,
        `
policy: { preset: codex }
shutdown_grace: 500ms
exporters:
  otlp_http/logs: { endpoint: "${backend.url}", compression: none, sending_queue: { storage: ${storage}, wait_for_result: true } }
lanes: { log: { exporters: [otlp_http/logs] } }
`,
      )
      const post = () => flow.post('/v1/logs', RECORD, { accept: 'application/json' })
      t.equal((await post()).status, 200)
      t.equal(backend.received.length, 1, 'it was there before the sender heard')

      state.status = 503
      for (let count = 0; count < 6; count++) {
        const refused = await post()
        t.equal(refused.status, 503)
        t.ok(Number(refused.headers.get('retry-after')) >= 5)
      }
      let ledger = await flow.ledger()
      t.equal(exporterItems(ledger, 'otlp_http/logs', 'queued'), 0)
      t.equal(exporterItems(ledger, 'otlp_http/logs'), 1, 'only what was sent was admitted in the end')
      t.equal(rowItems(ledger, { outcome: 'refused', reason: 'queue_full' }), 6)

      state.status = 200
      const before = backend.received.length
      const answers = await Promise.all(Array.from({ length: 20 }, post))
      t.ok(answers.every(({ status }) => status === 200))
      const body = Buffer.concat(backend.received.slice(before).map((one) => one.body))
      t.equal(body.byteLength, 20 * RECORD.byteLength, 'nothing that was refused comes after all')

      state.status = 400
      const bad = await post()
      t.equal(bad.status, 400)
      t.match(Buffer.from(await bad.arrayBuffer()).toString('latin1'), 'the tenant is closed')
      ledger = await flow.ledger()
      t.equal(exporterItems(ledger, 'otlp_http/logs', 'dead'), 1)

      state.isHanging = true
      const hanging = post()
      while (backend.received.length < before + 3) {
        if (
          backend.received.at(-1)?.body.byteLength === RECORD.byteLength &&
          backend.received.length > before + 1
        )
          break
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      await new Promise((resolve) => setTimeout(resolve, 200))
      const ended = flow.stop()
      t.equal((await hanging).status, 503, 'at the end whoever waits is told to send again')
      t.equal((await ended).code, 0)
    },
  )
}
