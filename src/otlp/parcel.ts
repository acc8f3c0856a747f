/**
 * A parcel: the finished protobuf bytes for one lane from one request, and the memory that they hold on to.
 *
 * A parcel's chunks, joined, are one whole Export*ServiceRequest. Because such a request holds only repeated
 * field 1, joining the chunks of several parcels of one signal gives a valid request again: that is a batch.
 */
import type { Signal } from './signal.ts'

/** Memory shared by several owners. Starts with one owner; the last `release` gives the bytes back. */
export interface Pin {
  /** How many bytes of memory stay held until the last release: what a queue must charge. */
  readonly bytes: number
  retain(): void
  release(): void
}

export interface Parcel {
  readonly signal: Signal
  /** Name of the lane that takes it. */
  readonly lane: string
  /** Bytes of protobuf, in order; never modified after the parcel is made. */
  readonly chunks: readonly Uint8Array[]
  /** Sum of the chunks' lengths. */
  readonly byteLength: number
  /** Log records, spans or data points: what a backend counts. */
  readonly items: number
  /** The memory behind `chunks`. */
  readonly pin: Pin
}

/** What `unreviewed` or `foreign` of the policy says of an item that is held. */
export const HELD_REASONS = ['unreviewed', 'foreign'] as const
export type HeldReason = (typeof HELD_REASONS)[number]

/** The carriages of events; nothing else is ever held. */
export const HELD_CARRIAGES = ['log_record', 'span_event'] as const
export type HeldCarriage = (typeof HELD_CARRIAGES)[number]

/** The signal that an event of a carriage came on. */
export const SIGNAL_OF_HELD: Readonly<Record<HeldCarriage, Signal>> = {
  log_record: 'logs',
  span_event: 'traces',
}

/** Which held items are counted as one. */
export interface HeldKind {
  readonly carriage: HeldCarriage
  /** Family as the ledger names it: of a bounded set, never a target. */
  readonly family: string
  readonly reason: HeldReason
}

/** Events of one target from one request that wait for a review. */
export interface HeldParcel extends HeldKind {
  /** Empty: they have none. */
  readonly target: string
  readonly items: number
  /** One whole Export*ServiceRequest of the carriage's signal, in memory of its own. */
  readonly bytes: Uint8Array
}

/** A pin on memory that the garbage collector takes care of: it only says how much is held. */
export function collectedPin(bytes: number): Pin {
  return { bytes, retain() {}, release() {} }
}
