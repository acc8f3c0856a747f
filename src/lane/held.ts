/**
 * What the store counts as held → rows of the ledger, by signal. Pure.
 */
import { HELD_CARRIAGES, HELD_REASONS, type HeldKind, SIGNAL_OF_HELD } from '../otlp/parcel.ts'
import type { Signal } from '../otlp/signal.ts'
import type { HeldCount } from '../store/messages.ts'
import type { LedgerRow } from '../telemetry/ledger.ts'
import type { Reason, TallyRow } from '../telemetry/tally.ts'

export interface HeldItems extends HeldKind {
  readonly items: number
}

/** One step of the ledger. */
export interface HeldChange {
  readonly signal: Signal
  readonly tally: readonly TallyRow[]
}

/** The words of the store as ours. */
export function heldItemsOf({ carriage, family, reason, items }: HeldCount): HeldItems {
  const known = HELD_CARRIAGES.find((one) => one === carriage)
  const why = HELD_REASONS.find((one) => one === reason)
  if (known === undefined || why === undefined) throw new Error('the store holds items of an unknown kind')
  return { carriage: known, family, reason: why, items }
}

/** What is held, counted again. */
export function resumed(counts: readonly HeldCount[]): readonly HeldChange[] {
  return bySignal(counts, (held) => [heldRow(held, held.items)])
}

/** What was held and is dropped: rows of less and rows of more. */
export function dropped(counts: readonly HeldCount[], reason: Reason): readonly HeldChange[] {
  return bySignal(counts, (held) => [heldRow(held, -held.items), droppedRow(held, reason)])
}

/** What the ledger has as held and the store has not: it was damaged and began anew. */
export function vanished(rows: readonly LedgerRow[], counts: readonly HeldCount[]): readonly HeldCount[] {
  return rows
    .filter(({ outcome }) => outcome === 'quarantined')
    .map(({ carriage, family, reason, items }) => {
      const there = counts.filter(
        (one) => one.carriage === carriage && one.family === family && one.reason === reason,
      )
      return { carriage, family, reason, items: there.reduce((left, one) => left - one.items, items) }
    })
    .filter(({ items }) => items > 0)
}

export function heldRow({ carriage, family, reason }: HeldKind, items: number): TallyRow {
  return { carriage, family, lane: '', outcome: 'quarantined', reason, items }
}

export function droppedRow({ carriage, family, items }: HeldItems, reason: Reason): TallyRow {
  return { carriage, family, lane: '', outcome: 'dropped', reason, items }
}

function bySignal(
  counts: readonly HeldCount[],
  rowsOf: (held: HeldItems) => readonly TallyRow[],
): readonly HeldChange[] {
  const groups = Map.groupBy(counts.map(heldItemsOf), ({ carriage }) => SIGNAL_OF_HELD[carriage])
  return [...groups].map(([signal, held]) => ({ signal, tally: held.flatMap(rowsOf) }))
}
