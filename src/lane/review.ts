/**
 * A parcel that comes back from the store, or has waited in memory, as it may leave now.
 *
 * In: what was stored, and the policy in force with a way to judge by it. Where it was admitted under another policy it
 * is judged again first: what its lane does not take any more is lost, and the store is told what is left, so that it
 * is judged once. What another exporter had revised before counts here for what it is now. Pure.
 */
import type { Parcel, Pin } from '../otlp/parcel.ts'
import { SIGNALS, type Signal } from '../otlp/signal.ts'
import type { Amount, Revised, StoredParcel } from '../store/messages.ts'
import { copyChunks } from './batch.ts'
import type { QueueEntry } from './waiting.ts'

export interface Review {
  /** The digest of the policy in force. */
  readonly policy: string
  /** Undefined: nothing of it may leave. */
  readonly rejudge: (stored: {
    readonly bytes: Uint8Array
    readonly signal: Signal
    readonly lane: string
  }) => { readonly bytes: Uint8Array; readonly items: number } | undefined
}

export interface Reviewed {
  /** Its one owner is the caller. Undefined: nothing of it may leave. */
  readonly parcel: Parcel | undefined
  readonly policy: string
  /** What it counts for less, and more, than it did in its queue; none where that is nothing. */
  readonly lost: readonly (Amount & { readonly outcome: 'lost' })[]
  readonly grown: Amount
  readonly revised: Revised | undefined
}

export function reviewStored(stored: StoredParcel, review: Review | undefined): Reviewed {
  const signal = SIGNALS.find((one) => one === stored.signal)
  if (signal === undefined) throw new Error('the store holds a parcel of an unknown signal')
  const { id, lane, queued } = stored
  if (review === undefined || stored.policy === review.policy) {
    const { items, policy, bytes } = stored
    const isAsQueued = items === queued.items && bytes.byteLength === queued.bytes
    const revised = isAsQueued ? undefined : { id, items, policy, bytes: new Uint8Array(bytes) }
    return { ...counted(stored, signal, queued), policy, revised }
  }
  const { policy } = review
  const judged = review.rejudge({ bytes: stored.bytes, signal, lane })
  if (judged === undefined)
    return {
      parcel: undefined,
      policy,
      lost: [{ outcome: 'lost', ...queued }],
      grown: NOTHING,
      revised: undefined,
    }
  const { items } = judged
  // Copies: the parcel's memory is freed when it is delivered, and the store's goes to another thread.
  const now = { ...stored, items, bytes: new Uint8Array(judged.bytes) }
  const revised = { id, items, policy, bytes: new Uint8Array(judged.bytes) }
  return { ...counted(now, signal, queued), policy, revised }
}

const NOTHING: Amount = Object.freeze({ items: 0, bytes: 0 })

/** An entry of a queue as the store would give it back. */
export function storedOf({ parcel, id = 0, policy, admittedAtMs }: QueueEntry): StoredParcel {
  const { signal, lane, items, byteLength } = parcel
  const bytes = new Uint8Array(byteLength)
  copyChunks(parcel.chunks, bytes)
  const queued = { items, bytes: byteLength }
  return { id, signal, lane, items, policy, admittedMs: admittedAtMs, queued, bytes }
}

function counted(
  { lane, items, bytes }: StoredParcel,
  signal: Signal,
  queued: Amount,
): Pick<Reviewed, 'parcel' | 'lost' | 'grown'> {
  const { byteLength } = bytes
  const lost = { items: Math.max(0, queued.items - items), bytes: Math.max(0, queued.bytes - byteLength) }
  return {
    parcel: { signal, lane, chunks: [bytes], byteLength, items, pin: ownedPin(bytes) },
    lost: lost.items === 0 && lost.bytes === 0 ? [] : [{ outcome: 'lost', ...lost }],
    grown: { items: Math.max(0, items - queued.items), bytes: Math.max(0, byteLength - queued.bytes) },
  }
}

/** Freed at the last release, not when the collector comes by: a large backlog would be resident by then. */
function ownedPin(bytes: Uint8Array<ArrayBuffer>): Pin {
  let owners = 1
  return {
    bytes: bytes.byteLength,
    retain() {
      owners++
    },
    release() {
      owners--
      if (owners === 0) bytes.buffer.transfer(0)
    },
  }
}
