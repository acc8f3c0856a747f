/**
 * Takes the field policies of the native lanes along with a walk: which contexts an item is edited in, when the
 * parts of an envelope are edited, and what no rule decided.
 *
 * Edits must be recorded in the order of the document, and an envelope's own parts may lie between its items:
 * the walk says before each child how far it has come. Scratch of one walk.
 */

import type { Ranges } from '../otlp/scan.ts'
import type { Carriage } from '../otlp/signal.ts'
import type { EditedItem } from './edit.ts'
import type { UndecidedListener } from './edit-entry.ts'
import { type ByteString, fromByteString, textAt } from './family.ts'
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
  start: number
  end: number
}

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
  readonly #item: Current = { keys: undefined, place: 'span', family: '', start: 0, end: 0 }
  readonly #event: Current = { keys: undefined, place: 'span_event', family: '', start: 0, end: 0 }

  constructor(natives: readonly LaneRecord[], workspace: Workspace, judge: Judge) {
    this.#records = natives.filter(({ editsFields }) => editsFields)
    this.isActive = this.#records.length > 0
    this.#workspace = workspace
    this.#judge = judge
    const undecided: UndecidedListener = {
      flat: (place, action, start, end) => {
        countKey(this.#undecidedKeys(place), action, () => textAt(workspace.cursor.bytes, start, end))
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
    if (next >= last || parts.fields[next] >= limit) return next
    let left = next
    for (const record of this.#records) left = record.editParts(parts, next, last, limit, plan)
    return left
  }

  /** How `record` is to edit the item in `[start, end)`, whose target `reader` has just read. */
  item(
    record: LaneRecord,
    carriage: Carriage,
    family: string,
    reader: TargetReader | undefined,
    isDoubtful: boolean,
    start: number,
    end: number,
  ): EditedItem {
    const isKnown = reader !== undefined && reader.path >= 0 && !isDoubtful
    this.#item.keys = undefined
    this.#item.family = family
    this.#item.start = start
    this.#item.end = end
    return {
      contexts: this.#contexts(
        record,
        carriage,
        family,
        isKnown ? keyOf(reader, reader.path) : '',
        start,
        end,
      ),
      targetStart: isKnown ? reader.start : 0,
      targetEnd: isKnown ? reader.end : 0,
    }
  }

  /** The same for an event of the span in hand; `path` is the one that gave its target. */
  event(
    record: LaneRecord,
    family: string,
    reader: TargetReader,
    path: number,
    start: number,
    end: number,
  ): EditedItem {
    this.#event.keys = undefined
    this.#event.family = family
    this.#event.start = start
    this.#event.end = end
    const contexts = this.#contexts(record, 'span_event', family, keyOf(reader, path), start, end)
    return { contexts, targetStart: 0, targetEnd: 0 }
  }

  /** What decides on the name of the event in `[start, end)`, which comes to `record` on a carrier span. */
  carriedContext(
    record: LaneRecord,
    carriage: Carriage,
    family: string,
    start: number,
    end: number,
  ): FieldContext {
    return this.#contexts(record, carriage, family, '', start, end).span_event
  }

  #contexts(
    record: LaneRecord,
    carriage: Carriage,
    family: string,
    targetKey: ByteString,
    start: number,
    end: number,
  ): EditedItem['contexts'] {
    const { fields } = record.lane
    // Points have no target, and one in doubt has no family: they cannot answer, so every line that asks applies.
    const answer = carriage === 'data_point' || family === 'ambiguous' ? undefined : family
    if (!fields.asksEventName || (carriage !== 'log_record' && carriage !== 'span_event')) {
      return fields.contexts(answer, [], targetKey)
    }
    return fields.contexts(answer, this.#judge.eventNames(carriage, start, end), targetKey)
  }

  /** Where fields of `place` are counted for the item, or event, in hand. */
  #undecidedKeys(place: Place): UndecidedKeys {
    const current = place === 'span_event' ? this.#event : this.#item
    if (current.keys !== undefined && current.place === place) return current.keys
    const isShared = place === 'resource' || place === 'scope'
    const [name = ''] =
      place === 'span_event' ? this.#judge.eventNames('span_event', current.start, current.end) : []
    current.place = place
    current.keys = this.#workspace.undecided.keysOf(
      isShared ? '' : current.family,
      fromByteString(name),
      place,
    )
    return current.keys
  }
}

/** The key of the attribute that a path reads, or empty. */
export function keyOf(reader: TargetReader | undefined, path: number): ByteString {
  return reader === undefined || path < 0 ? '' : reader.paths[path].ownKey
}
