/**
 * Which events one request held, by what tells that they came twice: family, trace id, span id and event name.
 *
 * A sender that exports both carriages of an event has it arrive natively and rehomed. To see that, every rehomed event
 * is noted and a few of the native ones: whoever does so does it all the time. Times are for others to compare; nothing
 * is decided here. What tells an event from others is 64 bits of its ids and its name, so that nothing has to be made of
 * them; the name itself is read of the request when somebody asks. Source: contract section 5, last sentence.
 */
import { MalformedRequest, TooLarge } from '../errors.ts'
import type { Viewed } from '../otlp/copy.ts'
import type { Sighting } from '../telemetry/doubles.ts'
import { textAt } from './family.ts'
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

/** Where an event's name and ids stand. */
export interface Named {
  readonly source: Viewed
  readonly nameStart: number
  readonly nameEnd: number
  readonly traceIdAt: number
  readonly spanIdAt: number
}

class Seen implements Sighting {
  readonly isRehomed: boolean
  readonly family: string
  readonly high: number
  readonly low: number
  readonly #bytes: Uint8Array
  readonly #nameStart: number
  readonly #nameEnd: number

  constructor(isRehomed: boolean, family: string, named: Named) {
    this.isRehomed = isRehomed
    this.family = family
    this.high = fingerprint(named, 0x9e3779b1)
    this.low = fingerprint(named, 0x85ebca6b)
    this.#bytes = named.source.bytes
    this.#nameStart = named.nameStart
    this.#nameEnd = named.nameEnd
  }

  eventName(): string {
    return textAt(this.#bytes, this.#nameStart, this.#nameEnd)
  }
}

/** 32 bits of the ids and the name: other ones for another odd `prime`. */
function fingerprint({ source, nameStart, nameEnd, traceIdAt, spanIdAt }: Named, prime: number): number {
  const { bytes, view } = source
  let hash = prime
  for (let at = traceIdAt; at < traceIdAt + traceIdBytes; at += 4)
    hash = mixed(hash, view.getInt32(at), prime)
  for (let at = spanIdAt; at < spanIdAt + spanIdBytes; at += 4) hash = mixed(hash, view.getInt32(at), prime)
  for (let at = nameStart; at < nameEnd; at++) hash = mixed(hash, bytes[at], prime)
  return hash
}

function mixed(hash: number, word: number, prime: number): number {
  const product = Math.imul(hash ^ word, prime)
  return product ^ (product >>> 15)
}

export class Sightings {
  #seen: Sighting[] = []
  #natives = 0

  /** Whether another native event is to be looked at; each asks once. */
  asksNative(): boolean {
    return this.#natives++ < NATIVES_MAX
  }

  /** How many native events are still to be looked at. */
  get wanted(): number {
    return Math.max(0, NATIVES_MAX - this.#natives)
  }

  /** Whether no more are noted. */
  get isFull(): boolean {
    return this.#seen.length >= NATIVES_MAX + REHOMED_MAX
  }

  record(isRehomed: boolean, family: string, record: RehomedRecord): void {
    this.note(isRehomed, family, record)
  }

  event(isRehomed: boolean, family: string, event: RehomedEvent, { traceIdAt, spanIdAt }: SpanContext): void {
    const { source } = event
    const isNamed = event.eventNameStart < event.eventNameEnd
    const nameStart = isNamed ? event.eventNameStart : event.nameStart
    const nameEnd = isNamed ? event.eventNameEnd : event.nameEnd
    this.note(isRehomed, family, { source, nameStart, nameEnd, traceIdAt, spanIdAt })
  }

  note(isRehomed: boolean, family: string, named: Named): void {
    const isLinked = named.traceIdAt >= 0 && named.spanIdAt >= 0 && named.nameStart < named.nameEnd
    if (!isLinked || this.isFull) return
    this.#seen.push(new Seen(isRehomed, family, named))
  }

  /** What was noted; their names can be read as long as the request is there. */
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
