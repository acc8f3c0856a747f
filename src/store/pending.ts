/**
 * What the journal holds and the tables do not: parcels that have not left all their queues, and what has left them.
 *
 * By segment, for a segment is folded as a whole: what is still wanted of it moves to the tables, in one transaction
 * with the number of the segment. A parcel that is settled before that was never there. Known in memory only; after a
 * crash the journal's records say all of it again.
 */
import type { JournalPlace } from './journal.ts'
import type { JournalRecord } from './journal-record.ts'
import { bytesInFile, heldCharge } from './limits.ts'
import type { Departure, HeldParcelHead, NumberedParcel } from './messages.ts'

/** A parcel whose bytes are in the journal. */
export interface PendingParcel extends NumberedParcel {
  readonly place: JournalPlace
}

/** The tables' side of a fold; within a transaction. */
export interface FoldTarget {
  append(parcel: PendingParcel): void
  hold(parcel: PendingParcel, held: HeldParcelHead): void
  depart(departure: Departure): void
  mark(foldedThrough: number, lastId: number): void
}

export class Pending {
  readonly #parcels = new Map<number, PendingParcel>()
  /** What they may take of the tables' file. */
  bytes = 0
  /** What the quarantine is charged for those that are held. */
  heldCharge = 0
  /** By segment; ids only of parcels that are in the tables. */
  readonly #departures = new Map<number, Departure[]>()
  /** The same ids by exporter. */
  readonly #gone = new Map<string, Set<number>>()
  goneCount = 0
  #lastId = 0

  get parcelCount(): number {
    return this.#parcels.size
  }

  /** The last segment that something is known of; undefined: nothing is pending. */
  get lastSegment(): number | undefined {
    return this.#departures.size === 0 ? undefined : Math.max(...this.#departures.keys())
  }

  /** Whether a segment up to this one is to be folded. */
  isPending(through: number): boolean {
    return [...this.#departures.keys()].some((segment) => segment <= through)
  }

  take({ departures, parcels }: JournalRecord, place: JournalPlace): void {
    const { segment } = place
    const known = this.#departures.get(segment) ?? []
    this.#departures.set(segment, known)
    for (const departure of departures) known.push(this.#depart(departure))
    let { offset } = place
    for (const parcel of parcels) {
      this.#add({ ...parcel, place: { segment, offset } })
      offset += parcel.byteLength
    }
  }

  #add(parcel: PendingParcel): void {
    const { id, byteLength, held } = parcel
    this.#parcels.set(id, parcel)
    this.#lastId = Math.max(this.#lastId, id)
    this.bytes += bytesInFile(byteLength)
    if (held !== undefined) this.heldCharge += heldCharge(byteLength)
  }

  #remove(parcel: PendingParcel): void {
    const { id, byteLength, held } = parcel
    this.#parcels.delete(id)
    this.bytes -= bytesInFile(byteLength)
    if (held !== undefined) this.heldCharge -= heldCharge(byteLength)
  }

  /** What of it concerns the tables. */
  #depart(departure: Departure): Departure {
    const { exporter } = departure
    const ids = departure.ids.filter((id) => !this.#leave(exporter, id))
    this.goneCount += ids.length
    const known = this.#gone.get(exporter)
    if (known === undefined) this.#gone.set(exporter, new Set(ids))
    else for (const id of ids) known.add(id)
    return { ...departure, ids }
  }

  /** False: it is not pending. */
  #leave(exporter: string, id: number): boolean {
    const parcel = this.#parcels.get(id)
    if (parcel === undefined) return false
    const exporters = parcel.exporters.filter((name) => name !== exporter)
    if (exporters.length === 0) this.#remove(parcel)
    else this.#parcels.set(id, { ...parcel, exporters })
    return true
  }

  /** Whether it has left that queue, though the tables do not know yet. */
  isGone(exporter: string, id: number): boolean {
    return this.#gone.get(exporter)?.has(id) ?? false
  }

  /** Those of a queue with ids in (after, through], by id. */
  inQueue(exporter: string, after: number, through: number): readonly PendingParcel[] {
    return [...this.#parcels.values()]
      .filter(({ id, exporters }) => id > after && id <= through && exporters.includes(exporter))
      .sort((left, right) => left.id - right.id)
  }

  /** Writes to the tables what of the segments up to this one is wanted. Changes nothing here. */
  fold(through: number, target: FoldTarget): void {
    for (const parcel of this.#parcels.values()) {
      if (parcel.place.segment > through) continue
      if (parcel.held === undefined) target.append(parcel)
      else target.hold(parcel, parcel.held)
    }
    for (const [segment, departures] of this.#departures) {
      if (segment <= through) for (const departure of departures) target.depart(departure)
    }
    target.mark(through, this.#lastId)
  }

  /** The fold up to this segment is durable. */
  forget(through: number): void {
    for (const parcel of this.#parcels.values()) if (parcel.place.segment <= through) this.#remove(parcel)
    for (const [segment, departures] of this.#departures) {
      if (segment > through) continue
      this.#departures.delete(segment)
      for (const { exporter, ids } of departures) {
        this.goneCount -= ids.length
        for (const id of ids) this.#gone.get(exporter)?.delete(id)
      }
    }
  }
}
