/**
 * The quarantine in the store: it is durable with the append that it came with, bounded by itself, and what is released
 * leaves in the transaction that puts it elsewhere.
 */
import fc from 'fast-check'
import t from 'tap'
import { QUARANTINE_ROW_BYTES, QUARANTINE_ROWS_MAX } from '../../src/store/limits.ts'
import type { HeldCount, ReleasedRange } from '../../src/store/messages.ts'
import { type NewParcel, NOT_HELD, type Store } from '../../src/store/store.ts'
import { LIMITS, newStore, numbersIn, parcelOf } from './support.ts'

const EVERYTHING = { after: 0, through: Number.MAX_SAFE_INTEGER }
const KIB = 1024

function heldOf(number: number, target: string, rest: Parameters<typeof parcelOf>[1] = {}): NewParcel {
  const held = { target, carriage: 'log_record', family: 'unreviewed', reason: 'unreviewed' }
  return parcelOf(number, { lane: '', exporters: [], held, ...rest })
}

function load(store: Store, target: string, bytesMax = 1024 * KIB) {
  return store.quarantine.load({ target, carriage: 'log_record', ...EVERYTHING, bytesMax, itemsMax: 1e6 })
}

/** All that was loaded, as what lets it go. */
function rangeOf(target: string, chunk: Awaited<ReturnType<typeof load>>): ReleasedRange {
  if (chunk === undefined) throw new Error('nothing is held')
  return { target, carriage: 'log_record', after: 0, through: chunk.through, rows: chunk.rows.length }
}

async function itemsIn(store: Store): Promise<number> {
  const counts: readonly HeldCount[] = await store.quarantine.counts()
  return counts.reduce((sum, { items }) => sum + items, 0)
}

t.test('what is held is there after the process, by target and oldest first', async (t) => {
  const directory = t.testdir()
  const first = newStore(t, directory)
  await first.open()
  const ids = await first.append([
    parcelOf(1),
    heldOf(2, 'x.b', { items: 3 }),
    heldOf(3, 'x.a'),
    heldOf(4, 'x.b'),
    heldOf(5, ''),
    heldOf(6, 'x\u0000"\n'),
  ])
  t.strictSame(ids, [1, 2, 3, 4, 5, 6], 'one row of numbers with what is queued')
  await first.close()

  const store = newStore(t, directory)
  await store.open()
  t.strictSame(await numbersIn(store, 'a'), [1], 'what is held is in no queue')
  const kind = { family: 'unreviewed', carriage: 'log_record' }
  t.strictSame(await store.quarantine.list(undefined, 10), [
    { target: '', ...kind, items: 1, bytes: 100, oldestMs: 1005 },
    { target: 'x\u0000"\n', ...kind, items: 1, bytes: 100, oldestMs: 1006 },
    { target: 'x.a', ...kind, items: 1, bytes: 100, oldestMs: 1003 },
    { target: 'x.b', ...kind, items: 4, bytes: 200, oldestMs: 1002 },
  ])
  t.match(await store.quarantine.list('x\u0000"\n', 1), [{ target: 'x.a' }], 'a page at a time')
  t.match(await store.quarantine.of('x.b'), [{ items: 4 }])
  const chunk = await load(store, 'x.b')
  t.match(chunk, { through: 4, oldestMs: 1002, rows: [{ items: 3, byteLength: 100 }, { items: 1 }] })
  t.match(Buffer.from(chunk?.bytes ?? []).toString(), /^(2 )+2?(4 )+/)
  t.strictSame(await store.append([parcelOf(7)]), [7], 'ids are never given twice')
})

t.test('a release moves what was loaded in one step, or nothing of it', async (t) => {
  const store = newStore(t, t.testdir())
  await store.open()
  await store.append([heldOf(1, 'x'), heldOf(2, 'x'), heldOf(3, 'y')])
  const range = rangeOf('x', await load(store, 'x'))
  t.strictSame(await store.append([parcelOf(10), heldOf(11, 'x')], range), [4, 5])
  t.strictSame(await numbersIn(store, 'a'), [10])
  t.match(await store.quarantine.of('x'), [{ items: 1, oldestMs: 1011 }], 'what stays is held anew')
  await t.rejects(store.append([parcelOf(12)], range), { code: 'storage', fault: 'gone' })
  t.strictSame(await numbersIn(store, 'a'), [10], 'what is gone is not released a second time')
  t.equal(await itemsIn(store), 2)
  const [one, other] = await Promise.allSettled([
    store.append([parcelOf(13)], rangeOf('y', await load(store, 'y'))),
    store.append([parcelOf(14)]),
  ])
  t.match([one.status, other.status], ['fulfilled', 'fulfilled'])
})

