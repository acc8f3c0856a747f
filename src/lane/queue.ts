/**
 * The queue of one exporter: first in, first out, bounded in bytes, every operation O(1).
 *
 *            reserve        push            take              settle
 *   admission ────► reserved ────► waiting ─────► in flight ─────────► gone, and its pin released
 *                             └─► backlog ─┘ load
 *
 * It charges from the reservation to the end of the delivery, so `usedBytes` never passes `bytesMax`: in memory what
 * a parcel keeps there, on the disk what it takes there. What is in flight is never dropped. Everything that enters
 * and leaves is told as an event, in the same step as the counts.
 *
 * A durable queue has a store behind it, in which every parcel is before it is pushed. It keeps the oldest parcels
 * in memory, up to MEMORY_BYTES_MAX; of those behind them only the store has the bytes.
 */
import type { Parcel } from '../otlp/parcel.ts'
import type { DeskQueue, LiveQueue } from '../store/dead-letter-desk.ts'
import type { Amount, ExporterAccount, Replayed, Settled, StoredParcel } from '../store/messages.ts'
import { QueueAccount, type SettledOutcome } from './account.ts'
import { Backlog, LOAD_BYTES_MAX, type QueueStore } from './backlog.ts'
import { ENTRY_OVERHEAD_BYTES, memoryBytesOf } from './charge.ts'
import { Flight } from './flight.ts'
import { accountParts, accountWhole, amountOf, type Part, remainsOf } from './parts.ts'
import type { QueueOptions, QueueSettings } from './queue-options.ts'
import { type Review, reviewStored, storedOf } from './review.ts'
import type { Ticket } from './ticket.ts'
import { type QueueEntry, Waiting } from './waiting.ts'

export type { QueueEntry }

/** What a durable queue keeps in memory; three dead backends then cost less than 25 MiB. */
export const MEMORY_BYTES_MAX: number = 8 * 1024 * 1024

export class ExporterQueue implements DeskQueue, LiveQueue {
  readonly exporter: string
  #settings: QueueSettings
  readonly #account: QueueAccount
  readonly #clock: () => number
  readonly #store: QueueStore | undefined
  readonly #deadLetters: Pick<QueueStore, 'settle'> | undefined
  readonly #review: (() => Review) | undefined
  readonly #backlog: Backlog | undefined
  readonly #waiting = new Waiting()
  readonly #flight = new Flight()
  #reservedBytes = 0
  /** Of a durable queue: what it keeps in memory, waiting and in flight. */
  #memoryBytes = 0
  #sequence = 0
  #stopped = false
  #onChange: () => void = () => {}

  constructor({ exporter, config, emit, clock, store, deadLetters, review }: QueueOptions) {
    this.exporter = exporter
    this.#settings = config
    this.#account = new QueueAccount(exporter, emit)
    this.#clock = clock
    this.#store = store
    this.#deadLetters = deadLetters
    this.#review = review
    this.#backlog = store && new Backlog(exporter, store)
  }

  /** Items and bytes that are neither delivered nor given up, in flight included. */
  get queuedItems(): number {
    return this.#account.items
  }

  get queuedBytes(): number {
    return this.#account.bytes
  }

  /** Called when parcels were pushed or a reservation was given back. */
  onChange(listener: () => void): void {
    this.#onChange = listener
  }

  /** From now on it is bounded so. What is in it stays, even if that is more. */
  configure(settings: QueueSettings): void {
    this.#settings = settings
  }

  get bytesMax(): number {
    return this.#settings.bytesMax
  }

  /** Whether its senders wait for what becomes of their parcels. */
  get waitsForResult(): boolean {
    return this.#settings.waitsForResult === true
  }

  get isDurable(): boolean {
    return this.#store !== undefined
  }

  /** What a parcel counts for in `reserve`. */
  chargeOf(parcel: Parcel): number {
    return this.isDurable ? parcel.byteLength + ENTRY_OVERHEAD_BYTES : memoryBytesOf(parcel)
  }

  /** Parcels that wait in memory: what `take` can give now. */
  get waitingParcels(): number {
    return this.#waiting.parcels
  }

