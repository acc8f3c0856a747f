/**
 * OTLP/JSON to protobuf in one pass over the bytes, driven by the field table.
 *
 * JSON is read as SDKs write it: 64-bit integers as numbers or strings, ids as hex in either case, `null`
 * as absent, `{}` as a message that is present and empty, unknown keys stepped over. Nothing is lost: an
 * integral `intValue` beyond int64, as the JavaScript SDK sends it, becomes a `doubleValue`. Fields are
 * written in the order in which they come. Bytes that are not UTF-8, and lone surrogates, become U+FFFD.
 * Faults throw `MalformedRequest` with the path; content is never quoted.
 * Source: opentelemetry-proto docs/specification.md, "JSON Protobuf Encoding"; protobuf.dev, "ProtoJSON".
 */
import { isUtf8 } from 'node:buffer'
import { hexDigit, JsonCursor, NESTING_MAX, numberEnd } from './json-cursor.ts'
import { JsonInteger } from './json-integer.ts'
import { ProtobufWriter } from './protobuf-writer.ts'
import { type Field, type Kind, MESSAGES } from './schema.ts'
import { SIGNAL_TRAITS, type Signal } from './signal.ts'

/** Protobuf bytes of the request. Throws `MalformedRequest` with the path of what is wrong. */
export function jsonToProtobuf(json: Uint8Array, signal: Signal): Uint8Array {
  const text = isUtf8(json) ? json : Buffer.from(Buffer.from(json).toString('utf8'))
  return new Transcoder(text).request(SIGNAL_TRAITS[signal].requestMessage)
}

/** A field as the transcoder needs it. */
interface FieldPlan {
  readonly name: string
  readonly nameBytes: Uint8Array
  /** One bit for each field of a message. */
  readonly bit: number
  readonly kind: Kind
  readonly repeated: boolean
  readonly packed: boolean
  readonly presence: boolean
  readonly isOneof: boolean
  readonly tag: number
  readonly message: string | undefined
  /** Where an integer goes that does not fit: the tag of the double in the same oneof, or 0. */
  readonly doubleTag: number
}

/** The fields of a message by the length of their JSON names. */
type MessagePlan = readonly (readonly FieldPlan[])[]

const WIRE_TYPES: Readonly<Record<Kind, number>> = {
  string: 2,
  bytes: 2,
  hexId: 2,
  message: 2,
  bool: 0,
  int32: 0,
  uint32: 0,
  sint32: 0,
  int64: 0,
  uint64: 0,
  enum: 0,
  fixed32: 5,
  fixed64: 1,
  sfixed64: 1,
  double: 1,
}

const PLANS: ReadonlyMap<string, MessagePlan> = new Map(
  Object.entries(MESSAGES).map(([message, fields]) => [message, planOf(fields)]),
)

function planOf(fields: readonly Field[]): MessagePlan {
  const lengthMax = Math.max(...fields.map((field) => field.name.length))
  const plans = fields.map((field, index): FieldPlan => {
    const double = fields.find((one) => one.oneof !== undefined && one.kind === 'double')
    const widens = field.kind === 'int64' && field.oneof !== undefined && double !== undefined
    return {
      name: field.name,
      nameBytes: Buffer.from(field.name),
      bit: 1 << index,
      kind: field.kind,
      repeated: field.repeated,
      packed: field.packed,
      presence: field.presence,
      isOneof: field.oneof !== undefined,
      tag: field.number * 8 + (field.packed ? 2 : WIRE_TYPES[field.kind]),
      message: field.message,
      doubleTag: widens ? double.number * 8 + WIRE_TYPES.double : 0,
    }
  })
  return Array.from({ length: lengthMax + 1 }, (_, length) =>
    plans.filter((plan) => plan.name.length === length),
  )
}

/** Scratch state of one request. */
class Transcoder {
  readonly #json: JsonCursor
  readonly #out: ProtobufWriter
  readonly #integer = new JsonInteger()

  constructor(json: Uint8Array) {
    this.#json = new JsonCursor(json)
    this.#out = new ProtobufWriter(json.length >>> 1)
  }

