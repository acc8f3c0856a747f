/**
 * What kill -9 cannot show, for it keeps the page cache: that what is acknowledged is on the disk, and not in memory.
 *
 * A sidecar runs under strace. Each of its 200s must come after a sync that began when the request's bytes were in the
 * log; and the store's files, as a power failure at any moment may leave them, must open and hold what had been
 * acknowledged by then.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { createStore } from '../../src/store/store.ts'
import { startSinkBackend } from './backend.ts'
import { EXPORTERS, idsIn } from './items.ts'
import { startLife } from './life.ts'
import { type Book, createBook, runLoad } from './loader.ts'
import { filesAfterPowerLoss } from './power-loss.ts'
import { createRandom } from './random.ts'
import {
  type Acknowledgement,
  type DiskStep,
  readSyscalls,
  type Syscalls,
  straceCommand,
} from './syscalls.ts'

const MIB = 1024 * 1024
const LOAD_MS = 2500
const POWER_LOSSES = 20

/** `a` leads nowhere, so what is acknowledged for it stays in the store; the others are emptied as they fill. */
const configFor = (sinkPort: number): string => `
receivers: { otlp: { protocols: { http: { endpoint: "127.0.0.1:0" } } } }
admin: { endpoint: "127.0.0.1:0" }
storage: { directory: ./data, max_size: 12MiB }
shutdown_delay: 0s
shutdown_grace: 0s
policy: { preset: codex }
exporters:
  otlp_http/a: { endpoint: "http://127.0.0.1:1" }
  otlp_http/b: { endpoint: "http://127.0.0.1:${sinkPort}/b", compression: none }
  otlp_http/t: { endpoint: "http://127.0.0.1:${sinkPort}/t", compression: none }
lanes:
  log: { exporters: [otlp_http/a, otlp_http/b] }
  trace: { exporters: [otlp_http/t] }
`

t.test('what was acknowledged survives a power failure', { skip: reasonToSkip() }, async (t) => {
  const random = createRandom(Math.floor(Date.now() / 86_400_000))
  const cwd = t.testdir({})
  const sink = await startSinkBackend(join(cwd, 'journal'))
  t.teardown(() => sink.stop())
  writeFileSync(join(cwd, 'laneway.yaml'), configFor(sink.port))
  const book = createBook()
  const trace = join(cwd, 'trace')
  await runTraced({ cwd, trace, book, random })
  const syscalls = await readSyscalls(trace)
  const arrived = new Map(EXPORTERS.map((exporter) => [exporter, new Set<number>()] as const))
  for (const { exporter, ids } of sink.arrivals()) {
    for (const [name, seen] of arrived) if (name === exporter) for (const id of ids) seen.add(id)
  }
  const logs = syscalls.disk.filter(({ file }) => file !== 'laneway.db')
  t.comment(`${syscalls.acknowledgements.length} acknowledgements, ${logs.length} calls on journal and log`)
  t.ok(syscalls.acknowledgements.length > 50, 'there is something to judge')
  t.ok(
    syscalls.disk.some(({ kind, file }) => kind === 'write' && file === 'laneway.db'),
    'the log was moved to the file meanwhile',
  )
  t.ok(new Set(logs.map(({ file }) => file)).size > 4, 'all files of the journal were in use')

  t.test('every 200 comes after a sync that began when its bytes were in journal or log', async (t) => {
    t.strictSame(unsynced(syscalls.acknowledgements, logs), [])
  })

  t.test(`the store opens and holds it, at ${POWER_LOSSES} moments`, async (t) => {
    const first = syscalls.acknowledgements[0].begin
    const last = syscalls.acknowledgements.at(-1)?.end ?? first
    for (let count = 0; count < POWER_LOSSES; count++) {
      const line = first + Math.floor(random() * (last - first))
      const directory = join(cwd, `loss-${count}`)
      mkdirSync(directory)
      for (const [file, content] of filesAfterPowerLoss(syscalls.disk, line, random)) {
        writeFileSync(join(directory, file), content)
      }
      const { queued, events } = await readStore(directory)
      t.strictSame(events, [], `line ${line}: it is not damaged`)
      t.strictSame(
        forgotten({ syscalls, line, book, queued, arrived }),
        [],
        `line ${line}: nothing is missing`,
      )
    }
  })
})

