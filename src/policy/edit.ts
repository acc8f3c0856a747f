/**
 * Enforces a lane's field policy on one message that was read: reports cuts and new values to the lane's edits.
 *
 * One walk over the rows of the message, in the order of the document, led by its plan. What stays is not touched;
 * only the path to an edited attribute is rewritten. Every occurrence of a removed key goes. Inside kvlists and
 * arrays each entry is judged by its own path. Pure: it records edits, counts what no rule decided, and tells a
 * witness. No value is ever made known to either.
 */
import { ARRAY, KVLIST } from '../otlp/any-value.ts'
import { AttributeReader } from '../otlp/attribute.ts'
import { type Viewed, viewed } from '../otlp/copy.ts'
import { type Cursor, LEN, tagOf, VARINT } from '../otlp/cursor.ts'
import type { Edits } from '../otlp/splice.ts'
import { ANY_SHAPE } from '../otlp/usual.ts'
import { ValueChanger } from './change.ts'
import { EntryEditor, type FieldListeners, type FieldWitness, type UndecidedListener } from './edit-entry.ts'
import { fromByteString, latin1 } from './family.ts'
import type { Change, FieldAction, FieldContext, PlaceContexts } from './fields.ts'
import { EVENT_NAME, type Key } from './keys.ts'
import type { Place } from './place.ts'
import { ATTRIBUTE, BODY, COUNT, ENTITY, EVENT, MESSAGE, type Plan, TEXT } from './plan.ts'
import type { Reading } from './reading.ts'

const ENTITY_KEYS: ReadonlySet<number> = new Set([tagOf(3, LEN), tagOf(4, LEN)])
const BODY_TAG = tagOf(5, LEN)
const EVENT_COUNT_TAG = tagOf(12, VARINT)
const SCHEMA_URL_TAG = tagOf(3, LEN)
const uint32Max = 0xffff_ffff

/** What is left to call an item by. */
const FALLBACK_NAMES: Readonly<Record<'event' | 'span', Viewed>> = {
  event: viewed(Buffer.from('event')),
  span: viewed(Buffer.from('span')),
}

/** The item that is walked. */
export interface EditedItem {
  readonly contexts: PlaceContexts
  /** Range of the target where it is a string, for a removed span name; empty if there is none. */
  readonly targetStart: number
  readonly targetEnd: number
}

/** A message in a reading: its rows `[first, last)`, and where it ends in the request. */
export interface Rows {
  readonly reading: Reading
  readonly first: number
  readonly last: number
  readonly end: number
}

/** What the walk asks of its caller when it meets an event of a span. */
export interface SpanHost {
  /** The event in `row` of the reading: walk it, or cut it. Called in the order of the document. */
  event(reading: Reading, row: number): void
  /** How many events were dropped from the current span. */
  readonly droppedEvents: number
}

/** Walks messages for one lane. Scratch, reused from item to item. */
export class FieldEditor implements FieldListeners {
  readonly #cursor: Cursor
  readonly #edits: Edits
  readonly #values: ValueChanger
  readonly #entries: EntryEditor
  readonly #attribute = new AttributeReader()
  #bytes: Uint8Array = new Uint8Array(0)
  /** Counts attributes that no rule decided. */
  undecided: UndecidedListener | undefined
  witness: FieldWitness | undefined

  constructor(cursor: Cursor, edits: Edits, hashKey: Uint8Array) {
    this.#cursor = cursor
    this.#edits = edits
    this.#values = new ValueChanger(cursor, edits, hashKey)
    this.#entries = new EntryEditor(cursor, edits, this.#values, this)
  }

  /** Points the editor at a request. */
  begin(bytes: Uint8Array): void {
    this.#bytes = bytes
    this.#values.begin(bytes)
  }

