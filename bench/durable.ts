/**
 * `npm run bench:durable`: what it costs that a 200 means "on the disk", beside memory queues and the Collector's disk queue.
 *
 * In: options (below) and BENCH_COLLECTOR. Out: Markdown tables on stdout. All data lies in the system's folder for
 * temporary files; the bare write + fdatasync that latency is compared with lies there too.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { measureBacklog } from './backlog.ts'
import { type Body, createBodies } from './bodies.ts'
import { type LoadResult, requestBytes, runLoad } from './loader.ts'
import { claimLoaderCore, cpuModel } from './machine.ts'
import { measureBody, type Outcome, type Plan } from './measure.ts'
import { measureRelease, RELEASE_HEADS } from './quarantine.ts'
import { formatOutcomes, table } from './report.ts'
import { startSink } from './sink.ts'
import { LANEWAY_CONFIGS, lanewayCommand, type Subject, startSubject } from './subjects.ts'

const HERE = import.meta.dirname
const SENDERS = [1, 8, 64]
const MODE_BODIES = ['logs512', 'traces512', 'logs16']
const LATENCY_BODY = 'logs16'
/** Until V8 has compiled what is hot: before that its compiler, on the same core, is most of the tail. */
const LATENCY_WARM_UP_MS = 12_000
const RELEASE_BODIES = ['logs512', 'logs16']
const RELEASE_ITEMS = 100_000

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    parts: { type: 'string', default: 'modes,latency,backlog,release' },
    'backlog-mb': { type: 'string', default: '1000' },
  },
})
const plan: Plan = options.quick
  ? { rounds: 2, connections: 8, warmUpMs: 1000, closedLoopMs: 1000, fixedRateMs: 600 }
  : { rounds: 5, connections: 8, warmUpMs: 3000, closedLoopMs: 3000, fixedRateMs: 3000 }

const subjects = findDurableSubjects()

await run()

async function run(): Promise<void> {
  claimLoaderCore()
  const bodies = createBodies()
  const parts = options.parts.split(',')
  console.log(`On ${cpuModel()}, Node ${process.version}; data in ${tmpdir()}\n`)
  if (parts.includes('modes')) {
    const outcomes: Outcome[] = []
    for (const body of bodies.filter(({ name }) => MODE_BODIES.includes(name))) {
      outcomes.push(...(await measureBody(subjects, body, plan)))
    }
    for (const { subject, unable } of outcomes)
      if (unable !== undefined) console.log(`${subject.name}: ${unable}`)
    console.log(`${formatOutcomes(outcomes)}\n`)
  }
  if (parts.includes('latency')) console.log(`${await measureLatency(bodyNamed(bodies, LATENCY_BODY))}\n`)
  if (parts.includes('backlog')) {
    const bytes = Number(options['backlog-mb']) * 1e6
    const rows: string[][] = []
    for (const subject of subjects.filter(({ name }) => name.endsWith('disk'))) {
      rows.push([subject.name, ...(await measureBacklog(subject, bodyNamed(bodies, 'logs512'), bytes))])
    }
    const heads = [
      'subject',
      'queued',
      'peak RSS while it fills',
      'takes again after',
      'peak RSS behind',
      'drain',
    ]
    console.log(
      `### A backlog of ${bytes / 1e6} MB, kill -9, a start, the backend back\n\n${table(heads, rows)}\n`,
    )
  }
  if (parts.includes('release')) {
    const rows: string[][] = []
    for (const name of RELEASE_BODIES)
      rows.push([name, ...(await measureRelease(bodyNamed(bodies, name), RELEASE_ITEMS))])
    console.log(`### A release from quarantine\n\n${table(['body', ...RELEASE_HEADS], rows)}`)
  }
}

function findDurableSubjects(): readonly Subject[] {
  const collector = process.env.BENCH_COLLECTOR
  const laneway = (name: string, description: string, overlay: readonly string[]): Subject => ({
    name,
    description,
    comparisons: [],
    command: lanewayCommand([...LANEWAY_CONFIGS.laneway, ...overlay]),
    environment: () => ({}),
  })
  return [
    laneway('laneway', 'memory queues', []),
    laneway('laneway-disk', 'durable queues', [join(HERE, 'laneway-disk.yaml')]),
    ...(collector === undefined || collector === '' ? [] : [collectorDisk(collector)]),
  ]
}

function collectorDisk(binary: string): Subject {
  const configs = ['collector.yaml', 'collector-disk.yaml'].flatMap((file) => ['--config', join(HERE, file)])
  return {
    name: 'collector-disk',
    description: 'OpenTelemetry Collector, file_storage with fsync',
    comparisons: [],
    command: [binary, ...configs],
    environment: () => ({}),
  }
}

async function measureLatency(body: Body): Promise<string> {
  const rows: string[][] = []
  for (const senders of SENDERS) {
    const durationMs = options.quick ? 1000 : 5000
    const warmUpMs = options.quick ? 1000 : LATENCY_WARM_UP_MS
    const bare = await bareSyncs(body, senders, durationMs)
    const row = [String(senders), milliseconds(bare)]
    for (const subject of subjects) {
      const sink = await startSink()
      const running = await startSubject(subject, sink.port)
      const load = { port: running.port, body, connections: senders, ratePerSecond: undefined }
      await runLoad({ ...load, durationMs: warmUpMs })
      const result = await runLoad({ ...load, durationMs })
      row.push(`${milliseconds(result)} (${(result.p99Ms / bare.p99Ms).toFixed(1)} ×)`)
      await running.stop()
      sink.close()
    }
    rows.push(row)
  }
  const heads = ['senders', 'write + fdatasync', ...subjects.map(({ name }) => name)]
  return `### Acknowledged latency, ${body.name}, p50 / p99 ms (p99 beside the bare write)\n\n${table(heads, rows)}`
}

/** What the disk can do: each sender appends the same bytes to one file and syncs it. */
async function bareSyncs(
  body: Body,
  senders: number,
  durationMs: number,
): Promise<Pick<LoadResult, 'p50Ms' | 'p99Ms'>> {
  const directory = mkdtempSync(join(tmpdir(), 'laneway-bench-'))
  const file = await open(join(directory, 'bare'), 'a')
  const bytes = requestBytes(body)
  const latenciesMs: number[] = []
  const endMs = performance.now() + durationMs
  const sender = async (): Promise<void> => {
    for (let startMs = performance.now(); startMs < endMs; startMs = performance.now()) {
      await file.write(bytes)
      await file.datasync()
      latenciesMs.push(performance.now() - startMs)
    }
  }
  await Promise.all(Array.from({ length: senders }, sender))
  await file.close()
  rmSync(directory, { recursive: true })
  latenciesMs.sort((left, right) => left - right)
  const at = (share: number): number => latenciesMs[Math.floor((latenciesMs.length - 1) * share)]
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}

function milliseconds({ p50Ms, p99Ms }: Pick<LoadResult, 'p50Ms' | 'p99Ms'>): string {
  return `${p50Ms.toFixed(1)} / ${p99Ms.toFixed(1)}`
}

function bodyNamed(bodies: readonly Body[], name: string): Body {
  const body = bodies.find((one) => one.name === name)
  if (body === undefined) throw new Error(`no body ${name}`)
  return body
}
