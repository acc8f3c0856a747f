/**
 * A cursor over JSON bytes: tokens, strings, numbers, and where in the document it is.
 *
 * Strict JSON (RFC 8259): no trailing commas, no comments, no byte order mark, no key twice in one object.
 * Strings without escapes are not copied: they are ranges of the input. Every fault throws
 * `MalformedRequest` with the path of known keys; neither values nor unknown keys are ever quoted.
 */
import { MalformedRequest } from '../errors.ts'

/** Values of unknown keys nest this deep at most, counted with the messages around them. */
export const NESTING_MAX = 100

/** An object may hold this many keys that OTLP does not know; each must be remembered to refuse a second one. */
export const UNKNOWN_KEYS_MAX = 4096

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** One-letter escapes and the bytes that they stand for. */
const ESCAPES: ReadonlyMap<number, number> = new Map([
  [QUOTE, QUOTE],
  [BACKSLASH, BACKSLASH],
  [0x2f, 0x2f],
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
])

/** Scratch state of one conversion. */
export class JsonCursor {
  readonly bytes: Buffer
  at = 0
  /** After `string`: the decoded text is `[textStart, textEnd)` of `text`. */
  text: Buffer
  textStart = 0
  textEnd = 0
  #scratch: Buffer = Buffer.alloc(0)
  #names: string[] = []
  #indexes: number[] = []
  #depth = 0

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.text = this.bytes
  }

  /** Goes into the value of a known key. */
  enter(name: string): void {
    this.#names[this.#depth] = name
    this.#indexes[this.#depth++] = -1
  }

  /** Goes to an element of the list that was entered. */
  element(index: number): void {
    this.#indexes[this.#depth - 1] = index
  }

  leave(): void {
    this.#depth--
  }

  fail(fact: string): never {
    const steps = this.#names.slice(0, this.#depth)
    const path = steps.map((name, step) =>
      this.#indexes[step] < 0 ? name : `${name}[${this.#indexes[step]}]`,
    )
    throw new MalformedRequest(fact, { path: path.join('.') })
  }

  /** The next byte that is no white space, without taking it; -1 at the end. */
  peek(): number {
    const { bytes } = this
    let at = this.at
    let byte = bytes[at]
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++at]
    this.at = at
    return at < bytes.length ? byte : -1
  }

  take(byte: number, fact: string): void {
    if (this.peek() !== byte) this.fail(fact)
    this.at++
  }

  /** Behind a member or element: true if another follows, false if `close` ended the list. */
  another(close: number): boolean {
    const byte = this.peek()
    if (byte !== 0x2c && byte !== close) this.fail('expected a comma or the end of the list')
    this.at++
    return byte === 0x2c
  }

  /** Takes `null` if it comes next. */
  takeNull(): boolean {
    if (this.peek() !== 0x6e) return false
    this.#literal('null')
    return true
  }

  boolean(): boolean {
    const byte = this.peek()
    if (byte === 0x74) {
      this.#literal('true')
      return true
    }
    if (byte !== 0x66) this.fail('expected true or false')
    this.#literal('false')
    return false
  }

  /** Reads a string into `text`. */
  string(fact: string): void {
    if (this.peek() !== QUOTE) this.fail(fact)
    const { bytes } = this
    const start = this.at + 1
    let at = start
    let byte = bytes[at]
    while (byte !== QUOTE && byte !== BACKSLASH && byte >= 0x20) byte = bytes[++at]
    this.at = at
    if (byte === BACKSLASH) {
      this.#unescape(start)
      return
    }
    if (byte !== QUOTE)
      this.fail(at < bytes.length ? 'control character in a string' : 'string without an end')
    this.text = bytes
    this.textStart = start
    this.textEnd = at
    this.at = at + 1
  }

  /** Steps over the value of an unknown key, checking its syntax. */
  skipValue(depth: number): void {
    switch (this.peek()) {
      case 0x7b:
        this.#skipObject(depth + 1)
        return
      case 0x5b:
        this.#skipArray(depth + 1)
        return
      case QUOTE:
        this.string('expected a string')
        return
      case 0x74:
      case 0x66:
        this.boolean()
        return
      case 0x6e:
        this.takeNull()
        return
      default: {
        const end = numberEnd(this.bytes, this.at, this.bytes.length)
        if (end < 0) this.fail('expected a value')
        this.at = end
      }
    }
  }

  /** Remembers the key in `text`; refuses it if the object has it already. */
  rememberKey(keys: Set<string>): void {
    const key = this.text.toString('latin1', this.textStart, this.textEnd)
    if (keys.has(key)) this.fail('a key given twice')
    if (keys.size === UNKNOWN_KEYS_MAX) this.fail('too many unknown keys')
    keys.add(key)
  }

  #skipObject(depth: number): void {
    if (depth > NESTING_MAX) this.fail('nested too deep')
    this.at++
    if (this.peek() === 0x7d) {
      this.at++
      return
    }
    const keys = new Set<string>()
    do {
      this.string('expected a key')
      this.rememberKey(keys)
      this.take(0x3a, 'expected a colon')
      this.skipValue(depth)
    } while (this.another(0x7d))
  }

  #skipArray(depth: number): void {
    if (depth > NESTING_MAX) this.fail('nested too deep')
    this.at++
    if (this.peek() === 0x5d) {
      this.at++
      return
    }
    do this.skipValue(depth)
    while (this.another(0x5d))
  }

  #literal(word: string): void {
    for (let at = 0; at < word.length; at++) {
      if (this.bytes[this.at + at] !== word.charCodeAt(at)) this.fail('expected a value')
    }
    this.at += word.length
  }

  /** From the first escape on: decodes the string into scratch memory, which is never longer than its source. */
  #unescape(start: number): void {
    const { bytes } = this
    const length = this.#lengthToQuote()
    if (this.#scratch.length < this.at - start + length) {
      this.#scratch = Buffer.allocUnsafeSlow(Math.max(256, (this.at - start + length) * 2))
    }
    const out = this.#scratch
    let to = bytes.copy(out, 0, start, this.at)
    for (let byte = bytes[this.at]; byte !== QUOTE; byte = bytes[this.at]) {
      if (byte < 0x20 || byte === undefined) this.fail('control character in a string')
      if (byte !== BACKSLASH) {
        out[to++] = byte
        this.at++
        continue
      }
      const letter = bytes[this.at + 1]
      this.at += 2
      if (letter === 0x75) {
        to = writeUtf8(out, to, this.#codePoint())
      } else {
        const meant = ESCAPES.get(letter)
        if (meant === undefined) this.fail('unknown escape in a string')
        out[to++] = meant
      }
    }
    this.at++
    this.text = out
    this.textStart = 0
    this.textEnd = to
  }

  /** How far it is to the closing quote. */
  #lengthToQuote(): number {
    const { bytes } = this
    let at = this.at
    while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1
    if (at >= bytes.length) this.fail('string without an end')
    return at - this.at
  }

  /** Behind `\u`: the code point, U+FFFD for a surrogate without its other half. */
  #codePoint(): number {
    const unit = this.#hex4(this.at)
    if (unit < 0) this.fail('unknown escape in a string')
    this.at += 4
    if (unit < 0xd800 || unit > 0xdfff) return unit
    const { bytes, at } = this
    const low = bytes[at] === BACKSLASH && bytes[at + 1] === 0x75 ? this.#hex4(at + 2) : -1
    if (unit > 0xdbff || low < 0xdc00 || low > 0xdfff) return 0xfffd
    this.at += 6
    return 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00)
  }

  #hex4(start: number): number {
    let value = 0
    for (let at = start; at < start + 4; at++) {
      const digit = hexDigit(this.bytes[at])
      if (digit < 0) return -1
      value = value * 16 + digit
    }
    return value
  }
}

