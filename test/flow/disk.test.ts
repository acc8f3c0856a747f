/**
 * A disk that fails under a whole sidecar: senders hear what is wrong and when to come back, nothing that was
 * acknowledged goes, and Laneway recovers by itself.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { startSinkBackend } from '../torture/backend.ts'
import { idsIn, textOf } from '../torture/items.ts'
import { exporterItems, type Flow, HEAD, startFlowIn, type TestContext } from './flow.ts'
import { logsOf } from './records.ts'

const configFor = (directory: string, port: number): string => `${HEAD}
shutdown_grace: 1s
storage: { directory: "${directory}" }
policy: { preset: codex }
exporters:
  otlp_http:
    endpoint: "http://127.0.0.1:${port}/a"
    retry_on_failure: { initial_interval: 50ms, max_interval: 200ms }
lanes: { log: { exporters: [otlp_http] } }
`

const RECORD_CHARACTERS = 200_000

/** A file system of its own; undefined where this user may not mount one. */
function mountSmallDisk(t: TestContext, size = '12m'): string | undefined {
  // Outside of the test's folder, which is emptied before it would be unmounted.
  const path = mkdtempSync(join(tmpdir(), 'laneway-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', path], { stdio: 'ignore' })
  } catch {
    rmdirSync(path)
    return undefined
  }
  t.teardown(() => {
    execFileSync('umount', ['-l', path])
    rmdirSync(path)
  })
  return path
}

function sendOne(flow: Flow, id: number): Promise<Response> {
  const text = textOf(id) + 'x'.repeat(RECORD_CHARACTERS)
  return flow.post('/v1/logs', logsOf({ target: 'codex_otel.log_only', texts: [text] }))
}

/** The numbers of what was taken, until something was refused, and that answer. */
async function sendUntilRefused(
  flow: Flow,
  firstId: number,
): Promise<{ readonly taken: readonly number[]; readonly refusal: Response }> {
  const taken: number[] = []
  for (let id = firstId; id < firstId + 500; id++) {
    const response = await sendOne(flow, id)
    if (response.status !== 200) return { taken, refusal: response }
    taken.push(id)
  }
  throw new Error('nothing was refused')
}

async function sendUntilTaken(flow: Flow, firstId: number): Promise<number> {
  for (let id = firstId; id < firstId + 200; id++) {
    if ((await sendOne(flow, id)).status === 200) return id
    await delay(50)
  }
  throw new Error('it did not recover')
}

async function settled(flow: Flow): Promise<void> {
  for (const endMs = Date.now() + 15_000; ; await delay(50)) {
    if (exporterItems(await flow.ledger(), 'otlp_http', 'queued') === 0) return
    if (Date.now() > endMs) throw new Error('not drained')
  }
}

async function verbose(flow: Flow): Promise<string> {
  return (await fetch(`${flow.running.admin}/readyz?verbose`)).text()
}

t.test('a disk that fills refuses cleanly, and takes again when it has room', async (t) => {
  const cwd = t.testdir({})
  const disk = mountSmallDisk(t)
  if (disk === undefined) {
    t.pass('nothing can be mounted here')
    return
  }
  const sink = await startSinkBackend(join(cwd, 'journal'))
  t.teardown(() => sink.stop())
  await sink.setMode('refuse')
  const directory = join(disk, 'data')
  writeFileSync(join(cwd, 'laneway.yaml'), configFor(directory, sink.port))
  const flow = await startFlowIn(t, cwd, [])
  const { taken, refusal } = await sendUntilRefused(flow, 1)
  t.ok(taken.length > 5, `${taken.length} were taken`)
  t.equal(refusal.status, 503)
  t.match(refusal.headers.get('retry-after'), /^\d+$/)
  t.match(await refusal.text(), `storage directory ${directory} lies on a disk that is full: make room`)
  t.match(await verbose(flow), directory, '/readyz?verbose names it')
  t.equal((await fetch(`${flow.running.admin}/livez`)).status, 200)
  t.match(await (await fetch(`${flow.running.admin}/metrics`)).text(), /laneway_storage_refusing 1/)
  t.equal(exporterItems(await flow.ledger(), 'otlp_http', 'queued'), taken.length)

  execFileSync('mount', ['-o', 'remount,size=64m', disk])
  const later = await sendUntilTaken(flow, 1000)
  for (const endMs = Date.now() + 5000; (await verbose(flow)).includes(directory); await delay(50)) {
    if (Date.now() > endMs) throw new Error('/readyz?verbose still says that it refuses')
  }
  t.match(await (await fetch(`${flow.running.admin}/metrics`)).text(), /laneway_storage_refusing 0/)
  await sink.setMode('take')
  await settled(flow)
  const ledger = await flow.ledger()
  t.equal(exporterItems(ledger, 'otlp_http', 'sent'), taken.length + 1)
  t.equal(exporterItems(ledger, 'otlp_http'), taken.length + 1)
  t.same(sortedIds(sink.arrivals()), [...taken, later])
  t.equal((await flow.stop()).code, 0)
})

