/**
 * Which events one request held, by what tells that they came twice: family, trace id, span id and event name.
 *
 * A sender that exports both carriages of an event has it arrive natively and rehomed. To see that, every rehomed event
 * is noted and a few of the native ones: whoever does so does it all the time. Times are for others to compare; nothing
 * is decided here. Scratch: `drain` hands out what was noted. Source: contract section 5, last sentence.
 */
import { MalformedRequest, TooLarge } from '../errors.ts'
import type { Sighting } from '../telemetry/doubles.ts'
import { latin1 } from './family.ts'
import { EVENT_PLAN, LOG_RECORD_PLAN, SPAN_FACTS_PLAN } from './plan.ts'
import type { RehomedEvent } from './rehome/event.ts'
import { spanIdBytes, traceIdBytes } from './rehome/field.ts'
import type { RehomedRecord } from './rehome/record.ts'
import type { SpanContext } from './rehome/span.ts'
import type { Workspace } from './workspace.ts'

export type { Sighting }

/** How many of each one request gives. */
export const NATIVES_MAX = 4
export const REHOMED_MAX = 64

const none: readonly Sighting[] = Object.freeze([])

interface Named {
  readonly isRehomed: boolean
  readonly family: string
  readonly bytes: Uint8Array
  readonly nameStart: number
  readonly nameEnd: number
}

export class Sightings {
  #seen: Sighting[] = []
  #natives = 0

  /** Whether another native event is to be looked at; each asks once. */
  asksNative(): boolean {
    return this.#natives++ < NATIVES_MAX
  }

  record(isRehomed: boolean, family: string, record: RehomedRecord): void {
    const { source, nameStart, nameEnd } = record
    this.#note({ isRehomed, family, bytes: source.bytes, nameStart, nameEnd }, record)
  }

  event(isRehomed: boolean, family: string, event: RehomedEvent, span: SpanContext): void {
    const isNamed = event.eventNameStart < event.eventNameEnd
    const nameStart = isNamed ? event.eventNameStart : event.nameStart
    const nameEnd = isNamed ? event.eventNameEnd : event.nameEnd
    this.#note({ isRehomed, family, bytes: event.source.bytes, nameStart, nameEnd }, span)
  }

  #note(
    { isRehomed, family, bytes, nameStart, nameEnd }: Named,
    { traceIdAt, spanIdAt }: { readonly traceIdAt: number; readonly spanIdAt: number },
  ): void {
    const isLinked = traceIdAt >= 0 && spanIdAt >= 0 && nameStart < nameEnd
    if (!isLinked || this.#seen.length >= NATIVES_MAX + REHOMED_MAX) return
    const traceId = latin1(bytes, traceIdAt, traceIdAt + traceIdBytes)
    const spanId = latin1(bytes, spanIdAt, spanIdAt + spanIdBytes)
    this.#seen.push({
      isRehomed,
      family,
      eventName: latin1(bytes, nameStart, nameEnd),
      ids: traceId + spanId,
    })
  }

  drain(): readonly Sighting[] {
    this.#natives = 0
    if (this.#seen.length === 0) return none
    const seen = this.#seen
    this.#seen = []
    return seen
  }
}

/** Notes log record `item`, which is taken natively. One that cannot be read is for the backend to judge. */
export function sightRecord(workspace: Workspace, item: number, family: string): void {
  const { scan, moving, rehomedRecord, sightings } = workspace
  const [start, end] = [scan.items.starts[item], scan.items.ends[item]]
  try {
    moving.read(LOG_RECORD_PLAN, start, end)
  } catch (error) {
    if (error instanceof MalformedRequest || error instanceof TooLarge) return
    throw error
  }
  rehomedRecord.read(moving, start, end)
  sightings.record(false, family, rehomedRecord)
}

/** Notes event `index` of the span in hand, whose payload is `[start, end)`, and which is taken natively. */
export function sightEvent(
  workspace: Workspace,
  index: number,
  { start, end }: { readonly start: number; readonly end: number },
): void {
  const { reading, moving, span, rehomedEvent, sightings } = workspace
  const { starts, ends, verdicts } = reading.events
  moving.read(SPAN_FACTS_PLAN, start, end)
  span.read(moving)
  moving.read(EVENT_PLAN, starts[index], ends[index])
  rehomedEvent.read(moving, starts[index], ends[index], undefined)
  sightings.event(false, verdicts[index].family, rehomedEvent, span)
}
