/**
 * Writes a request anew as a decoder reads it, for requests that are not canonical.
 *
 * A message is read once for what counts in it, then written from its last field to its first: so the length of a
 * nested message is known when it is due, and nothing is moved or measured twice. Fields stand where they were
 * first read.
 *
 *     read:  name "a" │ unknown │ status {…} │ name "b" │ status {…}
 *     slots: ▲ name "b"         ▲ status, a chain of two pieces
 *
 * All bytes are read, those that are then dropped too: what a decoder would refuse is refused.
 * Source: protobuf.dev/programming-guides/encoding, "Last One Wins" and "Oneofs".
 */
import { MalformedRequest } from '../errors.ts'
import {
  ABSENT,
  ATTRIBUTES,
  childRow,
  LEVELS_MAX,
  MESSAGE,
  OCCURRENCES_MAX,
  occurrenceIndex,
  PACKED_EIGHT_BYTES,
  PACKED_VARINTS,
  ROW_SIZE,
  SHAPE_MASK,
  SPAN_ID,
  SPAN_ID_BYTES,
  TABLE,
  TRACE_ID,
  TRACE_ID_BYTES,
  UNKNOWN,
  VARINT_64,
} from './canonical-plan.ts'
import { canonicalVarint, canonicalVarintEnd } from './canonical-varint.ts'
import type { CanonicalWalk } from './canonical-walk.ts'
import { Cursor, LEN, VARINT } from './cursor.ts'
import { varintSize, writeVarint } from './splice.ts'

/**
 * The message of `row` in canonical bytes, and what that took: fields removed, encodings rewritten. `walk` has been
 * pointed at the bytes.
 */
export function rewrite(
  bytes: Uint8Array,
  row: number,
  walk: CanonicalWalk,
): { readonly bytes: Uint8Array; readonly removed: number } {
  const rewriter = new Rewriter(bytes, walk)
  rewriter.message(row, WHOLE, 0)
  return { bytes: rewriter.removed === 0 ? bytes : rewriter.written(), removed: rewriter.removed }
}

/** Instead of a slot: all of the bytes are the message. */
const WHOLE = -1
/** Instead of a slot: there is no further piece, or no occurrence. */
const NONE = -1

/**
 * Messages at these levels, from items to the attributes of span events and data points, are copied whole where they
 * are canonical. Above, an envelope is seldom canonical in a request that is not; below, a value that is nested deep
 * would be walked again for each of its levels.
 */
const copiedLevels = { min: 3, max: 6 } as const

/** Scratch state of one rewriting. */
class Rewriter {
  readonly #walk: CanonicalWalk
  removed = 0
  readonly #bytes: Uint8Array
  readonly #cursor = new Cursor()
  /** Filled from its end; what is written begins at `#outStart`. */
  #out: Uint8Array
  #outStart: number
  /**
   * A stack of what the messages around the current position hold: (offset of the field, slot of its next piece).
   * The offset is complemented where nothing stands in the slot's place: of pieces behind the first, of what was overridden.
   */
  #slots: Int32Array = new Int32Array(512)
  #slotCount = 0
  /** By level and occurrence index: the slot of the field, the slot of its last piece, its tag. */
  readonly #occurrences = new Int32Array((LEVELS_MAX + 1) * OCCURRENCES_MAX * 3)

  constructor(bytes: Uint8Array, walk: CanonicalWalk) {
    this.#walk = walk
    this.#bytes = bytes
    this.#cursor.reset(bytes, 0)
    this.#out = new Uint8Array(bytes.length)
    this.#outStart = bytes.length
  }

  /** A copy of its own length: a queue would have to hold the spare room. */
  written(): Uint8Array {
    return this.#out.slice(this.#outStart)
  }