t.test('a full disk has room again once the backend is back, without anybody’s help', async (t) => {
  const cwd = t.testdir({})
  const disk = mountSmallDisk(t, '96m')
  if (disk === undefined) {
    t.pass('nothing can be mounted here')
    return
  }
  const sink = await startSinkBackend(join(cwd, 'journal'))
  t.teardown(() => sink.stop())
  await sink.setMode('refuse')
  writeFileSync(join(cwd, 'laneway.yaml'), configFor(join(disk, 'data'), sink.port))
  const flow = await startFlowIn(t, cwd, [])
  const { taken } = await sendUntilRefused(flow, 1)
  await sink.setMode('take')
  const later = await sendUntilTaken(flow, 1000)
  await settled(flow)
  t.same(sortedIds(sink.arrivals()), [...taken, later])
  t.equal((await flow.stop()).code, 0)
})

t.test('killed with a full disk, it starts on it and delivers what it has', async (t) => {
  const cwd = t.testdir({})
  const disk = mountSmallDisk(t)
  if (disk === undefined) {
    t.pass('nothing can be mounted here')
    return
  }
  const sink = await startSinkBackend(join(cwd, 'journal'))
  t.teardown(() => sink.stop())
  await sink.setMode('refuse')
  writeFileSync(join(cwd, 'laneway.yaml'), configFor(join(disk, 'data'), sink.port))
  const flow = await startFlowIn(t, cwd, [])
  const { taken } = await sendUntilRefused(flow, 1)
  // What is left of the disk goes to somebody else.
  t.throws(() => writeFileSync(join(disk, 'other'), Buffer.alloc(64 * 1024 * 1024)), { code: 'ENOSPC' })
  flow.running.signal('SIGKILL')
  await flow.running.finished
  await sink.setMode('take')
  const again = await startFlowIn(t, cwd, [])
  await settled(again)
  t.same(sortedIds(sink.arrivals()), taken)
  rmSync(join(disk, 'other'))
  const later = await sendUntilTaken(again, 1000)
  await settled(again)
  t.same(sortedIds(sink.arrivals()), [...taken, later])
  t.equal((await again.stop()).code, 0)
})

t.test('a disk that is read-only is an error at the start that says what to do', async (t) => {
  const cwd = t.testdir({})
  const disk = mountSmallDisk(t)
  if (disk === undefined) {
    t.pass('nothing can be mounted here')
    return
  }
  const sink = await startSinkBackend(join(cwd, 'journal'))
  t.teardown(() => sink.stop())
  const directory = join(disk, 'data')
  writeFileSync(join(cwd, 'laneway.yaml'), configFor(directory, sink.port))
  mkdirSync(directory)
  execFileSync('mount', ['-o', 'remount,ro', disk])
  await t.rejects(startFlowIn(t, cwd, []), {
    message: new RegExp(`storage directory ${directory} cannot be written`),
  })
  execFileSync('mount', ['-o', 'remount,rw', disk])
  const flow = await startFlowIn(t, cwd, [])
  t.equal((await sendOne(flow, 1)).status, 200)
  await settled(flow)
  t.same(sortedIds(sink.arrivals()), [1])
  t.equal((await flow.stop()).code, 0)
})

t.test('a store that is damaged at the start is set aside, and said; requests are taken', async (t) => {
  const cwd = t.testdir({})
  const sink = await startSinkBackend(join(cwd, 'journal'))
  t.teardown(() => sink.stop())
  await sink.setMode('refuse')
  const directory = join(cwd, 'data')
  writeFileSync(join(cwd, 'laneway.yaml'), configFor(directory, sink.port))
  const flow = await startFlowIn(t, cwd, [])
  t.equal((await sendOne(flow, 1)).status, 200)
  t.equal((await flow.stop()).code, 0)
  const store = join(directory, 'laneway.db')
  const damaged = readFileSync(store).fill(0x5a, 0, 4096)
  writeFileSync(store, damaged)
  const again = await startFlowIn(t, cwd, [])
  await sink.setMode('take')
  t.equal((await sendOne(again, 2)).status, 200)
  await settled(again)
  t.same(sortedIds(sink.arrivals()), [2])
  const aside = readdirSync(directory).filter((name) => name.startsWith('laneway.db.corrupt-'))
  t.equal(aside.length, 1, 'what was damaged is kept')
  t.same(readFileSync(join(directory, aside[0])), damaged)
  t.ok(idsIn(damaged).includes(1), 'with what can still be found in it')
  const { code, stderr } = await again.stop()
  t.equal(code, 0)
  t.match(stderr, aside[0], 'its name is told')
})

function sortedIds(arrivals: readonly { readonly ids: readonly number[] }[]): readonly number[] {
  return [...new Set(arrivals.flatMap(({ ids }) => ids))].sort((left, right) => left - right)
}