  get usedBytes(): number {
    const { parcels = 0, bytes = 0 } = this.#backlog ?? {}
    const backlogBytes = bytes + parcels * ENTRY_OVERHEAD_BYTES
    return this.#reservedBytes + this.#waiting.chargedBytes + this.#flight.chargedBytes + backlogBytes
  }

  /** Bytes of parcels that wait, as a backend would see them, those on the disk included. */
  get waitingBytes(): number {
    return this.#waiting.bytes + (this.#backlog?.bytes ?? 0)
  }

  get hasBacklog(): boolean {
    return this.#backlog !== undefined && this.#backlog.parcels > 0
  }

  get reservedBytes(): number {
    return this.#reservedBytes
  }

  /** Refuses reservations from now on; those that exist can still be used. */
  stop(): void {
    this.#stopped = true
  }

  /** Synchronous. With `drop_oldest` it counts on what `makeRoom` may drop. */
  reserve(bytes: number): 'reserved' | 'full' | 'stopping' {
    if (this.#stopped) return 'stopping'
    const droppableBytes = this.#settings.onFull === 'drop_oldest' ? this.#waiting.chargedBytes : 0
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
    while (this.usedBytes > this.bytesMax && this.waitingParcels > 0) this.#loseHead(REPLACED)
  }

  /**
   * Turns a reservation of `chargedBytes` into a waiting parcel; `id` is the store's, `policy` the digest of the one
   * that it was made under. Cannot fail.
   */
  push(parcel: Parcel, chargedBytes: number, id?: number, policy = '', ticket?: Ticket): void {
    const { items, byteLength: bytes } = parcel
    const admittedAtMs = this.#clock()
    this.#reservedBytes -= chargedBytes
    // While its sender waits its bytes are charged to the receiver: they may stay in memory.
    const isBehind = ticket === undefined && !this.#hasMemoryFor(parcel)
    if (this.#backlog !== undefined && id !== undefined && isBehind) {
      this.#backlog.add({ id, items, bytes, admittedAtMs })
    } else {
      parcel.pin.retain()
      this.#wait({ parcel, chargedBytes, admittedAtMs, id, policy, ticket })
    }
    this.#account.admit({ items, bytes })
    this.#onChange()
  }

  /** Takes over what an earlier run left behind, and its counts. */
  resume(account: ExporterAccount): void {
    this.#backlog?.resume(account)
    this.#account.resume(account)
    this.#loadMore()
  }

  /** Takes back what was a dead letter: it counts as queued again, and no longer as dead. */
  readmit({ id, items, bytes, admittedMs }: Replayed): void {
    this.#backlog?.add({ id, items, bytes, admittedAtMs: admittedMs })
    this.#undoDeath({ items, bytes })
    this.#loadMore()
  }

  /** The queue itself, to whom its dead letters come back. */
  get live(): LiveQueue {
    return this
  }

  /** Whether so much could be reserved now; a queue in memory keeps all of it there. */
  hasRoomFor({ parcels, bytes }: Amount & { readonly parcels: number }): boolean {
    return !this.#stopped && this.usedBytes + bytes + parcels * ENTRY_OVERHEAD_BYTES <= this.bytesMax
  }

  /** The same as `readmit`, in a queue in memory. */
  readmitStored(stored: StoredParcel): void {
    this.#undoDeath(stored.queued)
    this.#takeStored(stored)
    this.#onChange()
  }

  /** Whether `take` would give anything. */
  get hasNext(): boolean {
    const head = this.#waiting.head()
    return head !== undefined && this.#mayFly(head)
  }

  /** The parcels of the next request: of one signal, the oldest one's, up to `bytesMax` together. Empty if there is none. */
  take(bytesMax: number): readonly QueueEntry[] {
    const entries = this.#waiting.take(bytesMax, (entry) => this.#mayFly(entry) && this.#fly(entry))
    const reviewed = this.review(entries)
    this.#loadMore()
    return reviewed
  }

  /** Whether entries were all made under the policy that is in force. */
  isCurrent(entries: readonly QueueEntry[]): boolean {
    return entries.every((entry) => !this.#isOutdated(entry))
  }

  /** What of entries that are in flight may leave under the policy that is in force; the rest of them is lost. */
  review(entries: readonly QueueEntry[]): readonly QueueEntry[] {
    return this.isCurrent(entries) ? entries : entries.flatMap((entry) => this.#reviewed(entry))
  }

  /** A request whose sender waits ends under the policy that it began with. */
  #isOutdated({ policy, ticket }: QueueEntry): boolean {
    return (
      policy !== '' && ticket === undefined && this.#review !== undefined && policy !== this.#review().policy
    )
  }

  #reviewed(entry: QueueEntry): readonly QueueEntry[] {
    if (!this.#isOutdated(entry)) return [entry]
    const { parcel, policy, lost, grown, revised } = reviewStored(storedOf(entry), this.#review?.())
    this.#leaveFlight(entry)
    this.#account.admit(grown)
    if (parcel === undefined) {
      this.#tell([entry], lost)
      return []
    }
    this.#tell([], lost, { revised: this.isDurable ? revised : undefined })
    this.#memoryBytes += memoryBytesOf(parcel)
    const current = { ...entry, parcel, policy, chargedBytes: this.chargeOf(parcel) }
    this.#fly(current)
    return [current]
  }

  /**
   * Ends the delivery of `entries`; `rejectedItems` of their items count as rejected, the others as `outcome`.
   * With `death` they become dead letters.
   */
  settle(
    entries: readonly QueueEntry[],
    outcome: SettledOutcome,
    { rejectedItems = 0, death }: { readonly rejectedItems?: number; readonly death?: Settled['death'] } = {},
  ): void {
    const remains =
      death && !this.isDurable ? entries.map((entry) => remainsOf(entry, entry.parcel, death)) : []
    const amounts = accountWhole(entries, outcome, rejectedItems)
    for (const entry of entries) this.#leaveFlight(entry)
    this.#tell(entries, amounts, { death, remains })
    this.#loadMore()
  }

  /** Ends the delivery of one entry whose parts had different fates. The parts hold all of its items. */
  settleParts(entry: QueueEntry, parts: readonly Part[]): void {
    const { amounts, remains } = accountParts(entry, parts, this.isDurable)
    this.#leaveFlight(entry)
    this.#tell([entry], amounts, { remains })
    this.#loadMore()
  }

  /** Takes back an admission whose sender is told to send again: as if it had not been. `entries` are in flight. */
  withdraw(
    entries: readonly QueueEntry[],
    { detail, retryAfterMs }: { readonly detail: string; readonly retryAfterMs: number | undefined },
  ): void {
    const { exporter } = this
    const { items, bytes } = amountOf(entries)
    for (const entry of entries) this.#leaveFlight(entry)
    this.#tell(entries, [])
    this.#account.admit({ items: -items, bytes: -bytes })
    for (const { ticket } of entries) ticket?.resolve({ kind: 'untaken', exporter, detail, retryAfterMs })
    this.#loadMore()
  }

  /** Ends the delivery of `entries` without success, at the end of the process: lost, or left on the disk. */
  giveUp(entries: readonly QueueEntry[]): void {
    const { awaited = [], others = [] } = Object.groupBy(entries, ({ ticket }) =>
      ticket ? 'awaited' : 'others',
    )
    if (awaited.length > 0) this.withdraw(awaited, STOPPED)
    if (others.length === 0) return
    if (!this.isDurable) this.settle(others, 'lost')
    else for (const entry of others) this.#leaveFlight(entry)
  }

  /** Gives up all that waits, at the end of the process: it is lost, or left on the disk. */
  giveUpWaiting(): void {
    this.#backlog?.close()
    while (this.waitingParcels > 0) {
      const isLeft = this.isDurable && this.#waiting.head()?.ticket === undefined
      if (isLeft) this.#shiftWaiting().parcel.pin.release()
      else this.#loseHead(STOPPED)
    }
  }

  /** When the oldest parcel that is still here was admitted; undefined if none is. */
  oldestAdmittedAtMs(): number | undefined {
    const oldest = this.#flight.oldest(this.#waiting.head())
    return oldest?.admittedAtMs ?? (this.hasBacklog ? this.#backlog?.oldestAtMs : undefined)
  }

  #mayFly(entry: QueueEntry): boolean {
    return this.#settings.onFull !== 'drop_oldest' || this.#flight.hasRoomFor(entry, this.bytesMax)
  }

  #hasMemoryFor(parcel: Parcel): boolean {
    return !this.hasBacklog && this.#memoryBytes + memoryBytesOf(parcel) <= MEMORY_BYTES_MAX
  }

  #wait(entry: Omit<QueueEntry, 'sequence' | 'at'>): void {
    this.#memoryBytes += memoryBytesOf(entry.parcel)
    this.#waiting.push({ ...entry, sequence: this.#sequence++, at: -1 })
  }

  /** Reads the backlog back as memory becomes free, ahead of its turn. */
  #loadMore(): void {
    if (this.hasBacklog && this.#memoryBytes + LOAD_BYTES_MAX <= MEMORY_BYTES_MAX) void this.#load()
  }

  async #load(): Promise<void> {
    const found = await this.#backlog?.load()
    if (found === undefined) return
    for (const stored of found.loaded) this.#takeStored(stored)
    const { parcels, ...gone } = found.gone
    if (parcels > 0) this.#tell([], [{ outcome: 'lost', ...gone }])
    this.#onChange()
    this.#loadMore()
  }

