/**
 * A backend is away while requests come, and Laneway is restarted meanwhile: nothing that was acknowledged is missing.
 *
 * Senders, backend and sidecar are those of the torture; here each step is one that an operator takes.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import type { LedgerSnapshot } from '../../src/telemetry/ledger.ts'
import { type SinkBackend, startSinkBackend } from '../torture/backend.ts'
import { EXPORTERS } from '../torture/items.ts'
import { type Life, readLedger, startLife } from '../torture/life.ts'
import { type Book, countOf, createBook, runLoad } from '../torture/loader.ts'
import { exporterItems, HEAD, type TestContext } from './flow.ts'

const configFor = (sinkPort: number, rest: string): string => `${HEAD}
storage: { directory: ./data, max_size: 256MiB }
policy: { preset: codex }
exporters:
${['a', 'b', 't'].map((name) => exporterFor(name, sinkPort)).join('')}
lanes:
  log: { exporters: [otlp_http/a, otlp_http/b] }
  trace: { exporters: [otlp_http/t] }
${rest}
`

const exporterFor = (name: string, port: number): string => `
  otlp_http/${name}:
    endpoint: "http://127.0.0.1:${port}/${name}"
    headers: { x-life: "\${env:TORTURE_LIFE}" }
    timeout: 2s
    retry_on_failure: { initial_interval: 50ms, max_interval: 200ms }
`

interface Scene {
  readonly sink: SinkBackend
  readonly book: Book
  start(): Promise<{ readonly life: Life; readonly receiver: string; readonly admin: string }>
}

async function setUp(t: TestContext, rest = ''): Promise<Scene> {
  const cwd = t.testdir({})
  const journal = join(cwd, 'journal')
  const sink = await startSinkBackend(journal)
  writeFileSync(join(cwd, 'laneway.yaml'), configFor(sink.port, rest))
  const lives: Life[] = []
  t.teardown(async () => {
    for (const life of lives) await life.end('SIGKILL')
    await sink.stop()
    rmSync(join(cwd, 'data'), { recursive: true, force: true })
  })
  return {
    sink,
    book: createBook(),
    async start() {
      const life = startLife({ cwd, life: lives.length + 1 })
      lives.push(life)
      return { life, ...(await life.ready) }
    },
  }
}

function send(receiver: string, book: Book, isOver: () => boolean): Promise<void> {
  return runLoad({ receiver, book, random: Math.random, connections: 4, isOver, pauseMs: 4 })
}

async function sendFor(receiver: string, book: Book, durationMs: number): Promise<void> {
  const endMs = Date.now() + durationMs
  await send(receiver, book, () => Date.now() > endMs)
}

async function drained(admin: string, exporters: readonly string[] = EXPORTERS): Promise<LedgerSnapshot> {
  for (const endMs = Date.now() + 20_000; ; await delay(50)) {
    const ledger = await readLedger(admin)
    if (exporters.every((exporter) => exporterItems(ledger, exporter, 'queued') === 0)) return ledger
    if (Date.now() > endMs) throw new Error(`not drained: ${JSON.stringify(ledger.exporters)}`)
  }
}

/** What was acknowledged for an exporter and did not come, and how often an item came again. */
function judge(
  { sink, book }: Pick<Scene, 'sink' | 'book'>,
  exporter: string,
): { missing: readonly number[]; again: number } {
  const ids = sink.arrivals().flatMap((one) => (one.exporter === exporter ? one.ids : []))
  const seen = new Set(ids)
  const missing = [...book.fates.values()]
    .filter(({ item, fate }) => fate === 'acknowledged' && item.exporters.some((name) => name === exporter))
    .map(({ item }) => item.id)
    .filter((id) => !seen.has(id))
  return { missing, again: ids.length - seen.size }
}

t.test(
  'a backend dies, Laneway is restarted twice, the backend comes back: all arrives, each item once',
  async (t) => {
    const scene = await setUp(t, 'shutdown_grace: 500ms')
    const { sink, book, start } = scene
    const first = await start()
    await sendFor(first.receiver, book, 300)
    await drained(first.admin)
    await sink.stop()
    await sendFor(first.receiver, book, 1500)
    t.equal(await first.life.end('SIGTERM'), 0)
    const second = await start()
    await sendFor(second.receiver, book, 500)
    t.equal(await second.life.end('SIGTERM'), 0)
    const third = await start()
    const before = await readLedger(third.admin)
    for (const exporter of EXPORTERS) {
      t.equal(
        exporterItems(before, exporter),
        countOf(book, exporter, 'acknowledged'),
        `${exporter} admitted`,
      )
      t.ok(exporterItems(before, exporter, 'queued') > 0, `${exporter} has waited`)
    }
    await sink.restart()
    const ledger = await drained(third.admin)
    for (const exporter of EXPORTERS) {
      t.strictSame(judge(scene, exporter), { missing: [], again: 0 }, exporter)
      t.equal(exporterItems(ledger, exporter, 'sent'), countOf(book, exporter, 'acknowledged'))
      t.equal(exporterItems(ledger, exporter), countOf(book, exporter, 'acknowledged'))
    }
    t.strictSame([...book.answers.keys()], [200], 'no sender noticed anything')
    t.equal(await third.life.end('SIGTERM'), 0)
  },
)

for (const mode of ['hang', 'take', 'refuse'] as const) {
  t.test(
    `SIGTERM under load, backends that ${mode}: what was acknowledged is delivered by then or by the next start`,
    async (t) => {
      const scene = await setUp(t, 'shutdown_grace: 1s')
      const { sink, book, start } = scene
      const first = await start()
      await sink.setMode(mode)
      let isOver = false
      const load = send(first.receiver, book, () => isOver)
      await delay(500)
      t.equal(await first.life.end('SIGTERM'), 0)
      isOver = true
      await load
      await sink.setMode('take')
      const second = await start()
      const ledger = await drained(second.admin)
      for (const exporter of EXPORTERS) {
        const acknowledged = countOf(book, exporter, 'acknowledged')
        t.strictSame(judge(scene, exporter).missing, [], exporter)
        const admitted = exporterItems(ledger, exporter)
        t.ok(admitted >= acknowledged, `${exporter}: ${admitted} admitted, ${acknowledged} acknowledged`)
        t.equal(exporterItems(ledger, exporter, 'sent'), admitted)
      }
      t.equal(await second.life.end('SIGTERM'), 0)
    },
  )
}

t.test('of two exporters of a lane one is dead: the other gets all, at once', async (t) => {
  const cwd = t.testdir({})
  const sink = await startSinkBackend(join(cwd, 'journal'))
  t.teardown(() => sink.stop())
  const book = createBook()
  // Port 1 refuses connections: `b` never comes back.
  const yaml = configFor(sink.port, 'shutdown_grace: 0s').replace(`${sink.port}/b`, '1/b')
  writeFileSync(join(cwd, 'laneway.yaml'), yaml)
  const life = startLife({ cwd, life: 1 })
  t.teardown(() => life.end('SIGKILL'))
  const { receiver, admin } = await life.ready
  await sendFor(receiver, book, 1000)
  const ledger = await drained(admin, ['otlp_http/a', 'otlp_http/t'])
  for (const exporter of ['otlp_http/a', 'otlp_http/t']) {
    t.strictSame(judge({ sink, book }, exporter).missing, [], exporter)
  }
  t.equal(exporterItems(ledger, 'otlp_http/b', 'queued'), countOf(book, 'otlp_http/b', 'acknowledged'))
  t.strictSame([...book.answers.keys()], [200])
  t.equal(await life.end('SIGTERM'), 0)
})
