/**
 * What the bench asks of Linux: pinning to cores, CPU time and memory of a process, a free port.
 *
 * In: process ids. Out: seconds and KiB, read from /proc (proc(5)). Linux only, and it says so.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism, cpus } from 'node:os'

/** The kernel's USER_HZ, in which /proc/<pid>/stat counts; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100
export const SUBJECT_CORE = '0'
export const LOADER_CORE = '1'

/** Fails early where the bench cannot measure, and moves this process to the loader's core. */
export function claimLoaderCore(): void {
  if (process.platform !== 'linux') throw new Error('the bench reads /proc and needs Linux')
  if (availableParallelism() < 2)
    throw new Error('the bench needs two cores: one for the subject, one for the loader')
  execFileSync('taskset', ['-a', '-c', '-p', LOADER_CORE, String(process.pid)], { stdio: 'ignore' })
}

/** User and system time of all threads, those that ended included. */
export function cpuSeconds(processId: number): number {
  const stat = readFileSync(`/proc/${processId}/stat`, 'latin1')
  // The command's name is in parentheses and may hold spaces: fields are counted from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** `VmHWM`: peak, or `VmRSS`: now. */
export function residentKiB(processId: number, field: 'VmHWM' | 'VmRSS'): number {
  const status = readFileSync(`/proc/${processId}/status`, 'latin1')
  const line = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)
  return line === null ? Number.NaN : Number(line[1])
}

export function cpuModel(): string {
  const models = cpus().map((cpu) => cpu.model.trim())
  return `${models.length} × ${models[0]}`
}

/** A loopback port that was free a moment ago: most subjects cannot be told "any". */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('no free port'))
        else resolve(address.port)
      })
    })
  })
}
