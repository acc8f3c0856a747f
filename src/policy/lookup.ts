/**
 * Looks things up in a request that the walk has passed: attributes of a resource, the names of an event.
 *
 * For what is asked seldom (conditions of accept lines, doubts, findings): each question walks its message anew
 * and leaves the cursor where it was. Ranges are half-open offsets into the request.
 */
import { type AttributeReader, skipUnwanted, wantKey } from '../otlp/attribute.ts'
import { type Cursor, LEN, tagOf } from '../otlp/cursor.ts'
import type { Scan } from '../otlp/scan.ts'
import { type ByteString, latin1, textAt } from './family.ts'
import { Memory } from './memory.ts'

export type Range = readonly [start: number, end: number]

const RESOURCE = tagOf(1, LEN)
const RESOURCE_ATTRIBUTE = tagOf(1, LEN)
const EVENT_NAME_KEY: Uint8Array = Buffer.from('event.name')
const eventNameEnds = new Uint8Array(256)
wantKey(eventNameEnds, EVENT_NAME_KEY)

const none: readonly ByteString[] = Object.freeze([])

export class Lookup {
  readonly #cursor: Cursor
  readonly #attribute: AttributeReader
  readonly #scan: Scan
  /** One list for each name, however often it occurs. */
  readonly #names = new Memory<readonly ByteString[]>((name) => [name])
  #eventNames: readonly ByteString[] = none
  #namesStart = 0
  #namesEnd = -1

  constructor(cursor: Cursor, attribute: AttributeReader, scan: Scan) {
    this.#cursor = cursor
    this.#attribute = attribute
    this.#scan = scan
  }

  /** The payload ranges of every field with tag `wanted` in the message `[start, end)`. */
  fields(wanted: number, start: number, end: number): readonly Range[] {
    const cursor = this.#cursor
    const before = cursor.at
    const ranges: Range[] = []
    cursor.at = start
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === wanted) {
        const payloadEnd = cursor.payloadEnd(end)
        ranges.push([cursor.at, payloadEnd])
        cursor.at = payloadEnd
      } else {
        cursor.skip(tag, end)
      }
    }
    cursor.at = before
    return ranges
  }

  /** The attributes of resource `index`, all its pieces together. */
  resourceAttributes(index: number): readonly Range[] {
    const { resources } = this.#scan
    const pieces = this.fields(RESOURCE, resources.starts[index], resources.ends[index])
    return pieces.flatMap(([start, end]) => this.fields(RESOURCE_ATTRIBUTE, start, end))
  }

  /** Every string that the attribute `key` was given. */
  strings(attributes: readonly Range[], key: ByteString): readonly ByteString[] {
    const cursor = this.#cursor
    const attribute = this.#attribute
    const before = cursor.at
    const values: ByteString[] = []
    for (const [start, end] of attributes) {
      attribute.read(cursor, start, end)
      if (attribute.keyEnd - attribute.keyStart !== key.length) continue
      if (latin1(cursor.bytes, attribute.keyStart, attribute.keyEnd) !== key) continue
      if (attribute.readString(cursor)) {
        values.push(latin1(cursor.bytes, attribute.stringStart, attribute.stringEnd))
      }
    }
    cursor.at = before
    return values
  }

  /** The keys of the attributes, as people read them. */
  keys(attributes: readonly Range[]): readonly string[] {
    const cursor = this.#cursor
    const before = cursor.at
    const keys = attributes.map(([start, end]) => {
      this.#attribute.read(cursor, start, end)
      return textAt(cursor.bytes, this.#attribute.keyStart, this.#attribute.keyEnd)
    })
    cursor.at = before
    return [...new Set(keys)]
  }

  /** Forgets the last request. */
  begin(): void {
    this.#namesEnd = -1
  }

  /**
   * The names of the event in `[start, end)`: the strings of attribute `event.name`, else the field with tag
   * `nameTag`. Rules may ask for them several times an event, so the last answer is kept.
   */
  eventNames(attributeTag: number, nameTag: number, start: number, end: number): readonly ByteString[] {
    if (end !== this.#namesEnd || start !== this.#namesStart) {
      const before = this.#cursor.at
      this.#eventNames = this.#readEventNames(attributeTag, nameTag, start, end)
      this.#cursor.at = before
      this.#namesStart = start
      this.#namesEnd = end
    }
    return this.#eventNames
  }

  #readEventNames(attributeTag: number, nameTag: number, start: number, end: number): readonly ByteString[] {
    const cursor = this.#cursor
    const attribute = this.#attribute
    let names: readonly ByteString[] = none
    let field: readonly ByteString[] = none
    cursor.at = start
    while (cursor.at < end) {
      cursor.at = skipUnwanted(cursor.bytes, cursor.at, end, attributeTag, eventNameEnds)
      if (cursor.at === end) break
      const tag = cursor.tag(end)
      if (tag !== attributeTag && tag !== nameTag) {
        cursor.skip(tag, end)
        continue
      }
      const payloadEnd = cursor.payloadEnd(end)
      const payloadStart = cursor.at
      if (tag === nameTag) {
        field = payloadStart < payloadEnd ? this.#names.of(cursor, payloadStart, payloadEnd) : none
      } else {
        attribute.read(cursor, payloadStart, payloadEnd)
        if (
          this.#isEventName() &&
          attribute.readString(cursor) &&
          attribute.stringStart < attribute.stringEnd
        ) {
          const name = this.#names.of(cursor, attribute.stringStart, attribute.stringEnd)
          names = names.length === 0 ? name : [...names, ...name]
        }
      }
      cursor.at = payloadEnd
    }
    return names.length > 0 ? names : field
  }

  #isEventName(): boolean {
    const { keyStart, keyEnd } = this.#attribute
    if (keyEnd - keyStart !== EVENT_NAME_KEY.length) return false
    for (let index = 0; index < EVENT_NAME_KEY.length; index++) {
      if (this.#cursor.bytes[keyStart + index] !== EVENT_NAME_KEY[index]) return false
    }
    return true
  }
}
