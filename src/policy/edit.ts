/**
 * Enforces a lane's field policy on one message where it lies: reports cuts and new values to the lane's edits.
 *
 * One walk over the message's fields, in the order of the document, led by its plan. What stays is not touched;
 * only the path to an edited attribute is rewritten. Every occurrence of a removed key goes. Inside kvlists and
 * arrays each entry is judged by its own path. Pure: it records edits, counts what no rule decided, and tells a
 * witness. No value is ever made known to either.
 */
import { ARRAY, KVLIST } from '../otlp/any-value.ts'
import { AttributeReader, usualKeyEnd } from '../otlp/attribute.ts'
import { type Cursor, LEN, tagOf, VARINT } from '../otlp/cursor.ts'
import type { Edits } from '../otlp/splice.ts'
import { ValueChanger } from './change.ts'
import { EntryEditor, type FieldListeners, type FieldWitness, type UndecidedListener } from './edit-entry.ts'
import { latin1, textAt } from './family.ts'
import type { Change, FieldAction, FieldContext, PlaceContexts } from './fields.ts'
import type { Place } from './place.ts'
import { ATTRIBUTE, BODY, COUNT, ENTITY, EVENT, EVENT_COUNT, MESSAGE, type Plan, SKIP, TEXT } from './plan.ts'

const ENTITY_KEYS: ReadonlySet<number> = new Set([tagOf(3, LEN), tagOf(4, LEN)])
const BODY_TAG = tagOf(5, LEN)
const EVENT_COUNT_TAG = tagOf(12, VARINT)
const SCHEMA_URL_TAG = tagOf(3, LEN)
const uint32Max = 0xffff_ffff
const eventNameKey = Buffer.from('event.name')

/** The item that is walked. */
export interface EditedItem {
  readonly contexts: PlaceContexts
  /** Range of the target where it is a string, for a removed span name; empty if there is none. */
  readonly targetStart: number
  readonly targetEnd: number
}

/** What the walk asks of its caller when it meets an event of a span. */
export interface SpanHost {
  /** The event at `[start, end)`: walk it, or cut it. Called in the order of the document. */
  event(field: number, start: number, end: number): void
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