  /** Enforces the policy on the message in `rows`; its frame, if any, was entered by the caller. */
  message(plan: Plan, rows: Rows, item: EditedItem, host: SpanHost | undefined): void {
    const { reading, last, end } = rows
    const { tags, values, keys } = reading
    const context = item.contexts[plan.place]
    const { kinds } = plan
    const isQuiet = this.witness === undefined
    let removed = 0
    let countRow = -1
    let isNamed = false
    let row = rows.first
    while (row < last) {
      const tag = tags[row]
      switch (kinds[tag]) {
        case ATTRIBUTE: {
          const key = keys[row]
          const action = context.attribute(key)
          const isLeft = action.isPlain && isQuiet && values[row] !== ANY_SHAPE
          if (!isLeft && this.#editAttribute(reading, row, plan.place, context, key, action)) removed++
          break
        }
        case TEXT:
          if (tag === plan.nameTag) {
            this.#editName(plan, rows, row, item, isNamed)
            isNamed = true
          } else {
            this.#editText(plan, reading, row, context)
          }
          break
        case MESSAGE:
          this.#editChild(plan, reading, row, item)
          row = values[row]
          continue
        case EVENT:
          host?.event(reading, row)
          row = values[row]
          continue
        case COUNT:
          countRow = row
          break
        case BODY:
          this.#editBody(reading.fields[row], reading.starts[row], reading.ends[row], item.contexts)
          break
        case ENTITY:
          this.#editEntity(reading, row, context)
          break
      }
      row++
    }
    if (plan.fallbackName !== undefined && !isNamed) this.#putName(plan, rows, end, end, item)
    // A data point has no such count: a tag of 0 would make the whole request unreadable.
    if (removed > 0 && plan.countTag !== 0) this.#raiseCount(reading, countRow, plan.countTag, end, removed)
    const droppedEvents = host?.droppedEvents ?? 0
    if (droppedEvents > 0) {
      const { countField, countEnd, droppedCount } = reading.events
      if (countEnd > 0) this.#edits.cutEarlier(countField, countEnd)
      this.#edits.putVarint(end, EVENT_COUNT_TAG, Math.min(droppedCount + droppedEvents, uint32Max))
    }
  }

  #raiseCount(reading: Reading, row: number, tag: number, end: number, by: number): void {
    let count = 0
    if (row >= 0) {
      this.#cursor.at = reading.starts[row]
      count = this.#cursor.uint32(reading.ends[row])
      this.#edits.cutEarlier(reading.fields[row], reading.ends[row])
    }
    this.#edits.putVarint(end, tag, Math.min(count + by, uint32Max))
  }

