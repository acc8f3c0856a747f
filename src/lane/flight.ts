/** The entries of one queue that are being delivered, and what they charge. */
import { Bag } from '../bag.ts'
import type { QueueEntry } from './waiting.ts'

export class Flight {
  readonly #entries = new Bag<QueueEntry>()
  chargedBytes = 0

  add(entry: QueueEntry): void {
    this.#entries.add(entry)
    this.chargedBytes += entry.chargedBytes
  }

  leave(entry: QueueEntry): void {
    this.#entries.delete(entry)
    this.chargedBytes -= entry.chargedBytes
  }

  /**
   * Whether an entry may join where the oldest make room. What is in flight cannot be dropped; so at most half of the
   * queue's `bytesMax` is in flight, or one parcel: else a dead backend, with the whole queue in its consumers' hands,
   * would turn dropping into refusing.
   */
  hasRoomFor(entry: QueueEntry, bytesMax: number): boolean {
    return this.#entries.size === 0 || (this.chargedBytes + entry.chargedBytes) * 2 <= bytesMax
  }

  /** The oldest of all these and of `head`. */
  oldest(head: QueueEntry | undefined): QueueEntry | undefined {
    let oldest = head
    for (const entry of this.#entries) {
      if (oldest === undefined || entry.sequence < oldest.sequence) oldest = entry
    }
    return oldest
  }
}
