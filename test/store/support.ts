/**
 * What the store's tests share: parcels whose bytes tell their own number, and a store that is closed at the end.
 */

import { copyFileSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { StoreLimits } from '../../src/store/limits.ts'
import type { Settled, StoreEvent } from '../../src/store/messages.ts'
import { createStore, type NewParcel, type Store } from '../../src/store/store.ts'

const MIB = 1024 * 1024
export const LIMITS: StoreLimits = {
  bytesMax: 256 * MIB,
  deadLettersBytesMax: 32 * MIB,
  quarantineBytesMax: 32 * MIB,
  retentionMs: 1e9,
}

/** `number` in decimal, filled up to `byteLength`. */
export function bytesOf(number: number, byteLength: number): Buffer {
  return Buffer.alloc(byteLength, `${number} `)
}

/** The number that `bytesOf` wrote; NaN if the bytes are not what it writes. */
export function numberOf(bytes: Uint8Array): number {
  const number = Number.parseInt(Buffer.from(bytes.subarray(0, 12)).toString(), 10)
  return bytesOf(number, bytes.byteLength).equals(bytes) ? number : Number.NaN
}

export function parcelOf(
  number: number,
  rest: Partial<NewParcel> & { readonly size?: number } = {},
): NewParcel {
  const { size = 100, ...given } = rest
  const bytes = bytesOf(number, size)
  return {
    signal: 'logs',
    lane: 'log',
    items: 1,
    policy: 'digest',
    admittedMs: 1000 + number,
    exporters: ['a'],
    chunks: [bytes.subarray(0, 3), bytes.subarray(3)],
    byteLength: size,
    ...given,
  }
}

export function sentOf(exporter: string, ids: readonly number[]): Settled {
  return {
    exporter,
    ids,
    amounts: [{ outcome: 'sent', items: ids.length, bytes: ids.length }],
    death: undefined,
  }
}

export function deathOf(exporter: string, ids: readonly number[], message = 'no'): Settled {
  return {
    exporter,
    ids,
    amounts: [{ outcome: 'dead', items: ids.length, bytes: ids.length }],
    death: { status: 400, message },
  }
}

/** The files that hold what is stored, and not the lock: as a crash leaves them. */
export function storeFilesIn(directory: string): readonly string[] {
  return readdirSync(directory).filter((name) => /^laneway\.(?:db|db-wal|journal-\d)$/.test(name))
}

export function copyStore(directory: string, copy: string): void {
  mkdirSync(copy, { recursive: true })
  for (const name of storeFilesIn(directory)) copyFileSync(join(directory, name), join(copy, name))
}

export interface OpenStore extends Store {
  readonly events: readonly StoreEvent[]
}

/** Not opened yet. */
export function newStore(
  t: { teardown(end: () => unknown): unknown },
  directory: string,
  { limits = LIMITS }: { readonly limits?: StoreLimits } = {},
): OpenStore {
  const events: StoreEvent[] = []
  const store = createStore({
    directory,
    limits,
    exporters: ['a', 'b'],
    onEvent: (event) => events.push(event),
  })
  t.teardown(() => store.close())
  return { ...store, events }
}

/** The numbers of all parcels in a queue, in order. */
export async function numbersIn(
  store: Store,
  exporter: string,
  bytesMax: number = MIB,
): Promise<readonly number[]> {
  const numbers: number[] = []
  for (let after = 0; ; ) {
    const range = { exporter, after, through: Number.MAX_SAFE_INTEGER, bytesMax }
    const parcels = await store.load(range)
    const last = parcels.at(-1)
    if (last === undefined) return numbers
    numbers.push(...parcels.map(({ bytes }) => numberOf(bytes)))
    after = last.id
  }
}