async function runTraced(options: {
  readonly cwd: string
  readonly trace: string
  readonly book: Book
  readonly random: () => number
}): Promise<void> {
  const { cwd, trace, book, random } = options
  const life = startLife({ cwd, life: 1, wrap: straceCommand(trace) })
  try {
    const { receiver } = await life.ready
    const endMs = Date.now() + LOAD_MS
    await runLoad({ receiver, book, random, connections: 4, isOver: () => Date.now() > endMs, pauseMs: 5 })
    await delay(100)
  } finally {
    // A signal to strace would not reach what it traces, and would end the trace early.
    const [sidecar] = readFileSync(`/proc/${life.child.pid}/task/${life.child.pid}/children`, 'utf8').split(
      ' ',
    )
    if (sidecar !== '') process.kill(Number(sidecar), 'SIGKILL')
    await life.closed
  }
}

/** Items that were acknowledged though no sync of a file had begun behind their bytes in it and ended. */
function unsynced(
  acknowledgements: readonly Acknowledgement[],
  logs: readonly DiskStep[],
): readonly string[] {
  const written = new Map<number, DiskStep>()
  for (const step of logs) for (const id of idsIn(step.data)) if (!written.has(id)) written.set(id, step)
  const syncs = logs.filter(({ kind }) => kind === 'sync')
  const wrong: string[] = []
  for (const { ids, begin } of acknowledgements) {
    const steps = ids.map((id) => written.get(id)).filter((step) => step !== undefined)
    // A text that lies on a page's edge is found in no one write; of each request there are others.
    if (ids.length > 0 && steps.length === 0) wrong.push(`${ids} is in no log`)
    for (const { file, end } of steps) {
      if (!syncs.some((sync) => sync.file === file && sync.begin > end && sync.end < begin))
        wrong.push(`${ids} is not synced`)
    }
  }
  return wrong
}

async function readStore(directory: string): Promise<{
  readonly queued: ReadonlyMap<string, ReadonlySet<number>>
  readonly events: readonly string[]
}> {
  const events: string[] = []
  const store = createStore({
    directory,
    limits: { bytesMax: 12 * MIB, deadLettersBytesMax: MIB, quarantineBytesMax: MIB, retentionMs: 1e9 },
    exporters: EXPORTERS,
    onEvent: ({ type }) => events.push(type),
  })
  const queued = new Map<string, Set<number>>()
  for (const { exporter, lastId } of await store.open()) {
    const ids = new Set<number>()
    for (let after = 0; after < lastId; ) {
      const parcels = await store.load({ exporter, after, through: lastId, bytesMax: MIB })
      for (const { bytes } of parcels) for (const id of idsIn(Buffer.from(bytes))) ids.add(id)
      after = parcels.at(-1)?.id ?? lastId
    }
    queued.set(exporter, ids)
  }
  await store.close()
  return { queued, events }
}

/** What was acknowledged before `line` and is neither in the store nor at its backend. */
function forgotten(found: {
  readonly syscalls: Syscalls
  readonly line: number
  readonly book: Book
  readonly queued: ReadonlyMap<string, ReadonlySet<number>>
  readonly arrived: ReadonlyMap<string, ReadonlySet<number>>
}): readonly string[] {
  const { syscalls, line, book, queued, arrived } = found
  return syscalls.acknowledgements
    .filter(({ begin }) => begin <= line)
    .flatMap(({ ids }) => ids.map((id) => book.fates.get(id)?.item))
    .filter((item) => item !== undefined)
    .flatMap(({ id, exporters }) => exporters.map((exporter) => ({ id, exporter })))
    .filter(({ id, exporter }) => !queued.get(exporter)?.has(id) && !arrived.get(exporter)?.has(id))
    .map(({ id, exporter }) => `${id} for ${exporter}`)
}

function reasonToSkip(): string | false {
  const { status } = spawnSync('strace', ['-qq', '-o', '/dev/null', 'true'], { stdio: 'ignore' })
  return status === 0 ? false : 'strace is not installed here, or may not trace'
}
