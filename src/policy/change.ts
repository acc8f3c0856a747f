/**
 * Changes values where they lie: hashes and cuts, reported to a lane's edits as new fields for old ones.
 *
 * A hash is `hmac:` and 32 hex digits of HMAC-SHA-256 over the value's UTF-8, or over the JSON spelling of a number
 * or bool. What cannot be hashed (arrays, kvlists, bytes) is removed; what is shorter than a cut stays as it is.
 */
import { readScalar } from '../otlp/any-value.ts'
import { viewed } from '../otlp/copy.ts'
import { type Cursor, LEN, tagOf } from '../otlp/cursor.ts'
import { type Edits, varintSize, writeVarint } from '../otlp/splice.ts'
import type { Change } from './fields.ts'
import { KeyedHash } from './hmac.ts'

const VALUE = tagOf(2, LEN)
const STRING = tagOf(1, LEN)

/** What a hash keeps of the HMAC. */
const hashDigits = 32

/** What became of a value. */
export type Changed = 'removed' | 'changed' | 'left'

export class ValueChanger {
  readonly #cursor: Cursor
  readonly #edits: Edits
  readonly #keyed: KeyedHash
  #view: Buffer = Buffer.alloc(0)

  constructor(cursor: Cursor, edits: Edits, hashKey: Uint8Array) {
    this.#cursor = cursor
    this.#edits = edits
    this.#keyed = new KeyedHash(hashKey)
  }

  /** Points the changer at a request. */
  begin(bytes: Uint8Array): void {
    this.#view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  /** Changes the value of the KeyValue that is the field `[field, end)`, its payload from `start` on. */
  keyValue(tag: number, field: number, start: number, end: number, changes: readonly Change[]): Changed {
    const pieces: (readonly [number, number])[] = []
    const values: number[] = []
    this.#cursor.eachDelimited(start, end, (valueTag, valueField, payloadStart, payloadEnd) => {
      if (valueTag !== VALUE) return
      pieces.push([payloadStart, payloadEnd])
      values.push(valueField)
    })
    const text = this.#newText(pieces, changes)
    if (text === 'remove') {
      this.#edits.cut(field, end)
      return 'removed'
    }
    if (text === 'leave') return 'left'
    const last = pieces.length - 1
    this.#edits.enter(tag, field, start, end)
    for (let index = 0; index < last; index++) this.#edits.cut(values[index], pieces[index][1])
    this.#putString(values[last], pieces[last][1], VALUE, text)
    this.#edits.leave()
    return 'changed'
  }

  /** Changes the AnyValue that is the field `[field, end)`, its payload from `start` on. */
  anyValue(tag: number, field: number, start: number, end: number, changes: readonly Change[]): Changed {
    const text = this.#newText([[start, end]], changes)
    if (text === 'leave') return 'left'
    if (text === 'remove') {
      this.#edits.cut(field, end)
      return 'removed'
    }
    this.#putString(field, end, tag, text)
    return 'changed'
  }

  /** Puts the changed form of the text in `[start, end)`, a string field of its own, where `[from, to)` was. */
  putText(
    from: number,
    to: number,
    tag: number,
    start: number,
    end: number,
    changes: readonly Change[],
  ): void {
    // A text that is spelt out and empty means the same as an absent one, and nothing is told of either.
    const isChanged = changes.length > 0 && start < end
    if (!isChanged) this.#edits.putBytes(from, to, tag, this.#cursor, start, end)
    else this.putPlain(from, to, tag, this.text(this.#view.subarray(start, end), changes))
  }

  /** Puts `text`, a string field of its own, where `[from, to)` was. */
  putPlain(from: number, to: number, tag: number, text: Uint8Array): void {
    this.#edits.putBytes(from, to, tag, viewed(text), 0, text.length)
  }

  /** The changed form of a text. */
  text(original: Buffer, changes: readonly Change[]): Buffer {
    let text = original
    for (const change of changes) {
      text = change.kind === 'hash' ? this.hash(text) : truncated(text, change.bytesMax)
    }
    return text
  }

  /** The new string of a value that came in pieces, or that it is to go, or to stay. */
  #newText(
    pieces: readonly (readonly [number, number])[],
    changes: readonly Change[],
  ): Buffer | 'remove' | 'leave' {
    const reading = readScalar(this.#cursor, pieces)
    const hashes = changes.some(({ kind }) => kind === 'hash')
    switch (reading.kind) {
      case 'none':
        return 'leave'
      case 'opaque':
        return hashes ? 'remove' : 'leave'
      case 'spelt':
        return hashes ? this.text(Buffer.from(reading.text), changes) : 'leave'
      case 'string': {
        const original = this.#view.subarray(reading.start, reading.end)
        const text = this.text(original, changes)
        return hashes || text.length < original.length ? text : 'leave'
      }
    }
  }

  #putString(from: number, to: number, tag: number, text: Buffer): void {
    const value = new Uint8Array(1 + varintSize(text.length) + text.length)
    value[0] = STRING
    value.set(text, writeVarint(text.length, value, 1))
    this.putPlain(from, to, tag, value)
  }

  /** The hash of a text. */
  hash(text: Uint8Array): Buffer {
    return Buffer.from(`hmac:${this.#keyed.digest(text).slice(0, hashDigits)}`)
  }
}

/** At most `bytesMax` bytes of a UTF-8 text, cut where a character begins. */
function truncated(text: Buffer, bytesMax: number): Buffer {
  if (text.length <= bytesMax) return text
  let end = bytesMax
  while (end > 0 && (text[end] & 0xc0) === 0x80) end--
  return text.subarray(0, end)
}