  #editChild(plan: Plan, reading: Reading, row: number, item: EditedItem): void {
    const { tags, fields, starts, ends, values } = reading
    const child = plan.children[tags[row]]
    if (child === undefined) return
    this.#edits.enter(tags[row], fields[row], starts[row], ends[row])
    this.message(child, { reading, first: row + 1, last: values[row], end: ends[row] }, item, undefined)
    this.#edits.leave()
  }

  /** Enforces the policy on an envelope's schema_url, the field `[field, end)` with its text from `start` on. */
  schemaUrl(place: Place, context: FieldContext, field: number, start: number, end: number): void {
    const { removes, changes } = this.#textAction(place, context, '@schema_url')
    if (removes) this.#edits.cut(field, end)
    else if (changes.length > 0) this.#values.putText(field, end, SCHEMA_URL_TAG, start, end, changes)
  }

  /** What a carrier span is called: what the policy leaves of its event's name. `attribute` is its `event.name`. */
  carrierName(name: Uint8Array, attribute: Uint8Array | undefined, context: FieldContext): Uint8Array {
    const { removes, changes } = context.name
    if (!removes) return this.#values.text(Buffer.from(name), name.length > 0 ? changes : [])
    const action = context.eventName
    if (attribute === undefined || action.removes) return Buffer.from('event')
    return this.#values.text(Buffer.from(attribute), action.changes)
  }

  /** The hash of a text, as it leaves. */
  hash(text: Uint8Array): Uint8Array {
    return this.#values.hash(text)
  }

  #textAction(place: Place, context: FieldContext, name: string): FieldAction {
    const action = context.text(name)
    this.witness?.(place, name, action)
    return action
  }

  // Attributes.

  /** Edits one attribute; true if it was removed. */
  #editAttribute(
    reading: Reading,
    row: number,
    place: Place,
    context: FieldContext,
    key: Key,
    action: FieldAction,
  ): boolean {
    const tag = reading.tags[row]
    const field = reading.fields[row]
    const start = reading.starts[row]
    const end = reading.ends[row]
    if (!action.isDecided) this.undecided?.flat(place, action, key.text)
    this.witness?.(place, fromByteString(key.text), action)
    if (action.removes) {
      this.#edits.cut(field, end)
      return true
    }
    if (action.changes.length > 0 && !this.#isShort(reading, row, action.changes)) {
      const change = this.#values.keyValue(tag, field, start, end, action.changes)
      if (change !== 'left') return change === 'removed'
    }
    if (reading.values[row] !== ANY_SHAPE || this.#isScalar(start, end)) return false
    this.#edits.enter(tag, field, start, end)
    this.#entries.keyValue(start, end, place, context, [key.text], 0)
    this.#edits.leave()
    return false
  }

  /** Whether the value certainly holds no further attributes. */
  #isScalar(start: number, end: number): boolean {
    this.#attribute.read(this.#cursor, start, end)
    return this.#attribute.isScalar(this.#bytes)
  }

  /** Whether an attribute is a string no longer than any of the changes would leave it. */
  #isShort(reading: Reading, row: number, changes: readonly Change[]): boolean {
    if (reading.values[row] === ANY_SHAPE || !reading.readText(row)) return false
    const length = reading.textEnd - reading.textStart
    for (const change of changes) if (change.kind !== 'truncate' || length > change.bytesMax) return false
    return true
  }

  // Texts.

  #editText(plan: Plan, reading: Reading, row: number, context: FieldContext): void {
    const tag = reading.tags[row]
    const field = reading.fields[row]
    const end = reading.ends[row]
    const { removes, changes } = this.#textAction(plan.place, context, plan.texts[tag])
    if (removes) this.#edits.cut(field, end)
    else if (changes.length > 0) this.#values.putText(field, end, tag, reading.starts[row], end, changes)
  }

  /** The name of a span or an event; `isNamed` if it is not the first. A metric's is a text like any other. */
  #editName(plan: Plan, rows: Rows, row: number, item: EditedItem, isNamed: boolean): void {
    const { reading } = rows
    const context = item.contexts[plan.place]
    if (plan.fallbackName === undefined || !context.name.removes) {
      this.#editText(plan, reading, row, context)
      return
    }
    this.#textAction(plan.place, context, '@name')
    if (isNamed) this.#edits.cut(reading.fields[row], reading.ends[row])
    else this.#putName(plan, rows, reading.fields[row], reading.ends[row], item)
  }

  /** Puts what a removed name falls back to where `[from, to)` was: a name that is safe. */
  #putName(plan: Plan, rows: Rows, from: number, to: number, item: EditedItem): void {
    const context = item.contexts[plan.place]
    if (plan.fallbackName === undefined || !context.name.removes) return
    const tag = plan.nameTag
    const { reading } = rows
    if (plan.fallbackName === 'event' && this.#readEventName(rows, context)) {
      this.#values.putText(from, to, tag, reading.textStart, reading.textEnd, context.eventName.changes)
    } else if (item.targetStart < item.targetEnd) {
      this.#edits.putBytes(from, to, tag, reading.cursor, item.targetStart, item.targetEnd)
    } else {
      const name = FALLBACK_NAMES[plan.fallbackName]
      this.#edits.putBytes(from, to, tag, name, 0, name.bytes.length)
    }
  }

  /** Reads the first `event.name` that stays and is a non-empty string. */
  #readEventName({ reading, first, last }: Rows, context: FieldContext): boolean {
    for (let row = first; row < last; row++) {
      const key = reading.keys[row]
      if ((key.role & EVENT_NAME) === 0 || context.attribute(key).removes) continue
      if (reading.readText(row) && reading.textStart < reading.textEnd) return true
    }
    return false
  }

  // Bodies and entities.

  #editBody(field: number, start: number, end: number, contexts: PlaceContexts): void {
    const action = this.#textAction('log_record', contexts.log_record, '@body')
    const isText = !this.#holdsKvlist(start, end)
    // An undecided kvlist is no text: its entries are judged one by one.
    if (action.removes && (isText || action.isDecided)) {
      this.#edits.cut(field, end)
      return
    }
    if (action.changes.length > 0) {
      const changed = this.#values.anyValue(BODY_TAG, field, start, end, action.changes)
      if (changed !== 'left') return
    }
    if (isText && this.#isFlat(start, end)) return
    this.#edits.enter(BODY_TAG, field, start, end)
    this.#entries.anyValue(start, end, 'body', contexts.body, [], 0)
    this.#edits.leave()
  }

  #holdsKvlist(start: number, end: number): boolean {
    let holds = false
    this.#cursor.eachDelimited(start, end, (tag) => {
      if (tag === KVLIST) holds = true
    })
    return holds
  }

  #isFlat(start: number, end: number): boolean {
    let isFlat = true
    this.#cursor.eachDelimited(start, end, (tag) => {
      if (tag === ARRAY || tag === KVLIST) isFlat = false
    })
    return isFlat
  }

  #editEntity(reading: Reading, row: number, context: FieldContext): void {
    const start = reading.starts[row]
    const end = reading.ends[row]
    // Its type and schema_url are text that no line can name: where the unnamed goes, they go.
    if (context.removesUnlisted || this.#namesRemovedKey(start, end, context))
      this.#edits.cut(reading.fields[row], end)
  }

  /** Whether the EntityRef in `[start, end)` names a key that the lane does not keep: the reference would be orphaned. */
  #namesRemovedKey(start: number, end: number, context: FieldContext): boolean {
    let isOrphan = false
    this.#cursor.eachDelimited(start, end, (tag, _, keyStart, keyEnd) => {
      if (ENTITY_KEYS.has(tag) && context.named(latin1(this.#bytes, keyStart, keyEnd)).removes)
        isOrphan = true
    })
    return isOrphan
  }
}
