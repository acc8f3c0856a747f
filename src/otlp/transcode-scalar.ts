/**
 * One scalar of OTLP/JSON to its protobuf value: numbers, ids, base64, texts.
 *
 * Takes what ProtoJSON takes: numbers bare or in strings, enums as integers only, both base64 alphabets. An
 * integer that does not fit its type is a fault, but for the one that may become a double.
 */
import { hexDigit, type JsonCursor, numberEnd } from './json-cursor.ts'
import { JsonInteger } from './json-integer.ts'
import type { ProtobufWriter } from './protobuf-writer.ts'
import type { Kind } from './schema.ts'
import type { FieldPlan } from './transcode-plan.ts'

type IntegerKind = Exclude<Kind, 'string' | 'hexId' | 'bytes' | 'bool' | 'double' | 'message'>

/** Scratch state of one request. */
export class ScalarTranscoder {
  readonly #json: JsonCursor
  readonly #out: ProtobufWriter
  readonly #integer = new JsonInteger()

  constructor(json: JsonCursor, out: ProtobufWriter) {
    this.#json = json
    this.#out = out
  }

  /** Writes the value. True if it is zero; undefined if it does not fit and nothing was written. */
  scalar(field: FieldPlan): boolean | undefined {
    const out = this.#out
    const json = this.#json
    const { kind } = field
    switch (kind) {
      case 'string':
        json.string('expected a string')
        out.delimited(json.text, json.textStart, json.textEnd)
        return json.textStart === json.textEnd
      case 'hexId':
        json.string('expected a string of hex digits')
        return this.#hex()
      case 'bytes':
        json.string('expected a base64 string')
        return this.#base64()
      case 'bool': {
        const value = json.boolean()
        out.byte(value ? 1 : 0)
        return !value
      }
      case 'double': {
        const value = this.#double()
        out.double(value)
        return Object.is(value, 0)
      }
      case 'message':
        throw new Error('a message is no scalar')
      default:
        return this.#writeInteger(field, kind)
    }
  }

  #writeInteger(field: FieldPlan, kind: IntegerKind): boolean | undefined {
    const out = this.#out
    const fits = this.#readInteger(field)
    const { low, high, negative } = this.#integer
    if (!fits || !isWithin(kind, negative, low, high)) {
      if (field.doubleTag !== 0) return undefined
      this.#json.fail('integer out of range')
    }
    const twosLow = negative ? -low >>> 0 : low
    const twosHigh = negative ? (~high + (low === 0 ? 1 : 0)) >>> 0 : high
    switch (kind) {
      case 'sint32':
        out.varint(negative ? low * 2 - 1 : low * 2)
        break
      case 'fixed32':
        out.fixed32(low)
        break
      case 'fixed64':
      case 'sfixed64':
        out.fixed64(twosLow, twosHigh)
        break
      default:
        out.varint64(twosLow, twosHigh)
    }
    return low === 0 && high === 0
  }

  /** Reads an integer, as a number or in a string. False if it is integral but larger than 64 bits. */
  #readInteger(field: FieldPlan): boolean {
    const json = this.#json
    // An enum in a string would be a name, which OTLP does not allow.
    if (field.kind === 'enum') this.#bareNumber('expected a number')
    else this.#number('expected an integer')
    const fit = this.#integer.read(json.text, json.textStart, json.textEnd)
    if (fit === 'not_integral') json.fail('expected an integer')
    if (fit === 'too_large' && field.doubleTag === 0) json.fail('integer out of range')
    // JSON writes `-0` for an integer too.
    if (this.#integer.low === 0 && this.#integer.high === 0) this.#integer.negative = false
    return fit === 'fits'
  }

  /** Puts the range of a number into the cursor's `text`, be it bare or in a string. */
  #number(fact: string): void {
    const json = this.#json
    if (json.peek() === 0x22) {
      json.string(fact)
      if (numberEnd(json.text, json.textStart, json.textEnd) !== json.textEnd) json.fail(fact)
    } else {
      this.#bareNumber(fact)
    }
  }

  #bareNumber(fact: string): void {
    const json = this.#json
    json.peek()
    const end = numberEnd(json.bytes, json.at, json.bytes.length)
    if (end < 0) json.fail(fact)
    json.text = json.bytes
    json.textStart = json.at
    json.textEnd = end
    json.at = end
  }

  #double(): number {
    const json = this.#json
    if (json.peek() === 0x22) {
      const at = json.at
      json.string('expected a number')
      const word = json.text.toString('latin1', json.textStart, json.textEnd)
      if (word === 'NaN' || word === 'Infinity' || word === '-Infinity') return Number(word)
      json.at = at
    }
    this.#number('expected a number or its string')
    const value = Number(json.text.toString('latin1', json.textStart, json.textEnd))
    if (!Number.isFinite(value)) json.fail('number out of range')
    return value
  }

  /** The last `intValue` again, as a double in the same oneof. */
  widen(field: FieldPlan, start: number): void {
    const json = this.#json
    const value = Number(json.text.toString('latin1', json.textStart, json.textEnd))
    if (!Number.isFinite(value)) json.fail('integer out of range')
    this.#out.at = start
    this.#out.varint(field.doubleTag)
    this.#out.double(value)
  }

  #hex(): boolean {
    const { text, textStart, textEnd } = this.#json
    const length = textEnd - textStart
    if (length % 2 !== 0) this.#json.fail('odd number of hex digits')
    this.#out.varint(length / 2)
    for (let at = textStart; at < textEnd; at += 2) {
      const upper = hexDigit(text[at])
      const lower = hexDigit(text[at + 1])
      if (upper < 0 || lower < 0) this.#json.fail('not a hex digit')
      this.#out.byte(upper * 16 + lower)
    }
    return length === 0
  }

  /** Base64 in the standard or the URL-safe alphabet, with or without padding. */
  #base64(): boolean {
    const { text, textStart, textEnd } = this.#json
    let end = textEnd
    while (end > textStart && textEnd - end < 2 && text[end - 1] === 0x3d) end--
    const isPadded = end < textEnd
    if ((end - textStart) % 4 === 1 || (isPadded && (textEnd - textStart) % 4 !== 0)) {
      this.#json.fail('base64 of an impossible length')
    }
    for (let at = textStart; at < end; at++) {
      if (!isBase64(text[at])) this.#json.fail('not a base64 character')
    }
    const bytes = Buffer.from(text.toString('latin1', textStart, end), 'base64')
    this.#out.delimited(bytes, 0, bytes.length)
    return bytes.length === 0
  }
}

/** Does the integer fit its type? `low` and `high` are the halves of its magnitude. */
function isWithin(kind: Kind, negative: boolean, low: number, high: number): boolean {
  switch (kind) {
    case 'uint64':
    case 'fixed64':
      return !negative
    case 'uint32':
    case 'fixed32':
      return !negative && high === 0
    case 'int64':
    case 'sfixed64':
      return high < 0x8000_0000 || (negative && high === 0x8000_0000 && low === 0)
    default:
      return high === 0 && low <= (negative ? 0x8000_0000 : 0x7fff_ffff)
  }
}

function isBase64(byte: number): boolean {
  const lower = byte | 0x20
  const isLetter = lower >= 0x61 && lower <= 0x7a && byte >= 0x41
  const isDigit = byte >= 0x30 && byte <= 0x39
  return isLetter || isDigit || byte === 0x2b || byte === 0x2f || byte === 0x2d || byte === 0x5f
}
