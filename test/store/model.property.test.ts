/**
 * For any sequence of appends, settlements, deaths, replays and restarts the store holds what a map in memory holds:
 * each queue in order, the dead letters, the accounts.
 */
import { strictEqual } from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { createStore, type Store } from '../../src/store/store.ts'
import { deathOf, LIMITS, numberOf, parcelOf, sentOf } from './support.ts'

const EXPORTERS = ['a', 'b'] as const
type Name = (typeof EXPORTERS)[number]

const append = fc.record({
  type: fc.constant('append' as const),
  parcels: fc.array(
    fc.record({
      size: fc.oneof(fc.integer({ min: 4, max: 300 }), fc.integer({ min: 10_000, max: 100_000 })),
      exporters: fc.constantFrom<readonly Name[]>(['a'], ['b'], ['a', 'b']),
    }),
    { minLength: 1, maxLength: 4 },
  ),
})
const settle = fc.record({
  type: fc.constantFrom('sent' as const, 'dead' as const),
  exporter: fc.constantFrom(...EXPORTERS),
  picks: fc.array(fc.nat(20), { minLength: 1, maxLength: 5 }),
})
const letter = fc.record({ type: fc.constantFrom('replay' as const, 'drop' as const), pick: fc.nat(5) })
const restart = fc.record({ type: fc.constant('restart' as const) })
const step = fc.oneof({ weight: 4, arbitrary: append }, { weight: 3, arbitrary: settle }, letter, restart)

interface Model {
  /** Store id → number in the bytes, by exporter. */
  readonly queues: Readonly<Record<Name, Map<number, number>>>
  readonly dead: { readonly exporter: Name; readonly number: number }[]
  readonly settled: Readonly<Record<Name, { sent: number; dead: number }>>
}

async function check(store: Store, model: Model): Promise<void> {
  for (const exporter of EXPORTERS) {
    const range = { exporter, after: 0, through: Number.MAX_SAFE_INTEGER, bytesMax: 1e9 }
    const parcels = await store.load(range)
    const found = parcels.map(({ id, bytes }) => `${id}:${numberOf(bytes)}`)
    const wanted = [...model.queues[exporter]]
      .sort(([a], [b]) => a - b)
      .map(([id, number]) => `${id}:${number}`)
    strictEqual(found.join(), wanted.join())
  }
  const letters = await store.deadLetters.list(0, 1000)
  const numbers: string[] = []
  for (const { id, exporter } of letters) {
    const parcel = await store.deadLetters.read(id)
    numbers.push(`${exporter}:${parcel && numberOf(parcel.bytes)}`)
  }
  strictEqual(numbers.join(), model.dead.map(({ exporter, number }) => `${exporter}:${number}`).join())
}

// Each restart opens a file and starts a thread; on a busy machine that is not quick.
t.test('the store agrees with a model', { timeout: 120_000 }, async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const directory = mkdtempSync(join(tmpdir(), 'laneway-model-'))
      const open = async (): Promise<Store> => {
        const created = createStore({ directory, limits: LIMITS, exporters: EXPORTERS, onEvent: () => {} })
        const accounts = await created.open()
        for (const { exporter, parcels, queued, settled } of accounts) {
          const name = EXPORTERS.find((one) => one === exporter) ?? 'a'
          strictEqual(parcels, model.queues[name].size)
          strictEqual(queued.items, parcels)
          strictEqual(settled.sent.items, model.settled[name].sent)
          strictEqual(settled.dead.items, model.settled[name].dead)
        }
        return created
      }
      const model: Model = {
        queues: { a: new Map(), b: new Map() },
        dead: [],
        settled: { a: { sent: 0, dead: 0 }, b: { sent: 0, dead: 0 } },
      }
      let number = 0
      let store = await open()
      try {
        for (const one of steps) {
          switch (one.type) {
            case 'append': {
              const numbered = one.parcels.map((rest) => ({ ...rest, number: ++number }))
              const ids = await store.append(
                numbered.map(({ number: mine, ...rest }) => parcelOf(mine, rest)),
              )
              numbered.forEach(({ number: mine, exporters }, index) => {
                for (const exporter of exporters) model.queues[exporter].set(ids[index], mine)
              })
              break
            }
            case 'sent':
            case 'dead': {
              const { exporter, picks, type } = one
              const queue = model.queues[exporter]
              const all = [...queue.keys()].sort((a, b) => a - b)
              const ids = [...new Set(picks.map((pick) => all[pick % all.length]))].filter(
                (id) => id !== undefined,
              )
              store.settle(type === 'sent' ? sentOf(exporter, ids) : deathOf(exporter, ids))
              model.settled[exporter][type] += ids.length
              for (const id of ids) {
                if (type === 'dead') model.dead.push({ exporter, number: queue.get(id) ?? 0 })
                queue.delete(id)
              }
              break
            }
            case 'replay':
            case 'drop': {
              const letters = await store.deadLetters.list(0, 1000)
              if (letters.length === 0) break
              const index = one.pick % letters.length
              const [gone] = model.dead.splice(index, 1)
              if (one.type === 'drop') await store.deadLetters.drop([letters[index].id])
              else {
                const [replayed] = await store.deadLetters.replay([letters[index].id])
                model.queues[gone.exporter].set(replayed.id, gone.number)
                model.settled[gone.exporter].dead--
              }
              break
            }
            case 'restart':
              await store.close()
              store = await open()
              break
          }
        }
        await check(store, model)
        await store.close()
        store = await open()
        await check(store, model)
      } finally {
        await store.close()
        rmSync(directory, { recursive: true })
      }
    }),
    { numRuns: 15 },
  )
  t.pass('15 random sequences')
})
