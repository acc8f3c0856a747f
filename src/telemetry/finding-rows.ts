/**
 * Findings as rows: as the admin port shows them, as a file keeps them, and back again.
 */
import type { Place } from '../config/config.ts'
import { FINDING_KINDS, type Finding, type FindingKind, findingId } from './finding.ts'

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

/** A finding, and what was seen of it. */
export interface Kept {
  readonly id: string
  readonly finding: Finding
  readonly eventNames: Set<string>
  readonly fields: Set<string>
  count: number
  readonly firstMs: number
  lastMs: number
}

export function rowOf({
  id,
  finding,
  eventNames,
  fields,
  count,
  firstMs,
  lastMs,
}: Kept): Omit<FindingRow, 'state'> {
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

/** What a file keeps as `findings`; what is no row of ours is left out. */
export function keptOf(content: unknown): readonly Kept[] {
  const rows =
    typeof content === 'object' && content !== null && 'findings' in content ? content.findings : []
  return Array.isArray(rows) ? rows.flatMap((row: unknown) => (isRow(row) ? [fromRow(row)] : [])) : []
}

function fromRow(row: FindingRow): Kept {
  const { kind, target, family, place, event_names, fields, key, lane, count } = row
  const finding: Finding = {
    kind,
    target: target ?? '',
    family: family ?? '',
    eventName: event_names[0] ?? '',
    place: place ?? undefined,
    keys: key === null ? fields : [key],
    ...(lane !== null && { lane }),
    count,
  }
  return {
    id: findingId(finding),
    finding,
    eventNames: new Set(event_names),
    fields: new Set(key === null ? fields : [key]),
    count,
    firstMs: Date.parse(row.first_seen),
    lastMs: Date.parse(row.last_seen),
  }
}

const TEXTS = ['target', 'family', 'lane', 'place', 'key'] as const

function isRow(value: unknown): value is FindingRow {
  if (typeof value !== 'object' || value === null) return false
  const row = new Map<string, unknown>(Object.entries(value))
  const isTime = (key: string): boolean => !Number.isNaN(Date.parse(String(row.get(key))))
  const areTexts = (key: string): boolean => {
    const list = row.get(key)
    return Array.isArray(list) && list.every((one) => typeof one === 'string')
  }
  return (
    FINDING_KINDS.some((kind) => kind === row.get('kind')) &&
    TEXTS.every((key) => row.get(key) === null || typeof row.get(key) === 'string') &&
    areTexts('event_names') &&
    areTexts('fields') &&
    Number.isSafeInteger(row.get('count')) &&
    isTime('first_seen') &&
    isTime('last_seen')
  )
}
