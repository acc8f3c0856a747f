/**
 * A parcel that is too large for its destination: how it is split, and how the fates of its parts add up.
 *
 * Parts are made between items, each with its envelopes, in memory of their own. Together they count as the parcel
 * did, whatever is in them: admitted = queued + sent + rejected + dead + lost must hold.
 */
import { MalformedRequest, TooLarge } from '../errors.ts'
import { collectedPin, type Parcel } from '../otlp/parcel.ts'
import { splitRequest } from '../otlp/split.ts'
import type { Amount, Death, Remains, Settlement } from '../store/messages.ts'
import { copyChunks } from './batch.ts'

/** A part of a parcel that was too large for the destination, and what became of it. */
export interface Part {
  readonly parcel: Parcel
  readonly fate:
    | { readonly kind: 'sent'; readonly rejectedItems: number; readonly message: string }
    | { readonly kind: 'dead'; readonly status: number; readonly message: string }
    /** Not decided at the end of the process. */
    | { readonly kind: 'left' }
}

/** Undefined: there is nothing to split, it is one item or bytes that cannot be read. Never throws. */
export function splitParcel(parcel: Parcel): readonly [Parcel, Parcel] | undefined {
  const { signal, lane } = parcel
  try {
    const halves = splitRequest(wholeOf(parcel), signal)
    if (halves === undefined) return undefined
    const [first, second] = halves
    // Bytes that a backend judges may hold another number of items than was counted: the counts must add up.
    const items = Math.min(first.items, parcel.items - 1)
    if (items < 1) return undefined
    const make = (bytes: Uint8Array, items: number): Parcel => ({
      signal,
      lane,
      items,
      chunks: [bytes],
      byteLength: bytes.byteLength,
      pin: collectedPin(bytes.byteLength),
    })
    return [make(first.bytes, items), make(second.bytes, parcel.items - items)]
  } catch (error) {
    if (error instanceof MalformedRequest || error instanceof TooLarge) return undefined
    throw error
  }
}

/** What parcels count as that were delivered or given up whole, but for some rejected items. */
export function accountWhole(
  entries: readonly { readonly parcel: Parcel }[],
  outcome: Settlement,
  rejectedItems: number,
): readonly (Amount & { readonly outcome: Settlement })[] {
  const { items, bytes } = amountOf(entries)
  const rejected = Math.min(rejectedItems, items)
  const rejectedBytes = rejected > 0 ? Math.round((bytes * rejected) / items) : 0
  return [
    { outcome: 'rejected', items: rejected, bytes: rejectedBytes } as const,
    { outcome, items: items - rejected, bytes: bytes - rejectedBytes } as const,
  ].filter((amount) => amount.items > 0 || (amount.outcome === outcome && amount.bytes > 0))
}

export function amountOf(entries: readonly { readonly parcel: Parcel }[]): Amount {
  return sumOf(entries.map(({ parcel }) => ({ items: parcel.items, bytes: parcel.byteLength })))
}

export function sumOf(amounts: readonly Amount[]): Amount {
  return {
    items: amounts.reduce((sum, { items }) => sum + items, 0),
    bytes: amounts.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

/** What the parts count as, and what of them stays. In memory, what nobody could send in time is lost. */
export function accountParts(
  entry: Whole,
  parts: readonly Part[],
  isDurable: boolean,
): {
  readonly amounts: readonly (Amount & { readonly outcome: Settlement })[]
  readonly remains: readonly Remains[]
} {
  const items = { sent: 0, rejected: 0, dead: 0, lost: 0 }
  const remains: Remains[] = []
  for (const { parcel, fate } of parts) {
    switch (fate.kind) {
      case 'sent': {
        const rejected = Math.min(fate.rejectedItems, parcel.items)
        items.rejected += rejected
        items.sent += parcel.items - rejected
        break
      }
      case 'dead':
        items.dead += parcel.items
        remains.push(remainsOf(entry, parcel, fate))
        break
      case 'left':
        if (isDurable) remains.push(remainsOf(entry, parcel, undefined))
        else items.lost += parcel.items
        break
    }
  }
  // Parts repeat their envelopes, so together they are larger than the whole, which is what was admitted.
  const whole = entry.parcel
  const bytesOf = (count: number): number => Math.round((whole.byteLength * count) / whole.items)
  let before = 0
  const amounts = OUTCOMES.map((outcome) => {
    const bytes = bytesOf(before + items[outcome]) - bytesOf(before)
    before += items[outcome]
    return { outcome, items: items[outcome], bytes }
  })
  return { amounts: amounts.filter((amount) => amount.items > 0), remains }
}

/** The bytes are copied: those of the parcel go back to whom they belong to. */
export function remainsOf(
  { admittedAtMs, policy }: Whole,
  parcel: Parcel,
  death: Death | undefined,
): Remains {
  const { signal, lane, items, byteLength } = parcel
  const bytes = new Uint8Array(byteLength)
  copyChunks(parcel.chunks, bytes)
  const cause = death && { status: death.status, message: death.message }
  return { signal, lane, items, policy, admittedMs: admittedAtMs, bytes, death: cause }
}

/** What a part is of. */
interface Whole {
  readonly parcel: Parcel
  readonly policy: string
  readonly admittedAtMs: number
}

const OUTCOMES: readonly Settlement[] = ['sent', 'rejected', 'dead', 'lost']

function wholeOf({ chunks, byteLength }: Parcel): Uint8Array {
  if (chunks.length === 1) return chunks[0]
  const bytes = new Uint8Array(byteLength)
  copyChunks(chunks, bytes)
  return bytes
}
