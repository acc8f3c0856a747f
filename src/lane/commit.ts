/**
 * The second step of admission: the parcels of one request become durable in one commit, or the request is refused.
 *
 * What the store refuses is 503 for the sender, with the store's own words: they name the directory and the remedy.
 */
import { StorageError } from '../errors.ts'
import type { Parcel } from '../otlp/parcel.ts'
import type { Store } from '../store/store.ts'
import { type Admission, RETRY_AFTER_SECONDS } from './admission.ts'

/** One parcel and the exporters whose queues must have it on the disk. */
export interface DurableParcel {
  readonly parcel: Parcel
  readonly exporters: readonly string[]
}

export type Committed =
  /** The ids of the parcels, in their order. */
  { readonly ids: readonly number[] } | { readonly refusal: Admission & { readonly admitted: false } }

/** `policy` is the digest of the policy that the parcels were made under. */
export type Commit = (parcels: readonly DurableParcel[], policy: string) => Promise<Committed>

export function createCommit(store: Pick<Store, 'append'>, clock: () => number): Commit {
  return async (parcels, policy) => {
    const admittedMs = clock()
    try {
      const ids = await store.append(
        parcels.map(({ parcel: { signal, lane, items, chunks, byteLength }, exporters }) => ({
          signal,
          lane,
          items,
          policy,
          admittedMs,
          exporters,
          chunks,
          byteLength,
        })),
      )
      return { ids }
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      const { message } = error
      return {
        refusal: { admitted: false, reason: 'full', message, retryAfterSeconds: RETRY_AFTER_SECONDS },
      }
    }
  }
}
