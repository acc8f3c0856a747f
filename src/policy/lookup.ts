/**
 * Looks things up in a request that the walk has passed: attributes of a resource, the keys of an item.
 *
 * For what is asked seldom (conditions of accept lines, doubts, findings): each question walks its message anew
 * and leaves the cursor where it was. Ranges are half-open offsets into the request.
 */
import type { AttributeReader } from '../otlp/attribute.ts'
import { type Cursor, LEN, tagOf } from '../otlp/cursor.ts'
import type { Scan } from '../otlp/scan.ts'
import { type ByteString, latin1, textAt } from './family.ts'

export type Range = readonly [start: number, end: number]

const RESOURCE = tagOf(1, LEN)
const RESOURCE_ATTRIBUTE = tagOf(1, LEN)

export class Lookup {
  readonly #cursor: Cursor
  readonly #attribute: AttributeReader
  readonly #scan: Scan

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
}
