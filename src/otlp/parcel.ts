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

/** A pin on memory that the garbage collector takes care of: it only says how much is held. */
export function collectedPin(bytes: number): Pin {
  return { bytes, retain() {}, release() {} }
}
