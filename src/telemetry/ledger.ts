/**
 * The ledger: how many items came, by signal, carriage and family, and what became of them.
 *
 * In: `request_decided`, `quarantine_changed`, `parcel_admitted` and `parcel_settled`. Out: the rows of the contract's
 * `/api/v1/ledger`. It balances at every read by construction: a request enters in one step, and `received` is
 * never counted but summed from what became of the items. So is an exporter's `queued`: what was admitted less what
 * was settled. Counts may fall: an item released from quarantine is a row of less and a row of more.
 *
 * Source: contract section 4.
 */
import type { Carriage, Signal } from '../otlp/signal.ts'
import type { TelemetryEvent } from './events.ts'
import type { Outcome, Reason, TallyRow } from './tally.ts'

export interface LedgerRow {
  readonly signal: Signal
  readonly carriage: Carriage
  readonly family: string
  /** Empty for `received`. */
  readonly lane: string
  readonly outcome: Outcome | 'received'
  readonly reason: Reason | ''
  readonly items: number
}

export const SETTLEMENTS = ['sent', 'rejected', 'dead', 'lost'] as const
export type Settlement = (typeof SETTLEMENTS)[number]

export interface ExporterRow {
  readonly exporter: string
  readonly outcome: Settlement | 'queued'
  readonly items: number
  readonly bytes: number
}

export interface LedgerSnapshot {
  readonly rows: readonly LedgerRow[]
  readonly exporters: readonly ExporterRow[]
  /** When the counts began, ISO 8601. */
  readonly since: string
}

export interface Ledger {
  /** Takes the events that concern it and leaves the others. */
  record(event: TelemetryEvent): void
  /** The rows as they are now, `received` rows first. */
  snapshot(): LedgerSnapshot
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
interface Amount {
  items: number
  bytes: number
}
type Account = Readonly<Record<Settlement | 'admitted', Amount>>

export function createLedger(options: {
  /** The exporters of the configuration: each has its rows from the start. */
  readonly exporters: readonly string[]
  readonly sinceMs: number
}): Ledger {
  const rows = new Map<string, Mutable<LedgerRow>>()
  const accounts = new Map<string, Account>(options.exporters.map((name) => [name, createAccount()]))
  const since = new Date(options.sinceMs).toISOString()

  function record(event: TelemetryEvent): void {
    switch (event.type) {
      case 'request_decided':
      case 'quarantine_changed':
        for (const row of event.tally) add(event.signal, row)
        break
      case 'parcel_admitted':
        addTo(accountOf(event.exporter).admitted, event)
        break
      case 'parcel_settled':
        addTo(accountOf(event.exporter)[event.outcome], event)
        break
    }
  }

  function add(signal: Signal, row: TallyRow): void {
    const { carriage, family, lane, outcome, reason, items } = row
    // The carriage tells the signal but for rehomed items, which count under the one that they came in.
    const key = `${signal}\n${carriage}\n${outcome}\n${reason}\n${family}\n${lane}`
    const known = rows.get(key)
    if (known === undefined) rows.set(key, { signal, carriage, family, lane, outcome, reason, items })
    else known.items += items
  }

  function accountOf(exporter: string): Account {
    const known = accounts.get(exporter)
    if (known !== undefined) return known
    const account = createAccount()
    accounts.set(exporter, account)
    return account
  }

  function snapshot(): LedgerSnapshot {
    const counted = [...rows.values()].filter((row) => row.items !== 0).map((row) => ({ ...row }))
    return {
      rows: [...receivedRows(counted), ...counted],
      exporters: [...accounts].flatMap(([exporter, account]) => exporterRows(exporter, account)),
      since,
    }
  }

  return { record, snapshot }
}

/** What came is the sum of what became of it; `copied` counts an item a second time and stays outside. */
function receivedRows(counted: readonly LedgerRow[]): readonly LedgerRow[] {
  const received = new Map<string, Mutable<LedgerRow>>()
  for (const { signal, carriage, family, outcome, items } of counted) {
    if (outcome === 'copied') continue
    const key = `${signal}\n${carriage}\n${family}`
    const known = received.get(key)
    if (known !== undefined) known.items += items
    else received.set(key, { signal, carriage, family, lane: '', outcome: 'received', reason: '', items })
  }
  return [...received.values()]
}

function exporterRows(exporter: string, account: Account): readonly ExporterRow[] {
  const settled = SETTLEMENTS.map((outcome) => ({ exporter, outcome, ...account[outcome] }))
  const items = settled.reduce((rest, row) => rest - row.items, account.admitted.items)
  const bytes = settled.reduce((rest, row) => rest - row.bytes, account.admitted.bytes)
  return [{ exporter, outcome: 'queued', items, bytes }, ...settled]
}

function createAccount(): Account {
  const zero = (): Amount => ({ items: 0, bytes: 0 })
  return { admitted: zero(), sent: zero(), rejected: zero(), dead: zero(), lost: zero() }
}

function addTo(amount: Amount, { items, bytes }: Readonly<Amount>): void {
  amount.items += items
  amount.bytes += bytes
}
