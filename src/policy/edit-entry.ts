/**
 * Judges what lies inside values: every entry of a kvlist, at any depth, by the path of keys that leads to it.
 *
 * Arrays add nothing to a path. The caller has entered the frame of what it hands over; edits go to the same lane.
 */
import { MalformedRequest } from '../errors.ts'
import { ARRAY, KVLIST } from '../otlp/any-value.ts'
import { AttributeReader } from '../otlp/attribute.ts'
import { type Cursor, LEN, tagOf } from '../otlp/cursor.ts'
import type { Edits } from '../otlp/splice.ts'
import type { ValueChanger } from './change.ts'
import { type ByteString, fromByteString, latin1 } from './family.ts'
import type { FieldAction, FieldContext } from './fields.ts'
import type { Place } from './place.ts'

const VALUE = tagOf(2, LEN)
const LIST_ENTRY = tagOf(1, LEN)

/** Values nested deeper than decoders follow (100 messages, most taken by the envelopes) are refused. */
const nestingMax = 96

/** Hears what becomes of a field. `key` is a path joined by dots, or a text's name; never a value. */
export type FieldWitness = (place: Place, key: string, action: FieldAction) => void

/** Hears of attributes that no rule decided. */
export interface UndecidedListener {
  flat(place: Place, action: FieldAction, key: ByteString): void
  /** The key is a path joined by dots. */
  nested(place: Place, action: FieldAction, key: string): void
}

/** Who hears of fields just now; may change from item to item. */
export interface FieldListeners {
  readonly undecided: UndecidedListener | undefined
  readonly witness: FieldWitness | undefined
}

export class EntryEditor {
  readonly #cursor: Cursor
  readonly #edits: Edits
  readonly #values: ValueChanger
  readonly #listeners: FieldListeners
  readonly #attribute = new AttributeReader()

  constructor(cursor: Cursor, edits: Edits, values: ValueChanger, listeners: FieldListeners) {
    this.#cursor = cursor
    this.#edits = edits
    this.#values = values
    this.#listeners = listeners
  }

  /** Walks the values of the KeyValue in `[start, end)`, whose frame is entered. */
  keyValue(
    start: number,
    end: number,
    place: Place,
    context: FieldContext,
    path: readonly ByteString[],
    depth: number,
  ): void {
    this.#cursor.eachDelimited(start, end, (tag, field, payloadStart, payloadEnd) => {
      if (tag !== VALUE) return
      this.#edits.enter(tag, field, payloadStart, payloadEnd)
      this.anyValue(payloadStart, payloadEnd, place, context, path, depth)
      this.#edits.leave()
    })
  }

  /** Walks one AnyValue, whose frame is entered: judges every entry of kvlists in it, at any depth. */
  anyValue(
    start: number,
    end: number,
    place: Place,
    context: FieldContext,
    path: readonly ByteString[],
    depth: number,
  ): void {
    if (depth > nestingMax) throw new MalformedRequest('value nested too deep', { offset: start })
    this.#cursor.eachDelimited(start, end, (member, memberField, memberStart, memberEnd) => {
      if (member !== ARRAY && member !== KVLIST) return
      this.#edits.enter(member, memberField, memberStart, memberEnd)
      this.#cursor.eachDelimited(memberStart, memberEnd, (tag, field, entryStart, entryEnd) => {
        if (tag !== LIST_ENTRY) return
        if (member === KVLIST) {
          this.#editEntry(field, entryStart, entryEnd, place, context, path, depth + 3)
        } else {
          this.#edits.enter(tag, field, entryStart, entryEnd)
          this.anyValue(entryStart, entryEnd, place, context, path, depth + 2)
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
    const entryPath = [...path, latin1(this.#cursor.bytes, attribute.keyStart, attribute.keyEnd)]
    const action = context.nested(entryPath)
    if (
      this.#listeners.witness !== undefined ||
      (this.#listeners.undecided !== undefined && !action.isDecided)
    ) {
      const key = fromByteString(entryPath.join('.'))
      this.#listeners.witness?.(place, key, action)
      if (!action.isDecided) this.#listeners.undecided?.nested(place, action, key)
    }
    if (action.removes) {
      this.#edits.cut(field, end)
      return
    }
    const isScalar = attribute.isScalar(this.#cursor.bytes)
    if (action.changes.length > 0) {
      const changed = this.#values.keyValue(LIST_ENTRY, field, start, end, action.changes)
      if (changed !== 'left') return
    }
    if (isScalar) return
    this.#edits.enter(LIST_ENTRY, field, start, end)
    this.keyValue(start, end, place, context, entryPath, depth)
    this.#edits.leave()
  }
}
