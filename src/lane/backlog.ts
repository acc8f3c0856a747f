/**
 * The part of a durable queue that is on the disk only: behind what is in memory, read back when its turn comes.
 *
 *     out ◄── in memory ◄── backlog: ids in (after, through] ◄── in
 *
 * While there is a backlog everything new goes behind it, so the order stays. It keeps counts and two ids, no entry
 * for each parcel: a million parcels on the disk cost no memory. The same way a queue resumes after a restart.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Amount, ExporterAccount, StoredParcel } from '../store/messages.ts'
import type { Store } from '../store/store.ts'

/** How much is read back at once: enough for a large batch, little beside what a queue may keep in memory. */
export const LOAD_BYTES_MAX: number = 4 * 1024 * 1024

/** While the store cannot be read, it is asked again so often. */
const LOAD_RETRY_MS = 1000

export type QueueStore = Pick<Store, 'load' | 'settle'>

export class Backlog {
  readonly #exporter: string
  readonly #store: QueueStore
  #after = 0
  #through = 0
  #isLoading = false
  #isClosed = false
  parcels = 0
  items = 0
  bytes = 0
  /** When its oldest parcel was admitted, at most. */
  oldestAtMs = 0

  constructor(exporter: string, store: QueueStore) {
    this.#exporter = exporter
    this.#store = store
  }

  /** Takes over what an earlier run has left. */
  resume({ parcels, queued, lastId, oldestMs }: ExporterAccount): void {
    this.#through = lastId
    this.parcels = parcels
    this.items = queued.items
    this.bytes = queued.bytes
    this.oldestAtMs = oldestMs
  }

  add(parcel: Amount & { readonly id: number; readonly admittedAtMs: number }): void {
    if (this.parcels === 0) {
      this.#after = parcel.id - 1
      this.oldestAtMs = parcel.admittedAtMs
    }
    this.#through = Math.max(this.#through, parcel.id)
    this.parcels++
    this.items += parcel.items
    this.bytes += parcel.bytes
  }

  /** Nothing is read back any more; what is there stays on the disk. */
  close(): void {
    this.#isClosed = true
  }

  /**
   * Reads the next parcels back, unless that is being done. Undefined: there are none to be had now. `gone` counts
   * what should have been there and was not: the store was damaged and begun anew.
   */
  async load(): Promise<
    { readonly loaded: readonly StoredParcel[]; readonly gone: Amount & { parcels: number } } | undefined
  > {
    if (this.#isLoading || this.#isClosed || this.parcels === 0) return undefined
    this.#isLoading = true
    const through = this.#through
    const stored = await this.#read(through)
    this.#isLoading = false
    if (this.#isClosed || stored === undefined) return undefined
    for (const { queued } of stored) {
      this.parcels--
      this.items -= queued.items
      this.bytes -= queued.bytes
    }
    const last = stored.at(-1)
    this.#after = last?.id ?? through
    if (last !== undefined) this.oldestAtMs = last.admittedMs
    const isEnd = this.#after >= this.#through
    const gone = isEnd ? { parcels: this.parcels, items: this.items, bytes: this.bytes } : NONE
    if (isEnd) this.parcels = this.items = this.bytes = 0
    return { loaded: stored, gone }
  }

  async #read(through: number): Promise<readonly StoredParcel[] | undefined> {
    const range = { exporter: this.#exporter, after: this.#after, through, bytesMax: LOAD_BYTES_MAX }
    while (!this.#isClosed) {
      try {
        return await this.#store.load(range)
      } catch {
        // The store says by itself what is wrong with the disk.
        await delay(LOAD_RETRY_MS, undefined, { ref: false })
      }
    }
    return undefined
  }
}

const NONE = Object.freeze({ parcels: 0, items: 0, bytes: 0 })
