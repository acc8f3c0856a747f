/**
 * The queue of one exporter: first in, first out, bounded in bytes, every operation O(1).
 *
 *            reserve        push            take              settle
 *   admission ────► reserved ────► waiting ─────► in flight ─────────► gone, and its pin released
 *
 * It charges what a parcel keeps in memory, from the reservation to the end of its delivery, so `usedBytes` never
 * passes `bytesMax`. What is in flight is never dropped. Waiting parcels are kept by signal, since only parcels of
 * one signal can be joined. Everything that enters and leaves is told as an event, in the same step as the counts.
 */
import type { QueueConfig } from '../config/config.ts'
import type { Parcel } from '../otlp/parcel.ts'
import { SIGNALS, type Signal } from '../otlp/signal.ts'
import type { Emit, TelemetryEvent } from '../telemetry/events.ts'
import { countForBatch } from './batch.ts'

/** What a waiting parcel costs beside its bytes; without it a flood of tiny parcels would pass any bound. */
export const ENTRY_OVERHEAD_BYTES = 256

export interface QueueEntry {
  readonly parcel: Parcel
  readonly chargedBytes: number
  readonly sequence: number
  readonly admittedAtMs: number
}

type SettledOutcome = Extract<TelemetryEvent, { type: 'parcel_settled' }>['outcome']

export interface QueueOptions {
  readonly exporter: string
  readonly config: Pick<QueueConfig, 'bytesMax' | 'onFull'>
  readonly emit: Emit
  readonly clock: () => number
}