t.test('a release that is refused does not hold up what shares its transaction', async (t) => {
  const store = newStore(t, t.testdir())
  await store.open()
  await store.append([heldOf(1, 'x')])
  const range = rangeOf('x', await load(store, 'x'))
  const results = await Promise.allSettled([
    store.append([parcelOf(2)], range),
    store.append([parcelOf(3)], range),
    store.append([parcelOf(4)]),
  ])
  t.strictSame(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  t.strictSame(await numbersIn(store, 'a'), [2, 4])
})

t.test('the quarantine is bounded by itself: what finds no room is told, the rest is taken', async (t) => {
  const quarantineBytesMax = 3 * (KIB + QUARANTINE_ROW_BYTES)
  const directory = t.testdir()
  const store = newStore(t, directory, { limits: { ...LIMITS, quarantineBytesMax } })
  await store.open()
  const parcels = [1, 2, 3, 4].map((number) => heldOf(number, 'x', { size: KIB }))
  t.strictSame(
    await store.append([...parcels, parcelOf(5)]),
    [1, 2, 3, NOT_HELD, 5],
    'at its limit, and one past it',
  )
  t.strictSame(await numbersIn(store, 'a'), [5])
  await store.quarantine.remove([1])
  t.strictSame(await store.append([heldOf(6, 'x', { size: KIB + 1 })]), [NOT_HELD])
  t.strictSame(await store.append([heldOf(6, 'x', { size: KIB })]), [7])
  await store.close()
  const again = newStore(t, directory, { limits: { ...LIMITS, quarantineBytesMax } })
  await again.open()
  t.strictSame(await again.append([heldOf(8, 'x', { size: 1 })]), [NOT_HELD], 'after a restart too')
  const range = rangeOf('x', await load(again, 'x'))
  const stays = [1, 2, 3, 4].map((number) => heldOf(number, 'x', { size: KIB }))
  t.notOk((await again.append(stays, range)).includes(NOT_HELD), 'what was held and stays has its room')
})

t.test('discard goes on until nothing is left, a bounded number of rows at a time', async (t) => {
  const store = newStore(t, t.testdir())
  await store.open()
  const count = QUARANTINE_ROWS_MAX + 10
  await store.append(Array.from({ length: count }, (_, number) => heldOf(number, 'x', { size: 1 })))
  await store.append([heldOf(1, 'y')])
  const range = { target: 'x', carriage: 'log_record', ...EVERYTHING }
  t.match(await store.quarantine.discard(range), [{ items: QUARANTINE_ROWS_MAX }])
  t.match(await store.quarantine.discard(range), [{ items: 10 }])
  t.strictSame(await store.quarantine.discard(range), [])
  t.equal(await itemsIn(store), 1)
})

t.test('what is held too long goes, and is told', async (t) => {
  const store = newStore(t, t.testdir(), { limits: { ...LIMITS, retentionMs: 60_000 } })
  await store.open()
  await store.append([heldOf(1, 'x', { items: 5 }), heldOf(2, 'x', { admittedMs: Date.now() })])
  while (store.events.length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  t.match(store.events, [{ type: 'held_expired', counts: [{ carriage: 'log_record', items: 5 }] }])
  t.equal(await itemsIn(store), 1)
})

type Step =
  | { readonly do: 'hold'; readonly target: string; readonly items: number }
  | { readonly do: 'release'; readonly target: string; readonly bytesMax: number }
  | { readonly do: 'discard'; readonly target: string }
  | { readonly do: 'restart' }

const targets = fc.constantFrom('', 'a', 'b')
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('hold'), target: targets, items: fc.integer({ min: 1, max: 9 }) }),
    fc.record({ do: fc.constant('release'), target: targets, bytesMax: fc.constantFrom(1, 250, 10_000) }),
    fc.record({ do: fc.constant('discard'), target: targets }),
    fc.record({ do: fc.constant('restart') }),
  ),
  { maxLength: 20 },
)

t.test('whatever is done, each held parcel is held, released once or discarded', async (t) => {
  let directories = 0
  await fc.assert(
    fc.asyncProperty(steps, async (plan) => {
      const directory = t.testdir({ [`${directories++}`]: {} })
      let store = newStore(t, directory)
      await store.open()
      let held: { readonly number: number; readonly target: string; readonly items: number }[] = []
      const released: number[] = []
      let number = 0
      for (const step of plan) {
        if (step.do === 'hold') {
          const { target, items } = step
          await store.append([heldOf(++number, target, { items })])
          held.push({ number, target, items })
        } else if (step.do === 'release') {
          const chunk = await load(store, step.target, step.bytesMax)
          if (chunk === undefined) continue
          const mine = held.filter(({ target }) => target === step.target).slice(0, chunk.rows.length)
          await store.append(
            mine.map((one) => parcelOf(one.number)),
            rangeOf(step.target, chunk),
          )
          released.push(...mine.map((one) => one.number))
          held = held.filter((one) => !mine.includes(one))
        } else if (step.do === 'discard') {
          await store.quarantine.discard({ target: step.target, carriage: 'log_record', ...EVERYTHING })
          held = held.filter(({ target }) => target !== step.target)
        } else {
          await store.close()
          store = newStore(t, directory)
          await store.open()
        }
      }
      t.equal(
        await itemsIn(store),
        held.reduce((sum, { items }) => sum + items, 0),
      )
      t.strictSame(await numbersIn(store, 'a'), released)
      await store.close()
    }),
    { numRuns: 15 },
  )
})