  /** Writes the content of the message whose pieces are chained from slot `head` on. */
  message(row: number, head: number, level: number): void {
    if (level > LEVELS_MAX) {
      throw new MalformedRequest('messages nested too deep', { offset: this.#offsetOf(head) })
    }
    const base = this.#slotCount
    this.#read(row, head, level)
    for (let slot = this.#slotCount - 1; slot >= base; slot--) {
      if (this.#slots[slot * 2] >= 0) this.#write(row, slot, level)
    }
    this.#slotCount = base
  }

  #read(row: number, head: number, level: number): void {
    const cursor = this.#cursor
    const first = level * OCCURRENCES_MAX * 3
    this.#occurrences.fill(NONE, first, first + OCCURRENCES_MAX * 3)
    if (head === WHOLE) {
      cursor.at = 0
      this.#readPiece(row, this.#bytes.length, level)
      return
    }
    for (let piece = head; piece !== NONE; piece = this.#slots[piece * 2 + 1]) {
      cursor.at = this.#offsetOf(piece)
      cursor.tag(this.#bytes.length)
      this.#readPiece(row, cursor.payloadEnd(this.#bytes.length), level)
    }
  }

  #readPiece(row: number, end: number, level: number): void {
    const cursor = this.#cursor
    while (cursor.at < end) {
      const start = cursor.at
      const tag = cursor.tag(end)
      const entry = tag < ROW_SIZE ? TABLE[row + tag] : UNKNOWN
      const value = cursor.at
      cursor.skip(tag, end)
      if (entry === UNKNOWN) {
        this.removed++
        continue
      }
      this.#checkPacked(entry & SHAPE_MASK, value)
      const index = occurrenceIndex(entry)
      if (index < 0) this.#push(start)
      else this.#occur(row, tag, start, level, (level * OCCURRENCES_MAX + index) * 3)
    }
  }

  /** One more of a field that may occur once; `at` is its place among the occurrences. */
  #occur(row: number, tag: number, start: number, level: number, at: number): void {
    const occurrences = this.#occurrences
    const slot = occurrences[at]
    if (slot !== NONE) {
      this.removed++
      const entry = TABLE[row + occurrences[at + 2]]
      const isMessage = (entry & SHAPE_MASK) === MESSAGE
      if (occurrences[at + 2] === tag) {
        if (isMessage) {
          const piece = this.#push(~start)
          this.#slots[occurrences[at + 1] * 2 + 1] = piece
          occurrences[at + 1] = piece
        } else {
          this.#slots[slot * 2] = start
        }
        return
      }
      this.#slots[slot * 2] = ~this.#slots[slot * 2]
      if (isMessage) this.#readInVain(childRow(entry), slot, level + 1)
    }
    occurrences[at] = this.#push(start)
    occurrences[at + 1] = occurrences[at]
    occurrences[at + 2] = tag
  }

  /** A message that another member of its oneof overrode: nothing of it is kept, but it must be well formed. */
  #readInVain(row: number, head: number, level: number): void {
    const { removed } = this
    const outSize = this.#out.length - this.#outStart
    const { at } = this.#cursor
    this.message(row, head, level)
    this.#cursor.at = at
    this.#outStart = this.#out.length - outSize
    this.removed = removed
  }