export class ExporterQueue {
  readonly exporter: string
  readonly bytesMax: number
  readonly #dropsOldest: boolean
  readonly #emit: Emit
  readonly #clock: () => number
  readonly #waiting: Readonly<Record<Signal, Fifo>> = {
    logs: new Fifo(),
    traces: new Fifo(),
    metrics: new Fifo(),
  }
  readonly #inFlight = new Set<QueueEntry>()
  #reservedBytes = 0
  #waitingChargedBytes = 0
  #inFlightChargedBytes = 0
  #sequence = 0
  #stopped = false
  #onChange: () => void = () => {}

  /** Bytes of parcels that wait, as a backend would see them. */
  waitingBytes = 0
  waitingParcels = 0
  /** Items and bytes that are neither delivered nor given up, in flight included. */
  queuedItems = 0
  queuedBytes = 0

  constructor({ exporter, config, emit, clock }: QueueOptions) {
    this.exporter = exporter
    this.bytesMax = config.bytesMax
    this.#dropsOldest = config.onFull === 'drop_oldest'
    this.#emit = emit
    this.#clock = clock
  }

  /** Called when parcels were pushed or a reservation was given back. */
  onChange(listener: () => void): void {
    this.#onChange = listener
  }

  get usedBytes(): number {
    return this.#reservedBytes + this.#waitingChargedBytes + this.#inFlightChargedBytes
  }

  get reservedBytes(): number {
    return this.#reservedBytes
  }

  get stopped(): boolean {
    return this.#stopped
  }

  /** Refuses reservations from now on; those that exist can still be used. */
  stop(): void {
    this.#stopped = true
  }

  /** Synchronous. With `drop_oldest` it counts on what `makeRoom` may drop. */
  reserve(bytes: number): 'reserved' | 'full' | 'stopping' {
    if (this.#stopped) return 'stopping'
    const droppableBytes = this.#dropsOldest ? this.#waitingChargedBytes : 0
    if (this.usedBytes - droppableBytes + bytes > this.bytesMax) return 'full'
    this.#reservedBytes += bytes
    return 'reserved'
  }

  unreserve(bytes: number): void {
    this.#reservedBytes -= bytes
    this.#onChange()
  }

  /** Drops the oldest waiting parcels until all reservations have their place. */
  makeRoom(): void {
    while (this.usedBytes > this.bytesMax && this.waitingParcels > 0) this.#loseHead(this.#oldestSignal())
  }

  /** Turns a reservation of `chargedBytes` into a waiting parcel. Cannot fail. */
  push(parcel: Parcel, chargedBytes: number): void {
    parcel.pin.retain()
    this.#reservedBytes -= chargedBytes
    this.#waitingChargedBytes += chargedBytes
    this.waitingBytes += parcel.byteLength
    this.waitingParcels++
    this.queuedItems += parcel.items
    this.queuedBytes += parcel.byteLength
    const entry = { parcel, chargedBytes, sequence: this.#sequence++, admittedAtMs: this.#clock() }
    this.#waiting[parcel.signal].push(entry)
    this.#emit({
      type: 'parcel_admitted',
      exporter: this.exporter,
      items: parcel.items,
      bytes: parcel.byteLength,
    })
    this.#onChange()
  }

  /** The parcels of the next request: of one signal, the oldest one's, up to `bytesMax` together. Empty if none wait. */
  take(bytesMax: number): readonly QueueEntry[] {
    if (this.waitingParcels === 0) return []
    const fifo = this.#waiting[this.#oldestSignal()]
    const entries: QueueEntry[] = []
    for (let count = countForBatch(fifo.byteLengths(), bytesMax); count > 0; count--) {
      const entry = fifo.shift()
      this.#leaveWaiting(entry)
      this.#inFlightChargedBytes += entry.chargedBytes
      this.#inFlight.add(entry)
      entries.push(entry)
    }
    return entries
  }

  /** Ends the delivery of `entries`; `rejectedItems` of their items count as rejected, the others as `outcome`. */
  settle(entries: readonly QueueEntry[], outcome: SettledOutcome, rejectedItems = 0): void {
    let items = 0
    let bytes = 0
    for (const entry of entries) {
      this.#inFlight.delete(entry)
      this.#inFlightChargedBytes -= entry.chargedBytes
      items += entry.parcel.items
      bytes += entry.parcel.byteLength
      entry.parcel.pin.release()
    }
    const rejected = Math.min(rejectedItems, items)
    if (rejected > 0) {
      const rejectedBytes = Math.round((bytes * rejected) / items)
      this.#tell('rejected', rejected, rejectedBytes)
      items -= rejected
      bytes -= rejectedBytes
      if (items === 0 && bytes === 0) return
    }
    this.#tell(outcome, items, bytes)
  }

  /** Gives up all that waits. */
  loseWaiting(): void {
    while (this.waitingParcels > 0) this.#loseHead(this.#oldestSignal())
  }

  /** When the oldest parcel that is still here was admitted; undefined if none is. */
  oldestAdmittedAtMs(): number | undefined {
    let oldest: QueueEntry | undefined =
      this.waitingParcels > 0 ? this.#waiting[this.#oldestSignal()].head() : undefined
    for (const entry of this.#inFlight) {
      if (oldest === undefined || entry.sequence < oldest.sequence) oldest = entry
    }
    return oldest?.admittedAtMs
  }

  #oldestSignal(): Signal {
    let oldest: Signal = 'logs'
    let sequence = Number.POSITIVE_INFINITY
    for (const signal of SIGNALS) {
      const head = this.#waiting[signal].head()
      if (head !== undefined && head.sequence < sequence) {
        oldest = signal
        sequence = head.sequence
      }
    }
    return oldest
  }

  #loseHead(signal: Signal): void {
    const entry = this.#waiting[signal].shift()
    this.#leaveWaiting(entry)
    entry.parcel.pin.release()
    this.#tell('lost', entry.parcel.items, entry.parcel.byteLength)
  }

  #leaveWaiting(entry: QueueEntry): void {
    this.#waitingChargedBytes -= entry.chargedBytes
    this.waitingBytes -= entry.parcel.byteLength
    this.waitingParcels--
  }

  /** The counts change before anybody hears of it, so that admitted = queued + settled whenever it is read. */
  #tell(outcome: SettledOutcome, items: number, bytes: number): void {
    this.queuedItems -= items
    this.queuedBytes -= bytes
    this.#emit({ type: 'parcel_settled', exporter: this.exporter, outcome, items, bytes })
  }
}

/** An array with a moving head; the room in front of it is given back when it is the larger half. */
class Fifo {
  #entries: (QueueEntry | undefined)[] = []
  #head = 0

  push(entry: QueueEntry): void {
    this.#entries.push(entry)
  }

  head(): QueueEntry | undefined {
    return this.#entries[this.#head]
  }

  /** The caller knows that it is not empty. */
  shift(): QueueEntry {
    const entry = this.#entries[this.#head]
    if (entry === undefined) throw new Error('shift of an empty queue')
    // Cleared, so that the bytes of a delivered parcel are not kept by this array.
    this.#entries[this.#head++] = undefined
    if (this.#head === this.#entries.length) {
      this.#entries.length = 0
      this.#head = 0
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
    return entry
  }

  *byteLengths(): Generator<number> {
    for (let index = this.#head; index < this.#entries.length; index++) {
      yield this.#entries[index]?.parcel.byteLength ?? 0
    }
  }
}
