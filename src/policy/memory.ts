/**
 * Remembers what was made of the texts seen last, by their bytes, in a table that never grows: a flood of invented
 * texts costs time, not memory.
 *
 * This is asked for every attribute, so texts are hashed and compared four bytes at a time; a text may stand in any
 * of a few neighbouring slots, so that two that are in use do not push each other out. Texts are
 * copied: what is remembered pins no request. Scratch state owned by a compiled policy.
 */
import type { Cursor } from '../otlp/cursor.ts'
import { type ByteString, latin1 } from './family.ts'

const slots = 256
/** Hints are numbered by the upper bits of a hash: 128 of them. */
const hintShift = 25
/** How many neighbouring slots a text may stand in. */
const ways = 4
/** Longer texts are made anew each time. */
const bytesMax = 128

interface Remembered<Value> {
  readonly length: number
  /** The text four bytes at a time, little-endian; the last four overlap those before where they must. */
  readonly words: Int32Array
  readonly value: Value
}

export class Memory<Value> {
  readonly #make: (text: ByteString) => Value
  readonly #table: (Remembered<Value> | undefined)[]
  /** What was found last for the length and the last bytes: mostly the answer, before the whole text is hashed. */
  readonly #hints: (Remembered<Value> | undefined)[]
  /** Which way is given up next. */
  #way = 0

  constructor(make: (text: ByteString) => Value) {
    this.#make = make
    this.#table = new Array<Remembered<Value> | undefined>(slots + ways).fill(undefined)
    this.#hints = new Array<Remembered<Value> | undefined>(1 << (32 - hintShift)).fill(undefined)
  }

  /** What is made of the text in `[start, end)` of the cursor's bytes. */
  of(cursor: Cursor, start: number, end: number): Value {
    const length = end - start
    if (length < 4 || length > bytesMax) return this.#ofOddLength(cursor, start, end)
    const { view } = cursor
    const hint = Math.imul(view.getInt32(end - 4, true) ^ length, 0x9e3779b1) >>> hintShift
    const hinted = this.#hints[hint]
    if (hinted !== undefined && hinted.length === length && isAt(hinted.words, view, start, end))
      return hinted.value
    const found = this.#find(cursor, start, end)
    this.#hints[hint] = found
    return found.value
  }

  #find(cursor: Cursor, start: number, end: number): Remembered<Value> {
    const length = end - start
    const { view } = cursor
    let hash = length
    for (let at = start; at < end - 4; at += 4) hash = Math.imul(hash, 0x9e3779b1) ^ view.getInt32(at, true)
    hash = Math.imul(Math.imul(hash, 0x9e3779b1) ^ view.getInt32(end - 4, true), 0x85ebca6b)
    const slot = (hash ^ (hash >>> 15)) & (slots - 1)
    for (let way = 0; way < ways; way++) {
      const found = this.#table[slot + way]
      if (found === undefined) break
      if (found.length === length && isAt(found.words, view, start, end)) return found
    }
    return this.#remember(cursor, start, end, slot)
  }

  #remember(cursor: Cursor, start: number, end: number, slot: number): Remembered<Value> {
    const words: number[] = []
    for (let at = start; at < end - 4; at += 4) words.push(cursor.view.getInt32(at, true))
    words.push(cursor.view.getInt32(end - 4, true))
    const value = this.#make(latin1(cursor.bytes, start, end))
    let way = 0
    while (way < ways && this.#table[slot + way] !== undefined) way++
    if (way === ways) {
      this.#way = (this.#way + 1) % ways
      way = this.#way
    }
    const remembered = { length: end - start, words: Int32Array.from(words), value }
    this.#table[slot + way] = remembered
    return remembered
  }

  /** Texts too short to be read four bytes at a time are few, and remembered by name; long ones are not. */
  readonly #short = new Map<ByteString, Value>()

  #ofOddLength(cursor: Cursor, start: number, end: number): Value {
    const text = latin1(cursor.bytes, start, end)
    if (text.length > bytesMax) return this.#make(text)
    let value = this.#short.get(text)
    if (value === undefined) {
      if (this.#short.size >= slots) this.#short.clear()
      value = this.#make(text)
      this.#short.set(text, value)
    }
    return value
  }
}

/** Whether the text whose words these are is at `[start, end)`, which has its length. */
function isAt(words: Int32Array, view: DataView, start: number, end: number): boolean {
  const lastAt = end - 4
  let index = 0
  for (let at = start; at < lastAt; at += 4) if (words[index++] !== view.getInt32(at, true)) return false
  return words[index] === view.getInt32(lastAt, true)
}
