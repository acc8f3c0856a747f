/**
 * A whole Laneway as a process, between senders and backends over real sockets; and its ledger, held to balance.
 */
import { ok, strictEqual } from 'node:assert/strict'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Carriage } from '../../src/otlp/signal.ts'
import type { LedgerRow, LedgerSnapshot } from '../../src/telemetry/ledger.ts'
import { checkoutMain, type Finished, type Running, startSidecar } from '../cli/process.ts'
import { type Backend, startBackend } from '../lane/support.ts'

export interface TestContext {
  testdir(files: Readonly<Record<string, string>>): string
  readonly testdirName: string
  teardown(end: () => unknown): unknown
}

/** Free ports on loopback, and no waiting for silence at the end unless a test is about that. */
export const HEAD: string = `
receivers: { otlp: { protocols: { http: { endpoint: "127.0.0.1:0" } } } }
admin: { endpoint: "127.0.0.1:0" }
shutdown_delay: 0s
`

export interface Flow {
  readonly running: Running
  readonly cwd: string
  post(path: string, body: Uint8Array, headers?: Readonly<Record<string, string>>): Promise<Response>
  ledger(): Promise<LedgerSnapshot>
  /** Ends it, if it has not ended by itself. */
  stop(): Promise<Finished>
}

/** Starts Laneway with `HEAD`, then `yaml`. `args` may name further files and settings. */
export async function startFlow(t: TestContext, yaml: string, args: readonly string[] = []): Promise<Flow> {
  const cwd = t.testdir({ 'laneway.yaml': `${HEAD}${yaml}` })
  return startFlowIn(t, cwd, args)
}

/** The same in a folder that is there, with a configuration of its own. */
export async function startFlowIn(t: TestContext, cwd: string, args: readonly string[]): Promise<Flow> {
  const running = await startSidecar({ main: checkoutMain, cwd }, args)
  let end: Promise<Finished> | undefined
  const stop = (): Promise<Finished> => {
    end ??= running.stop()
    return end
  }
  t.teardown(async () => {
    // What a failed test leaves behind must not wait for its queues.
    running.signal('SIGKILL')
    await running.finished
    // Not left to tap, which would remove it under a process that still writes.
    rmSync(cwd, { recursive: true, force: true })
  })
  return {
    running,
    cwd,
    stop,
    post: (path, body, headers = {}) => postTo(`${running.receiver}${path}`, body, headers),
    ledger: () => readLedger(running.admin),
  }
}

export async function postTo(
  url: string,
  body: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const response = await fetch(url, {
    method: 'POST',
    body: Buffer.from(body),
    headers: { 'content-type': 'application/x-protobuf', ...headers },
  })
  // Read to its end, or its connection is never used again.
  const text = await response.arrayBuffer()
  return new Response(text.byteLength === 0 ? null : text, {
    status: response.status,
    headers: response.headers,
  })
}

/** A backend that takes everything, until the test ends. */
export async function startSink(t: TestContext, port = 0): Promise<Backend> {
  const backend = await startBackend((response) => response.end(), port)
  t.teardown(() => backend.close())
  return backend
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('not a TCP server')
  return address.port
}

/** All that arrived on one path, joined: requests of one signal hold repeated field 1, so that is a request again. */
export function arrivedAt({ received }: Backend, path: string): Buffer {
  return Buffer.concat(received.filter((one) => one.path === path).map(({ body }) => body))
}

async function readLedger(admin: string): Promise<LedgerSnapshot> {
  const response = await fetch(`${admin}/api/v1/ledger`)
  strictEqual(response.status, 200)
  const snapshot: LedgerSnapshot = JSON.parse(await response.text())
  assertBalanced(snapshot)
  return snapshot
}

/** What came is what became of it, for every signal and carriage; and nothing is counted below zero. */
export function assertBalanced({ rows, exporters }: LedgerSnapshot): void {
  const balance = new Map<string, number>()
  for (const { signal, carriage, outcome, items } of rows) {
    ok(items >= 0)
    if (outcome === 'copied') continue
    const key = `${signal} ${carriage}`
    balance.set(key, (balance.get(key) ?? 0) + (outcome === 'received' ? items : -items))
  }
  for (const [key, difference] of balance) strictEqual(difference, 0, `${key} does not balance`)
  for (const { items, bytes } of exporters) ok(items >= 0 && bytes >= 0)
}

export function rowItems({ rows }: LedgerSnapshot, wanted: Partial<LedgerRow>): number {
  const entries = Object.entries(wanted)
  return rows
    .filter((row) => {
      const values = new Map<string, unknown>(Object.entries(row))
      return entries.every(([key, value]) => values.get(key) === value)
    })
    .reduce((sum, { items }) => sum + items, 0)
}

export function receivedItems(snapshot: LedgerSnapshot, carriage: Carriage): number {
  return rowItems(snapshot, { carriage, outcome: 'received' })
}

export function exporterItems({ exporters }: LedgerSnapshot, exporter: string, outcome?: string): number {
  return exporters
    .filter((row) => row.exporter === exporter && (outcome === undefined || row.outcome === outcome))
    .reduce((sum, { items }) => sum + items, 0)
}

/** Waits until no exporter has anything queued or in flight. */
export async function drained(flow: Flow, timeoutMs = 10_000): Promise<LedgerSnapshot> {
  const endMs = Date.now() + timeoutMs
  for (;;) {
    const snapshot = await flow.ledger()
    const queued = snapshot.exporters.filter(({ outcome, items }) => outcome === 'queued' && items > 0)
    if (queued.length === 0) return snapshot
    if (Date.now() > endMs) throw new Error(`still queued: ${JSON.stringify(queued)}`)
    await delay(20)
  }
}

export interface Watch {
  /** Ends the reading; how often it was read. */
  stop(): Promise<number>
}

/** Reads the ledger again and again: it must balance each time, and what came never becomes less. */
export function watchLedger(flow: Flow): Watch {
  let isOver = false
  async function watch(): Promise<number> {
    let reads = 0
    let receivedBefore = 0
    while (!isOver) {
      const received = rowItems(await flow.ledger(), { outcome: 'received' })
      ok(received >= receivedBefore)
      receivedBefore = received
      reads++
      await delay(2)
    }
    return reads
  }
  const watching = watch()
  // Heard again by whoever stops it.
  watching.catch(() => {})
  return {
    stop: () => {
      isOver = true
      return watching
    },
  }
}
