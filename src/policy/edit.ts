/**
 * Enforces a lane's field policy on one message where it lies: reports cuts and new values to the lane's edits.
 *
 * One walk over the message's fields, in the order of the document, led by its plan. What stays is not touched;
 * only the path to an edited attribute is rewritten. Every occurrence of a removed key goes. Inside kvlists and
 * arrays each entry is judged by its own path. Pure: it records edits, counts what no rule decided, and tells a
 * witness. No value is ever made known to either.
 */
import { createHmac } from 'node:crypto'
import { MalformedRequest } from '../errors.ts'
import { ARRAY, KVLIST, readScalar } from '../otlp/any-value.ts'
import { AttributeReader } from '../otlp/attribute.ts'
import { type Cursor, LEN, tagOf, VARINT } from '../otlp/cursor.ts'
import { type Edits, varintSize, writeVarint } from '../otlp/splice.ts'
import { type ByteString, latin1 } from './family.ts'
import { type Change, type FieldAction, type FieldContext, keyText, type PlaceContexts } from './fields.ts'
import type { Place } from './place.ts'
import { ATTRIBUTE, BODY, COUNT, ENTITY, EVENT, EVENT_COUNT, MESSAGE, type Plan, SKIP, TEXT } from './plan.ts'

const VALUE = tagOf(2, LEN)
const STRING = tagOf(1, LEN)
const LIST_ENTRY = tagOf(1, LEN)
const ENTITY_KEYS: ReadonlySet<number> = new Set([tagOf(3, LEN), tagOf(4, LEN)])
const BODY_TAG = tagOf(5, LEN)
const EVENT_COUNT_TAG = tagOf(12, VARINT)
const SCHEMA_URL_TAG = tagOf(3, LEN)
const uint32Max = 0xffff_ffff
const eventNameKey = Buffer.from('event.name')

/** Values nested deeper than decoders follow (100 messages, most taken by the envelopes) are refused. */
const nestingMax = 96

/** What a hash keeps of the HMAC: 32 hex digits. */
const hashDigits = 32

/** Hears what becomes of a field. `key` is a path joined by dots, or a text's name; never a value. */
export type FieldWitness = (place: Place, key: string, action: FieldAction) => void

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
export class FieldEditor {
  readonly #cursor: Cursor
  readonly #edits: Edits
  readonly #hashKey: Uint8Array
  readonly #attribute = new AttributeReader()
  #bytes: Uint8Array = new Uint8Array(0)
  #view: Buffer = Buffer.alloc(0)
  /** Counts attributes that no rule decided. */
  undecided: ((place: Place, key: string) => void) | undefined
  witness: FieldWitness | undefined

  constructor(cursor: Cursor, edits: Edits, hashKey: Uint8Array) {
    this.#cursor = cursor
    this.#edits = edits
    this.#hashKey = hashKey
  }

