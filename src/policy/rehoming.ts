/**
 * Moves items to the carriage that their lane uses, while a walk goes through the request that they came in.
 *
 * A log record becomes an event on a carrier span; an event of a span becomes a log record, or rides a carrier
 * where its span does not go. The items are built into one request a lane, which is taken when the walk is done.
 */

import { viewed } from '../otlp/copy.ts'
import type { Judged } from './decide.ts'
import type { ByteString } from './family.ts'
import { type FieldPass, keyOf } from './field-pass.ts'
import type { LaneRecord } from './lane-record.ts'
import { EVENT_PLAN, SPAN_FACTS_PLAN } from './plan.ts'
import { addCarriedEvent } from './rehome/carrier.ts'
import type { TextRange } from './rehome/field.ts'
import { type MovedRecords, RehomedRequest } from './rehome/request.ts'
import type { TargetReader } from './target.ts'
import type { Verdict } from './verdict.ts'
import type { Listener } from './witness.ts'
import type { Workspace } from './workspace.ts'

type Add = (record: LaneRecord, out: RehomedRequest) => void

export class Rehoming {
  readonly #request: Uint8Array
  readonly #records: readonly LaneRecord[]
  readonly #workspace: Workspace
  readonly #fields: FieldPass
  readonly #listener: Listener | undefined
  #resource = 0
  #scope = 0

  constructor(
    request: Uint8Array,
    records: readonly LaneRecord[],
    workspace: Workspace,
    fields: FieldPass,
    listener: Listener | undefined,
  ) {
    this.#request = request
    this.#records = records
    this.#workspace = workspace
    this.#fields = fields
    this.#listener = listener
    for (const { rehomed } of records) rehomed.begin(request)
  }

  enterResource(resource: number): void {
    const { starts, ends } = this.#workspace.scan.resources
    this.#resource = resource
    for (const { rehomed } of this.#records) rehomed.resource(starts[resource], ends[resource])
  }

  enterScope(scope: number): void {
    const { starts, ends } = this.#workspace.scan.scopes
    this.#scope = scope
    for (const { rehomed } of this.#records) rehomed.scope(starts[scope], ends[scope])
  }

  /** Moves the log record in hand, with the target that `reader` read, to where its verdict says. */
  logRecord(verdict: Verdict, reader: TargetReader, judged: Judged): void {
    if (verdict.rehomed === 0) return
    const { rehomedRecord, sightings } = this.#workspace
    sightings.record(true, verdict.family, rehomedRecord)
    const target = this.#target(reader.start, reader.end, judged.standIn)
    this.#move(verdict.rehomed, undefined, (record, out) => {
      const context = this.#fields.carriedContext(record, 'log_record', verdict.family, undefined)
      rehomedRecord.addCarrierSpan(out, target, (name, attribute) =>
        record.carrierName(name, attribute, context),
      )
    })
  }

  /** Moves events of the span in `[spanStart, spanEnd)`, which is in hand, to where their verdicts say. */
  spanEvents(reader: TargetReader, spanStart: number, spanEnd: number): void {
    const { reading, moving, span, rehomedEvent, sightings } = this.#workspace
    const { events } = reading
    moving.read(SPAN_FACTS_PLAN, spanStart, spanEnd)
    span.read(moving)
    for (let index = 0; index < events.count; index++) {
      const { rehomed, carried, family } = events.verdicts[index]
      if ((rehomed | carried) === 0) continue
      const ownKey = keyOf(reader, events.paths[index])
      // No attribute gave the target, so none is left out: not even one whose key is empty.
      const [start, end] = [events.starts[index], events.ends[index]]
      moving.read(EVENT_PLAN, start, end)
      rehomedEvent.read(moving, start, end, ownKey === '' ? undefined : ownKey)
      if (rehomed !== 0) sightings.event(true, family, rehomedEvent, span)
      const target = this.#target(
        events.targetStarts[index],
        events.targetEnds[index],
        events.standIns[index],
      )
      this.#move(rehomed, index, (_, out) => rehomedEvent.addLogRecord(out, span, target))
      this.#move(carried, index, (record, out) => {
        const context = this.#fields.carriedContext(record, 'span_event', family, index)
        addCarriedEvent(out, rehomedEvent, span, (name, attribute) =>
          record.carrierName(name, attribute, context),
        )
      })
    }
  }

  /** Moves events that are log records already to where their verdict says. */
  records({ rehomed }: Verdict, target: TextRange, records: MovedRecords): void {
    for (const record of this.#records) {
      if ((rehomed & record.bit) !== 0) record.rehomed.addLogRecords(target, records)
    }
  }

  /** Adds an item to the request of every lane in the set; `index` is the event's in its span. */
  #move(lanes: number, index: number | undefined, add: Add): void {
    if (lanes === 0) return
    for (const record of this.#records) {
      if ((lanes & record.bit) === 0) continue
      add(record, record.rehomed)
      this.#listener?.rehomed(this.#alone(record, add), record, index)
    }
  }

  /** A request that holds the one item: a witness wants to hear of its fields alone. */
  #alone(record: LaneRecord, add: Add): Uint8Array {
    const { resources, scopes } = this.#workspace.scan
    const out = new RehomedRequest()
    out.begin(this.#request)
    out.resource(resources.starts[this.#resource], resources.ends[this.#resource])
    out.scope(scopes.starts[this.#scope], scopes.ends[this.#scope])
    add(record, out)
    return out.take()?.content.toBytes() ?? new Uint8Array(0)
  }

  /** A target as bytes: a range of the request, or, for a doubtful one, what stands for it. */
  #target(start: number, end: number, standIn: ByteString | undefined): TextRange {
    if (standIn === undefined) return { source: this.#workspace.reading.cursor, start, end }
    const source = viewed(Buffer.from(standIn, 'latin1'))
    return { source, start: 0, end: source.bytes.length }
  }
}
