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
import { JsonCursor, NESTING_MAX } from './json-cursor.ts'
import { ProtobufWriter } from './protobuf-writer.ts'
import { SIGNAL_TRAITS, type Signal } from './signal.ts'
import { type FieldPlan, fieldOf, planFor } from './transcode-plan.ts'
import { ScalarTranscoder } from './transcode-scalar.ts'

/** Protobuf bytes of the request. Throws `MalformedRequest` with the path of what is wrong. */
export function jsonToProtobuf(json: Uint8Array, signal: Signal): Uint8Array {
  const text = isUtf8(json) ? json : Buffer.from(Buffer.from(json).toString('utf8'))
  return new Transcoder(text).request(SIGNAL_TRAITS[signal].requestMessage)
}

/** Scratch state of one request. */
class Transcoder {
  readonly #json: JsonCursor
  readonly #out: ProtobufWriter
  readonly #scalars: ScalarTranscoder

  constructor(json: Uint8Array) {
    this.#json = new JsonCursor(json)
    this.#out = new ProtobufWriter(json.length >>> 1)
    this.#scalars = new ScalarTranscoder(this.#json, this.#out)
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
    const plan = planFor(message)
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
      if (field.packed) this.#scalars.scalar(field)
      else {
        out.varint(field.tag)
        if (field.message === undefined) this.#scalars.scalar(field)
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
    const isZero = this.#scalars.scalar(field)
    // A zero says nothing where there is no presence, as every protobuf encoder has it.
    if (isZero && !field.presence) out.at = start
    // The tag is written before the value is known: here it was an integer that only a double can hold.
    else if (isZero === undefined) this.#scalars.widen(field, start)
  }

  #nested(message: string, depth: number): void {
    const start = this.#out.open()
    this.#message(message, depth + 1)
    this.#out.close(start)
  }
}
