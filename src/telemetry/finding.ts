/**
 * A finding: what a person should review, as one request gave it.
 *
 * It names targets, event names, families, places and keys; never a value. Made by `route`, merged and listed by
 * `findings.ts`.
 */
import { createHash } from 'node:crypto'
import type { Place } from '../config/config.ts'

export const FINDING_KINDS = [
  /** A target of the namespace that no family names. */
  'unreviewed_subsystem',
  /** A target that looks like one of the policy's and is none. */
  'near_miss',
  /** A target that is not a string, or that two readings of an item give differently. */
  'conflicted_target',
  /** A key that no rule of the lane decided. */
  'undecided_field',
  /** What no decoder would read was removed on a lane of canonical wire form. */
  'canonicalised',
  /** An event came natively and rehomed, too: its sender exports both carriages. */
  'doubled',
  /** A configuration or reviews file that cannot be taken up; the one before is in force. */
  'refused_reload',
] as const
export type FindingKind = (typeof FINDING_KINDS)[number]

export interface Finding {
  readonly kind: FindingKind
  /** The target concerned; empty for the kinds that concern none. */
  readonly target: string
  /** Family as the ledger names it; empty where the finding belongs to no item. */
  readonly family: string
  /** The event's name; empty where there is none, or it does not matter. */
  readonly eventName: string
  /** Where an undecided field was; undefined for the other kinds. */
  readonly place: Place | undefined
  /** Keys: the undecided one, or those of an unreviewed event. */
  readonly keys: readonly string[]
  /** The lane that was made canonical; no other kind has one. */
  readonly lane?: string
  readonly count: number
}

/** What a finding is about. A target is one finding whatever its events are called; a field is one for each event that has it. */
export function identityOf({ kind, target, family, eventName, place, keys, lane }: Finding): string {
  switch (kind) {
    case 'undecided_field':
      return JSON.stringify([kind, family, place, eventName, keys[0]])
    case 'doubled':
      return JSON.stringify([kind, family, eventName])
    default:
      return JSON.stringify([kind, target, lane])
  }
}

/** By which people name a finding: the first 12 hex digits of the SHA-256 of its identity. */
export function findingId(finding: Finding): string {
  return createHash('sha256').update(identityOf(finding)).digest('hex').slice(0, 12)
}
