/**
 * An item, read once: a row for each field that anybody asks for, in the order of the document.
 *
 *     span ─► attribute attribute [event ─► time name attribute … ] attribute [link ─► …] …
 *             row       row        row      row  row  row           row        row
 *
 * Whoever judges, edits or moves the item reads rows, and no byte of it again but those that are asked for. A row of
 * a message is followed by the rows of what is in it. Attributes in the shape that SDKs write (a key, then one scalar)
 * are recognised by a few words of four bytes; every other shape goes the general way, and is marked. What nobody asks
 * for has no row. Throws `MalformedRequest` for what cannot be read, and `TooLarge`. Scratch, reused from item to item.
 * Source: opentelemetry-proto 1.11; protobuf.dev/programming-guides/encoding.
 */
import { TooLarge } from '../errors.ts'
import { AttributeReader } from '../otlp/attribute.ts'
import { Cursor, LEN, tagOf } from '../otlp/cursor.ts'
import { ANY_SHAPE, behindNumber, isEndedByValue, NOT_TEXT, usualValue } from '../otlp/usual.ts'
import { type Key, Keys, type KeyTraits } from './keys.ts'
import { ATTRIBUTE, COUNT, EVENT, EVENT_COUNT, FACT, MESSAGE, type Plan, SKIP, TEXT } from './plan.ts'
import { SpanEvents } from './span-events.ts'

// What other modules know, too, is looked up each time that it is used: too dear for what is done for every attribute.
const keyTag = tagOf(1, LEN)
const anyShape = ANY_SHAPE
const skipped = SKIP
const fact = FACT
const event = EVENT
const delimited = LEN

/** Rows that one item may have: far beyond what SDKs send, and a bound on scratch memory. */
export const rowsMax: number = 1 << 20
/** One large item does not keep its memory for ever. */
const rowsKept = 1 << 14

/** What is asked of an item: its attributes with a role; what may be edited or moved; all of its fields. */
export type Wanted = 'roles' | 'edits' | 'all'

/** Rows of attributes that have a role. */
export class Notes {
  rows: Int32Array = new Int32Array(64)
  count = 0

  add(row: number): void {
    if (this.count === this.rows.length) this.rows = grown(this.rows)
    this.rows[this.count++] = row
  }
}

export class Reading {
  tags: Int32Array = new Int32Array(256)
  /** Offset of the field's tag, of its payload (of its value, where it has no length), and behind it. */
  fields: Int32Array = new Int32Array(256)
  starts: Int32Array = new Int32Array(256)
  ends: Int32Array = new Int32Array(256)
  /** Of an attribute: where its string starts, NOT_TEXT or ANY_SHAPE. Of a message: the row behind what is in it. */
  values: Int32Array = new Int32Array(256)
  /** Of attributes. What stands in other rows means nothing. */
  keys: Key[] = []
  count = 0
  /** Of the item itself, and of what is in its messages. */
  readonly notes: Notes = new Notes()
  readonly innerNotes: Notes = new Notes()
  readonly events: SpanEvents = new SpanEvents()
  /** The event name that a log record has as a field of its own; empty if it has none. */
  nameStart = 0
  nameEnd = 0
  /** After `readText`: the range of the string, and whether another decoder could read another one. */
  textStart = 0
  textEnd = 0
  doubt = false
  /** Whether more is wanted than the attributes that have a role; and, of attributes, those that nobody edits. */
  #isWhole = true
  #keepsInert = true
  readonly cursor: Cursor = new Cursor()
  readonly #attribute = new AttributeReader()
  /** The key that was read last. */
  #previous: Key
  readonly #traitsOf: (plan: Plan) => KeyTraits
  readonly #number: () => number
  readonly #keysByPlan = new Map<Plan, Keys>()
  /** The plans asked for last: a span's and its events' take turns. */
  #lastPlan: Plan | undefined
  #lastKeys: Keys | undefined
  #otherPlan: Plan | undefined
  #otherKeys: Keys | undefined

  /** `traitsOf`: what the policy says of the keys in a kind of message. `number` gives each key its id. */
  constructor(traitsOf: (plan: Plan) => KeyTraits, number: () => number) {
    this.#traitsOf = traitsOf
    this.#number = number
    this.#previous = new Keys({ roles: new Map(), isInert: () => false }, number).none
  }

  /** Points the reading at a request. */
  begin(request: Uint8Array, wanted: Wanted): void {
    this.cursor.reset(request, 0)
    this.#isWhole = wanted !== 'roles'
    this.#keepsInert = wanted === 'all'
    this.#forget()
  }