  /** Points the editor at a request. */
  begin(bytes: Uint8Array): void {
    this.#bytes = bytes
    this.#view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
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
    cursor.at = start
    while (cursor.at < end) {
      const field = cursor.at
      const tag = cursor.tag(end)
      const kind = tag < 128 ? kinds[tag] : SKIP
      switch (kind) {
        case ATTRIBUTE: {
          const attributeEnd = cursor.payloadEnd(end)
          const attributeStart = cursor.at
          if (this.#editAttribute(tag, field, attributeStart, attributeEnd, plan.place, context)) {
            removed++
          } else if (plan.fallbackName === 'event' && this.#isEventName(attributeStart, attributeEnd)) {
            eventNameStart = this.#attribute.stringStart
            eventNameEnd = this.#attribute.stringEnd
          }
          cursor.at = attributeEnd
          break
        }
        case TEXT: {
          const textEnd = cursor.payloadEnd(end)
          const action = this.#textAction(plan.place, context, plan.texts[tag])
          if (action.removes || action.changes.length > 0) {
            edits.cut(field, textEnd)
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
          if (this.#namesRemovedKey(cursor.at, entityEnd, context)) edits.cut(field, entityEnd)
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
    if (removed > 0) {
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
    if (removes) return
    const text = this.#changedText(this.#view.subarray(start, end), changes)
    this.#edits.putBytes(end, SCHEMA_URL_TAG, text, 0, text.length)
  }

  /** What becomes of an event's name, where only the name is at hand. */
  eventName(name: Uint8Array, context: FieldContext): Uint8Array {
    const { removes, changes } = context.text('@name')
    if (removes) return Buffer.from('event')
    return changes.length === 0 ? name : this.#changedText(Buffer.from(name), changes)
  }

  #textAction(place: Place, context: FieldContext, name: string): FieldAction {
    const action = context.text(name)
    this.witness?.(place, name, action)
    return action
  }

  // Attributes.

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
    const action = context.attribute(this.#bytes, attribute.keyStart, attribute.keyEnd)
    if (!action.isDecided) this.undecided?.(place, keyText(this.#bytes, attribute.keyStart, attribute.keyEnd))
    this.witness?.(place, keyText(this.#bytes, attribute.keyStart, attribute.keyEnd), action)
    if (action.removes) {
      this.#edits.cut(field, end)
      return true
    }
    if (action.changes.length > 0) return this.#changeValue(tag, field, start, end, action.changes)
    if (attribute.isScalar(this.#bytes)) return false
    const path = [latin1(this.#bytes, attribute.keyStart, attribute.keyEnd)]
    this.#edits.enter(tag, field, start, end)
    this.#editEntries(start, end, place, context, path, 0)
    this.#edits.leave()
    return false
  }

  /** Walks the values of the KeyValue in `[start, end)`, whose frame is entered. */
  #editEntries(
    start: number,
    end: number,
    place: Place,
    context: FieldContext,
    path: readonly ByteString[],
    depth: number,
  ): void {
    this.#eachField(start, end, (tag, field, payloadStart, payloadEnd) => {
      if (tag !== VALUE) return
      this.#edits.enter(tag, field, payloadStart, payloadEnd)
      this.#editValue(payloadStart, payloadEnd, place, context, path, depth)
      this.#edits.leave()
    })
  }

  /** Walks one AnyValue, whose frame is entered: judges every entry of kvlists in it, at any depth. */
  #editValue(
    start: number,
    end: number,
    place: Place,
    context: FieldContext,
    path: readonly ByteString[],
    depth: number,
  ): void {
    if (depth > nestingMax) throw new MalformedRequest('value nested too deep', { offset: start })
    this.#eachField(start, end, (member, memberField, memberStart, memberEnd) => {
      if (member !== ARRAY && member !== KVLIST) return
      this.#edits.enter(member, memberField, memberStart, memberEnd)
      this.#eachField(memberStart, memberEnd, (tag, field, entryStart, entryEnd) => {
        if (tag !== LIST_ENTRY) return
        if (member === KVLIST) {
          this.#editEntry(field, entryStart, entryEnd, place, context, path, depth + 3)
        } else {
          this.#edits.enter(tag, field, entryStart, entryEnd)
          this.#editValue(entryStart, entryEnd, place, context, path, depth + 2)
          this.#edits.leave()
        }
      })
      this.#edits.leave()
    })
  }

  #editEntry(
    field: number,
    start: number,
    end: number,
    place: Place,
    context: FieldContext,
    path: readonly ByteString[],
    depth: number,
  ): void {
    const attribute = this.#attribute
    attribute.read(this.#cursor, start, end)
    const entryPath = [...path, latin1(this.#bytes, attribute.keyStart, attribute.keyEnd)]
    const action = context.nested(entryPath)
    if (this.witness !== undefined || (this.undecided !== undefined && !action.isDecided)) {
      const key = Buffer.from(entryPath.join('.'), 'latin1').toString('utf8')
      this.witness?.(place, key, action)
      if (!action.isDecided) this.undecided?.(place, key)
    }
    if (action.removes) {
      this.#edits.cut(field, end)
    } else if (action.changes.length > 0) {
      this.#changeValue(LIST_ENTRY, field, start, end, action.changes)
    } else if (!attribute.isScalar(this.#bytes)) {
      this.#edits.enter(LIST_ENTRY, field, start, end)
      this.#editEntries(start, end, place, context, entryPath, depth)
      this.#edits.leave()
    }
  }

  /** Gives the KeyValue in `[start, end)` its changed value; true if what is there can only be removed. */
  #changeValue(tag: number, field: number, start: number, end: number, changes: readonly Change[]): boolean {
    const pieces: (readonly [number, number])[] = []
    this.#eachField(start, end, (valueTag, _, payloadStart, payloadEnd) => {
      if (valueTag === VALUE) pieces.push([payloadStart, payloadEnd])
    })
    const changed = this.#changed(pieces, changes)
    if (changed === 'remove') {
      this.#edits.cut(field, end)
      return true
    }
    if (changed === 'leave') return false
    this.#edits.enter(tag, field, start, end)
    this.#eachField(start, end, (valueTag, valueField, _, payloadEnd) => {
      if (valueTag === VALUE) this.#edits.cut(valueField, payloadEnd)
    })
    const value = stringValue(changed)
    this.#edits.putBytes(end, VALUE, value, 0, value.length)
    this.#edits.leave()
    return false
  }

  /** The new string of a value, or that it is to be removed, or left as it is. */
  #changed(
    pieces: readonly (readonly [number, number])[],
    changes: readonly Change[],
  ): Buffer | 'remove' | 'leave' {
    const reading = readScalar(this.#cursor, pieces)
    if (reading.kind === 'none') return 'leave'
    let text: Buffer | undefined
    if (reading.kind === 'string') text = this.#view.subarray(reading.start, reading.end)
    let isChanged = false
    for (const change of changes) {
      if (change.kind === 'hash') {
        if (reading.kind === 'opaque') return 'remove'
        text = this.#hash(text ?? Buffer.from(reading.kind === 'spelt' ? reading.text : ''))
        isChanged = true
      } else if (text !== undefined && text.length > change.bytesMax) {
        text = truncated(text, change.bytesMax)
        isChanged = true
      }
    }
    return isChanged && text !== undefined ? text : 'leave'
  }

  #hash(text: Uint8Array): Buffer {
    const digits = createHmac('sha256', this.#hashKey).update(text).digest('hex').slice(0, hashDigits)
    return Buffer.from(`hmac:${digits}`)
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
      const changed = this.#changed([[start, end]], action.changes)
      if (changed === 'remove') this.#edits.cut(field, end)
      if (typeof changed === 'string') return
      const value = stringValue(changed)
      this.#edits.cut(field, end)
      this.#edits.putBytes(end, BODY_TAG, value, 0, value.length)
      return
    }
    if (isText && this.#isFlat(start, end)) return
    this.#edits.enter(BODY_TAG, field, start, end)
    this.#editValue(start, end, 'body', contexts.body, [], 0)
    this.#edits.leave()
  }

  #holdsKvlist(start: number, end: number): boolean {
    let holds = false
    this.#eachField(start, end, (tag) => {
      if (tag === KVLIST) holds = true
    })
    return holds
  }

