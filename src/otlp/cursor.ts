/**
 * A bounded cursor over protobuf bytes: the one place that reads tags, varints and lengths.
 *
 * Every read is given the end of the message it is in and never passes it. What cannot be read throws
 * `MalformedRequest` with the byte offset; content is never quoted. Over-long varints up to ten bytes are
 * legal and honoured. Fields with an unexpected wire type are unknown fields, as for any decoder.
 * Source: protobuf.dev/programming-guides/encoding.
 */
import { MalformedRequest } from '../errors.ts'

export const VARINT = 0
export const FIXED64 = 1
export const LEN = 2
export const FIXED32 = 5

/** The tag of a field as it is on the wire: its number and its wire type. */
export function tagOf(fieldNumber: number, wireType: number): number {
  return fieldNumber * 8 + wireType
}

/** A varint is at most this long: 64 bits in groups of seven. */
const varintBytesMax = 10

const tagMax = 0xffff_ffff

/**
 * Holds a position in `bytes`. Reads advance `at`. One cursor is made once and pointed at request after
 * request by `reset`: it is scratch state of the walk that owns it.
 */
export class Cursor {
  bytes: Uint8Array = new Uint8Array(0)
  /** The same bytes, to be read several at a time. */
  view: DataView = new DataView(new ArrayBuffer(0))
  at = 0

  reset(bytes: Uint8Array, at: number): void {
    if (bytes !== this.bytes) {
      this.bytes = bytes
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    }
    this.at = at
  }

  /** Reads a tag: field number × 8 + wire type. */
  tag(end: number): number {
    const start = this.at
    if (start < end) {
      const byte = this.bytes[start]
      if (byte < 0x80 && byte > 7) {
        this.at = start + 1
        return byte
      }
    }
    const tag = this.varint(end)
    if (tag < 8 || tag > tagMax) throw new MalformedRequest('impossible field number', { offset: start })
    return tag
  }

  /** Reads a length and returns the end of its payload, which starts at `at`. */
  payloadEnd(end: number): number {
    const start = this.at
    if (start < end) {
      const byte = this.bytes[start]
      const payloadEnd = start + 1 + byte
      if (byte < 0x80 && payloadEnd <= end) {
        this.at = start + 1
        return payloadEnd
      }
    }
    const length = this.varint(end)
    if (length > end - this.at) throw new MalformedRequest('length beyond its message', { offset: start })
    return this.at + length
  }

  /** Reads a varint as a number; exact up to 2^53, and monotonic beyond, which suffices for bounds. */
  varint(end: number): number {
    const { bytes } = this
    const start = this.at
    let value = 0
    let scale = 1
    for (let at = start; at < end; at++) {
      if (at - start === varintBytesMax)
        throw new MalformedRequest('varint over ten bytes', { offset: start })
      const byte = bytes[at]
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        this.at = at + 1
        return value
      }
      scale *= 128
    }
    throw new MalformedRequest('message ends inside a varint', { offset: start })
  }

  /** Reads a varint field of type uint32: its low 32 bits, as decoders do. */
  uint32(end: number): number {
    const start = this.at
    this.varint(end)
    let value = 0
    for (let at = start, shift = 0; at < this.at && shift < 32; at++, shift += 7) {
      value |= (this.bytes[at] & 0x7f) << shift
    }
    return value >>> 0
  }

  /** Calls `each` for every length-delimited field of the message in `[start, end)`; ends at `end`. */
  eachDelimited(
    start: number,
    end: number,
    each: (tag: number, field: number, payloadStart: number, payloadEnd: number) => void,
  ): void {
    let at = start
    while (at < end) {
      this.at = at
      const tag = this.tag(end)
      if ((tag & 7) === LEN) {
        const payloadEnd = this.payloadEnd(end)
        each(tag, at, this.at, payloadEnd)
        at = payloadEnd
      } else {
        this.skip(tag, end)
        at = this.at
      }
    }
    this.at = end
  }

  /** Steps over the value that follows `tag`, checking that it ends within its message. */
  skip(tag: number, end: number): void {
    const start = this.at
    switch (tag & 7) {
      case VARINT:
        this.varint(end)
        return
      case FIXED64:
        this.at = start + 8
        break
      case LEN:
        this.at = this.payloadEnd(end)
        return
      case FIXED32:
        this.at = start + 4
        break
      default:
        throw new MalformedRequest('group or unknown wire type', { offset: start })
    }
    if (this.at > end) throw new MalformedRequest('fixed-size value beyond its message', { offset: start })
  }
}
