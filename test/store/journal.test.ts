/**
 * The journal in front of the tables: whatever of it was written over, folded, torn or left behind by a crash, each
 * queue holds what was appended and not settled. A crash is a copy of the folder while the store is open.
 */
import { strictEqual } from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { StoreLimits } from '../../src/store/limits.ts'
import { createStore, type Store } from '../../src/store/store.ts'
import { copyStore, deathOf, LIMITS, newStore, numberOf, numbersIn, parcelOf, sentOf } from './support.ts'

const KIB = 1024
const MIB = 1024 * KIB
/** Four files of 256 KiB. */
const SMALL: StoreLimits = { ...LIMITS, bytesMax: 8 * MIB, quarantineBytesMax: MIB }

/** The folder as a crash leaves it now. */
function crashed(t: Test, directory: string): string {
  const copy = join(t.testdirName, `crash-${readdirSync(t.testdirName).length}`)
  copyStore(directory, copy)
  return copy
}

function journalsIn(directory: string): readonly string[] {
  return readdirSync(directory).filter((name) => name.includes('journal'))
}

t.test('what is settled before its place is needed again never reaches the tables', async (t) => {
  const directory = join(t.testdir(), 'data')
  const store = newStore(t, directory, { limits: SMALL })
  await store.open()
  for (let number = 0; number < 100; number++) {
    store.settle(sentOf('a', await store.append([parcelOf(number, { size: 40 * KIB })])))
    await store.space()
  }
  const sizes = ['db', 'db-wal'].map((name) => statSync(join(directory, `laneway.${name}`)).size)
  t.ok(sizes[0] + sizes[1] < 2 * MIB, `${sizes} of 4 MB that were appended`)
  t.equal(journalsIn(directory).length, 4)
  for (const name of journalsIn(directory)) t.equal(statSync(join(directory, name)).size, 256 * KIB)
})

t.test(
  'what is not settled is there when all files of the journal were written over many times',
  async (t) => {
    const directory = join(t.testdir(), 'data')
    const store = newStore(t, directory, { limits: SMALL })
    await store.open()
    const kept: number[] = []
    for (let number = 0; number < 120; number++) {
      const ids = await store.append([parcelOf(number, { size: 30 * KIB, exporters: ['a', 'b'] })])
      store.settle(sentOf('b', ids))
      if (number % 4 === 0) kept.push(number)
      else store.settle(sentOf('a', ids))
    }
    t.same(await numbersIn(store, 'a', 99 * MIB), kept)
    t.same(await numbersIn(store, 'b'), [])
    const after = newStore(t, crashed(t, directory), { limits: SMALL })
    const [a, b] = await after.open()
    t.match(a, { parcels: kept.length, settled: { sent: { items: 120 - kept.length } } })
    t.match(b, { parcels: 0, settled: { sent: { items: 120 } } })
    t.same(await numbersIn(after, 'a', 99 * MIB), kept)
  },
)

t.test('a load gives what is in the tables and what is in the journal, by id', async (t) => {
  const store = newStore(t, t.testdir(), { limits: SMALL })
  await store.open()
  // Too large for a file of the journal: it, and all before it, is in the tables.
  for (const size of [100, 100, 300 * KIB, 100, 100]) await store.append([parcelOf(size, { size })])
  const load = async (after: number, bytesMax: number): Promise<readonly number[]> =>
    (await store.load({ exporter: 'a', after, through: 9, bytesMax })).map(({ id }) => id)
  t.same(await load(0, MIB), [1, 2, 3, 4, 5])
  t.same(await load(2, 300 * KIB + 100), [3, 4])
  store.settle(sentOf('a', [1, 3, 5]))
  t.same(await load(0, MIB), [2, 4])
})

t.test('a store that is closed leaves no journal, and ids go on behind it', async (t) => {
  const directory = t.testdir()
  const first = newStore(t, directory)
  await first.open()
  await first.append([parcelOf(1)])
  first.settle(sentOf('a', await first.append([parcelOf(2)])))
  await first.close()
  t.same(journalsIn(directory), [])
  const second = newStore(t, directory)
  await second.open()
  t.same(await second.append([parcelOf(3)]), [3])
  t.same(await numbersIn(second, 'a'), [1, 3])
})

t.test('ids go on after a crash, also behind parcels that are gone', async (t) => {
  const directory = join(t.testdir(), 'data')
  const first = newStore(t, directory)
  await first.open()
  for (let number = 0; number < 5; number++) first.settle(sentOf('a', await first.append([parcelOf(number)])))
  await first.space()
  const second = newStore(t, crashed(t, directory))
  await second.open()
  t.same(await second.append([parcelOf(6)]), [6])
})

t.test('what is in the journal outlives a file of tables that is damaged', async (t) => {
  const directory = join(t.testdir(), 'data')
  const first = newStore(t, directory)
  await first.open()
  const ids = await first.append([parcelOf(1), parcelOf(2), parcelOf(3)])
  first.settle(sentOf('a', ids.slice(0, 1)))
  await first.space()
  const copy = crashed(t, directory)
  rmSync(join(copy, 'laneway.db-wal'))
  writeFileSync(join(copy, 'laneway.db'), 'Laneway '.repeat(10_000))
  const second = newStore(t, copy)
  t.match(await second.open(), [{ parcels: 2 }, { parcels: 0 }])
  t.match(second.events, [{ type: 'set_aside' }])
  t.same(await numbersIn(second, 'a'), [2, 3])
})

