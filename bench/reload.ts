/**
 * What a reload costs those who send: latency at a fixed rate while nothing changes, and while the reviews file changes
 * four times a second and each change is asked to be taken up. In turns, because machines are noisy.
 *
 * In: nothing. Out: a line for each on stdout (requests that failed, p50 and p99), and the median of the ratios of the p99.
 * `node bench/reload.ts`
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createBodies } from './bodies.ts'
import { type LoadResult, runLoad } from './loader.ts'
import { claimLoaderCore } from './machine.ts'
import { median } from './report.ts'
import { startSink } from './sink.ts'
import { LANEWAY_CONFIGS, lanewayCommand, startSubject } from './subjects.ts'

const ROUNDS = 5
const PHASE_MS = 6000
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
  const ratios: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const quiet = await load(PHASE_MS)
    print('nothing changes', quiet)
    const changes = startChanging()
    const changing = await load(PHASE_MS)
    print(`${await changes.stop()} reloads`, changing)
    ratios.push(changing.p99Ms / quiet.p99Ms)
  }
  console.log(`p99 with reloads beside without, median of ${ROUNDS}: ${median(ratios).toFixed(2)}`)
} finally {
  await subject.stop()
  sink.close()
  rmSync(directory, { recursive: true })
}

/** Until it is stopped, which resolves to how often it has changed. */
function startChanging(): { stop(): Promise<number> } {
  let isOver = false
  const changing = (async () => {
    let count = 0
    for (; !isOver; count++) {
      const decided = `{ decision: reject, by: bench, at: 2026-01-01, reason: change ${count} }`
      writeFileSync(reviews, `targets: { codex_otel.bench_${count}: ${decided} }\n`)
      await reload()
      await sleep(CHANGE_MS)
    }
    return count
  })()
  return {
    stop() {
      isOver = true
      return changing
    },
  }
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
