/**
 * The second step of admission: the parcels of one request become durable in one commit, or the request is refused.
 *
 * What the store refuses is 503 for the sender, with the store's own words: they name the directory and the remedy.
 */
import { StorageError } from '../errors.ts'
import { type HeldParcel, type Parcel, SIGNAL_OF_HELD } from '../otlp/parcel.ts'
import type { ReleasedRange } from '../store/messages.ts'
import { type NewParcel, NOT_HELD, type Store } from '../store/store.ts'
import { type Admission, RETRY_AFTER_SECONDS } from './admission.ts'

/** One parcel and the exporters whose queues must have it on the disk. */
export interface DurableParcel {
  readonly parcel: Parcel
  readonly exporters: readonly string[]
}

export type Committed =
  | {
      /** The ids of the parcels, in their order. */
      readonly ids: readonly number[]
      /** Of the held parcels, by index, those for which the quarantine had no room. */
      readonly unheld: readonly number[]
      /** Takes back what is held: its sender is told to send all of it again. */
      readonly unhold: () => Promise<void>
    }
  | { readonly refusal: Admission & { readonly admitted: false } }

/** What a commit changes in the quarantine. */
export interface QuarantineChange {
  readonly held: readonly HeldParcel[]
  /** What leaves it: `held` is then what of it stays. */
  readonly released?: (ReleasedRange & { readonly heldSinceMs: number }) | undefined
}

/** `policy` is the digest of the policy that the parcels were made under. Throws StorageError `gone` for a release. */
export type Commit = (
  parcels: readonly DurableParcel[],
  policy: string,
  quarantine: QuarantineChange,
) => Promise<Committed>

export function createCommit(store: Pick<Store, 'append' | 'quarantine'>, clock: () => number): Commit {
  async function unhold(ids: readonly number[]): Promise<void> {
    try {
      await store.quarantine.remove(ids)
    } catch (error) {
      // The store says by itself what is wrong with the disk. What stays is held twice when its sender has sent again.
      if (!(error instanceof StorageError)) throw error
    }
  }

  return async (parcels, policy, { held, released }) => {
    const admittedMs = clock()
    const durable = parcels.map(({ parcel, exporters }): NewParcel => {
      const { signal, lane, items, chunks, byteLength } = parcel
      return { signal, lane, items, policy, admittedMs, exporters, chunks, byteLength }
    })
    const waiting = held.map(({ bytes, items, ...head }): NewParcel => {
      const { byteLength } = bytes
      const signal = SIGNAL_OF_HELD[head.carriage]
      const sinceMs = released?.heldSinceMs ?? admittedMs
      const own = { signal, lane: '', items, policy, admittedMs: sinceMs, exporters: [] }
      return { ...own, chunks: [bytes], byteLength, held: head }
    })
    try {
      const ids = await store.append([...durable, ...waiting], released)
      const heldIds = ids.slice(durable.length)
      return {
        ids: ids.slice(0, durable.length),
        unheld: heldIds.flatMap((id, index) => (id === NOT_HELD ? [index] : [])),
        unhold: () => unhold(heldIds.filter((id) => id !== NOT_HELD)),
      }
    } catch (error) {
      if (!(error instanceof StorageError) || error.fault === 'gone') throw error
      const { message } = error
      return {
        refusal: { admitted: false, reason: 'full', message, retryAfterSeconds: RETRY_AFTER_SECONDS },
      }
    }
  }
}