t.test('held parcels wait in the journal too, within the bound of the quarantine', async (t) => {
  const directory = join(t.testdir(), 'data')
  const limits = { ...SMALL, quarantineBytesMax: 3000 }
  const store = newStore(t, directory, { limits })
  await store.open()
  const held = { target: 'x', carriage: 'log_record', family: '', reason: 'unreviewed' }
  const results: (readonly number[])[] = []
  for (let number = 0; number < 4; number++)
    results.push(await store.append([parcelOf(number, { size: 500, exporters: [], held })]))
  t.same(results, [[1], [2], [0], [0]], 'an own row counts as well as its bytes')
  const after = newStore(t, crashed(t, directory), { limits })
  await after.open()
  t.same(await after.quarantine.counts(), [
    { carriage: 'log_record', family: '', reason: 'unreviewed', items: 2 },
  ])
})

t.test(
  'whatever damage is in the journal, the store opens, and nothing comes that was not appended',
  async (t) => {
    const directory = join(t.testdir(), 'data')
    const first = newStore(t, directory, { limits: SMALL })
    await first.open()
    const count = 60
    for (let number = 0; number < count; number++) await first.append([parcelOf(number, { size: 9000 })])
    const damage = fc.array(
      fc.record({ file: fc.nat(3), at: fc.oneof(fc.nat(40), fc.nat(256 * KIB)), byte: fc.nat(255) }),
      { minLength: 1, maxLength: 20 },
    )
    await fc.assert(
      fc.asyncProperty(damage, async (damages) => {
        const copy = join(mkdtempSync(join(tmpdir(), 'laneway-damage-')), 'data')
        copyStore(directory, copy)
        for (const { file, at, byte } of damages) {
          const path = join(copy, `laneway.journal-${file}`)
          if (!existsSync(path)) continue
          const bytes = readFileSync(path)
          bytes[at % bytes.length] = byte
          writeFileSync(path, bytes)
        }
        const store = createStore({ directory: copy, limits: SMALL, exporters: ['a'], onEvent: () => {} })
        try {
          await store.open()
          const numbers = await numbersIn(store, 'a', 99 * MIB)
          strictEqual(numbers.filter((number) => !(number >= 0 && number < count)).length, 0)
          await store.append([parcelOf(count)])
          strictEqual((await numbersIn(store, 'a', 99 * MIB)).at(-1), count)
        } finally {
          await store.close()
          rmSync(join(copy, '..'), { recursive: true })
        }
      }),
      { numRuns: 20 },
    )
    t.pass('20 times')
  },
)

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('append'), size: fc.integer({ min: 20, max: 90 * KIB }) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('sent', 'dead'), pick: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash'), pick: fc.nat(0) }) },
)

t.test(
  'however appends, settlements, deaths and crashes follow, queues and accounts agree with a model',
  async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
        const root = mkdtempSync(join(tmpdir(), 'laneway-journal-'))
        const queued = new Map<number, number>()
        const settled = { sent: 0, dead: 0 }
        const stores: Store[] = []
        async function open(directory: string): Promise<Store> {
          const store = createStore({ directory, limits: SMALL, exporters: ['a'], onEvent: () => {} })
          stores.push(store)
          const [account] = await store.open()
          strictEqual(account.parcels, queued.size)
          strictEqual(account.settled.sent.items, settled.sent)
          strictEqual(account.settled.dead.items, settled.dead)
          return store
        }
        let directory = join(root, '0')
        try {
          let store = await open(directory)
          for (const [number, one] of steps.entries()) {
            if ('size' in one) {
              const [id] = await store.append([parcelOf(number, { size: one.size })])
              queued.set(id, number)
            } else if (one.do === 'crash') {
              await store.space()
              const copy = join(root, String(number + 1))
              copyStore(directory, copy)
              await store.close()
              directory = copy
              store = await open(directory)
            } else {
              const id = [...queued.keys()].at(one.pick % Math.max(1, queued.size))
              if (id === undefined) continue
              const isDead = one.do === 'dead'
              store.settle(isDead ? deathOf('a', [id]) : sentOf('a', [id]))
              settled[isDead ? 'dead' : 'sent']++
              queued.delete(id)
            }
          }
          const range = { exporter: 'a', after: 0, through: Number.MAX_SAFE_INTEGER, bytesMax: 1e9 }
          const found = (await store.load(range)).map(({ id, bytes }) => `${id}:${numberOf(bytes)}`)
          strictEqual(found.join(), [...queued].map(([id, number]) => `${id}:${number}`).join())
        } finally {
          for (const store of stores) await store.close()
          rmSync(root, { recursive: true })
        }
      }),
      { numRuns: 12 },
    )
    t.pass('12 random sequences')
  },
)
