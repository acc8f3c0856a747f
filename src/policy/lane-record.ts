/**
 * What one lane gets of the current request: the edits of its native parcel, and the items rehomed to it.
 *
 * The walk tells every lane what it passes, in the order of the document; each lane notes what it drops, and what
 * its field policy changes in what it keeps. Scratch: one a lane, reused for every request.
 */
import { type Cursor, LEN, tagOf, VARINT } from '../otlp/cursor.ts'
import type { Ranges } from '../otlp/scan.ts'
import { Edits } from '../otlp/splice.ts'
import { type EditedItem, FieldEditor, type SpanHost } from './edit.ts'
import type { FieldContext, PlaceContexts } from './fields.ts'
import type { PolicyLane } from './lane.ts'
import { EVENT_PLAN, type Plan, SPAN_PLAN } from './plan.ts'
import { RehomedRequest } from './rehome/request.ts'
import { SpanEvents } from './span-events.ts'

const ITEM = tagOf(2, LEN)
const PART_MESSAGE = tagOf(1, LEN)
const EVENT = tagOf(11, LEN)
const DROPPED_EVENTS = tagOf(12, VARINT)
const uint32Max = 0xffff_ffff

const noTarget = { targetStart: 0, targetEnd: 0 }

/** How a lane is to edit event `index` of the span in hand. */
export type EditEvent = (record: LaneRecord, index: number) => EditedItem

export class LaneRecord implements SpanHost {
  readonly lane: PolicyLane
  readonly index: number
  /** This lane's bit in sets of lanes. */
  readonly bit: number
  readonly edits: Edits = new Edits()
  readonly editor: FieldEditor
  readonly rehomed: RehomedRequest = new RehomedRequest()
  /** Log records, spans or data points taken natively. */
  items = 0
  /** Whether the lane's field policy wants to see what it takes. */
  readonly editsFields: boolean
  /** How many events of the span in hand were dropped. */
  droppedEvents = 0
  #events: SpanEvents = new SpanEvents()
  #editEvent: EditEvent = () => ({ contexts: this.#shared, ...noTarget })
  #nextEvent = 0
  readonly #cursor: Cursor
  /** Contexts of places that belong to no item. */
  readonly #shared: PlaceContexts

  constructor(lane: PolicyLane, index: number, cursor: Cursor, hashKey: Uint8Array) {
    this.lane = lane
    this.index = index
    this.bit = 1 << index
    this.editor = new FieldEditor(cursor, this.edits, hashKey)
    this.editsFields = lane.fields.isActive
    this.#cursor = cursor
    this.#shared = lane.fields.contexts(undefined, [], '')
  }

  begin(request: Uint8Array): void {
    this.edits.reset()
    this.editor.begin(request)
    this.rehomed.begin(request)
    this.items = 0
  }

  /**
   * Edits the parts of an envelope that lie before `limit`, from part `next` to `last`: its resource or scope
   * message by `plan`, its schema_url. Returns the first part that is left.
   */
  editParts(parts: Ranges, next: number, last: number, limit: number, plan: Plan): number {
    let part = next
    for (; part < last && parts.fields[part] < limit; part++) {
      const field = parts.fields[part]
      const start = parts.starts[part]
      const end = parts.ends[part]
      this.#cursor.at = field
      if (this.#cursor.tag(end) === PART_MESSAGE) {
        this.edits.enter(PART_MESSAGE, field, start, end)
        this.editor.message(plan, start, end, { contexts: this.#shared, ...noTarget }, undefined)
        this.edits.leave()
      } else {
        this.editor.schemaUrl(plan.place, this.#shared[plan.place], field, start, end)
      }
    }
    return part
  }

  /** A log record or metric: `items` is how many a backend counts in it. */
  take(
    plan: Plan,
    items: number,
    field: number,
    start: number,
    end: number,
    edited: EditedItem | undefined,
  ): void {
    this.edits.kept++
    this.items += items
    if (edited === undefined) return
    this.edits.enter(ITEM, field, start, end)
    this.editor.message(plan, start, end, edited, undefined)
    this.edits.leave()
  }

  /** A span that the lane takes: the events in it that go elsewhere are cut, and the dropped ones counted. */
  takeSpan(field: number, start: number, end: number, events: SpanEvents): void {
    this.edits.kept++
    this.items++
    let gone = 0
    let dropped = 0
    for (let index = 0; index < events.count; index++) {
      const verdict = events.verdicts[index]
      if ((verdict.native & this.bit) !== 0) continue
      gone++
      if (verdict.outcome === 'dropped') dropped++
    }
    if (gone === 0) return
    this.edits.enter(ITEM, field, start, end)
    for (let index = 0; index < events.count; index++) {
      if ((events.verdicts[index].native & this.bit) === 0)
        this.edits.cut(events.fields[index], events.ends[index])
    }
    if (dropped > 0) {
      if (events.countEnd > 0) this.edits.cutEarlier(events.countField, events.countEnd)
      this.edits.putVarint(end, DROPPED_EVENTS, Math.min(events.droppedCount + dropped, uint32Max))
    }
    this.edits.leave()
  }

  /** The same where the field policy looks at the span: `edited` is the span's, `editEvent` says its events'. */
  takeEditedSpan(
    field: number,
    start: number,
    end: number,
    events: SpanEvents,
    edited: EditedItem,
    editEvent: EditEvent,
  ): void {
    this.edits.kept++
    this.items++
    this.#events = events
    this.#editEvent = editEvent
    this.#nextEvent = 0
    this.droppedEvents = 0
    this.edits.enter(ITEM, field, start, end)
    this.editor.message(SPAN_PLAN, start, end, edited, this)
    this.edits.leave()
  }

  /** Called by the editor for each event of the span in hand. */
  event(field: number, start: number, end: number): void {
    const index = this.#nextEvent++
    const verdict = this.#events.verdicts[index]
    if ((verdict.native & this.bit) === 0) {
      this.edits.cut(field, end)
      if (verdict.outcome === 'dropped') this.droppedEvents++
      return
    }
    this.edits.enter(EVENT, field, start, end)
    this.editor.message(EVENT_PLAN, start, end, this.#editEvent(this, index), undefined)
    this.edits.leave()
  }

  /** What the field policy makes of the name of an event that a carrier span brings. */
  carrierName(name: Uint8Array, attribute: Uint8Array | undefined, context: FieldContext): Uint8Array {
    return this.editor.carrierName(name, attribute, context)
  }
}