/** 0 to 15; -1 for a byte that is no hex digit. */
export function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** Where the JSON number at `start` ends; -1 if there is none. */
export function numberEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  if (bytes[at] === 0x2d) at++
  const digits = digitsEnd(bytes, at, end)
  if (digits === at || (bytes[at] === 0x30 && digits > at + 1)) return -1
  at = digits
  if (at < end && bytes[at] === 0x2e) {
    const fraction = digitsEnd(bytes, at + 1, end)
    if (fraction === at + 1) return -1
    at = fraction
  }
  if (at < end && (bytes[at] === 0x65 || bytes[at] === 0x45)) {
    const sign = bytes[at + 1] === 0x2b || bytes[at + 1] === 0x2d ? 2 : 1
    const exponent = digitsEnd(bytes, at + sign, end)
    if (exponent === at + sign) return -1
    at = exponent
  }
  return at
}

function digitsEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && bytes[at] >= 0x30 && bytes[at] <= 0x39) at++
  return at
}

function writeUtf8(out: Uint8Array, start: number, codePoint: number): number {
  let at = start
  if (codePoint < 0x80) {
    out[at++] = codePoint
  } else if (codePoint < 0x800) {
    out[at++] = 0xc0 | (codePoint >> 6)
    out[at++] = 0x80 | (codePoint & 0x3f)
  } else if (codePoint < 0x1_0000) {
    out[at++] = 0xe0 | (codePoint >> 12)
    out[at++] = 0x80 | ((codePoint >> 6) & 0x3f)
    out[at++] = 0x80 | (codePoint & 0x3f)
  } else {
    out[at++] = 0xf0 | (codePoint >> 18)
    out[at++] = 0x80 | ((codePoint >> 12) & 0x3f)
    out[at++] = 0x80 | ((codePoint >> 6) & 0x3f)
    out[at++] = 0x80 | (codePoint & 0x3f)
  }
  return at
}
