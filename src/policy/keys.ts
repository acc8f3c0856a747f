/**
 * The keys of attributes, as one object for all occurrences of a key: found by its bytes, without making a text of them.
 *
 * Telemetry says the same again and again: behind a key mostly comes the one that came behind it the last time. So a
 * key is first compared with two guesses, four bytes at a time, and only then looked up. The table never grows: a flood
 * of invented keys costs time, not memory. Keys are copied; what is remembered pins no request. Scratch state owned by
 * a compiled policy.
 */
import { type ByteString, latin1 } from './family.ts'

/** What the policy reads of an attribute beside its key, as bits: who asks need not compare the key again. */
export const TARGET = 1
export const EVENT_NAME = 2
export const LEVEL = 4
export const MESSAGE_TEXT = 8

export interface Key {
  readonly text: ByteString
  readonly length: number
  /** Counts up with every key that is made: an index of small tables, not an identity. */
  readonly id: number
  readonly role: number
  /** Whether an attribute with this key and no other role leaves as it came, on every lane: nobody need look at it. */
  readonly isInert: boolean
  /** The text four bytes at a time, little-endian; the last four overlap those before where they must. */
  readonly words: Int32Array
  /** What came behind it the last time, and before that. */
  next: Key
  other: Key
}

/** Longer keys are made anew each time. It is also the longest key that the usual shape of an attribute has. */
export const KEY_BYTES_MAX = 127

const slots = 1024
/** How many neighbouring slots a key may stand in. */
const ways = 4

/** What stays of four bytes of which a key of 0 to 3 bytes is the beginning. */
const shortMasks: readonly number[] = [0, 0xff, 0xffff, 0xff_ffff]

/** What the policy says of the keys of one kind of message. */
export interface KeyTraits {
  /** By key. Whoever asks a key for its text gets the text that stands here, so that comparing is cheap. */
  readonly roles: ReadonlyMap<ByteString, number>
  readonly isInert: (key: ByteString) => boolean
}

/** The keys of one kind of message. `number` gives them ids. */
export class Keys {
  /** What stands before the first key of a message. */
  readonly none: Key
  /** By length of key, up to KEY_BYTES_MAX: whether one of the length has a role. */
  readonly lengthsWithRole: Uint8Array = new Uint8Array(KEY_BYTES_MAX + 1)
  readonly #traits: KeyTraits
  readonly #known: ReadonlyMap<ByteString, ByteString>
  readonly #number: () => number
  readonly #table: (Key | undefined)[] = new Array<Key | undefined>(slots + ways).fill(undefined)
  /** Which way is given up next. */
  #way = 0
  /** Where a key is copied to that does not lie in the usual shape; room for four bytes to be read at its end. */
  readonly #copied = new Uint8Array(KEY_BYTES_MAX + 4)
  readonly #copiedView = new DataView(this.#copied.buffer)

  constructor(traits: KeyTraits, number: () => number) {
    this.#traits = traits
    this.#known = new Map([...traits.roles.keys()].map((key) => [key, key]))
    this.#number = number
    this.none = new KnownKey('', -1, -1, 0, false, new Int32Array(1))
    for (const key of traits.roles.keys())
      if (key.length <= KEY_BYTES_MAX) this.lengthsWithRole[key.length] = 1
  }

  /**
   * The key of `length` bytes, up to KEY_BYTES_MAX, at `start`, which comes behind `previous`. Four bytes can be read
   * at `start`, however short it is.
   */
  after(previous: Key, view: DataView, start: number, length: number): Key {
    const { next } = previous
    if (next.length === length && isAt(next.words, view, start, length)) return next
    return this.#unguessed(previous, view, start, length)
  }

  /** The key in `[start, end)`, wherever it lies and however long it is. */
  of(bytes: Uint8Array, start: number, end: number): Key {
    const length = end - start
    if (length > KEY_BYTES_MAX) return this.#make(latin1(bytes, start, end), length, new Int32Array(1))
    this.#copied.set(bytes.subarray(start, end))
    return this.#find(this.#copiedView, 0, length)
  }

  #unguessed(previous: Key, view: DataView, start: number, length: number): Key {
    const { next, other } = previous
    const isOther = other.length === length && isAt(other.words, view, start, length)
    const found = isOther ? other : this.#find(view, start, length)
    previous.next = found
    previous.other = next
    return found
  }

  #find(view: DataView, start: number, length: number): Key {
    let hash = length
    if (length < 4) hash = Math.imul(hash, 0x9e3779b1) ^ shortWord(view, start, length)
    else {
      const last = start + length - 4
      for (let at = start; at < last; at += 4) hash = Math.imul(hash, 0x9e3779b1) ^ view.getInt32(at, true)
      hash = Math.imul(hash, 0x9e3779b1) ^ view.getInt32(last, true)
    }
    hash = Math.imul(hash, 0x85ebca6b)
    const slot = (hash ^ (hash >>> 15)) & (slots - 1)
    for (let way = 0; way < ways; way++) {
      const found = this.#table[slot + way]
      if (found === undefined) break
      if (found.length === length && isAt(found.words, view, start, length)) return found
    }
    return this.#remember(view, start, length, slot)
  }

  #remember(view: DataView, start: number, length: number, slot: number): Key {
    const words: number[] = []
    const last = start + length - 4
    if (length < 4) words.push(shortWord(view, start, length))
    else {
      for (let at = start; at < last; at += 4) words.push(view.getInt32(at, true))
      words.push(view.getInt32(last, true))
    }
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
    const key = this.#make(latin1(bytes, start, start + length), length, Int32Array.from(words))
    let way = 0
    while (way < ways && this.#table[slot + way] !== undefined) way++
    if (way === ways) {
      this.#way = (this.#way + 1) % ways
      way = this.#way
    }
    this.#table[slot + way] = key
    return key
  }

  #make(text: ByteString, length: number, words: Int32Array): Key {
    const role = this.#traits.roles.get(text) ?? 0
    const isInert = role === 0 && this.#traits.isInert(text)
    return new KnownKey(this.#known.get(text) ?? text, length, this.#number(), role, isInert, words)
  }
}

/** One hidden shape for all: a key is read for every attribute. A new one guesses itself. */
class KnownKey implements Key {
  readonly text: ByteString
  readonly length: number
  readonly id: number
  readonly role: number
  readonly isInert: boolean
  readonly words: Int32Array
  next: Key
  other: Key

  constructor(
    text: ByteString,
    length: number,
    id: number,
    role: number,
    isInert: boolean,
    words: Int32Array,
  ) {
    this.text = text
    this.length = length
    this.id = id
    this.role = role
    this.isInert = isInert
    this.words = words
    this.next = this
    this.other = this
  }
}

/** Whether the key whose words these are is at `start`, where one of its length lies. */
function isAt(words: Int32Array, view: DataView, start: number, length: number): boolean {
  if (length < 4) return words[0] === shortWord(view, start, length)
  const last = start + length - 4
  let index = 0
  for (let at = start; at < last; at += 4) if (words[index++] !== view.getInt32(at, true)) return false
  return words[index] === view.getInt32(last, true)
}

function shortWord(view: DataView, start: number, length: number): number {
  return view.getInt32(start, true) & shortMasks[length]
}