  /** Writes a field, or nothing if it turns out that no decoder takes it. */
  #write(row: number, slot: number, level: number): void {
    const cursor = this.#cursor
    const start = this.#offsetOf(slot)
    cursor.at = start
    const tag = cursor.tag(this.#bytes.length)
    const entry = TABLE[row + tag]
    const value = cursor.at
    cursor.skip(tag, this.#bytes.length)
    const end = cursor.at
    if ((tag & 7) === LEN) {
      if (!this.#writeDelimited(entry, slot, value, level)) return
    } else if ((entry & SHAPE_MASK) === ABSENT) {
      this.removed++
      return
    } else if ((tag & 7) === VARINT) {
      this.#writeValue(value, end, entry & SHAPE_MASK)
    } else {
      this.#copy(this.#bytes, value, end)
    }
    if (value - start !== varintSize(tag)) this.removed++
    this.#writeVarint(tag)
  }

  #writeDelimited(entry: number, slot: number, value: number, level: number): boolean {
    const cursor = this.#cursor
    cursor.at = value
    const end = cursor.payloadEnd(this.#bytes.length)
    const start = cursor.at
    const length = end - start
    const shape = entry & SHAPE_MASK
    if (isWrongId(shape, length)) {
      this.removed++
      return false
    }
    if (start - value !== varintSize(length)) this.removed++
    const sizeBefore = this.#out.length - this.#outStart
    const isMessage = shape === MESSAGE || shape === ATTRIBUTES
    if (isMessage && !this.#isCopied(entry, slot, start, end, level + 1)) {
      this.message(childRow(entry), slot, level + 1)
    } else if (shape === PACKED_VARINTS) this.#writePacked(start, end)
    else this.#copy(this.#bytes, start, end)
    this.#writeVarint(this.#out.length - this.#outStart - sizeBefore)
    return true
  }

  /** Whether the nested message, which is at `level`, can be copied as it is. */
  #isCopied(entry: number, slot: number, start: number, end: number, level: number): boolean {
    if (level < copiedLevels.min || level > copiedLevels.max) return false
    if (this.#slots[slot * 2 + 1] !== NONE) return false
    return this.#walk.isCanonical(childRow(entry), start, end, LEVELS_MAX - level)
  }

  #writePacked(start: number, end: number): void {
    const ends: number[] = []
    const cursor = this.#cursor
    for (cursor.at = start; cursor.at < end; ends.push(cursor.at)) cursor.varint(end)
    for (let index = ends.length - 1; index >= 0; index--) {
      this.#writeValue(index === 0 ? start : ends[index - 1], ends[index], VARINT_64)
    }
  }

  /** A varint that is a value. */
  #writeValue(start: number, end: number, shape: number): void {
    if (canonicalVarintEnd(this.#bytes, start, end, shape) === end) {
      this.#copy(this.#bytes, start, end)
      return
    }
    this.removed++
    const varint = canonicalVarint(this.#bytes, start, end, shape)
    this.#copy(varint, 0, varint.length)
  }

  /** A list of numbers in one field must hold whole ones. */
  #checkPacked(shape: number, value: number): void {
    if (shape !== PACKED_EIGHT_BYTES && shape !== PACKED_VARINTS) return
    const cursor = this.#cursor
    const end = cursor.at
    cursor.at = value
    cursor.payloadEnd(end)
    if (shape === PACKED_VARINTS) while (cursor.at < end) cursor.varint(end)
    else if ((end - cursor.at) % 8 !== 0)
      throw new MalformedRequest('list ends inside a number', { offset: value })
    cursor.at = end
  }

  #offsetOf(slot: number): number {
    const offset = this.#slots[slot * 2]
    return offset < 0 ? ~offset : offset
  }

  #push(offset: number): number {
    const slot = this.#slotCount++
    if (slot * 2 === this.#slots.length) {
      const larger = new Int32Array(this.#slots.length * 2)
      larger.set(this.#slots)
      this.#slots = larger
    }
    this.#slots[slot * 2] = offset
    this.#slots[slot * 2 + 1] = NONE
    return slot
  }

  #writeVarint(value: number): void {
    this.#reserve(varintSize(value))
    writeVarint(value, this.#out, this.#outStart)
  }

  #copy(source: Uint8Array, start: number, end: number): void {
    const size = end - start
    this.#reserve(size)
    if (size > smallCopyBytes) this.#out.set(source.subarray(start, end), this.#outStart)
    else for (let index = 0; index < size; index++) this.#out[this.#outStart + index] = source[start + index]
  }

  /** Moves `#outStart` down. Only negative enums that were written short can make the bytes more than they were. */
  #reserve(size: number): void {
    if (size > this.#outStart) {
      const larger = new Uint8Array(this.#out.length * 2 + size)
      larger.set(this.#out, larger.length - this.#out.length)
      this.#outStart += larger.length - this.#out.length
      this.#out = larger
    }
    this.#outStart -= size
  }
}

/** A native copy has a fixed price; below this size a loop is cheaper. */
const smallCopyBytes = 32

function isWrongId(shape: number, length: number): boolean {
  if (length === 0) return false
  return (shape === TRACE_ID && length !== TRACE_ID_BYTES) || (shape === SPAN_ID && length !== SPAN_ID_BYTES)
}