  /** Reads the message in `[start, end)`. */
  read(plan: Plan, start: number, end: number): void {
    if (this.fields.length > rowsKept) this.#shrink()
    this.#forget()
    this.#message(plan, start, end, this.notes)
  }

  /** Whether the attribute in `row` is a string, which is then in `[textStart, textEnd)`. */
  readText(row: number): boolean {
    const value = this.values[row]
    if (value !== ANY_SHAPE) {
      this.textStart = value
      this.textEnd = this.ends[row]
      this.doubt = false
      return value !== NOT_TEXT
    }
    const attribute = this.#attribute
    attribute.read(this.cursor, this.starts[row], this.ends[row])
    const isText = attribute.readString(this.cursor)
    this.textStart = attribute.stringStart
    this.textEnd = attribute.stringEnd
    this.doubt = attribute.doubt
    return isText
  }

  #forget(): void {
    this.count = 0
    this.notes.count = 0
    this.innerNotes.count = 0
    this.events.clear()
    this.nameStart = 0
    this.nameEnd = 0
  }

  #shrink(): void {
    for (const column of ['tags', 'fields', 'starts', 'ends', 'values'] as const)
      this[column] = new Int32Array(256)
    this.keys = []
  }

  #message(plan: Plan, start: number, end: number, notes: Notes): void {
    const { bytes, view } = this.cursor
    const { attributeTag, kinds } = plan
    const keys = this.#keysOf(plan)
    /** Beyond it no four bytes can be read at once. */
    const wordsEnd = Math.min(end, bytes.length - 4)
    const keepsInert = this.#keepsInert
    let previous = keys.none
    let at = start
    while (at < end) {
      if (at < wordsEnd) {
        const head = view.getInt32(at, true)
        const tag = head & 0xff
        if (tag === attributeTag) {
          this.#previous = previous
          const next = this.#attributes(keys, tag, at, end, wordsEnd, notes)
          previous = this.#previous
          if (next > at) {
            at = next
            continue
          }
        } else if (tag < 0x80) {
          const kind = kinds[tag]
          if ((tag & 7) === delimited) {
            let size = (head >> 8) & 0xff
            let from = at + 2
            if (size >= 0x80) {
              const high = (head >> 16) & 0xff
              // A length of three bytes, or more, is read the general way.
              size = high < 0x80 ? (size & 0x7f) | (high << 7) : end
              from++
            }
            const stop = from + size
            if (stop <= end) {
              if (kind === event) this.#event(plan, keys, tag, at, from, stop)
              else if (kind !== skipped) this.#delimited(plan, keys, kind, tag, at, from, stop, notes)
              at = stop
              continue
            }
          } else if (kind === skipped || (kind === fact && !keepsInert)) {
            const next = behindNumber(tag, head, at)
            if (next !== 0 && next <= end) {
              at = next
              continue
            }
          }
        }
      }
      at = this.#field(plan, keys, at, end, notes)
    }
  }

  /** Reads attributes in the usual shape, as many as follow each other from `start` on; returns the offset behind them. */
  #attributes(keys: Keys, tag: number, start: number, end: number, wordsEnd: number, notes: Notes): number {
    const { bytes, view } = this.cursor
    const isWhole = this.#isWhole
    const keepsInert = this.#keepsInert
    const { lengthsWithRole } = keys
    let previous = this.#previous
    let at = start
    while (at < wordsEnd) {
      const head = view.getInt32(at, true)
      if ((head & 0xff) !== tag) break
      // The attribute's length takes one byte or two; then come the tag and the length of its key.
      const isShort = (head & 0x8000) === 0
      const from = isShort ? at + 2 : at + 3
      const size = isShort ? (head >> 8) & 0x7f : ((head >> 8) & 0x7f) | ((head >> 9) & 0x3f80)
      const keyHead = isShort ? head >>> 16 : (head >>> 24) | (bytes[from + 1] << 8)
      const keySize = keyHead >> 8
      const keyEnd = from + 2 + keySize
      const stop = from + size
      if ((keyHead & 0x80ff) !== keyTag || (!isShort && (head & 0x80_0000) !== 0)) break
      if (keyEnd + 4 > stop || stop > end) break
      if (!isWhole && lengthsWithRole[keySize] === 0) {
        if (!isEndedByValue(view, keyEnd, stop)) break
      } else {
        const value = usualValue(bytes, view, keyEnd, stop)
        if (value === anyShape) break
        const key = keys.after(previous, view, from + 2, keySize)
        previous = key
        const isWanted = isWhole ? keepsInert || !key.isInert : key.role !== 0
        if (isWanted) this.#add(tag, at, from, stop, value, key, notes)
      }
      at = stop
    }
    this.#previous = previous
    return at
  }

  /** Reads the field at `at` the general way, and returns the offset behind it. */
  #field(plan: Plan, keys: Keys, at: number, end: number, notes: Notes): number {
    const { cursor } = this
    cursor.at = at
    const tag = cursor.tag(end)
    const kind = tag < 256 ? plan.kinds[tag] : SKIP
    const from = cursor.at
    if ((tag & 7) !== LEN) {
      cursor.skip(tag, end)
      const behind = cursor.at
      if (kind === EVENT_COUNT) {
        cursor.at = from
        this.events.noteCount(at, behind, cursor.uint32(end))
      } else if ((kind === COUNT && this.#isWhole) || (kind === FACT && this.#keepsInert)) {
        this.#add(tag, at, from, behind, NOT_TEXT, keys.none, notes)
      }
      return behind
    }
    const behind = cursor.payloadEnd(end)
    if (kind !== SKIP) this.#delimited(plan, keys, kind, tag, at, cursor.at, behind, notes)
    return behind
  }

  /** A field that has a length, and whose payload is `[start, end)`. */
  #delimited(
    plan: Plan,
    keys: Keys,
    kind: number,
    tag: number,
    field: number,
    start: number,
    end: number,
    notes: Notes,
  ): void {
    switch (kind) {
      case ATTRIBUTE: {
        const attribute = this.#attribute
        attribute.read(this.cursor, start, end)
        const key = keys.of(this.cursor.bytes, attribute.keyStart, attribute.keyEnd)
        if (this.#isWhole || key.role !== 0) this.#add(tag, field, start, end, ANY_SHAPE, key, notes)
        break
      }
      case EVENT:
        this.#event(plan, keys, tag, field, start, end)
        break
      case MESSAGE:
        if (this.#isWhole) this.#child(plan, keys, tag, field, start, end)
        break
      case TEXT:
        if (tag === plan.eventNameTag) {
          this.nameStart = start
          this.nameEnd = end
        }
        if (this.#isWhole) this.#add(tag, field, start, end, NOT_TEXT, keys.none, notes)
        break
      case FACT:
        if (this.#keepsInert) this.#add(tag, field, start, end, NOT_TEXT, keys.none, notes)
        break
      default:
        if (this.#isWhole) this.#add(tag, field, start, end, NOT_TEXT, keys.none, notes)
    }
  }

  #event(plan: Plan, keys: Keys, tag: number, field: number, start: number, end: number): void {
    const { events, innerNotes } = this
    const index = events.add(field, start, end)
    events.firstNotes[index] = innerNotes.count
    this.nameStart = 0
    this.nameEnd = 0
    const child = plan.children[tag]
    if (this.#isWhole) this.#child(plan, keys, tag, field, start, end)
    else if (child !== undefined) this.#message(child, start, end, innerNotes)
    events.lastNotes[index] = innerNotes.count
    events.nameStarts[index] = this.nameStart
    events.nameEnds[index] = this.nameEnd
  }

  #child(plan: Plan, keys: Keys, tag: number, field: number, start: number, end: number): void {
    const child = plan.children[tag]
    const row = this.count
    this.#add(tag, field, start, end, 0, keys.none, this.innerNotes)
    if (child !== undefined) this.#message(child, start, end, this.innerNotes)
    this.values[row] = this.count
  }

  #keysOf(plan: Plan): Keys {
    if (plan === this.#lastPlan && this.#lastKeys !== undefined) return this.#lastKeys
    const isOther = plan === this.#otherPlan && this.#otherKeys !== undefined
    const keys = isOther ? this.#otherKeys : this.#keysByPlan.get(plan)
    const found = keys ?? new Keys(this.#traitsOf(plan), this.#number)
    if (keys === undefined) this.#keysByPlan.set(plan, found)
    this.#otherPlan = this.#lastPlan
    this.#otherKeys = this.#lastKeys
    this.#lastPlan = plan
    this.#lastKeys = found
    return found
  }

  #add(tag: number, field: number, start: number, end: number, value: number, key: Key, notes: Notes): void {
    const row = this.count
    if (row === this.fields.length) this.#grow()
    this.tags[row] = tag
    this.fields[row] = field
    this.starts[row] = start
    this.ends[row] = end
    this.values[row] = value
    this.keys[row] = key
    this.count = row + 1
    if (key.role !== 0) notes.add(row)
  }

  #grow(): void {
    if (this.count >= rowsMax)
      throw new TooLarge(`more than ${rowsMax} fields in one item: send fewer in each`)
    this.tags = grown(this.tags)
    this.fields = grown(this.fields)
    this.starts = grown(this.starts)
    this.ends = grown(this.ends)
    this.values = grown(this.values)
  }
}

function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2)
  larger.set(array)
  return larger
}
