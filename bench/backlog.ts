/**
 * A backend that was away: how a subject fills its queue on the disk, comes back after kill -9, and drains.
 *
 * In: a subject with a queue on the disk, a body, how many bytes of it. Out: cells of a table. The sender waits while
 * it is refused; the drain is over when the backend has as many items as were accepted.
 */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Body } from './bodies.ts'
import { runLoad, sendRequests } from './loader.ts'
import { freePort, residentKiB, SUBJECT_CORE } from './machine.ts'
import { startSink } from './sink.ts'
import { type Ports, portEnvironment, type Subject, spawnPinned } from './subjects.ts'

const FILL_MS = 500
const FILL_MS_MAX = 180_000
const START_MS_MAX = 30_000
const STALL_MS = 15_000

export async function measureBacklog(
  subject: Subject,
  body: Body,
  bytes: number,
): Promise<readonly string[]> {
  const sink = await startSink()
  const data = mkdtempSync(join(tmpdir(), 'laneway-bench-'))
  const ports = { listen: await freePort(), sink: sink.port, admin: await freePort() }
  try {
    const { accepted, peakMiB } = await fill(subject, { ...ports, sink: 1 }, data, { body, bytes })
    const startedAtMs = performance.now()
    const again = await startSubject(subject, ports, data)
    const readyMs = performance.now() - startedAtMs
    const items = await drained(() => sink.totals.logRecords + sink.totals.spans)
    const drainSeconds = (performance.now() - startedAtMs - STALL_MS) / 1000
    const peakBehindMiB = residentKiB(again.processId, 'VmHWM') / 1024
    await again.kill()
    return [
      `${((accepted * body.plainByteLength) / 1e6).toFixed(0)} MB`,
      `${peakMiB.toFixed(0)} MiB`,
      `${readyMs.toFixed(0)} ms`,
      `${peakBehindMiB.toFixed(0)} MiB`,
      `${(sink.totals.bytes / 1e6 / drainSeconds).toFixed(0)} MB/s, ${items} items`,
    ]
  } finally {
    sink.close()
    rmSync(data, { recursive: true, force: true })
  }
}

async function fill(
  subject: Subject,
  ports: Ports,
  data: string,
  { body, bytes }: { readonly body: Body; readonly bytes: number },
): Promise<{ readonly accepted: number; readonly peakMiB: number }> {
  const running = await startSubject(subject, ports, data)
  const endMs = performance.now() + FILL_MS_MAX
  let accepted = 0
  while (accepted * body.plainByteLength < bytes && performance.now() < endMs) {
    const load = { port: ports.listen, body, connections: 8, durationMs: FILL_MS, ratePerSecond: undefined }
    accepted += (await runLoad(load)).accepted
  }
  const peakMiB = residentKiB(running.processId, 'VmHWM') / 1024
  await running.kill()
  return { accepted, peakMiB }
}

/** Resolves when a request was answered, whatever with. */
export async function startSubject(
  subject: Subject,
  ports: Ports,
  data: string,
): Promise<{ readonly processId: number; kill(): Promise<void> }> {
  const environment = { ...portEnvironment(ports, data), ...subject.environment(ports) }
  const child = spawnPinned(subject.command, SUBJECT_CORE, environment)
  child.stdout?.resume()
  child.stderr?.resume()
  const endMs = performance.now() + START_MS_MAX
  const empty: Body = {
    name: 'empty',
    signal: 'logs',
    comparisons: [],
    contentType: 'application/x-protobuf',
    contentEncoding: 'identity',
    bytes: Buffer.alloc(0),
    plainByteLength: 0,
    items: 0,
    ratePerSecond: 0,
  }
  for (;;) {
    try {
      await sendRequests(ports.listen, empty, 1)
      break
    } catch {
      if (performance.now() > endMs) throw new Error(`${subject.name} did not start`)
      await sleep(10)
    }
  }
  return {
    processId: child.pid ?? 0,
    async kill() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Waits until nothing has come for a while; how much came. */
async function drained(count: () => number): Promise<number> {
  let last = count()
  for (let lastMs = performance.now(); performance.now() - lastMs < STALL_MS; await sleep(20)) {
    if (count() === last) continue
    last = count()
    lastMs = performance.now()
  }
  return last
}
