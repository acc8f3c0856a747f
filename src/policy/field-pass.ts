/**
 * Takes the field policies of the native lanes along with a walk: which contexts an item is edited in, when the
 * parts of an envelope are edited, and what no rule decided.
 *
 * Edits must be recorded in the order of the document, and an envelope's own parts may lie between its items:
 * the walk says before each child how far it has come. Scratch of one walk.
 */

import { LEN, tagOf } from '../otlp/cursor.ts'
import type { Ranges } from '../otlp/scan.ts'
import type { Carriage } from '../otlp/signal.ts'
import type { EditedItem } from './edit.ts'
import type { UndecidedListener } from './edit-entry.ts'
import { type ByteString, fromByteString } from './family.ts'
import type { FieldContext } from './fields.ts'
import type { Judge } from './judge.ts'
import type { LaneRecord } from './lane-record.ts'
import type { Place } from './place.ts'
import { type Plan, RESOURCE_PLAN, SCOPE_PLAN } from './plan.ts'
import type { TargetReader } from './target.ts'
import { countKey, type UndecidedKeys } from './undecided.ts'
import type { Workspace } from './workspace.ts'

/** The item that is being edited, for what is found in it. */
interface Current {
  /** Counts that were asked for last, and of which place. */
  keys: UndecidedKeys | undefined
  place: Place
  family: string
  /** Of an event in its span. */
  index: number
}

/** Tag of the resource or scope in its envelope; what else is a part is its schema_url. */
const MESSAGE_PART = tagOf(1, LEN)

export class FieldPass {
  /** False if no lane of the walk looks at fields. */
  readonly isActive: boolean
  readonly #records: readonly LaneRecord[]
  readonly #workspace: Workspace
  readonly #judge: Judge
  #resource = 0
  #scope = 0
  /** The next part of each that has not been edited. */
  #resourcePart = 0
  #scopePart = 0
  readonly #item: Current = { keys: undefined, place: 'span', family: '', index: 0 }
  readonly #event: Current = { keys: undefined, place: 'span_event', family: '', index: 0 }

  constructor(natives: readonly LaneRecord[], workspace: Workspace, judge: Judge) {
    this.#records = natives.filter(({ editsFields }) => editsFields)
    this.isActive = this.#records.length > 0
    this.#workspace = workspace
    this.#judge = judge
    const undecided: UndecidedListener = {
      flat: (place, action, key) => {
        countKey(this.#undecidedKeys(place), action, () => fromByteString(key))
      },
      nested: (place, action, key) => countKey(this.#undecidedKeys(place), action, () => key),
    }
    for (const { editor, lane } of this.#records)
      editor.undecided = lane.signal === 'traces' ? undecided : undefined
  }

  enterResource(resource: number): void {
    this.#resource = resource
    this.#resourcePart = this.#workspace.scan.firstResourcePart[resource]
  }

  enterScope(scope: number): void {
    this.#scope = scope
    this.#scopePart = this.#workspace.scan.firstScopePart[scope]
  }

  /** The walk has come to `limit` in the current resource. */
  resourceBefore(limit: number): void {
    const { resourceParts, firstResourcePart } = this.#workspace.scan
    const last = firstResourcePart[this.#resource + 1]
    this.#resourcePart = this.#editParts(resourceParts, this.#resourcePart, last, limit, RESOURCE_PLAN)
  }

  /** The walk has come to `limit` in the current scope. */
  scopeBefore(limit: number): void {
    const { scopeParts, firstScopePart } = this.#workspace.scan
    const last = firstScopePart[this.#scope + 1]
    this.#scopePart = this.#editParts(scopeParts, this.#scopePart, last, limit, SCOPE_PLAN)
  }

  #editParts(parts: Ranges, next: number, last: number, limit: number, plan: Plan): number {
    let part = next
    for (; part < last && parts.fields[part] < limit; part++) {
      const field = parts.fields[part]
      const start = parts.starts[part]
      const end = parts.ends[part]
      const { cursor, envelope } = this.#workspace
      cursor.at = field
      if (cursor.tag(end) === MESSAGE_PART) {
        envelope.read(plan, start, end)
        for (const record of this.#records) record.editEnvelope(plan, envelope, field, start, end)
      } else {
        for (const record of this.#records) record.editSchemaUrl(plan, field, start, end)
      }
    }
    return part
  }

  /** How `record` is to edit the item in hand, whose target `reader` has just read. */
  item(
    record: LaneRecord,
    carriage: Carriage,
    family: string,
    reader: TargetReader | undefined,
    isDoubtful: boolean,
  ): EditedItem {
    const isKnown = reader !== undefined && reader.path >= 0 && !isDoubtful
    this.#item.keys = undefined
    this.#item.family = family
    const targetKey = isKnown ? keyOf(reader, reader.path) : ''
    return {
      contexts: this.#contexts(record, carriage, family, targetKey, undefined),
      targetStart: isKnown ? reader.start : 0,
      targetEnd: isKnown ? reader.end : 0,
    }
  }

  /** The same for event `index` of the span in hand; `path` is the one that gave its target. */
  event(record: LaneRecord, family: string, reader: TargetReader, path: number, index: number): EditedItem {
    this.#event.keys = undefined
    this.#event.family = family
    this.#event.index = index
    const contexts = this.#contexts(record, 'span_event', family, keyOf(reader, path), index)
    return { contexts, targetStart: 0, targetEnd: 0 }
  }

  /** What decides on the name of an event that comes to `record` on a carrier span: of the span's event `index`, or the record in hand. */
  carriedContext(
    record: LaneRecord,
    carriage: Carriage,
    family: string,
    index: number | undefined,
  ): FieldContext {
    return this.#contexts(record, carriage, family, '', index).span_event
  }

  #contexts(
    record: LaneRecord,
    carriage: Carriage,
    family: string,
    targetKey: ByteString,
    index: number | undefined,
  ): EditedItem['contexts'] {
    const { fields } = record.lane
    // Points have no target, and one in doubt has no family: they cannot answer, so every line that asks applies.
    const answer = carriage === 'data_point' || family === 'ambiguous' ? undefined : family
    const hasName = carriage === 'log_record' || carriage === 'span_event'
    const names = fields.asksEventName && hasName ? this.#judge.eventNames(index) : noNames
    return fields.contexts(answer, names, targetKey)
  }

  /** Where fields of `place` are counted for the item, or event, in hand. */
  #undecidedKeys(place: Place): UndecidedKeys {
    const current = place === 'span_event' ? this.#event : this.#item
    if (current.keys !== undefined && current.place === place) return current.keys
    const isShared = place === 'resource' || place === 'scope'
    const [name = ''] = place === 'span_event' ? this.#judge.eventNames(this.#event.index) : noNames
    current.place = place
    current.keys = this.#workspace.undecided.keysOf(
      isShared ? '' : current.family,
      fromByteString(name),
      place,
    )
    return current.keys
  }
}

const noNames: readonly ByteString[] = Object.freeze([])

/** The key of the attribute that a path reads, or empty. */
export function keyOf(reader: TargetReader | undefined, path: number): ByteString {
  return reader === undefined || path < 0 ? '' : reader.paths[path].ownKey
}
