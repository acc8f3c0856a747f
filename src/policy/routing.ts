/** What `route` gives, and its tally from the verdicts of one request. */
import type { HeldParcel } from '../otlp/parcel.ts'
import type { Signal } from '../otlp/signal.ts'
import type { Unwritten } from '../otlp/unwritten.ts'
import type { TallyRow } from '../telemetry/tally.ts'
import type { Finding } from './finding.ts'
import type { Sighting } from './sightings.ts'
import type { Verdicts } from './verdict.ts'
import type { VerdictCounts } from './workspace.ts'

/** What one lane takes of a request. */
export interface RoutedParcel {
  readonly lane: string
  readonly signal: Signal
  /** Log records, spans or data points. */
  readonly items: number
  /** The parcel's bytes, or how to make them; undefined if they are the request's own. */
  readonly content: Unwritten | Uint8Array | undefined
}

export interface Routing {
  readonly parcels: readonly RoutedParcel[]
  /** What waits for a review, by target. */
  readonly held: readonly HeldParcel[]
  readonly tally: readonly TallyRow[]
  readonly findings: readonly Finding[]
  /** Some of the events that it held, by what tells that they came twice. */
  readonly sightings: readonly Sighting[]
}

/** The rows of the ledger: one a verdict, and one for each further lane that takes its items. Empties the counts. */
export function tallyOf(counts: VerdictCounts, verdicts: Verdicts): readonly TallyRow[] {
  const rows: TallyRow[] = []
  counts.drain((verdict, items) => {
    const { carriage, family, lane, outcome, reason } = verdict
    rows.push({ carriage, family, lane, outcome, reason, items })
    for (const copy of verdicts.names(verdict.native | verdict.rehomed | verdict.carried)) {
      if (copy !== lane) rows.push({ carriage, family, lane: copy, outcome: 'copied', reason: '', items })
    }
  })
  return rows
}
