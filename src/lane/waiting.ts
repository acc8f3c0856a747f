/**
 * The parcels of a queue that wait in memory: first in, first out, by signal, since only parcels of one signal can be
 * joined. Which signal is next is decided by the oldest parcel. It counts what it holds, and knows nothing of the rest.
 */
import type { Placed } from '../bag.ts'
import type { Parcel } from '../otlp/parcel.ts'
import { SIGNALS, type Signal } from '../otlp/signal.ts'
import { countForBatch } from './batch.ts'
import { Fifo } from './fifo.ts'
import type { Ticket } from './ticket.ts'

/** Its place is in the flight. */
export interface QueueEntry extends Placed {
  readonly parcel: Parcel
  readonly chargedBytes: number
  readonly sequence: number
  readonly admittedAtMs: number
  /** The store's; undefined in a queue that is in memory. */
  readonly id: number | undefined
  /** The digest of the policy that its bytes were made under. */
  readonly policy: string
  /** A sender waits for what becomes of it. */
  readonly ticket?: Ticket | undefined
}

export class Waiting {
  readonly #bySignal: Readonly<Record<Signal, Fifo<QueueEntry>>> = {
    logs: new Fifo(),
    traces: new Fifo(),
    metrics: new Fifo(),
  }
  parcels = 0
  bytes = 0
  chargedBytes = 0

  push(entry: QueueEntry): void {
    this.parcels++
    this.bytes += entry.parcel.byteLength
    this.chargedBytes += entry.chargedBytes
    this.#bySignal[entry.parcel.signal].push(entry)
  }

  head(): QueueEntry | undefined {
    return this.#bySignal[this.#oldestSignal()].head()
  }

  /** The oldest; there must be one. */
  shift(): QueueEntry {
    const entry = this.#bySignal[this.#oldestSignal()].shift()
    this.parcels--
    this.bytes -= entry.parcel.byteLength
    this.chargedBytes -= entry.chargedBytes
    return entry
  }

  /** Takes parcels of the oldest one's signal, up to `bytesMax` together, for as long as `mayGo` says so. */
  take(bytesMax: number, mayGo: (entry: QueueEntry) => boolean): readonly QueueEntry[] {
    const fifo = this.#bySignal[this.#oldestSignal()]
    const entries: QueueEntry[] = []
    for (let count = countForBatch(byteLengthsOf(fifo), bytesMax); count > 0; count--) {
      const head = fifo.head()
      if (head === undefined || !mayGo(head)) break
      entries.push(fifo.shift())
      this.parcels--
      this.bytes -= head.parcel.byteLength
      this.chargedBytes -= head.chargedBytes
    }
    return entries
  }

  #oldestSignal(): Signal {
    let oldest: Signal = 'logs'
    let sequence = Number.POSITIVE_INFINITY
    for (const signal of SIGNALS) {
      const head = this.#bySignal[signal].head()
      if (head !== undefined && head.sequence < sequence) {
        oldest = signal
        sequence = head.sequence
      }
    }
    return oldest
  }
}

function* byteLengthsOf(entries: Iterable<QueueEntry>): Generator<number> {
  for (const { parcel } of entries) yield parcel.byteLength
}
