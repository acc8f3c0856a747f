/**
 * The torture: a sidecar under load that is killed again and again, before a backend that misbehaves.
 *
 * It proves, and throws where it is not so: every item that was acknowledged arrives at every exporter that must have
 * it, and no item that was refused does; the ledger balances after each start, holds what was acknowledged and loses
 * nothing; within one life nothing arrives twice, unless a backend broke the connection instead of answering.
 */
import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { LedgerSnapshot } from '../../src/telemetry/ledger.ts'
import { exporterItems } from '../flow/flow.ts'
import { type Arrival, startSinkBackend } from './backend.ts'
import { EXPORTERS } from './items.ts'
import { type Life, readLedger, startLife } from './life.ts'
import { type Book, countOf, createBook, runLoad } from './loader.ts'
import type { SinkMode } from './sink.ts'

export interface TortureOptions {
  /** Made if it is not there; it should be empty. */
  readonly directory: string
  readonly kills: number
  /** In [0, 1). */
  readonly random: () => number
  readonly main?: string
  readonly onProgress?: (kills: number) => void
}

export interface TortureReport {
  readonly kills: number
  /** Of them, before the sidecar was ready. */
  readonly killsBeforeReady: number
  readonly acknowledged: number
  readonly refused: number
  readonly unknown: number
  /** Deliveries of an item to an exporter that had it already. */
  readonly duplicates: number
  readonly deliveries: number
  readonly answers: Readonly<Record<string, number>>
  readonly readyMs: number
  readonly drainMs: number
}

const CONNECTIONS = 6
const LOAD_MS_MAX = 400
const EARLY_KILL_SHARE = 0.15
const EARLY_KILL_MS_MAX = 350
const DRAIN_MS_MAX = 60_000

export async function torture(options: TortureOptions): Promise<TortureReport> {
  const { directory, kills, random } = options
  mkdirSync(directory, { recursive: true })
  const sink = await startSinkBackend(join(directory, 'journal'))
  writeFileSync(join(directory, 'laneway.yaml'), configFor(sink.port))
  const book = createBook()
  const totals = new Map<string, number>()
  const readyTimesMs: number[] = []
  let killsBeforeReady = 0
  let current: Life | undefined

  async function start(life: number): Promise<{ readonly life: Life; readonly receiver: string }> {
    const startedAtMs = Date.now()
    const started = startLife({ cwd: directory, life, ...(options.main ? { main: options.main } : {}) })
    current = started
    const { receiver, admin } = await started.ready
    readyTimesMs.push(Date.now() - startedAtMs)
    assertRemembers(await readLedger(admin), book, totals)
    return { life: started, receiver }
  }

  try {
    for (let kill = 1; kill <= kills; kill++) {
      if (random() < EARLY_KILL_SHARE) {
        killsBeforeReady++
        const early = startLife({ cwd: directory, life: kill })
        current = early
        await delay(random() * EARLY_KILL_MS_MAX)
        await early.end('SIGKILL')
        continue
      }
      const { life, receiver } = await start(kill)
      const mode = modeFor(random())
      if (mode === 'restart') await sink.restart()
      else await sink.setMode(mode)
      let isOver = false
      const load = runLoad({
        receiver,
        book,
        random,
        connections: CONNECTIONS,
        isOver: () => isOver,
        pauseMs: 4,
      })
      await delay(random() * LOAD_MS_MAX)
      if (random() < 0.2) await sink.setMode('take')
      await life.end('SIGKILL')
      isOver = true
      await load
      options.onProgress?.(kill)
    }
    await sink.setMode('take')
    const { life } = await start(kills + 1)
    const drainStartMs = Date.now()
    const ledger = await drain(await life.ready)
    const drainMs = Date.now() - drainStartMs
    strictEqual(await life.end('SIGTERM'), 0)
    const arrived = assertArrived(sink.arrivals(), book, ledger)
    const readyMs = readyTimesMs.sort((left, right) => left - right)[Math.floor(readyTimesMs.length / 2)]
    return {
      kills,
      killsBeforeReady,
      ...countFates(book),
      ...arrived,
      answers: Object.fromEntries(book.answers),
      readyMs,
      drainMs,
    }
  } finally {
    await current?.end('SIGKILL')
    await sink.stop()
  }
}

