/** The store: what was appended is there, in order, once, until its last exporter is done with it. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { StoreLimits } from '../../src/store/limits.ts'
import { deathOf, LIMITS, newStore, numberOf, numbersIn, parcelOf, sentOf, storeFilesIn } from './support.ts'

const KIB = 1024
const MIB = 1024 * KIB

t.test('what was appended is read back as it was, after a restart too', async (t) => {
  const directory = join(t.testdir(), 'made', 'here')
  const first = newStore(t, directory)
  await first.open()
  const sizes = [1, 100, 32 * KIB, 378_000, 3 * MIB]
  const ids = await first.append(
    sizes.map((size, index) =>
      parcelOf(index, { size, lane: `lane ${index}`, items: index, signal: 'traces' }),
    ),
  )
  t.same(ids, [1, 2, 3, 4, 5])
  await first.close()
  const second = newStore(t, directory)
  const [a, b] = await second.open()
  t.match(a, {
    exporter: 'a',
    parcels: 5,
    queued: { items: 10, bytes: sizes.reduce((sum, size) => sum + size, 0) },
    lastId: 5,
    oldestMs: 1000,
  })
  t.match(b, { exporter: 'b', parcels: 0, lastId: 0, oldestMs: 0 })
  const parcels = await second.load({ exporter: 'a', after: 0, through: 5, bytesMax: 10 * MIB })
  t.match(
    parcels.map(({ bytes, ...head }) => ({ ...head, number: numberOf(bytes), size: bytes.byteLength })),
    sizes.map((size, number) => ({
      id: number + 1,
      signal: 'traces',
      lane: `lane ${number}`,
      items: number,
      policy: 'digest',
      admittedMs: 1000 + number,
      number,
      size,
    })),
  )
  t.same(await second.append([parcelOf(6)]), [6], 'ids go on')
})

t.test('a load stops at its bytes, gives at least one, and keeps within its range', async (t) => {
  const store = newStore(t, t.testdir())
  await store.open()
  await store.append([0, 1, 2, 3].map((number) => parcelOf(number, { size: 1000 })))
  const load = async (after: number, through: number, bytesMax: number): Promise<readonly number[]> =>
    (await store.load({ exporter: 'a', after, through, bytesMax })).map(({ id }) => id)
  t.same(await load(0, 9, 2000), [1, 2])
  t.same(await load(0, 9, 2999), [1, 2])
  t.same(await load(0, 9, 1), [1])
  t.same(await load(2, 9, 9999), [3, 4])
  t.same(await load(1, 3, 9999), [2, 3])
  t.same(await load(4, 9, 9999), [])
})

t.test('a parcel of several exporters is stored once, and goes with the last of them', async (t) => {
  const directory = t.testdir()
  const store = newStore(t, directory)
  await store.open()
  const ids = await store.append([parcelOf(1, { size: 10 * MIB, exporters: ['a', 'b'] })])
  const { usedBytes } = await store.space()
  t.ok(usedBytes < 11 * MIB, 'once')
  store.settle(sentOf('a', ids))
  t.same(await numbersIn(store, 'a'), [])
  t.same(await numbersIn(store, 'b', 99 * MIB), [1])
  store.settle(deathOf('b', ids))
  t.same(await numbersIn(store, 'b'), [])
  t.equal((await store.space()).usedBytes, usedBytes, 'a dead letter holds it')
  t.equal(await store.deadLetters.drop([1]), 1)
  t.ok((await store.space()).usedBytes < MIB)
})

t.test('the accounts balance across restarts', async (t) => {
  const directory = t.testdir()
  const first = newStore(t, directory)
  await first.open()
  const ids = await first.append([1, 2, 3, 4, 5, 6].map((number) => parcelOf(number, { items: 10 })))
  const [one, two, three, four] = ids
  const partly = [
    { outcome: 'rejected', items: 3, bytes: 30 },
    { outcome: 'sent', items: 17, bytes: 170 },
  ] as const
  first.settle({ exporter: 'a', ids: [one, two], amounts: partly, death: undefined })
  first.settle({
    exporter: 'a',
    ids: [three],
    amounts: [{ outcome: 'lost', items: 10, bytes: 100 }],
    death: undefined,
  })
  first.settle({
    exporter: 'a',
    ids: [four],
    amounts: [{ outcome: 'dead', items: 10, bytes: 100 }],
    death: { status: 400, message: 'no' },
  })
  await first.close()
  const second = newStore(t, directory)
  const [account] = await second.open()
  t.same(account, {
    exporter: 'a',
    parcels: 2,
    queued: { items: 20, bytes: 200 },
    lastId: 6,
    oldestMs: 1005,
    settled: {
      sent: { items: 17, bytes: 170 },
      rejected: { items: 3, bytes: 30 },
      dead: { items: 10, bytes: 100 },
      lost: { items: 10, bytes: 100 },
    },
  })
})

t.test(
  'dead letters tell what was refused, are replayed as the last of their queue, and dropped',
  async (t) => {
    const store = newStore(t, t.testdir())
    await store.open()
    const ids = await store.append(
      [1, 2, 3, 4].map((number) => parcelOf(number, { size: 5000, items: number })),
    )
    const message = `too ${'long '.repeat(1000)}`
    store.settle({
      ...deathOf('a', ids.slice(0, 3), message),
      amounts: [{ outcome: 'dead', items: 6, bytes: 15_000 }],
    })
    const letters = await store.deadLetters.list(0, 2)
    t.match(letters, [
      {
        id: 1,
        exporter: 'a',
        signal: 'logs',
        lane: 'log',
        items: 1,
        bytes: 5000,
        status: 400,
        admittedMs: 1001,
      },
      { id: 2, items: 2, policy: 'digest', diedMs: Number },
    ])
    t.equal(letters[0].message.length, 1024)
    t.match(await store.deadLetters.list(2, 10), [{ id: 3 }])
    t.equal(numberOf((await store.deadLetters.read(3))?.bytes ?? Buffer.alloc(0)), 3)
    t.equal(await store.deadLetters.read(9), undefined)
    t.same(await store.deadLetters.replay([2, 9]), [
      { deadLetter: 2, exporter: 'a', id: 5, items: 2, bytes: 5000, admittedMs: 1002 },
    ])
    t.same(await numbersIn(store, 'a'), [4, 2])
    t.equal(await store.deadLetters.drop([1, 2]), 1)
    t.match(await store.space(), { deadLetters: 1, deadLettersBytes: 5000 })
    t.same(await store.append([parcelOf(5)]), [7], 'ids are never given twice')
  },
)

t.test('dead letters keep to their size: the oldest goes, and it is said', async (t) => {
  const limits: StoreLimits = { ...LIMITS, deadLettersBytesMax: 2500 }
  const store = newStore(t, t.testdir(), { limits })
  await store.open()
  const ids = await store.append([1, 2, 3, 4].map((number) => parcelOf(number, { size: 1000 })))
  store.settle(deathOf('a', ids))
  t.match(await store.deadLetters.list(0, 10), [{ id: 3 }, { id: 4 }])
  t.same(store.events, [{ type: 'dead_letters_gone', count: 2, reason: 'full' }])
})

t.test('dead letters that are past their retention go', async (t) => {
  const directory = t.testdir()
  const store = newStore(t, directory)
  await store.open()
  store.settle(deathOf('a', await store.append([parcelOf(1)])))
  await store.close()
  const later = newStore(t, directory, { limits: { ...LIMITS, retentionMs: -1 } })
  await later.open()
  const goneBy = Date.now() + 5000
  while (later.events.length === 0 && Date.now() < goneBy) await new Promise((done) => setTimeout(done, 20))
  t.same(later.events, [{ type: 'dead_letters_gone', count: 1, reason: 'retention' }])
  t.same(await later.deadLetters.list(0, 10), [])
})

t.test(
  'a store that is full refuses what does not fit, alone, and takes it when there is room',
  async (t) => {
    const limits: StoreLimits = { ...LIMITS, bytesMax: 8 * MIB }
    const store = newStore(t, t.testdir(), { limits })
    await store.open()
    const results = await Promise.allSettled(
      Array.from({ length: 12 }, (_, number) => store.append([parcelOf(number, { size: MIB })])),
    )
    const taken = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
    t.ok(taken.length >= 4 && taken.length < 8, `${taken.length} of 12 MiB in 8`)
    for (const result of results) {
      if (result.status === 'fulfilled') continue
      t.match(result.reason, { fault: 'size', message: /storage\.max_size/ })
    }
    await store.append([parcelOf(99)])
    store.settle(sentOf('a', taken.slice(0, 2)))
    await store.space()
    await store.append([parcelOf(12, { size: MIB })])
    t.ok((await store.space()).fileBytes <= limits.bytesMax)
  },
)

t.test('the space of what was delivered is used again: no file grows for ever', async (t) => {
  const directory = t.testdir()
  const store = newStore(t, directory, { limits: { ...LIMITS, bytesMax: 32 * MIB } })
  await store.open()
  const sizes = (): number =>
    storeFilesIn(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
  for (let round = 0; round < 100; round++) {
    const ids = await store.append([parcelOf(round, { size: MIB }), parcelOf(round, { size: 1000 })])
    store.settle(sentOf('a', ids))
  }
  t.ok(sizes() < 32 * MIB, `${sizes()} bytes after 100 MiB`)
})

t.test('the folder and its files are private, and git does not see them', async (t) => {
  const directory = join(t.testdir(), 'data')
  const store = newStore(t, directory)
  await store.open()
  await store.append([parcelOf(1)])
  t.equal(statSync(directory).mode & 0o777, 0o700)
  for (const file of ['laneway.db', 'laneway.db-wal', '.gitignore']) {
    t.equal(statSync(join(directory, file)).mode & 0o777, 0o600, file)
  }
  t.equal(readFileSync(join(directory, '.gitignore'), 'utf8'), '*\n')
})

t.test('a store that is closed refuses, and closing it twice is no error', async (t) => {
  const store = newStore(t, t.testdir())
  await store.open()
  await store.append([parcelOf(1)])
  await Promise.all([store.close(), store.close()])
  await t.rejects(store.append([parcelOf(2)]), { code: 'storage', message: /is closed/ })
  await t.rejects(store.space(), { code: 'storage' })
})