  #undoDeath({ items, bytes }: Amount): void {
    this.#account.settle([{ outcome: 'dead', items: -items, bytes: -bytes }])
  }

  /** What comes back from the store waits as it may leave now; the rest of it is lost. */
  #takeStored(stored: StoredParcel): void {
    const { parcel, policy, lost, grown, revised } = reviewStored(stored, this.#review?.())
    const { id, admittedMs: admittedAtMs } = stored
    this.#account.admit(grown)
    if (parcel === undefined) this.#tell([{ id }], lost)
    else {
      const chargedBytes = this.chargeOf(parcel)
      this.#wait({ parcel, chargedBytes, admittedAtMs, id: this.isDurable ? id : undefined, policy })
      if (revised !== undefined || lost.length > 0) this.#tell([], lost, { revised })
    }
  }

  #fly(entry: QueueEntry): true {
    this.#flight.add(entry)
    return true
  }

  #loseHead(why: Parameters<ExporterQueue['withdraw']>[1]): void {
    const entry = this.#waiting.shift()
    this.#fly(entry)
    if (entry.ticket === undefined) this.settle([entry], 'lost')
    else this.withdraw([entry], why)
  }

  #shiftWaiting(): QueueEntry {
    const entry = this.#waiting.shift()
    this.#memoryBytes -= memoryBytesOf(entry.parcel)
    return entry
  }

  #leaveFlight(entry: QueueEntry): void {
    this.#flight.leave(entry)
    this.#memoryBytes -= memoryBytesOf(entry.parcel)
    entry.parcel.pin.release()
  }

  /** The counts change before anybody hears of it, so that admitted = queued + settled whenever it is read. */
  #tell(
    entries: readonly Pick<QueueEntry, 'id'>[],
    amounts: readonly (Amount & { readonly outcome: SettledOutcome })[],
    { death, remains = [], revised }: Partial<Pick<Settled, 'death' | 'remains' | 'revised'>> = {},
  ): void {
    const ids = entries.map(({ id }) => id).filter((id) => id !== undefined)
    const { exporter } = this
    if (this.#store !== undefined) {
      this.#store.settle({ exporter, ids, amounts, death, remains, revised })
    } else if (remains.length > 0) {
      // Only its dead letters outlive a queue in memory, and what they count for.
      const dead = amounts.filter(({ outcome }) => outcome === 'dead')
      this.#deadLetters?.settle({ exporter, ids: [], amounts: dead, death: undefined, remains })
    }
    this.#account.settle(amounts)
  }
}

const REPLACED = Object.freeze({ detail: 'newer ones took its place', retryAfterMs: undefined })
const STOPPED = Object.freeze({ detail: 'laneway is stopping', retryAfterMs: undefined })
