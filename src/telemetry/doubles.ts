/**
 * Events that came twice, natively and rehomed, within a minute: their sender exports both carriages.
 *
 * In: what requests held of events. Out: findings. A bounded number of events is remembered, in a table that never
 * grows: a flood costs sightings, not memory, and nothing is left to collect. Source: contract section 5, last sentence.
 */
import type { Finding } from './finding.ts'

/** An event that a request held. */
export interface Sighting {
  readonly isRehomed: boolean
  readonly family: string
  /** 64 bits of its trace id, span id and name: two integers of 32. */
  readonly high: number
  readonly low: number
  /** Asked for only while the request is there. */
  eventName(): string
}

/** Two of an event within this time are one event. */
export const DOUBLED_WITHIN_MS = 60_000
/** Events remembered: each may stand in any slot of one set, and the oldest of a full set goes. */
const SETS = 2048
export const SLOTS_OF_SET = 4

export interface Doubles {
  note(sightings: readonly Sighting[], nowMs: number): readonly Finding[]
}

export function createDoubles(): Doubles {
  const slots = SETS * SLOTS_OF_SET
  const highs = new Int32Array(slots)
  const lows = new Int32Array(slots)
  const carriages = new Uint8Array(slots)
  const families = new Array<string>(slots).fill('')
  /** Milliseconds since the epoch; of an empty slot too long ago for anything. */
  const times = new Float64Array(slots).fill(Number.NEGATIVE_INFINITY)

  function note(sightings: readonly Sighting[], nowMs: number): readonly Finding[] {
    return sightings.filter((sighting) => isDouble(sighting, nowMs)).map(findingOf)
  }

  /** Remembers it, in the slot where it stands, or else in the place of the oldest of its set. */
  function isDouble(sighting: Sighting, nowMs: number): boolean {
    const slot = slotOf(sighting)
    const carriage = sighting.isRehomed ? 1 : 0
    const isOther = holds(slot, sighting) && carriages[slot] !== carriage
    const isDoubled = isOther && nowMs - times[slot] <= DOUBLED_WITHIN_MS
    highs[slot] = sighting.high
    lows[slot] = sighting.low
    families[slot] = sighting.family
    carriages[slot] = carriage
    times[slot] = nowMs
    return isDoubled
  }

  function slotOf(sighting: Sighting): number {
    const first = (sighting.low & (SETS - 1)) * SLOTS_OF_SET
    let oldest = first
    for (let slot = first; slot < first + SLOTS_OF_SET; slot++) {
      if (holds(slot, sighting)) return slot
      if (times[slot] < times[oldest]) oldest = slot
    }
    return oldest
  }

  function holds(slot: number, { family, high, low }: Sighting): boolean {
    return highs[slot] === high && lows[slot] === low && families[slot] === family
  }

  return { note }
}

function findingOf(sighting: Sighting): Finding {
  const { family } = sighting
  const eventName = sighting.eventName()
  return { kind: 'doubled', target: '', family, eventName, place: undefined, keys: [], count: 1 }
}
