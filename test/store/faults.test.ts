/** The store on a disk that fails: what it says, that nothing acknowledged is lost, and that it recovers by itself. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { SCHEMA_VERSION } from '../../src/store/schema.ts'
import type { Store } from '../../src/store/store.ts'
import { copyStore, newStore, numbersIn, parcelOf, sentOf } from './support.ts'

const MIB = 1024 * 1024
const appender = fileURLToPath(new URL('./appender.ts', import.meta.url))

async function appendedAgain(store: Store, number: number): Promise<void> {
  for (const untilMs = Date.now() + 10_000; ; ) {
    try {
      await store.append([parcelOf(number)])
      return
    } catch (error) {
      if (Date.now() > untilMs) throw error
      await delay(50)
    }
  }
}

t.test('a second process on the same folder hears which folder it is and what to do', async (t) => {
  const directory = t.testdir()
  const child = spawn(process.execPath, [appender, directory, '100', '1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  const second = newStore(t, directory)
  await t.rejects(second.open(), {
    code: 'storage',
    message: new RegExp(`storage directory ${directory} is in use by another process.*storage\\.directory`),
  })
  child.kill('SIGKILL')
  await once(child, 'exit')
  const third = newStore(t, directory)
  await third.open()
  t.pass('the lock goes with the process')
})

t.test('a second store in one process is kept out too', async (t) => {
  const directory = t.testdir()
  const first = newStore(t, directory)
  await first.open()
  const second = newStore(t, directory)
  await t.rejects(second.open(), { message: /in use/ })
  await first.append([parcelOf(1)])
  t.same(await numbersIn(first, 'a'), [1])
})

const DAMAGES: Readonly<Record<string, (path: string) => void>> = {
  'is not a database': (path) => writeFileSync(path, 'Laneway '.repeat(10_000)),
  'has a damaged first page': (path) => writeFileSync(path, Buffer.alloc(4096, 1), { flag: 'r+' }),
  'is cut short': (path) => truncateSync(path, statSync(path).size / 2),
  'has no tables': (path) => {
    rmSync(path)
    const database = new DatabaseSync(path)
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`)
    database.close()
  },
}

for (const [damage, cause] of Object.entries(DAMAGES)) {
  t.test(`a store that ${damage} is set aside whole, and a new one works`, async (t) => {
    const directory = t.testdir()
    const first = newStore(t, directory)
    await first.open()
    await first.append([parcelOf(1, { size: MIB })])
    await first.close()
    const path = join(directory, 'laneway.db')
    cause(path)
    const { size } = statSync(path)
    const second = newStore(t, directory)
    t.match(await second.open(), [{ parcels: 0 }, { parcels: 0 }])
    const [event] = second.events
    t.match(event, { type: 'set_aside', path: /laneway\.db\.corrupt-/ })
    t.equal(statSync(event?.type === 'set_aside' ? event.path : '').size, size, 'nothing of it is lost')
    await second.append([parcelOf(2)])
    t.same(await numbersIn(second, 'a'), [2])
  })
}

t.test('a store that is found damaged while it runs is set aside, and the next append works', async (t) => {
  const directory = t.testdir()
  const first = newStore(t, directory)
  await first.open()
  for (let number = 0; number < 8; number++) await first.append([parcelOf(number, { size: MIB })])
  await first.close()
  const path = join(directory, 'laneway.db')
  // Behind the first page: the schema is whole, the pages of the tables are not.
  writeFileSync(path, Buffer.concat([readHead(path), Buffer.alloc(statSync(path).size - 32 * 1024, 7)]))
  const second = newStore(t, directory)
  await second.open().catch(() => {})
  await second.load({ exporter: 'a', after: 0, through: 99, bytesMax: 99 * MIB }).catch(() => {})
  await appendedAgain(second, 9)
  t.ok(second.events.some(({ type }) => type === 'set_aside'))
  t.ok(readdirSync(directory).some((name) => name.startsWith('laneway.db.corrupt-')))
})

function readHead(path: string): Buffer {
  return execFileSync('head', ['-c', String(32 * 1024), path])
}

t.test('a store that a newer version made is left as it is', async (t) => {
  const directory = t.testdir()
  const first = newStore(t, directory)
  await first.open()
  await first.close()
  const database = new DatabaseSync(join(directory, 'laneway.db'))
  database.exec('PRAGMA user_version = 99')
  database.close()
  await t.rejects(newStore(t, directory).open(), { message: /newer laneway/ })
  t.same(
    readdirSync(directory).filter((name) => name.includes('corrupt')),
    [],
  )
})

t.test('a folder that is removed is made again, with all that was in it', async (t) => {
  const directory = join(t.testdir(), 'data')
  const store = newStore(t, directory)
  await store.open()
  await store.append([parcelOf(1), parcelOf(2, { size: MIB })])
  rmSync(directory, { recursive: true })
  await appendedAgain(store, 3)
  t.same(await numbersIn(store, 'a'), [1, 2, 3])
  t.match(store.events, [{ type: 'rebuilt', path: join(directory, 'laneway.db') }])
  t.equal(statSync(join(directory, 'laneway.db')).mode & 0o777, 0o600)
  await store.close()
  const next = newStore(t, directory)
  await next.open()
  t.same(await numbersIn(next, 'a'), [1, 2, 3])
})

t.test('a folder in whose place there is none to be made refuses, and comes back by itself', async (t) => {
  const parent = t.testdir()
  const directory = join(parent, 'data')
  const store = newStore(t, directory)
  await store.open()
  await store.append([parcelOf(1)])
  renameSync(directory, `${directory}.away`)
  writeFileSync(directory, 'in the way')
  await t.rejects(store.append([parcelOf(2)]), { code: 'storage', message: new RegExp(directory) })
  t.match(store.refusal(), { fault: 'lost' })
  rmSync(directory)
  renameSync(`${directory}.away`, directory)
  await appendedAgain(store, 3)
  t.equal(store.refusal(), undefined)
  t.same(await numbersIn(store, 'a'), [1, 3])
})

t.test(
  'a folder that cannot be written is an error at the start',
  { skip: process.getuid?.() === 0 },
  async (t) => {
    const directory = join(t.testdir(), 'data')
    mkdirSync(directory)
    chmodSync(directory, 0o500)
    t.teardown(() => chmodSync(directory, 0o700))
    await t.rejects(newStore(t, directory).open(), { message: /write permission/ })
  },
)

/** A folder on a file system of 6 MiB; undefined where this user may not mount one. */
function mountSmallDisk(t: { teardown(end: () => unknown): unknown }): string | undefined {
  const path = mkdtempSync(join(tmpdir(), 'laneway-disk-'))
  let isMounted = false
  t.teardown(() => {
    if (isMounted) execFileSync('umount', ['-l', path])
    rmdirSync(path)
  })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'none', path], { stdio: 'ignore' })
    isMounted = true
    return path
  } catch {
    return undefined
  }
}

