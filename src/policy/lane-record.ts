/**
 * What one lane gets of the current request: the edits of its native parcel, and the items rehomed to it.
 *
 * The walk tells every lane what it passes, in the order of the document; each lane notes what it drops, and what
 * its field policy changes in what it keeps. Scratch: one a lane, reused for every request.
 */
import { type Cursor, LEN, tagOf, VARINT } from '../otlp/cursor.ts'
import { Edits } from '../otlp/splice.ts'
import { type EditedItem, FieldEditor, type SpanHost } from './edit.ts'
import type { FieldContext, PlaceContexts } from './fields.ts'
import type { PolicyLane } from './lane.ts'
import { EVENT_PLAN, type Plan, SPAN_PLAN } from './plan.ts'
import type { Reading } from './reading.ts'
import { RehomedRequest } from './rehome/request.ts'
import type { SpanEvents } from './span-events.ts'

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
  #editEvent: EditEvent = () => ({ contexts: this.#shared, ...noTarget })
  #nextEvent = 0
  /** Contexts of places that belong to no item. */
  readonly #shared: PlaceContexts

  constructor(lane: PolicyLane, index: number, cursor: Cursor, hashKey: Uint8Array) {
    this.lane = lane
    this.index = index
    this.bit = 1 << index
    this.editor = new FieldEditor(cursor, this.edits, hashKey)
    this.editsFields = lane.fields.isActive
    this.#shared = lane.fields.contexts(undefined, [], '')
  }

  begin(request: Uint8Array): void {
    this.edits.reset()
    this.editor.begin(request)
    this.rehomed.begin(request)
    this.items = 0
  }

  /** Edits the message that an envelope is of, its resource or its scope, which was just read by `plan`. */
  editEnvelope(plan: Plan, reading: Reading, field: number, start: number, end: number): void {
    this.edits.enter(PART_MESSAGE, field, start, end)
    const rows = { reading, first: 0, last: reading.count, end }
    this.editor.message(plan, rows, { contexts: this.#shared, ...noTarget }, undefined)
    this.edits.leave()
  }

  /** Edits the schema_url of an envelope: the field `[field, end)` with its text from `start` on. */
  editSchemaUrl(plan: Plan, field: number, start: number, end: number): void {
    this.editor.schemaUrl(plan.place, this.#shared[plan.place], field, start, end)
  }

  /** A log record or metric stays: `items` is how many a backend counts in it. */
  take(items: number): void {
    this.edits.kept++
    this.items += items
  }

  /** Edits the log record or metric that was just taken, as it was read. */
  edit(plan: Plan, field: number, start: number, end: number, reading: Reading, edited: EditedItem): void {
    this.edits.enter(ITEM, field, start, end)
    this.editor.message(plan, { reading, first: 0, last: reading.count, end }, edited, undefined)
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
    reading: Reading,
    edited: EditedItem,
    editEvent: EditEvent,
  ): void {
    this.edits.kept++
    this.items++
    this.#editEvent = editEvent
    this.#nextEvent = 0
    this.droppedEvents = 0
    this.edits.enter(ITEM, field, start, end)
    this.editor.message(SPAN_PLAN, { reading, first: 0, last: reading.count, end }, edited, this)
    this.edits.leave()
  }

  /** Called by the editor for each event of the span in hand. */
  event(reading: Reading, row: number): void {
    const index = this.#nextEvent++
    const verdict = reading.events.verdicts[index]
    const field = reading.fields[row]
    const end = reading.ends[row]
    if ((verdict.native & this.bit) === 0) {
      this.edits.cut(field, end)
      if (verdict.outcome === 'dropped') this.droppedEvents++
      return
    }
    this.edits.enter(EVENT, field, reading.starts[row], end)
    const rows = { reading, first: row + 1, last: reading.values[row], end }
    this.editor.message(EVENT_PLAN, rows, this.#editEvent(this, index), undefined)
    this.edits.leave()
  }

  /** The hash of a text, as it leaves. */
  hash(text: Uint8Array): Uint8Array {
    return this.editor.hash(text)
  }

  /** What the field policy makes of the name of an event that a carrier span brings. */
  carrierName(name: Uint8Array, attribute: Uint8Array | undefined, context: FieldContext): Uint8Array {
    return this.editor.carrierName(name, attribute, context)
  }
}
