/**
 * Reads an item's target by the configured paths: the first that is present.
 *
 * A path is present if the scope has a name, or the attribute exists, and the value is none of the path's
 * exceptions. An attribute that is no string, or that is given twice with different values, is present and
 * in doubt. Disagreement between two paths is no conflict: they are fallbacks.
 */
import type { AttributeReader } from '../otlp/attribute.ts'
import type { Cursor } from '../otlp/cursor.ts'
import { bytesEqual } from '../otlp/scan.ts'
import { type ByteString, latin1, toByteString } from './family.ts'
import { TARGET } from './keys.ts'
import type { TargetPath } from './path.ts'
import type { Notes, Reading } from './reading.ts'

/** What one path reads from one item. */
const ABSENT = 0
const STRING = 1
/** A string, but a decoder that merges differently could read another. */
const DOUBTED = 2
/** Not a string, or two values that differ. */
const CONFLICT = 3

/** Where the target of the last item was found. */
export type TargetReading = 'absent' | 'string' | 'doubted' | 'conflict'

interface Slot {
  readonly kind: TargetPath['kind']
  readonly key: ByteString
  state: number
  start: number
  end: number
}

/** Compiled from paths; holds what it read of the current item. */
export class TargetReader {
  readonly paths: readonly TargetPath[]
  /** Whether some path reads the resource's attributes. */
  readonly usesResource: boolean
  /** One slot a path; those of `scope_name` stay absent. */
  readonly #slots: readonly Slot[]
  /** The keys of the item's own attributes that may give its target. */
  readonly ownKeys: readonly ByteString[]
  readonly #excepted: readonly (readonly Uint8Array[])[]

  /** After `settle`: the range of the target in the request. */
  start = 0
  end = 0
  /** After `settle`: index of the path that gave it, or -1. */
  path = -1

  constructor(paths: readonly TargetPath[]) {
    this.paths = paths
    this.usesResource = paths.some(({ kind }) => kind === 'resource_attribute')
    this.#slots = paths.map((path) => ({
      kind: path.kind,
      key: path.kind === 'attribute' ? path.ownKey : toByteString(path.key),
      state: ABSENT,
      start: 0,
      end: 0,
    }))
    this.#excepted = paths.map((path) => [...path.except].map((value) => Buffer.from(value, 'utf8')))
    this.ownKeys = paths.filter(({ kind }) => kind === 'attribute').map(({ ownKey }) => ownKey)
  }

  /** Whether the scope's name in `bytes[start, end)` decides before any attribute is looked at; sets the range. */
  settleByScope(bytes: Uint8Array, start: number, end: number): boolean {
    const isNowhere = this.paths.length === 0
    if (!isNowhere && (this.paths[0].kind !== 'scope_name' || !this.#isPresent(0, bytes, start, end)))
      return false
    this.start = isNowhere ? 0 : start
    this.end = isNowhere ? 0 : end
    this.path = isNowhere ? -1 : 0
    return true
  }

  /** Forgets the last item, or resource. */
  clear(kind: 'attribute' | 'resource_attribute'): void {
    for (const slot of this.#slots) if (slot.kind === kind) slot.state = ABSENT
  }

  /** Looks at those of the notes `[first, last)` that may give the target of the item that was read. */
  see(reading: Reading, notes: Notes, first: number, last: number): void {
    for (let note = first; note < last; note++) {
      const row = notes.rows[note]
      const key = reading.keys[row]
      if ((key.role & TARGET) === 0) continue
      for (let index = 0; index < this.#slots.length; index++) {
        const slot = this.#slots[index]
        if (slot.kind !== 'attribute' || slot.key !== key.text) continue
        const isText = reading.readText(row)
        const { textStart, textEnd, doubt } = reading
        take(slot, reading.cursor.bytes, isText ? (doubt ? DOUBTED : STRING) : CONFLICT, textStart, textEnd)
      }
    }
  }

  /** Looks at the attribute of the resource that `reader` has just read. */
  seeResource(cursor: Cursor, reader: AttributeReader): void {
    for (const slot of this.#slots) {
      if (slot.kind !== 'resource_attribute' || slot.key.length !== reader.keyEnd - reader.keyStart) continue
      if (slot.key !== latin1(cursor.bytes, reader.keyStart, reader.keyEnd)) continue
      const at = cursor.at
      const isText = reader.readString(cursor)
      cursor.at = at
      const { stringStart, stringEnd, doubt } = reader
      take(slot, cursor.bytes, isText ? (doubt ? DOUBTED : STRING) : CONFLICT, stringStart, stringEnd)
    }
  }

  /** After all attributes were seen: which path gives the target. `scope` is the range of the scope's name. */
  settle(bytes: Uint8Array, scopeStart: number, scopeEnd: number, isScopeDoubted: boolean): TargetReading {
    for (let index = 0; index < this.paths.length; index++) {
      const slot = this.#slots[index]
      const isScope = this.paths[index].kind === 'scope_name'
      if (!isScope && slot.state === ABSENT) continue
      this.path = index
      if (slot.state === CONFLICT) return 'conflict'
      this.start = isScope ? scopeStart : slot.start
      this.end = isScope ? scopeEnd : slot.end
      if (!this.#isPresent(index, bytes, this.start, this.end)) continue
      return slot.state === DOUBTED || (isScope && isScopeDoubted) ? 'doubted' : 'string'
    }
    this.path = -1
    this.start = 0
    this.end = 0
    return 'absent'
  }

  /** Every string that the deciding path's attribute was given in an item: what a doubt is about. */
  stringsOf(
    cursor: Cursor,
    reader: AttributeReader,
    attributes: Iterable<readonly [start: number, end: number]>,
  ): readonly ByteString[] {
    const path = this.paths[this.path]
    const values: ByteString[] = []
    const key = toByteString(path.key)
    for (const [start, end] of attributes) {
      reader.read(cursor, start, end)
      if (latin1(cursor.bytes, reader.keyStart, reader.keyEnd) !== key) continue
      if (reader.readString(cursor)) values.push(latin1(cursor.bytes, reader.stringStart, reader.stringEnd))
    }
    return values
  }

  #isPresent(path: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.paths[path].kind === 'scope_name' && start === end) return false
    for (const value of this.#excepted[path]) {
      if (value.length === end - start && startsAt(value, bytes, start)) return false
    }
    return true
  }
}

/** Notes in a slot what its attribute was given once more: a string in `[start, end)`, if it is one. */
function take(slot: Slot, bytes: Uint8Array, state: number, start: number, end: number): void {
  if (state === CONFLICT) {
    slot.state = CONFLICT
  } else if (slot.state === ABSENT) {
    slot.state = state
    slot.start = start
    slot.end = end
  } else if (slot.state !== CONFLICT) {
    if (!bytesEqual(bytes.subarray(slot.start, slot.end), bytes.subarray(start, end))) slot.state = CONFLICT
    else if (state === DOUBTED) slot.state = DOUBTED
  }
}

function startsAt(needle: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < needle.length; index++) if (needle[index] !== bytes[start + index]) return false
  return true
}
