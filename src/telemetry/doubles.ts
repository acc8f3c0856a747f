/**
 * Events that came twice, natively and rehomed, within a minute: their sender exports both carriages.
 *
 * In: what requests held of events. Out: findings. A bounded number of events is remembered, the oldest goes first: a
 * flood costs sightings, not memory. Source: contract section 5, last sentence.
 */
import type { Finding } from './finding.ts'

/** An event that a request held. Texts are bytes, one a character. */
export interface Sighting {
  readonly isRehomed: boolean
  readonly family: string
  readonly eventName: string
  /** Trace id and span id. */
  readonly ids: string
}

/** Two of an event within this time are one event. */
export const DOUBLED_WITHIN_MS = 60_000
/** Events remembered. */
export const REMEMBERED_MAX = 8192

export interface Doubles {
  note(sightings: readonly Sighting[], nowMs: number): readonly Finding[]
}

export function createDoubles(): Doubles {
  const remembered = new Map<string, { readonly isRehomed: boolean; readonly atMs: number }>()

  function note(sightings: readonly Sighting[], nowMs: number): readonly Finding[] {
    return sightings.filter((sighting) => isDouble(sighting, nowMs)).map(findingOf)
  }

  function isDouble({ isRehomed, family, eventName, ids }: Sighting, nowMs: number): boolean {
    const key = `${family}\n${ids}\n${eventName}`
    const before = remembered.get(key)
    remembered.delete(key)
    remembered.set(key, { isRehomed, atMs: nowMs })
    if (remembered.size > REMEMBERED_MAX) {
      for (const oldest of remembered.keys()) {
        remembered.delete(oldest)
        break
      }
    }
    return before !== undefined && before.isRehomed !== isRehomed && nowMs - before.atMs <= DOUBLED_WITHIN_MS
  }

  return { note }
}

function findingOf({ family, eventName }: Sighting): Finding {
  const name = Buffer.from(eventName, 'latin1').toString('utf8')
  return { kind: 'doubled', target: '', family, eventName: name, place: undefined, keys: [], count: 1 }
}