t.test('a disk that is full refuses, keeps what it has, and takes again when there is room', async (t) => {
  const directory = mountSmallDisk(t)
  if (directory === undefined) {
    t.pass('nothing can be mounted here')
    return
  }
  const store = newStore(t, directory)
  await store.open()
  const numbers: number[] = []
  const ids: number[] = []
  await t.rejects(
    async () => {
      for (let number = 0; number < 20; number++) {
        ids.push(...(await store.append([parcelOf(number, { size: MIB / 2 })])))
        numbers.push(number)
      }
    },
    { code: 'storage', message: new RegExp(`${directory} lies on a disk that is full: make room`) },
  )
  t.ok(numbers.length > 2)
  t.match(store.refusal(), { fault: 'disk_full' })
  t.same(await waitFor(() => numbersIn(store, 'a', 99 * MIB)), numbers)
  execFileSync('mount', ['-o', 'remount,size=64m', directory])
  await appendedAgain(store, 77)
  while (store.refusal() !== undefined) await delay(20)
  t.same(await numbersIn(store, 'a', 99 * MIB), [...numbers, 77])
  t.match(store.events, [{ type: 'refusing' }, { type: 'recovered' }])
  await store.close()
})

t.test('a disk that is full has room again once something is delivered', async (t) => {
  const directory = mountSmallDisk(t)
  if (directory === undefined) {
    t.pass('nothing can be mounted here')
    return
  }
  const store = newStore(t, directory)
  await store.open()
  const ids: number[] = []
  for (let number = 0; number < 20; number++) {
    try {
      ids.push(...(await store.append([parcelOf(number, { size: MIB / 2 })])))
    } catch {
      break
    }
  }
  store.settle(sentOf('a', ids))
  await appendedAgain(store, 5)
  t.same(await numbersIn(store, 'a'), [5])
  await store.close()
})

t.test(
  'a disk that is full at the start is waited for, and what a crash left in the journal comes back',
  async (t) => {
    const directory = mountSmallDisk(t)
    if (directory === undefined) {
      t.pass('nothing can be mounted here')
      return
    }
    const before = join(t.testdir(), 'data')
    const first = newStore(t, before)
    await first.open()
    const sizes = Array.from({ length: 40 }, (_, number) => parcelOf(number, { size: 40_000 }))
    for (const parcel of sizes) await first.append([parcel])
    copyStore(before, directory)
    const filler = openSync(join(directory, 'filler'), 'w')
    t.throws(() => {
      for (;;) writeSync(filler, Buffer.alloc(4096))
    })
    closeSync(filler)
    const second = newStore(t, directory)
    await t.rejects(second.open(), { message: /is full/ })
    const open = readdirSync('/proc/self/fd').length
    for (let tries = 0; tries < 3; tries++) {
      await delay(600)
      await t.rejects(second.append([parcelOf(99)]), { message: /is full/ })
    }
    t.ok(readdirSync('/proc/self/fd').length <= open, 'no try leaves a file open')
    rmSync(join(directory, 'filler'))
    await waitFor(() => second.open())
    t.same(await numbersIn(second, 'a'), [...sizes.keys()])
    await second.close()
  },
)

async function waitFor<T>(ask: () => Promise<T>): Promise<T> {
  for (const untilMs = Date.now() + 10_000; ; ) {
    try {
      return await ask()
    } catch (error) {
      if (Date.now() > untilMs) throw error
      await delay(50)
    }
  }
}
