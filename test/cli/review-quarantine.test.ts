/**
 * `laneway review release|discard` where no sidecar runs: the files are worked on, and the next start delivers.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { arrivedAt, drained, exporterItems, startFlowIn, startSink } from '../flow/flow.ts'
import { bodiesIn, logsOf } from '../flow/records.ts'
import { checkoutMain, type Finished, runToEnd } from './process.ts'

const NEW = 'codex_otel.newthing'

const configOf = (port: number, { policy = '', queue = '' } = {}): string => `
receivers: { otlp: { protocols: { http: { endpoint: "127.0.0.1:0" } } } }
admin: { endpoint: "127.0.0.1:0" }
shutdown_delay: 0s
policy: { preset: codex, unreviewed: quarantine, foreign: quarantine, ${policy} }
exporters: { otlp_http: { endpoint: "http://127.0.0.1:${port}", compression: none, sending_queue: { ${queue} } } }
lanes: { log: { exporters: [otlp_http] }, trace: { exporters: [otlp_http] } }
`
const ACCEPTED = `families: { log_only: { targets: [codex_otel.log_only, ${NEW}] } }`

function review(cwd: string, ...args: readonly string[]): Promise<Finished> {
  return runToEnd({ main: checkoutMain, cwd }, ['review', ...args])
}

t.test(
  'what is held is listed, discarded and released on the files, and arrives after the next start',
  async (t) => {
    const sink = await startSink(t)
    const cwd = t.testdir({ 'laneway.yaml': configOf(sink.port) })
    const write = (options: Parameters<typeof configOf>[1]) =>
      writeFileSync(join(cwd, 'laneway.yaml'), configOf(sink.port, options))
    const first = await startFlowIn(t, cwd, [])
    const body = logsOf(
      { target: NEW, texts: ['one', 'two'] },
      { target: 'other', texts: ['x'] },
      { target: '', texts: ['y'] },
    )
    t.equal((await first.post('/v1/logs', body)).status, 200)
    await first.stop()

    const kept = await review(cwd, 'release', NEW)
    t.equal(kept.code, 1)
    t.match(kept.stdout, /2 stay: the policy still quarantines them/)

    write({ policy: ACCEPTED, queue: 'storage: memory' })
    const inMemory = await review(cwd, 'release', NEW)
    t.equal(inMemory.code, 1)
    t.match(inMemory.stderr, /exporter otlp_http of lane log keeps its queue in memory: start the sidecar/)

    write({ policy: ACCEPTED, queue: 'queue_size: 100B' })
    const full = await review(cwd, 'release', NEW)
    t.equal(full.code, 1)
    t.match(full.stdout, /2 are left: exporter otlp_http: its queue has no room/)

    write({ policy: ACCEPTED })
    const released = await review(cwd, 'release', NEW, '--format', 'json')
    t.equal(released.code, 0)
    t.match(JSON.parse(released.stdout), { target: NEW, items: 2, kept: 0, left: 0 })
    t.equal((await review(cwd, 'discard', 'other')).code, 0)
    t.match((await review(cwd, 'discard', '')).stdout, /1 items of "" have left quarantine/)
    const nothing = await review(cwd, 'release', NEW)
    t.equal(nothing.code, 1)
    t.match(nothing.stderr, /nothing of target/)

    const second = await startFlowIn(t, cwd, [])
    const ledger = await drained(second)
    t.strictSame(bodiesIn(arrivedAt(sink, '/v1/logs')), ['one', 'two'])
    t.equal(exporterItems(ledger, 'otlp_http', 'sent'), 2)
  },
)