  request(message: string): Uint8Array {
    this.#message(message, 0)
    if (this.#json.peek() !== -1) this.#json.fail('something behind the request')
    return this.#out.finish()
  }

  /** `depth` counts the messages around this one. */
  #message(message: string, depth: number): void {
    const json = this.#json
    if (depth > NESTING_MAX) json.fail('nested too deep')
    const plan = PLANS.get(message)
    if (plan === undefined) throw new Error(`no message of OTLP: ${message}`)
    json.take(0x7b, 'expected an object')
    if (json.peek() === 0x7d) {
      json.at++
      return
    }
    let seen = 0
    let oneofs = 0
    let unknown: Set<string> | undefined
    do {
      json.string('expected a key')
      const field = fieldOf(plan, json)
      if (field === undefined) {
        unknown ??= new Set()
        json.rememberKey(unknown)
        json.take(0x3a, 'expected a colon')
        json.skipValue(depth)
        continue
      }
      json.enter(field.name)
      if ((seen & field.bit) !== 0) json.fail('a key given twice')
      seen |= field.bit
      json.take(0x3a, 'expected a colon')
      if (!json.takeNull()) {
        if (field.isOneof && oneofs++ > 0) json.fail('a second value where one is allowed')
        if (field.repeated) this.#list(field, depth)
        else this.#single(field, depth)
      }
      json.leave()
    } while (json.another(0x7d))
  }

  #list(field: FieldPlan, depth: number): void {
    const json = this.#json
    const out = this.#out
    json.take(0x5b, 'expected a list')
    if (json.peek() === 0x5d) {
      json.at++
      return
    }
    let start = 0
    if (field.packed) {
      out.varint(field.tag)
      start = out.open()
    }
    let index = 0
    do {
      json.element(index++)
      if (field.packed) this.#scalar(field)
      else {
        out.varint(field.tag)
        if (field.message === undefined) this.#scalar(field)
        else this.#nested(field.message, depth)
      }
    } while (json.another(0x5d))
    if (field.packed) out.close(start)
  }

  #single(field: FieldPlan, depth: number): void {
    const out = this.#out
    const start = out.at
    out.varint(field.tag)
    if (field.message !== undefined) {
      this.#nested(field.message, depth)
      return
    }
    const isZero = this.#scalar(field)
    // A zero says nothing where there is no presence, as every protobuf encoder has it.
    if (isZero && !field.presence) out.at = start
    // The tag is written before the value is known: here it was an integer that only a double can hold.
    else if (isZero === undefined) this.#widen(field, start)
  }

  #nested(message: string, depth: number): void {
    const start = this.#out.open()
    this.#message(message, depth + 1)
    this.#out.close(start)
  }

  /** Writes the value. True if it is zero; undefined if it does not fit and nothing was written. */
  #scalar(field: FieldPlan): boolean | undefined {
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

  #writeInteger(
    field: FieldPlan,
    kind: Exclude<Kind, 'string' | 'hexId' | 'bytes' | 'bool' | 'double' | 'message'>,
  ) {
    const out = this.#out
    const fits = this.#readInteger(field, kind !== 'enum')
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
  #readInteger(field: FieldPlan, inStringsToo: boolean): boolean {
    this.#number(inStringsToo ? 'expected an integer' : 'expected a number')
    const json = this.#json
    const fit = this.#integer.read(json.text, json.textStart, json.textEnd)
    if (fit === 'not_integral') json.fail('expected an integer')
    if (fit === 'too_large' && field.doubleTag === 0) json.fail('integer out of range')
    // JSON writes `-0` for an integer too.
    if (this.#integer.low === 0 && this.#integer.high === 0) this.#integer.negative = false
    return fit === 'fits'
  }

  /** Puts the range of a number into the cursor's `text`, be it bare or, but for enums, in a string. */
  #number(fact: string): void {
    const json = this.#json
    if (json.peek() === 0x22 && fact !== 'expected a number') {
      json.string(fact)
      if (numberEnd(json.text, json.textStart, json.textEnd) !== json.textEnd) json.fail(fact)
      return
    }
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
  #widen(field: FieldPlan, start: number): void {
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

function fieldOf(plan: MessagePlan, json: JsonCursor): FieldPlan | undefined {
  const { text, textStart } = json
  const length = json.textEnd - textStart
  if (length >= plan.length) return undefined
  const fields = plan[length]
  next: for (let index = 0; index < fields.length; index++) {
    const { nameBytes } = fields[index]
    for (let at = 0; at < length; at++) {
      if (nameBytes[at] !== text[textStart + at]) continue next
    }
    return fields[index]
  }
  return undefined
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
