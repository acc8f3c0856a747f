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
export const SETS = 2048
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

  function isDouble({ isRehomed, family, high, low }: Sighting, nowMs: number): boolean {
    const carriage = isRehomed ? 1 : 0
    const first = (low & (SETS - 1)) * SLOTS_OF_SET
    let oldest = first
    for (let slot = first; slot < first + SLOTS_OF_SET; slot++) {
      if (highs[slot] === high && lows[slot] === low && families[slot] === family) {
        const isOther = carriages[slot] !== carriage && nowMs - times[slot] <= DOUBLED_WITHIN_MS
        carriages[slot] = carriage
        times[slot] = nowMs
        return isOther
      }
      if (times[slot] < times[oldest]) oldest = slot
    }
    highs[oldest] = high
    lows[oldest] = low
    families[oldest] = family
    carriages[oldest] = carriage
    times[oldest] = nowMs
    return false
  }

  return { note }
}

function findingOf(sighting: Sighting): Finding {
  const { family } = sighting
  const eventName = sighting.eventName()
  return { kind: 'doubled', target: '', family, eventName, place: undefined, keys: [], count: 1 }
}
