/**
 * How soon Laneway is ready, and how much memory it holds while nothing happens.
 *
 * In: a command that runs Laneway. Out: medians of milliseconds from exec to the line `laneway ready` on
 * stderr, and of resident memory some time later.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, LOADER_CORE, residentKiB, SUBJECT_CORE } from './machine.ts'
import { median } from './report.ts'
import { portEnvironment, spawnPinned, stopProcess } from './subjects.ts'

export interface Startup {
  readonly name: string
  readonly readyMs: number
  readonly readyOneCoreMs: number
  readonly idleResidentMiB: number
}

const READY_LINE = 'laneway ready'
const READY_TIMEOUT_MS = 10_000
const IDLE_AFTER_MS = 1000

export async function measureStartup(
  name: string,
  command: readonly string[],
  runs: number,
): Promise<Startup> {
  const readyMs: number[] = []
  const readyOneCoreMs: number[] = []
  const idleResidentKiB: number[] = []
  for (let run = 0; run < runs; run += 1) {
    const anyCore = await startOnce(command, `${SUBJECT_CORE},${LOADER_CORE}`, true)
    readyMs.push(anyCore.readyMs)
    idleResidentKiB.push(anyCore.idleResidentKiB)
    readyOneCoreMs.push((await startOnce(command, SUBJECT_CORE, false)).readyMs)
  }
  return {
    name,
    readyMs: median(readyMs),
    readyOneCoreMs: median(readyOneCoreMs),
    idleResidentMiB: median(idleResidentKiB) / 1024,
  }
}

async function startOnce(
  command: readonly string[],
  cores: string,
  isWaitingForIdle: boolean,
): Promise<{ readonly readyMs: number; readonly idleResidentKiB: number }> {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'laneway-bench-'))
  const ports = { listen: await freePort(), sink: await freePort(), admin: await freePort() }
  const start = performance.now()
  const child = spawnPinned(command, cores, portEnvironment(ports, dataDirectory))
  try {
    const readyMs = await new Promise<number>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no line "${READY_LINE}" in time`)), READY_TIMEOUT_MS)
      let said = ''
      child.stdout?.resume()
      child.stderr?.on('data', (chunk: Buffer) => {
        said += chunk.toString()
        if (!said.includes(READY_LINE)) return
        clearTimeout(timer)
        resolve(performance.now() - start)
      })
      child.once('exit', (code) => {
        clearTimeout(timer)
        reject(new Error(`it exited with code ${code}: ${said.slice(-500)}`))
      })
    })
    if (!isWaitingForIdle) return { readyMs, idleResidentKiB: Number.NaN }
    await sleep(IDLE_AFTER_MS)
    return { readyMs, idleResidentKiB: residentKiB(child.pid ?? 0, 'VmRSS') }
  } finally {
    await stopProcess(child)
    rmSync(dataDirectory, { recursive: true, force: true })
  }
}
