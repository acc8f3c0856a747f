/**
 * A finding: what a person should review, as one request gave it.
 *
 * It names targets, event names, families, places and keys; never a value. Made by `route`, merged and listed by
 * `findings.ts`.
 */
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
