/**
 * What became of the items of one request: the rows that enter the ledger in one step.
 *
 * The words are the contract's. `received` is never written here: the ledger derives it from the other
 * outcomes, so that it balances by construction at every read.
 */
import type { Carriage } from '../otlp/signal.ts'

/** What becomes of an item. `copied` counts further lanes of an item that is `forwarded` already, outside the sum. */
export type Outcome = 'forwarded' | 'rehomed' | 'quarantined' | 'dropped' | 'refused' | 'copied'

/** Why an item, or a whole request, was not forwarded. */
export type Reason =
  | 'foreign'
  | 'unreviewed'
  | 'wrong_carriage'
  | 'no_lane'
  | 'no_exporter'
  | 'lane_rule'
  | 'ambiguous_target'
  | 'no_span'
  | 'rejected'
  | 'discarded'
  | 'quarantine_full'
  | 'queue_full'
  | 'malformed'
  | 'too_large'
  | 'full'
  | 'stopping'

export interface TallyRow {
  readonly carriage: Carriage
  /** A configured family, `unreviewed`, `ambiguous` or `foreign`; never a raw target. */
  readonly family: string
  /** The lane concerned, or empty. */
  readonly lane: string
  readonly outcome: Outcome
  /** Empty for outcomes that need none. */
  readonly reason: Reason | ''
  readonly items: number
}