  #isFlat(start: number, end: number): boolean {
    let isFlat = true
    this.#eachField(start, end, (tag) => {
      if (tag === ARRAY || tag === KVLIST) isFlat = false
    })
    return isFlat
  }

  /** Whether the EntityRef in `[start, end)` names a key that the lane does not keep: the reference would be orphaned. */
  #namesRemovedKey(start: number, end: number, context: FieldContext): boolean {
    let isOrphan = false
    this.#eachField(start, end, (tag, _, keyStart, keyEnd) => {
      if (ENTITY_KEYS.has(tag) && context.attribute(this.#bytes, keyStart, keyEnd).removes) isOrphan = true
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
        const { removes, changes } = context.text(plan.texts[tag])
        if (removes) continue
        const text = this.#changedText(this.#view.subarray(textStart, textEnd), changes)
        this.#edits.putBytes(end, tag, text, 0, text.length)
      }
    }
    if (plan.fallbackName === undefined || !context.text('@name').removes) return
    const tag = plan.texts.indexOf('@name')
    const [start, stop] =
      plan.fallbackName === 'event' ? [eventNameStart, eventNameEnd] : [item.targetStart, item.targetEnd]
    if (start < stop) {
      this.#edits.putBytes(end, tag, this.#bytes, start, stop)
    } else {
      const name = Buffer.from(plan.fallbackName)
      this.#edits.putBytes(end, tag, name, 0, name.length)
    }
  }

  #changedText(original: Buffer, changes: readonly Change[]): Buffer {
    let text = original
    for (const change of changes) {
      text = change.kind === 'hash' ? this.#hash(text) : truncated(text, change.bytesMax)
    }
    return text
  }

  /** Calls `each` for every field of the message in `[start, end)`, with the range of its payload. */
  #eachField(
    start: number,
    end: number,
    each: (tag: number, field: number, payloadStart: number, payloadEnd: number) => void,
  ): void {
    const cursor = this.#cursor
    let at = start
    while (at < end) {
      cursor.at = at
      const tag = cursor.tag(end)
      if ((tag & 7) === LEN) {
        const payloadEnd = cursor.payloadEnd(end)
        each(tag, at, cursor.at, payloadEnd)
        at = payloadEnd
      } else {
        cursor.skip(tag, end)
        at = cursor.at
      }
    }
    cursor.at = end
  }
}

/** An AnyValue that holds a string. */
function stringValue(text: Uint8Array): Uint8Array {
  const size = varintSize(text.length)
  const bytes = new Uint8Array(1 + size + text.length)
  bytes[0] = STRING
  bytes.set(text, writeVarint(text.length, bytes, 1))
  return bytes
}

/** At most `bytesMax` bytes of a UTF-8 text, cut where a character begins. */
function truncated(text: Buffer, bytesMax: number): Buffer {
  if (text.length <= bytesMax) return text
  let end = bytesMax
  while (end > 0 && (text[end] & 0xc0) === 0x80) end--
  return text.subarray(0, end)
}
