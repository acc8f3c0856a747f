/**
 * What a reload costs those who send: latency at a fixed rate before, and while the reviews file changes again and again.
 *
 * In: nothing. Out: a line for each on stdout: requests that failed, p50 and p99. The file changes four times a second,
 * and each change is asked to be taken up. `node bench/reload.ts`
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createBodies } from './bodies.ts'
import { type LoadResult, runLoad } from './loader.ts'
import { claimLoaderCore } from './machine.ts'
import { startSink } from './sink.ts'
import { LANEWAY_CONFIGS, lanewayCommand, startSubject } from './subjects.ts'

const PHASE_MS = 8000
const CHANGE_MS = 250
const RATE_PER_SECOND = 400

claimLoaderCore()
const body = createBodies().find(({ name }) => name === 'logs16')
if (body === undefined) throw new Error('there is no such body')
const directory = mkdtempSync(join(tmpdir(), 'laneway-bench-reload-'))
const reviews = join(directory, 'reviews.yaml')
const sink = await startSink()
let admin = 0
const subject = await startSubject(
  {
    name: 'laneway',
    description: 'preset codex, reviews that change',
    comparisons: [],
    command: [...lanewayCommand(LANEWAY_CONFIGS.laneway), '--set', `policy.reviews=${reviews}`],
    environment: (ports) => {
      admin = ports.admin
      return {}
    },
  },
  sink.port,
)
const load = (durationMs: number): Promise<LoadResult> =>
  runLoad({ port: subject.port, body, connections: 8, durationMs, ratePerSecond: RATE_PER_SECOND })

try {
  await load(3000)
  // What this process needs to ask is loaded before anything is measured: it would count as the subject's.
  await reload()
  print('before', await load(PHASE_MS))
  let isOver = false
  const changing = change(() => isOver)
  print('while it reloads', await load(PHASE_MS))
  isOver = true
  console.log(`${await changing} reloads`)
} finally {
  await subject.stop()
  sink.close()
  rmSync(directory, { recursive: true })
}

async function change(isOver: () => boolean): Promise<number> {
  let count = 0
  for (; !isOver(); count++) {
    const decided = `{ decision: reject, by: bench, at: 2026-01-01, reason: change ${count} }`
    writeFileSync(reviews, `targets: { codex_otel.bench_${count}: ${decided} }\n`)
    await reload()
    await sleep(CHANGE_MS)
  }
  return count
}

async function reload(): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`http://127.0.0.1:${admin}/api/v1/reload`, {
    method: 'POST',
    headers,
    body: '{}',
  })
  if (answer.status !== 200) throw new Error(await answer.text())
}

function print(title: string, { accepted, refused, failed, p50Ms, p99Ms }: LoadResult): void {
  const counts = `${accepted} accepted, ${refused + failed} not`
  console.log(`${title}: ${counts}, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`)
}
