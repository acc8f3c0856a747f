/**
 * One walk over an Export*ServiceRequest that finds its envelopes and items, and enters no item.
 *
 *     request ─1─► Resource{Logs,Spans,Metrics} ─2─► Scope{Logs,Spans,Metrics} ─2─► LogRecord | Span | Metric
 *                        └─1─ Resource                     └─1─ InstrumentationScope: the name is kept
 *
 * The three signals share these field numbers, so one walk serves all. Out come ranges, half-open offsets into
 * the request; the bytes are not copied. Every length down to the item is checked. Fields may come in any
 * order; a scope given in pieces is merged, and its last name wins.
 * Source: opentelemetry-proto 1.11, {logs,trace,metrics}/v1 and common/v1.
 */
import { TooLarge } from '../errors.ts'
import { Cursor, LEN, tagOf } from './cursor.ts'

const TAG_1 = tagOf(1, LEN)
const TAG_2 = tagOf(2, LEN)
const TAG_3 = tagOf(3, LEN)

/** Envelopes, and items, that one request may hold: far beyond what SDKs send, and a bound on scratch memory. */
export const rangesMax: number = 1 << 20

/** A growing table of (field, start, end): the offset of a field's tag, of its payload, and behind it. */
export class Ranges {
  fields: Int32Array = new Int32Array(64)
  starts: Int32Array = new Int32Array(64)
  ends: Int32Array = new Int32Array(64)
  count = 0

  add(field: number, start: number, end: number): void {
    const index = this.count
    if (index === this.fields.length) {
      if (index >= rangesMax) {
        throw new TooLarge(`more than ${rangesMax} envelopes or items in one request: send them in several`)
      }
      this.fields = grown(this.fields)
      this.starts = grown(this.starts)
      this.ends = grown(this.ends)
    }
    this.fields[index] = field
    this.starts[index] = start
    this.ends[index] = end
    this.count = index + 1
  }
}

/** The last scan's result. Scratch: it is overwritten by the next scan. */
export class Scan {
  readonly resources: Ranges = new Ranges()
  readonly scopes: Ranges = new Ranges()
  readonly items: Ranges = new Ranges()
  /** What else an envelope holds: pieces of its Resource or InstrumentationScope (field 1), its schema_url (field 3). */
  readonly resourceParts: Ranges = new Ranges()
  readonly scopeParts: Ranges = new Ranges()
  /** Parts of resource `r` are `[firstResourcePart[r], firstResourcePart[r + 1])`; of scope `s` likewise. */
  firstResourcePart: Int32Array = new Int32Array(65)
  firstScopePart: Int32Array = new Int32Array(65)
  /** Scopes of resource `r` are `[firstScope[r], firstScope[r + 1])`. */
  firstScope: Int32Array = new Int32Array(65)
  /** Items of scope `s` are `[firstItem[s], firstItem[s + 1])`. */
  firstItem: Int32Array = new Int32Array(65)
  /** Range of scope `s`'s name; empty where it has none. All tables of scopes grow together, from one size. */
  nameStarts: Int32Array = new Int32Array(65)
  nameEnds: Int32Array = new Int32Array(65)
  /** 1 where scope `s` was given several names that differ: decoders take the last, a doubt remains. */
  nameDoubts: Uint8Array = new Uint8Array(65)

  readonly #cursor = new Cursor()

  /** Walks `request`. Throws `MalformedRequest` or `TooLarge`. */
  walk(request: Uint8Array): void {
    const cursor = this.#cursor
    const end = request.length
    cursor.reset(request, 0)
    this.resources.count = 0
    this.scopes.count = 0
    this.items.count = 0
    this.resourceParts.count = 0
    this.scopeParts.count = 0
    while (cursor.at < end) {
      const field = cursor.at
      const tag = cursor.tag(end)
      if (tag === TAG_1) this.#resource(field, cursor.payloadEnd(end))
      else cursor.skip(tag, end)
    }
    this.firstScope[this.resources.count] = this.scopes.count
    this.firstItem[this.scopes.count] = this.items.count
    this.firstResourcePart[this.resources.count] = this.resourceParts.count
    this.firstScopePart[this.scopes.count] = this.scopeParts.count
  }

  #resource(field: number, end: number): void {
    const cursor = this.#cursor
    const index = this.resources.count
    this.resources.add(field, cursor.at, end)
    if (index + 1 >= this.firstScope.length) {
      this.firstScope = grown(this.firstScope)
      this.firstResourcePart = grown(this.firstResourcePart)
    }
    this.firstScope[index] = this.scopes.count
    this.firstResourcePart[index] = this.resourceParts.count
    while (cursor.at < end) {
      const start = cursor.at
      const tag = cursor.tag(end)
      if (tag === TAG_2) {
        this.#scope(start, cursor.payloadEnd(end))
      } else if (tag === TAG_1 || tag === TAG_3) {
        const partEnd = cursor.payloadEnd(end)
        this.resourceParts.add(start, cursor.at, partEnd)
        cursor.at = partEnd
      } else {
        cursor.skip(tag, end)
      }
    }
  }

  #scope(field: number, end: number): void {
    const cursor = this.#cursor
    const index = this.scopes.count
    this.scopes.add(field, cursor.at, end)
    if (index + 1 >= this.firstItem.length) {
      this.firstItem = grown(this.firstItem)
      this.firstScopePart = grown(this.firstScopePart)
      this.nameStarts = grown(this.nameStarts)
      this.nameEnds = grown(this.nameEnds)
      const doubts = new Uint8Array(this.nameDoubts.length * 2)
      doubts.set(this.nameDoubts)
      this.nameDoubts = doubts
    }
    this.firstItem[index] = this.items.count
    this.firstScopePart[index] = this.scopeParts.count
    this.nameStarts[index] = 0
    this.nameEnds[index] = 0
    this.nameDoubts[index] = 0
    while (cursor.at < end) {
      const start = cursor.at
      const tag = cursor.tag(end)
      if (tag === TAG_2) {
        const itemEnd = cursor.payloadEnd(end)
        this.items.add(start, cursor.at, itemEnd)
        cursor.at = itemEnd
      } else if (tag === TAG_1 || tag === TAG_3) {
        const partEnd = cursor.payloadEnd(end)
        this.scopeParts.add(start, cursor.at, partEnd)
        if (tag === TAG_1) this.#name(index, partEnd)
        cursor.at = partEnd
      } else {
        cursor.skip(tag, end)
      }
    }
  }

  /** Reads the name out of one piece of the scope's InstrumentationScope. */
  #name(index: number, end: number): void {
    const cursor = this.#cursor
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      if (tag === TAG_1) {
        const nameEnd = cursor.payloadEnd(end)
        const before = cursor.bytes.subarray(this.nameStarts[index], this.nameEnds[index])
        const name = cursor.bytes.subarray(cursor.at, nameEnd)
        if (this.nameEnds[index] > 0 && !bytesEqual(before, name)) this.nameDoubts[index] = 1
        this.nameStarts[index] = cursor.at
        this.nameEnds[index] = nameEnd
        cursor.at = nameEnd
      } else {
        cursor.skip(tag, end)
      }
    }
  }
}

/** Whether two byte ranges hold the same bytes. */
export function bytesEqual(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false
  return true
}

function grown(array: Int32Array): Int32Array {
  const larger = new Int32Array(array.length * 2)
  larger.set(array)
  return larger
}
