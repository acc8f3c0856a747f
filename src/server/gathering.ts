/**
 * Gathers the bytes of one body, as they come, into one piece of memory, within its limits.
 *
 * A body of one socket chunk is that chunk: nothing is copied. A larger one is copied, chunk by chunk, into a
 * slab that doubles when it is full. Every chunk is charged before it is kept. It never trusts an announced
 * length for more than `HINT_BYTES_MAX`.
 */
import type { Pin } from '../otlp/parcel.ts'
import type { Reservation } from './budget.ts'
import { bufferPin, type Slab, type SlabPool } from './slabs.ts'

/** Bodies up to this size stay in the chunks that they came in. */
export const LOOSE_BYTES_MAX: number = 64 * 1024
/** A sender of single bytes would make a small body into thousands of buffers; from here on it gets a slab. */
const LOOSE_CHUNKS_MAX = 8
/** What is allocated at most on the word of a content-length. */
const HINT_BYTES_MAX = 1024 * 1024

export interface Body {
  readonly bytes: Uint8Array
  /** The memory behind `bytes`, owned once. */
  readonly pin: Pin
}

/** Why a chunk was not taken: the body is over its own limit, or all bodies together are over theirs. */
export type GatherFault = 'too_large' | 'full'

export interface GatherOptions {
  readonly bytesMax: number
  readonly reservation: Reservation
  readonly slabs: SlabPool
  /** The length that was announced or guessed; 0 if there is none. */
  readonly bytesHint: number
}

export class Gathering {
  #options: GatherOptions
  #loose: Uint8Array[] = []
  #slab: Slab | undefined
  #length = 0

  constructor(options: GatherOptions) {
    this.#options = options
  }

  get length(): number {
    return this.#length
  }

  /** Takes a chunk over, which nobody may read afterwards, or says why not; after a fault the only thing left to do is `discard`. */
  add(chunk: Uint8Array): GatherFault | undefined {
    const length = this.#length + chunk.length
    if (length > this.#options.bytesMax) return 'too_large'
    if (!this.#options.reservation.grow(chunk.length)) return 'full'
    const slab = this.#slab
    if (slab !== undefined || length > LOOSE_BYTES_MAX || this.#loose.length === LOOSE_CHUNKS_MAX) {
      this.#roomFor(slab, length).set(chunk, this.#length)
      free(chunk)
    } else {
      this.#loose.push(chunk)
    }
    this.#length = length
    return undefined
  }

  /** The whole body. Its pin passes to the caller. */
  finish(): Body {
    const slab = this.#slab
    if (slab !== undefined) return { bytes: slab.buffer.subarray(0, this.#length), pin: slab }
    const bytes = this.#loose.length === 1 ? this.#loose[0] : Buffer.concat(this.#loose, this.#length)
    return { bytes, pin: bufferPin(bytes) }
  }

  /** Gives the memory back. The reservation stays as it is: whoever opened it closes it. */
  discard(): void {
    this.#slab?.release()
    this.#slab = undefined
    this.#loose = []
  }

  #roomFor(slab: Slab | undefined, length: number): Buffer {
    if (slab !== undefined && slab.buffer.length >= length) return slab.buffer
    const bytesHint = Math.min(this.#options.bytesHint, HINT_BYTES_MAX)
    const grown = this.#options.slabs.take(Math.max(length, bytesHint, (slab?.buffer.length ?? 0) * 2))
    this.#slab = grown
    if (slab !== undefined) {
      grown.buffer.set(slab.buffer.subarray(0, this.#length))
      slab.release()
      return grown.buffer
    }
    let offset = 0
    for (const chunk of this.#loose) {
      grown.buffer.set(chunk, offset)
      offset += chunk.length
      free(chunk)
    }
    this.#loose = []
    return grown.buffer
  }
}

/**
 * Gives the memory of a copied chunk back at once. Left to the garbage collector, chunks of 64 KiB would force a
 * full collection for every 32 MB received: a quarter of the CPU of large requests.
 */
function free(chunk: Uint8Array): void {
  const { buffer } = chunk
  if (buffer instanceof ArrayBuffer && buffer.byteLength === chunk.length) buffer.transfer(0)
}
