/**
 * The findings since the start, merged, for `/api/v1/findings`, the metrics and the log.
 *
 * In: `findings_noted`. Out: what is listed, what was never seen before, and counts by kind. Held in memory, and
 * bounded in every direction: a client that invents names fills the share of one kind, and no more. What finds no
 * room is counted as dropped. Names only: a value never comes here.
 *
 * Source: contract section 4.
 */
import type { Place } from '../config/config.ts'
import { type Finding, type FindingKind, findingId, identityOf } from './finding.ts'

/** Distinct findings kept, a kind: a flood of one kind must not hide another. Together 1,000. */
export const FINDINGS_MAX: Readonly<Record<FindingKind, number>> = {
  unreviewed_subsystem: 150,
  near_miss: 100,
  conflicted_target: 100,
  undecided_field: 600,
  canonicalised: 40,
  refused_reload: 10,
}
/** Event names kept, a finding. */
export const EVENT_NAMES_MAX = 64
/** Names of fields kept, a finding. */
export const FIELDS_MAX = 256
/** Characters of any name. */
export const NAME_CHARACTERS_MAX = 256

/** A finding as the admin port shows it; null for what its kind has not. */
export interface FindingRow {
  /** The same for the same subject, always. */
  readonly id: string
  /** `closed`: a review has decided on it. */
  readonly state: 'open' | 'closed'
  readonly kind: FindingKind
  readonly target: string | null
  readonly family: string | null
  readonly lane: string | null
  readonly place: Place | null
  readonly event_names: readonly string[]
  /** Keys seen on events of an unreviewed subsystem. */
  readonly fields: readonly string[]
  /** The key that no rule decided. */
  readonly key: string | null
  /** How often it was seen. */
  readonly count: number
  /** ISO 8601. */
  readonly first_seen: string
  readonly last_seen: string
}

export interface FindingsSnapshot {
  /** The one first seen last stands first. */
  readonly findings: readonly FindingRow[]
  /** How often something was found that there was no room for. */
  readonly dropped: number
}

export interface Findings {
  /** Merges what one request gave; returns what was never seen before and is now kept. */
  record(findings: readonly Finding[], nowMs: number): readonly Finding[]
  /** `isClosed`: whether a review has decided on a finding. */
  snapshot(isClosed?: (row: Omit<FindingRow, 'state'>) => boolean): FindingsSnapshot
  /** How often each kind was found, kept or not. */
  counts(): ReadonlyMap<FindingKind, number>
}

interface Kept {
  readonly id: string
  readonly finding: Finding
  readonly eventNames: Set<string>
  readonly fields: Set<string>
  count: number
  readonly firstMs: number
  lastMs: number
}

export function createFindings(): Findings {
  const kept = new Map<string, Kept>()
  const rooms = new Map<FindingKind, number>()
  const counts = new Map<FindingKind, number>()
  let dropped = 0

  function record(findings: readonly Finding[], nowMs: number): readonly Finding[] {
    return findings.map(cut).filter((finding) => isNew(finding, nowMs))
  }

  /** Merges one; true if it was not known and has found room. */
  function isNew(finding: Finding, nowMs: number): boolean {
    const { kind, count } = finding
    counts.set(kind, (counts.get(kind) ?? 0) + count)
    const identity = identityOf(finding)
    const known = kept.get(identity)
    if (known !== undefined) {
      known.count += count
      known.lastMs = nowMs
      addNames(known, finding)
      return false
    }
    const taken = rooms.get(kind) ?? 0
    if (taken >= FINDINGS_MAX[kind]) {
      dropped += count
      return false
    }
    rooms.set(kind, taken + 1)
    const fresh = { finding, eventNames: new Set<string>(), fields: new Set<string>(), count }
    const entry = { ...fresh, id: findingId(finding), firstMs: nowMs, lastMs: nowMs }
    addNames(entry, finding)
    kept.set(identity, entry)
    return true
  }

  return {
    record,
    snapshot: (isClosed = () => false) => ({
      findings: [...kept.values()].reverse().map((one): FindingRow => {
        const row = toRow(one)
        return { ...row, state: isClosed(row) ? 'closed' : 'open' }
      }),
      dropped,
    }),
    counts: () => counts,
  }
}

function addNames({ eventNames, fields }: Kept, { eventName, keys }: Finding): void {
  if (eventName !== '' && eventNames.size < EVENT_NAMES_MAX) eventNames.add(eventName)
  for (const key of keys) if (fields.size < FIELDS_MAX) fields.add(key)
}

function cut(finding: Finding): Finding {
  const { target, eventName, keys } = finding
  return { ...finding, target: cutName(target), eventName: cutName(eventName), keys: keys.map(cutName) }
}

function cutName(name: string): string {
  return name.length > NAME_CHARACTERS_MAX ? `${name.slice(0, NAME_CHARACTERS_MAX - 1)}…` : name
}

function toRow({ id, finding, eventNames, fields, count, firstMs, lastMs }: Kept): Omit<FindingRow, 'state'> {
  const { kind, target, family, lane, place, keys } = finding
  const isField = kind === 'undecided_field'
  return {
    id,
    kind,
    target: target || null,
    family: family || null,
    lane: lane ?? null,
    place: place ?? null,
    event_names: [...eventNames],
    fields: isField ? [] : [...fields],
    key: isField ? (keys[0] ?? null) : null,
    count,
    first_seen: new Date(firstMs).toISOString(),
    last_seen: new Date(lastMs).toISOString(),
  }
}
