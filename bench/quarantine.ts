/**
 * How fast what is held is released: all of a backlog in quarantine, after a start under a policy that takes it.
 *
 * In: a body, how many items of it. Out: cells of a table. One sidecar holds everything that comes; it is killed; the
 * next one releases target by target into durable queues, before a backend that takes all.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Released } from '../src/lane/quarantine.ts'
import { startSubject } from './backlog.ts'
import type { Body } from './bodies.ts'
import { sendRequests } from './loader.ts'
import { cpuSeconds, freePort, residentKiB } from './machine.ts'
import { startSink } from './sink.ts'
import { LANEWAY_CONFIGS, lanewayCommand, type Ports } from './subjects.ts'

export const RELEASE_HEADS: readonly string[] = ['held', 'bytes', 'released', 'items/s', 'CPU s', 'peak RSS']

const policyOf = (foreign: 'quarantine' | 'forward'): string => `
policy: { preset: none, foreign: ${foreign} }
storage: { max_size: 4GiB }
exporters: { otlp_http/logs: { sending_queue: { storage: disk } } }
lanes:
  log: { signal: logs, accept: [{ events: ["*"] }] }
  trace: { signal: traces, accept: [{ spans: [any] }] }
`

export async function measureRelease(body: Body, items: number): Promise<readonly string[]> {
  const sink = await startSink()
  const folder = mkdtempSync(join(tmpdir(), 'laneway-bench-'))
  const ports = { listen: await freePort(), sink: sink.port, admin: await freePort() }
  const start = (foreign: 'quarantine' | 'forward') => {
    const overlay = join(folder, `${foreign}.yaml`)
    writeFileSync(overlay, policyOf(foreign))
    const command = lanewayCommand([...LANEWAY_CONFIGS.laneway, overlay])
    const subject = { name: 'laneway', description: '', comparisons: [], command, environment: () => ({}) }
    return startSubject(subject, ports, join(folder, 'data'))
  }
  try {
    const holding = await start('quarantine')
    for (let sent = 0; sent < items; sent += body.items) await sendRequests(ports.listen, body, 1)
    await holding.kill()
    const releasing = await start('forward')
    const held = await listHeld(ports)
    const startedAtMs = performance.now()
    const cpuBefore = cpuSeconds(releasing.processId)
    let released = 0
    for (const target of new Set(held.map((row) => row.target))) released += await release(ports, target)
    const seconds = (performance.now() - startedAtMs) / 1000
    const cells = [
      `${held.reduce((sum, row) => sum + row.items, 0)}`,
      `${(held.reduce((sum, row) => sum + row.bytes, 0) / 1e6).toFixed(0)} MB`,
      `${released}`,
      `${Math.round(released / seconds)}`,
      (cpuSeconds(releasing.processId) - cpuBefore).toFixed(1),
      `${(residentKiB(releasing.processId, 'VmHWM') / 1024).toFixed(0)} MiB`,
    ]
    await releasing.kill()
    return cells
  } finally {
    sink.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Held {
  readonly target: string
  readonly items: number
  readonly bytes: number
}

async function listHeld({ admin }: Ports): Promise<readonly Held[]> {
  const response = await fetch(`http://127.0.0.1:${admin}/api/v1/quarantine`)
  const { targets }: { readonly targets: readonly Held[] } = JSON.parse(await response.text())
  return targets
}

async function release({ admin }: Ports, target: string): Promise<number> {
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${admin}/api/v1/quarantine/release`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ target }),
    })
    const released: Released = JSON.parse(await response.text())
    if (released.done) return released.items
  }
}
