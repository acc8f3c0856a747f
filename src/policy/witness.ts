/**
 * What a witness hears: each item with its verdict and, field by field, what becomes of it.
 *
 * The pipeline has no witness, and pays nothing for it. `explain` has one: a listener notes what the walk says in
 * its own order, and hands the items over in the order of the request when the walk is done. Items that are
 * rehomed are walked once more by the lane that they go to, each alone, so that its fields are theirs.
 */

import type { Carriage } from '../otlp/signal.ts'
import type { FieldWitness } from './edit-entry.ts'
import type { ByteString } from './family.ts'
import type { FieldAction } from './fields.ts'
import type { LaneRecord } from './lane-record.ts'
import type { Place } from './place.ts'
import type { Verdict } from './verdict.ts'

export interface WitnessedField {
  readonly lane: string
  readonly place: Place
  /** An attribute's key, the path of a nested entry, or a text's name. */
  readonly key: string
  readonly action: FieldAction
}

export interface WitnessedItem {
  readonly carriage: Carriage
  /** The target as it was read; undefined if there is none, or none that is beyond doubt. */
  readonly target: ByteString | undefined
  /** The path that gave it, as configured; undefined if no path did. */
  readonly targetFrom: string | undefined
  readonly verdict: Verdict
  /** Of the item and of the resource and scope around it, on each lane that takes it. */
  readonly fields: readonly WitnessedField[]
}

export interface Witness {
  item(item: WitnessedItem): void
}

type Head = Omit<WitnessedItem, 'fields'>

interface Note {
  readonly head: Head
  /** How many items it stands for: the data points of a metric are walked as one. */
  readonly items: number
  /** Lists that other items share, and the item's own. */
  readonly fields: readonly (readonly WitnessedField[])[]
  readonly own: WitnessedField[]
  readonly rehomed: { readonly bytes: Uint8Array; readonly record: LaneRecord }[]
}

/** Notes what one walk says. */
export interface Listener {
  /** What `record`'s editor is to tell of each field. */
  fieldsOf(record: LaneRecord): FieldWitness
  enterResource(): void
  enterScope(): void
  /** The fields that follow belong to this item, or these many, but for those of a span's events. */
  item(head: Head, items: number): void
  /** Fields of place `span_event` that follow belong to event `index` of the span noted last. */
  event(index: number): void
  /** The item noted last, or event `index` of it, goes to `record` as `bytes`, a request of its own. */
  rehomed(bytes: Uint8Array, record: LaneRecord, index: number | undefined): void
  /** Hands all items over. `enforce` walks the bytes of a rehomed item for its lane. */
  finish(enforce: (bytes: Uint8Array, record: LaneRecord, listener: Listener) => void): void
}

export function createListener(witness: Witness): Listener {
  const notes: Note[] = []
  let resource: WitnessedField[] = []
  let scope: WitnessedField[] = []
  let item: WitnessedField[] = []
  let event: WitnessedField[] = []
  /** Index of the note of the last item that is no span event. */
  let base = 0

  function listOf(place: Place): WitnessedField[] {
    if (place === 'resource') return resource
    if (place === 'scope') return scope
    return place === 'span_event' ? event : item
  }

  function noteOf(index: number | undefined): Note {
    return notes[index === undefined ? base : base + 1 + index]
  }

  return {
    fieldsOf: (record) => (place, key, action) => {
      listOf(place).push({ lane: record.lane.name, place, key, action })
    },
    enterResource() {
      resource = []
    },
    enterScope() {
      scope = []
    },
    item(head, items) {
      const own: WitnessedField[] = []
      notes.push({ head, items, fields: [resource, scope, own], own, rehomed: [] })
      if (head.carriage === 'span_event') return
      base = notes.length - 1
      item = own
    },
    event(index) {
      event = noteOf(index).own
    },
    rehomed(bytes, record, index) {
      noteOf(index).rehomed.push({ bytes, record })
    },
    finish(enforce) {
      for (const { head, items, fields, own, rehomed } of notes) {
        for (const { bytes, record } of rehomed) enforce(bytes, record, createCollector(own))
        const isTaken = head.verdict.native !== 0
        const item = { ...head, fields: isTaken ? fields.flat() : own }
        for (let heard = 0; heard < items; heard++) witness.item(item)
      }
    },
  }
}

/** A listener for one rehomed item: whatever is said of any field belongs to it. */
function createCollector(fields: WitnessedField[]): Listener {
  return {
    fieldsOf: (record) => (place, key, action) => {
      fields.push({ lane: record.lane.name, place, key, action })
    },
    enterResource() {},
    enterScope() {},
    item() {},
    event() {},
    rehomed() {},
    finish() {},
  }
}