  /** Enforces the policy on the message in `[start, end)`; its frame, if any, was entered by the caller. */
  message(plan: Plan, start: number, end: number, item: EditedItem, host: SpanHost | undefined): void {
    const cursor = this.#cursor
    const edits = this.#edits
    const context = item.contexts[plan.place]
    const { kinds } = plan
    let removed = 0
    let count = 0
    let countStart = -1
    let countEnd = -1
    let eventCount = 0
    let eventCountStart = -1
    let eventCountEnd = -1
    let eventNameStart = 0
    let eventNameEnd = 0
    let texts: Map<number, readonly [start: number, end: number]> | undefined
    const isQuiet = this.witness === undefined
    cursor.at = start
    while (cursor.at < end) {
      if (isQuiet) this.#skipPlain(plan, context, end)
      const field = cursor.at
      if (field === end) break
      const tag = cursor.tag(end)
      const kind = tag < 128 ? kinds[tag] : SKIP
      switch (kind) {
        case ATTRIBUTE: {
          const attributeEnd = cursor.payloadEnd(end)
          const attributeStart = cursor.at
          if (this.#editAttribute(tag, field, attributeStart, attributeEnd, plan.place, context)) {
            removed++
          } else if (
            plan.fallbackName === 'event' &&
            eventNameStart === eventNameEnd &&
            this.#isEventName(attributeStart, attributeEnd)
          ) {
            eventNameStart = this.#attribute.stringStart
            eventNameEnd = this.#attribute.stringEnd
          }
          cursor.at = attributeEnd
          break
        }
        case TEXT: {
          const textEnd = cursor.payloadEnd(end)
          const action = this.#textAction(plan.place, context, plan.texts[tag])
          if (action.removes || action.changes.length > 0) edits.cut(field, textEnd)
          if (!action.removes && action.changes.length > 0) {
            texts ??= new Map()
            texts.set(tag, [cursor.at, textEnd])
          }
          cursor.at = textEnd
          break
        }
        case MESSAGE: {
          const child = plan.children[tag]
          const childEnd = cursor.payloadEnd(end)
          if (child !== undefined) {
            edits.enter(tag, field, cursor.at, childEnd)
            this.message(child, cursor.at, childEnd, item, undefined)
            edits.leave()
          }
          cursor.at = childEnd
          break
        }
        case COUNT:
          count = cursor.uint32(end)
          countStart = field
          countEnd = cursor.at
          break
        case BODY: {
          const bodyEnd = cursor.payloadEnd(end)
          this.#editBody(field, cursor.at, bodyEnd, item.contexts)
          cursor.at = bodyEnd
          break
        }
        case ENTITY: {
          const entityEnd = cursor.payloadEnd(end)
          // Its type and schema_url are text that no line can name: where the unnamed goes, they go.
          if (context.removesUnlisted || this.#namesRemovedKey(cursor.at, entityEnd, context))
            edits.cut(field, entityEnd)
          cursor.at = entityEnd
          break
        }
        case EVENT: {
          const eventEnd = cursor.payloadEnd(end)
          host?.event(field, cursor.at, eventEnd)
          cursor.at = eventEnd
          break
        }
        case EVENT_COUNT:
          eventCount = cursor.uint32(end)
          eventCountStart = field
          eventCountEnd = cursor.at
          break
        default:
          cursor.skip(tag, end)
      }
    }
    // A data point has no such count: a tag of 0 would make the whole request unreadable.
    if (removed > 0 && plan.countTag !== 0) {
      if (countStart >= 0) edits.cutEarlier(countStart, countEnd)
      edits.putVarint(end, plan.countTag, Math.min(count + removed, uint32Max))
    }
    const droppedEvents = host?.droppedEvents ?? 0
    if (droppedEvents > 0) {
      if (eventCountStart >= 0) edits.cutEarlier(eventCountStart, eventCountEnd)
      edits.putVarint(end, EVENT_COUNT_TAG, Math.min(eventCount + droppedEvents, uint32Max))
    }
    this.#putTexts(plan, context, end, texts, item, eventNameStart, eventNameEnd)
  }

  /** Enforces the policy on an envelope's schema_url, the field `[field, end)` with its text from `start` on. */
  schemaUrl(place: Place, context: FieldContext, field: number, start: number, end: number): void {
    const { removes, changes } = this.#textAction(place, context, '@schema_url')
    if (!removes && changes.length === 0) return
    this.#edits.cut(field, end)
    if (!removes) this.#values.putText(end, SCHEMA_URL_TAG, start, end, changes)
  }

  /** What a carrier span is called: what the policy leaves of its event's name. `attribute` is its `event.name`. */
  carrierName(name: Uint8Array, attribute: Uint8Array | undefined, context: FieldContext): Uint8Array {
    const { removes, changes } = context.text('@name')
    if (!removes) return this.#values.text(Buffer.from(name), name.length > 0 ? changes : [])
    const action = context.eventName
    if (attribute === undefined || action.removes) return Buffer.from('event')
    return this.#values.text(Buffer.from(attribute), action.changes)
  }

  #textAction(place: Place, context: FieldContext, name: string): FieldAction {
    const action = context.text(name)
    this.witness?.(place, name, action)
    return action
  }

  // Attributes.

