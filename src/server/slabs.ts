/**
 * Memory for request bodies: large buffers that are reused instead of allocated for each request.
 *
 * In: how many bytes are wanted. Out: a slab of at least that size with one owner; the last `release` gives it
 * back. A fresh large buffer costs a page fault for every 4 KiB written, which is dearer than copying into one
 * whose pages are there already. The pool holds memory only while it is idle and never more than `idleBytesMax`;
 * it does not limit what is taken: the receiver's budget does.
 */
import type { Pin } from '../otlp/parcel.ts'

/** The smallest slab. */
export const SLAB_BYTES_MIN: number = 16 * 1024
/** A buffer of less is left to the garbage collector: it would cost more to give back. */
const FREED_BYTES_MIN: number = 4 * 1024
/** The buffers that Node cuts small ones out of are smaller. */
const SHARED_BYTES_MAX: number = 128 * 1024
/** The largest slab that is kept for reuse. Larger ones are allocated to measure and left to the collector. */
export const SLAB_BYTES_MAX: number = 64 * 1024 * 1024
/** What the pool keeps while nobody uses it. */
export const SLAB_IDLE_BYTES_MAX: number = 32 * 1024 * 1024

export interface Slab extends Pin {
  readonly buffer: Buffer
}

export interface SlabPool {
  /** A slab of at least `bytesMin`, its content undefined, owned once by the caller. */
  take(bytesMin: number): Slab
  /** Bytes that wait for reuse. */
  idleBytes(): number
  /** Bytes of slabs that somebody still owns. */
  heldBytes(): number
}

export function createSlabPool(options: { readonly idleBytesMax: number }): SlabPool {
  /** By exponent of two; last in, first out, so that the slab whose pages are warm goes first. */
  const idle: Buffer[][] = []
  let idleBytes = 0
  let heldBytes = 0

  function take(bytesMin: number): Slab {
    const size = slabSize(bytesMin)
    const reused = idle[Math.log2(size)]?.pop()
    if (reused !== undefined) idleBytes -= size
    heldBytes += size
    const buffer = reused ?? Buffer.allocUnsafeSlow(size)
    return { buffer, ...countOwners(size, () => giveBack(buffer)) }
  }

  function giveBack(buffer: Buffer): void {
    const size = buffer.length
    heldBytes -= size
    if (size > SLAB_BYTES_MAX || idleBytes + size > options.idleBytesMax) {
      // At once, not when the garbage collector comes by: a burst of large bodies would pile up until then.
      if (buffer.buffer instanceof ArrayBuffer) buffer.buffer.transfer(0)
      return
    }
    const exponent = Math.log2(size)
    idle[exponent] ??= []
    idle[exponent].push(buffer)
    idleBytes += size
  }

  return { take, idleBytes: () => idleBytes, heldBytes: () => heldBytes }
}

/** A pin on memory that the garbage collector frees: it only says how much is held. */
export function heapPin(bytes: number): Pin {
  return countOwners(bytes, () => {})
}

/**
 * A pin on bytes that nobody else refers to, with the whole buffer behind them. The buffer is given back at the last
 * release, whoever reads it later finds it empty: left to the garbage collector, buffers of this size would be tens
 * of megabytes before it comes by.
 */
export function bufferPin(bytes: Uint8Array): Pin {
  const { buffer } = bytes
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength < FREED_BYTES_MIN)
    return heapPin(buffer.byteLength)
  // Node cuts small buffers out of shared ones: those must stay.
  const isShared = buffer.byteLength < SHARED_BYTES_MAX && buffer.byteLength !== bytes.length
  return isShared ? heapPin(buffer.byteLength) : countOwners(buffer.byteLength, () => buffer.transfer(0))
}

function countOwners(bytes: number, free: () => void): Pin {
  let owners = 1
  return {
    bytes,
    retain() {
      if (owners === 0) throw new Error('memory was retained after its last release')
      owners += 1
    },
    release() {
      if (owners === 0) throw new Error('memory was released more often than it was retained')
      owners -= 1
      if (owners === 0) free()
    },
  }
}

function slabSize(bytesMin: number): number {
  if (bytesMin > SLAB_BYTES_MAX) return bytesMin
  let size = SLAB_BYTES_MIN
  while (size < bytesMin) size *= 2
  return size
}
