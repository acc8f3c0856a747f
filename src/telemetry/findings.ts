/**
 * The findings, merged, for `/api/v1/findings`, the metrics and the log.
 *
 * In: `findings_noted`. Out: what is listed, what was never seen before, and counts by kind. What an earlier run
 * has found is taken over. Bounded in every direction: a client that invents names fills the share of one kind, and no more. What finds no
 * room is counted as dropped. Names only: a value never comes here.
 *
 * Source: contract section 4.
 */
import { type Finding, type FindingKind, findingId, identityOf } from './finding.ts'
import { type FindingRow, type Kept, keptOf, rowOf } from './finding-rows.ts'

export type { FindingRow }

/** Distinct findings kept, a kind: a flood of one kind must not hide another. Together 1,000. */
export const FINDINGS_MAX: Readonly<Record<FindingKind, number>> = {
  unreviewed_subsystem: 150,
  near_miss: 100,
  conflicted_target: 100,
  undecided_field: 550,
  doubled: 50,
  canonicalised: 40,
  refused_reload: 10,
}
/** What was seen within this time gives no room to what is new: a flood of invented names does not drive out the others. */
export const UNSEEN_MS_MIN: number = 60 * 60 * 1000
/** Event names kept, a finding. */
export const EVENT_NAMES_MAX = 64
/** Names of fields kept, a finding. */
export const FIELDS_MAX = 256
/** Characters of any name. */
export const NAME_CHARACTERS_MAX = 256

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
  /** How often each kind was found since the start, kept or not. */
  counts(): ReadonlyMap<FindingKind, number>
  /** Takes over what a snapshot of an earlier run held. */
  restore(content: unknown): void
  /** Rises with every change of what is kept. */
  revision(): number
}

export function createFindings(): Findings {
  const kept = new Map<string, Kept>()
  const rooms = new Map<FindingKind, number>()
  const counts = new Map<FindingKind, number>()
  let dropped = 0
  let revision = 0

  function record(findings: readonly Finding[], nowMs: number): readonly Finding[] {
    return findings.map(cut).filter((finding) => isNew(finding, nowMs))
  }

  /** Merges one; true if it was not known and has found room. */
  function isNew(finding: Finding, nowMs: number): boolean {
    const { kind, count } = finding
    counts.set(kind, (counts.get(kind) ?? 0) + count)
    revision++
    const identity = identityOf(finding)
    const known = kept.get(identity)
    if (known !== undefined) {
      known.count += count
      known.lastMs = nowMs
      addNames(known, finding)
      return false
    }
    if (!makeRoom(kind, nowMs)) {
      dropped += count
      return false
    }
    const fresh = { finding, eventNames: new Set<string>(), fields: new Set<string>(), count }
    const entry = { ...fresh, id: findingId(finding), firstMs: nowMs, lastMs: nowMs }
    addNames(entry, finding)
    keep(identity, entry)
    return true
  }

  function keep(identity: string, entry: Kept): void {
    const { kind } = entry.finding
    kept.set(identity, entry)
    rooms.set(kind, (rooms.get(kind) ?? 0) + 1)
  }

  /** Where a kind has no room left, the one that was not seen for longest gives way, if that is long enough. */
  function makeRoom(kind: FindingKind, nowMs: number): boolean {
    if ((rooms.get(kind) ?? 0) < FINDINGS_MAX[kind]) return true
    let oldest: readonly [identity: string, entry: Kept] | undefined
    for (const one of kept) {
      if (one[1].finding.kind === kind && (oldest === undefined || one[1].lastMs < oldest[1].lastMs))
        oldest = one
    }
    if (oldest === undefined || nowMs - oldest[1].lastMs < UNSEEN_MS_MIN) return false
    kept.delete(oldest[0])
    rooms.set(kind, FINDINGS_MAX[kind] - 1)
    return true
  }

  function restore(content: unknown): void {
    // A snapshot has the newest first.
    for (const entry of keptOf(content).toReversed()) {
      const { kind } = entry.finding
      if ((rooms.get(kind) ?? 0) < FINDINGS_MAX[kind]) keep(identityOf(entry.finding), entry)
    }
  }

  return {
    record,
    snapshot: (isClosed = () => false) => ({
      findings: [...kept.values()].reverse().map((one): FindingRow => {
        const row = rowOf(one)
        return { ...row, state: isClosed(row) ? 'closed' : 'open' }
      }),
      dropped,
    }),
    counts: () => counts,
    restore,
    revision: () => revision,
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
