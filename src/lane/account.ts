/**
 * What one queue holds, by items and bytes, and who hears of it: everything that enters and leaves is told as an event, in
 * the same step as the counts, so that admitted = queued + settled whenever it is read.
 */
import type { Amount, ExporterAccount } from '../store/messages.ts'
import type { Emit, TelemetryEvent } from '../telemetry/events.ts'
import { sumOf } from './parts.ts'

export type SettledOutcome = Extract<TelemetryEvent, { type: 'parcel_settled' }>['outcome']

const OUTCOMES: readonly SettledOutcome[] = ['sent', 'rejected', 'dead', 'lost']

export class QueueAccount {
  readonly #exporter: string
  readonly #emit: Emit
  /** Neither delivered nor given up, in flight included. */
  items = 0
  bytes = 0

  constructor(exporter: string, emit: Emit) {
    this.#exporter = exporter
    this.#emit = emit
  }

  /** So much more is in the queue; less, where an admission is taken back. */
  admit({ items, bytes }: Amount): void {
    if (items === 0 && bytes === 0) return
    this.items += items
    this.bytes += bytes
    this.#emit({ type: 'parcel_admitted', exporter: this.#exporter, items, bytes })
  }

  /** So much has left it; less, where a settlement is taken back. */
  settle(amounts: readonly (Amount & { readonly outcome: SettledOutcome })[]): void {
    for (const { outcome, items, bytes } of amounts) {
      this.items -= items
      this.bytes -= bytes
      this.#emit({ type: 'parcel_settled', exporter: this.#exporter, outcome, items, bytes })
    }
  }

  /** Takes over the counts of an earlier run. */
  resume({ queued, settled }: ExporterAccount): void {
    this.admit(sumOf([queued, ...Object.values(settled)]))
    this.settle(OUTCOMES.map((outcome) => ({ outcome, ...settled[outcome] })))
  }
}