/** Small limits, so that the log is moved to the file, and space is reused, many times. */
function configFor(port: number): string {
  const exporter = (name: string, compression: string): string => `
  ${name}:
    endpoint: "http://127.0.0.1:${port}/${name.split('/')[1]}"
    compression: ${compression}
    timeout: 5s
    headers: { x-life: "\${env:TORTURE_LIFE}" }
    retry_on_failure: { initial_interval: 50ms, max_interval: 200ms }`
  return `
receivers: { otlp: { protocols: { http: { endpoint: "127.0.0.1:0" } } } }
admin: { endpoint: "127.0.0.1:0" }
storage: { directory: ./data, max_size: 64MiB }
shutdown_delay: 0s
policy: { preset: codex }
exporters:${exporter('otlp_http/a', 'none')}${exporter('otlp_http/b', 'gzip')}${exporter('otlp_http/t', 'none')}
lanes:
  log: { exporters: [otlp_http/a, otlp_http/b] }
  trace: { exporters: [otlp_http/t] }
`
}

function modeFor(chance: number): SinkMode | 'restart' {
  if (chance < 0.6) return 'take'
  if (chance < 0.75) return 'cut'
  if (chance < 0.85) return 'hang'
  return chance < 0.95 ? 'refuse' : 'restart'
}

/** After a start: what was admitted is all that was acknowledged, at most that and what is unknown, and never less than before. */
function assertRemembers(ledger: LedgerSnapshot, book: Book, totals: Map<string, number>): void {
  for (const exporter of EXPORTERS) {
    const admitted = exporterItems(ledger, exporter)
    const acknowledged = countOf(book, exporter, 'acknowledged')
    const unknown = countOf(book, exporter, 'unknown')
    ok(
      admitted >= acknowledged && admitted <= acknowledged + unknown,
      `${exporter} holds ${admitted} items of ${acknowledged} acknowledged, ${unknown} unknown`,
    )
    ok(admitted >= (totals.get(exporter) ?? 0), `${exporter} has forgotten items`)
    totals.set(exporter, admitted)
    for (const outcome of ['rejected', 'dead', 'lost']) {
      strictEqual(exporterItems(ledger, exporter, outcome), 0, `${exporter}: ${outcome}`)
    }
  }
}

async function drain({ admin }: Awaited<Life['ready']>): Promise<LedgerSnapshot> {
  const endMs = Date.now() + DRAIN_MS_MAX
  for (;;) {
    const ledger = await readLedger(admin)
    if (EXPORTERS.every((exporter) => exporterItems(ledger, exporter, 'queued') === 0)) return ledger
    ok(Date.now() < endMs, `not drained: ${JSON.stringify(ledger.exporters)}`)
    await delay(50)
  }
}

function assertArrived(
  arrivals: readonly Arrival[],
  book: Book,
  ledger: LedgerSnapshot,
): { readonly duplicates: number; readonly deliveries: number } {
  let duplicates = 0
  let deliveries = 0
  for (const exporter of EXPORTERS) {
    const seen = new Map<number, Delivered>()
    let sinkKills = 0
    for (const { exporter: to, answer, life, ids } of arrivals) {
      if (answer === 'killed') sinkKills++
      if (to !== exporter) continue
      for (const id of ids) {
        const before = seen.get(id)
        if (before !== undefined) {
          duplicates++
          const isExcused = before.life !== life || before.answer === 'cut' || before.sinkKills !== sinkKills
          ok(isExcused, `item ${id} came twice to ${exporter} in life ${life}`)
        }
        deliveries++
        seen.set(id, { life, answer, sinkKills })
      }
    }
    const missing: number[] = []
    for (const [id, { item, fate }] of book.fates) {
      const isExpected = item.exporters.includes(exporter)
      if (fate === 'acknowledged' && isExpected && !seen.has(id)) missing.push(id)
      if (seen.has(id)) {
        ok(isExpected, `item ${id} came to ${exporter}, which is not on its lane`)
        ok(fate !== 'refused', `item ${id} was refused and came to ${exporter}`)
      }
    }
    deepStrictEqual(missing, [], `acknowledged and never arrived at ${exporter}`)
    strictEqual(exporterItems(ledger, exporter, 'sent'), seen.size, `${exporter}: sent and arrived`)
    strictEqual(exporterItems(ledger, exporter), seen.size, `${exporter}: admitted and arrived`)
  }
  return { duplicates, deliveries }
}

interface Delivered {
  readonly life: number
  readonly answer: Arrival['answer']
  readonly sinkKills: number
}

function countFates({ fates }: Book): { acknowledged: number; refused: number; unknown: number } {
  const counts = { acknowledged: 0, refused: 0, unknown: 0 }
  for (const { fate } of fates.values()) counts[fate]++
  return counts
}
