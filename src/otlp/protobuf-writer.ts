/**
 * Writes protobuf fields into one growing buffer, in a single pass.
 *
 * The length of a nested message is not known when its tag is written: one byte is kept for it, and the
 * message is moved when its length needs more. Varints are canonical. 64-bit integers come as two halves.
 * Source: protobuf.dev/programming-guides/encoding.
 */
import { copyRange, type Viewed, viewed } from './copy.ts'
import { varintSize } from './splice.ts'

/** Shorter texts are copied faster byte by byte than by a call. */
const shortBytesMax = 24

/** Scratch state of one conversion: the buffer, and `at`, the end of what is written. */
export class ProtobufWriter {
  bytes: Buffer
  at = 0
  #into: Viewed

  constructor(bytesExpected: number) {
    this.bytes = Buffer.allocUnsafeSlow(Math.max(bytesExpected, 64))
    this.#into = viewed(this.bytes)
  }

  /** The bytes written. A buffer that is much too large is not handed on: a queue would have to hold all of it. */
  finish(): Uint8Array {
    const used = this.bytes.subarray(0, this.at)
    if (this.at >= this.bytes.length * 0.75) return used
    const exact = Buffer.allocUnsafeSlow(this.at)
    exact.set(used)
    return exact
  }

  /** An integer from 0 to 2^53. */
  varint(value: number): void {
    if (this.at + 10 > this.bytes.length) this.#grow(10)
    const { bytes } = this
    let rest = value
    let at = this.at
    while (rest >= 0x8000_0000) {
      bytes[at++] = (rest % 128) + 128
      rest = Math.floor(rest / 128)
    }
    while (rest > 127) {
      bytes[at++] = (rest & 127) | 128
      rest >>>= 7
    }
    bytes[at++] = rest
    this.at = at
  }

  /** 64 bits in two unsigned halves. */
  varint64(low: number, high: number): void {
    if (high < 0x20_0000) {
      this.varint(high * 0x1_0000_0000 + low)
      return
    }
    if (this.at + 10 > this.bytes.length) this.#grow(10)
    let lowRest = low
    let highRest = high
    while (highRest > 0 || lowRest > 127) {
      this.bytes[this.at++] = (lowRest & 127) | 128
      lowRest = ((lowRest >>> 7) | (highRest << 25)) >>> 0
      highRest >>>= 7
    }
    this.bytes[this.at++] = lowRest
  }

  fixed32(value: number): void {
    if (this.at + 4 > this.bytes.length) this.#grow(4)
    const { bytes, at } = this
    bytes[at] = value
    bytes[at + 1] = value >>> 8
    bytes[at + 2] = value >>> 16
    bytes[at + 3] = value >>> 24
    this.at = at + 4
  }

  fixed64(low: number, high: number): void {
    this.fixed32(low)
    this.fixed32(high)
  }

  double(value: number): void {
    if (this.at + 8 > this.bytes.length) this.#grow(8)
    this.bytes.writeDoubleLE(value, this.at)
    this.at += 8
  }

  /** One byte that is not part of a number. */
  byte(value: number): void {
    if (this.at === this.bytes.length) this.#grow(1)
    this.bytes[this.at++] = value
  }

  /** A length and the bytes `[start, end)` of `source`. */
  delimited(source: Uint8Array, start: number, end: number): void {
    this.varint(end - start)
    this.raw(source, start, end)
  }

  /** The bytes `[start, end)` of `source`. */
  raw(source: Uint8Array, start: number, end: number): void {
    const length = end - start
    if (this.at + length > this.bytes.length) this.#grow(length)
    if (length <= shortBytesMax) {
      const { bytes } = this
      let at = this.at
      for (let from = start; from < end; from++) bytes[at++] = source[from]
    } else {
      this.bytes.set(source.subarray(start, end), this.at)
    }
    this.at += length
  }

  /** The same as `raw`, for a source that is copied from again and again. */
  range(source: Viewed, start: number, end: number): void {
    const length = end - start
    if (this.at + length > this.bytes.length) this.#grow(length)
    this.at = copyRange(source, start, end, this.#into, this.at)
  }

  /** A length and the range. */
  delimitedRange(source: Viewed, start: number, end: number): void {
    this.varint(end - start)
    this.range(source, start, end)
  }

  text(value: string): void {
    const bytes = Buffer.from(value)
    this.delimited(bytes, 0, bytes.length)
  }

  /**
   * Starts a nested message, or a packed list; the result goes to `close`. It need not be moved if its length
   * takes `lengthBytes`, 1 or 2.
   */
  open(lengthBytes = 1): number {
    this.byte(0)
    if (lengthBytes === 2) this.byte(0)
    return this.at
  }

  /** `lengthBytes` as it was given to `open`. */
  close(start: number, lengthBytes = 1): void {
    const length = this.at - start
    if (length < 128 && lengthBytes === 1) {
      this.bytes[start - 1] = length
      return
    }
    const needed = varintSize(length)
    if (needed !== lengthBytes) {
      if (this.at + needed > this.bytes.length) this.#grow(needed)
      this.bytes.copyWithin(start - lengthBytes + needed, start, this.at)
    }
    this.at = start - lengthBytes
    this.varint(length)
    this.at += length
  }

  #grow(bytesNeeded: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.at + bytesNeeded + 64))
    grown.set(this.bytes.subarray(0, this.at))
    this.bytes = grown
    this.#into = viewed(grown)
  }
}