  /** Steps over attributes in the usual shape that leave as they came, as many as follow each other. */
  #skipPlain(plan: Plan, context: FieldContext, end: number): void {
    const cursor = this.#cursor
    const bytes = this.#bytes
    const tag = plan.attributeTag
    const nameLength = plan.fallbackName === 'event' ? eventNameKey.length : 0
    let next = cursor.at
    while (next + 6 < end && bytes[next] === tag) {
      let start = next + 2
      let size = bytes[next + 1]
      if (size >= 0x80) {
        if (bytes[start] >= 0x80) break
        size = (size & 0x7f) | (bytes[start++] << 7)
      }
      const stop = start + size
      const keyEnd = stop <= end ? usualKeyEnd(bytes, start, stop) : 0
      if (keyEnd === 0 || keyEnd - start - 2 === nameLength) break
      if (!context.attribute(cursor, start + 2, keyEnd).isPlain) break
      next = stop
    }
    cursor.at = next
  }

  /** Edits one attribute; true if it was removed. */
  #editAttribute(
    tag: number,
    field: number,
    start: number,
    end: number,
    place: Place,
    context: FieldContext,
  ): boolean {
    const attribute = this.#attribute
    attribute.read(this.#cursor, start, end)
    const action = context.attribute(this.#cursor, attribute.keyStart, attribute.keyEnd)
    if (!action.isDecided) this.undecided?.flat(place, action, attribute.keyStart, attribute.keyEnd)
    this.witness?.(place, textAt(this.#bytes, attribute.keyStart, attribute.keyEnd), action)
    if (action.removes) {
      this.#edits.cut(field, end)
      return true
    }
    const { keyStart, keyEnd } = attribute
    const isScalar = attribute.isScalar(this.#bytes)
    if (action.changes.length > 0) {
      const isShort = isScalar && attribute.readString(this.#cursor) && this.#isShort(action.changes)
      if (isShort) return false
      const change = this.#values.keyValue(tag, field, start, end, action.changes)
      if (change !== 'left') return change === 'removed'
    }
    if (isScalar) return false
    const path = [latin1(this.#bytes, keyStart, keyEnd)]
    this.#edits.enter(tag, field, start, end)
    this.#entries.keyValue(start, end, place, context, path, 0)
    this.#edits.leave()
    return false
  }

  /** Whether the string just read is no longer than any of the changes would leave it. */
  #isShort(changes: readonly Change[]): boolean {
    const length = this.#attribute.stringEnd - this.#attribute.stringStart
    for (const change of changes) if (change.kind !== 'truncate' || length > change.bytesMax) return false
    return true
  }

  // Bodies, texts, entities.

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

  /** Whether the EntityRef in `[start, end)` names a key that the lane does not keep: the reference would be orphaned. */
  #namesRemovedKey(start: number, end: number, context: FieldContext): boolean {
    let isOrphan = false
    this.#cursor.eachDelimited(start, end, (tag, _, keyStart, keyEnd) => {
      if (ENTITY_KEYS.has(tag) && context.attribute(this.#cursor, keyStart, keyEnd).removes) isOrphan = true
    })
    return isOrphan
  }

  /** Whether the attribute just kept is a non-empty string `event.name`: what a removed name of an event becomes. */
  #isEventName(start: number, end: number): boolean {
    const attribute = this.#attribute
    if (attribute.keyEnd - attribute.keyStart !== eventNameKey.length) return false
    for (let index = 0; index < eventNameKey.length; index++) {
      if (this.#bytes[attribute.keyStart + index] !== eventNameKey[index]) return false
    }
    attribute.read(this.#cursor, start, end)
    return attribute.readString(this.#cursor) && attribute.stringEnd > attribute.stringStart
  }

  /** Writes anew the texts that were cut: changed, or fallen back to a name that is safe. */
  #putTexts(
    plan: Plan,
    context: FieldContext,
    end: number,
    texts: ReadonlyMap<number, readonly [number, number]> | undefined,
    item: EditedItem,
    eventNameStart: number,
    eventNameEnd: number,
  ): void {
    if (texts !== undefined) {
      for (const [tag, [textStart, textEnd]] of texts) {
        this.#values.putText(end, tag, textStart, textEnd, context.text(plan.texts[tag]).changes)
      }
    }
    if (plan.fallbackName === undefined || !context.text('@name').removes) return
    const tag = plan.nameTag
    if (plan.fallbackName === 'event' && eventNameStart < eventNameEnd) {
      const { changes } = context.eventName
      this.#values.putText(end, tag, eventNameStart, eventNameEnd, changes)
    } else if (item.targetStart < item.targetEnd) {
      this.#edits.putBytes(end, tag, this.#bytes, item.targetStart, item.targetEnd)
    } else {
      const name = Buffer.from(plan.fallbackName)
      this.#edits.putBytes(end, tag, name, 0, name.length)
    }
  }
}
