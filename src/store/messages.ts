/**
 * What the two sides of the store say to each other, and the words of its callers. Plain data: it crosses threads.
 *
 * Requests are carried out in the order that they were sent in, and answered in that order.
 */
import type { StorageFault } from '../errors.ts'

/** How a parcel leaves a queue for good. */
export type Settlement = 'sent' | 'rejected' | 'dead' | 'lost'

export interface Amount {
  readonly items: number
  readonly bytes: number
}

/** A parcel without its bytes. The store does not read what signal, lane and policy mean. */
export interface ParcelHead {
  readonly signal: string
  readonly lane: string
  readonly items: number
  /** The digest of the policy that it was admitted under. */
  readonly policy: string
  readonly admittedMs: number
  /** The exporters whose queues it enters, at least one, or none if it is held. */
  readonly exporters: readonly string[]
  /** Given: it is held in quarantine. */
  readonly held?: HeldParcelHead | undefined
}

/** What a held item counts as. The store does not read what the words mean. */
export interface HeldKind {
  readonly carriage: string
  readonly family: string
  readonly reason: string
}

export interface HeldParcelHead extends HeldKind {
  readonly target: string
}

export interface HeldCount extends HeldKind {
  readonly items: number
}

/** What is held of one target, of one carriage and family. */
export interface HeldTarget extends Amount {
  readonly target: string
  readonly family: string
  readonly carriage: string
  readonly oldestMs: number
}

/** Held parcels of one target and carriage, with ids in (after, through]. */
export interface HeldRange {
  readonly target: string
  readonly carriage: string
  readonly after: number
  readonly through: number
}

/** A range that was loaded and goes on; `rows` is how many parcels it had. */
export interface ReleasedRange extends HeldRange {
  readonly rows: number
}

/** Held parcels as they come back, oldest first. */
export interface HeldChunk {
  /** The last one's id. */
  readonly through: number
  readonly oldestMs: number
  readonly rows: readonly (HeldCount & { readonly byteLength: number })[]
  /** The bytes of all, one behind the other: a request again. Memory that belongs to the receiver alone. */
  readonly bytes: Uint8Array<ArrayBuffer>
}

export interface NumberedParcel extends ParcelHead {
  readonly id: number
  readonly byteLength: number
}

/** A parcel on its way to the worker: its bytes are at `offset` of the arena, or `own`. */
export interface PlacedParcel extends NumberedParcel {
  readonly offset: number
  readonly own: Uint8Array<ArrayBuffer> | undefined
}

/** A part that stays when its parcel leaves a queue: as a dead letter, or, without a death, in the queue again. */
export interface Remains extends Omit<ParcelHead, 'exporters'> {
  /** Memory of its own. */
  readonly bytes: Uint8Array
  readonly death: Death | undefined
}

/** Why a backend refused it for good. */
export interface Death {
  readonly status: number
  readonly message: string
}

/** Parcels that leave one exporter's queue, and what their items count as; the amounts need not be whole parcels'. */
export interface Departure {
  readonly exporter: string
  readonly ids: readonly number[]
  readonly amounts: readonly (Amount & { readonly outcome: Settlement })[]
}

/** Parcels that leave one exporter's queue, and what else becomes of them. */
export interface Settled extends Departure {
  /** Given: the parcels become dead letters. */
  readonly death: Death | undefined
  readonly remains?: readonly Remains[]
  /** Given: a parcel stays in the queue, with other bytes than it had. */
  readonly revised?: Revised | undefined
}

/** What a parcel of a queue has become under another policy. */
export interface Revised {
  readonly id: number
  readonly items: number
  readonly policy: string
  readonly bytes: Uint8Array
}

/** The same on its way to the worker: what remains has ids. */
export interface PlacedSettled extends Settled {
  readonly remains?: readonly (Remains & { readonly id: number })[]
}

/** Parcels of a queue, oldest first. */
export interface LoadRange {
  readonly exporter: string
  /** Ids in (after, through]. */
  readonly after: number
  readonly through: number
  /** At least one parcel comes, whatever its size. */
  readonly bytesMax: number
}

/** A parcel that comes back from the store. */
export interface StoredParcel {
  readonly id: number
  readonly signal: string
  readonly lane: string
  readonly items: number
  readonly policy: string
  readonly admittedMs: number
  /** What it counts for in the queue that it was read from: more than it has, if another exporter had it revised. */
  readonly queued: Amount
  /** Memory that belongs to the receiver alone. */
  readonly bytes: Uint8Array<ArrayBuffer>
}

export interface DeadLetter extends Amount {
  readonly id: number
  readonly exporter: string
  readonly signal: string
  readonly lane: string
  readonly policy: string
  readonly admittedMs: number
  readonly status: number
  /** The backend's own words, cut. */
  readonly message: string
  readonly diedMs: number
}

/** A parcel that entered a queue again, without its bytes. */
export interface Replayed extends Amount {
  readonly deadLetter: number
  readonly exporter: string
  readonly id: number
  readonly admittedMs: number
}

/** What the store knows of one exporter when it opens. */
export interface ExporterAccount {
  readonly exporter: string
  readonly parcels: number
  readonly queued: Amount
  /** 0 if nothing is queued. */
  readonly lastId: number
  readonly oldestMs: number
  readonly settled: Readonly<Record<Settlement, Amount>>
}

/** Where and how large the store is. */
export interface Space {
  /** Pages in use, and with the free ones. */
  readonly usedBytes: number
  readonly fileBytes: number
  readonly deadLetters: number
  readonly deadLettersBytes: number
}

export type Request =
  /** `released`: leaves the quarantine in the same transaction. */
  | {
      readonly type: 'append'
      readonly parcels: readonly PlacedParcel[]
      readonly released: ReleasedRange | undefined
    }
  | { readonly type: 'settle'; readonly settled: readonly PlacedSettled[] }
  | { readonly type: 'ask'; readonly call: number; readonly question: Question }

export type Question =
  | { readonly type: 'open' }
  | (LoadRange & { readonly type: 'load' })
  | { readonly type: 'list'; readonly after: number; readonly countMax: number }
  | { readonly type: 'read'; readonly id: number }
  | { readonly type: 'replay'; readonly ids: readonly number[]; readonly firstId: number }
  | { readonly type: 'drop'; readonly ids: readonly number[] }
  | { readonly type: 'list_held'; readonly after: string | undefined; readonly targetsMax: number }
  | { readonly type: 'held_of'; readonly target: string }
  | (HeldRange & {
      readonly type: 'load_held'
      readonly bytesMax: number
      readonly itemsMax: number
    })
  | (HeldRange & { readonly type: 'discard_held'; readonly rowsMax: number })
  | { readonly type: 'remove_held'; readonly ids: readonly number[] }
  | { readonly type: 'count_held' }
  | { readonly type: 'space' }
  | { readonly type: 'close' }

export type Answer =
  | { readonly type: 'opened'; readonly accounts: readonly ExporterAccount[]; readonly lastId: number }
  | { readonly type: 'parcels'; readonly parcels: readonly StoredParcel[] }
  | { readonly type: 'letters'; readonly letters: readonly DeadLetter[] }
  | { readonly type: 'replayed'; readonly replayed: readonly Replayed[] }
  | { readonly type: 'dropped'; readonly count: number }
  | { readonly type: 'held_targets'; readonly targets: readonly HeldTarget[] }
  | { readonly type: 'held_chunk'; readonly chunk: HeldChunk | undefined }
  | { readonly type: 'held_counts'; readonly counts: readonly HeldCount[] }
  | { readonly type: 'space'; readonly space: Space }
  | { readonly type: 'closed' }

/** A StorageError as data: classes do not cross threads. */
export interface Failure {
  readonly fault: StorageFault
  readonly message: string
}

/** What happened to the store that somebody should know. No content, no names but files' and exporters'. */
export type StoreEvent =
  | { readonly type: 'refusing'; readonly failure: Failure }
  | { readonly type: 'recovered' }
  /** A bug: the storage thread has ended. `detail` is where in the code, no content. */
  | { readonly type: 'thread_failed'; readonly detail: string }
  /** A damaged store was renamed to `path`; the queues begin anew. */
  | { readonly type: 'set_aside'; readonly path: string }
  /** The directory had been removed; it was made again from what was still open. */
  | { readonly type: 'rebuilt'; readonly path: string }
  /** Dead letters made room for newer ones, or grew too old. */
  | { readonly type: 'dead_letters_gone'; readonly count: number; readonly reason: 'full' | 'retention' }
  /** Held items passed their retention. */
  | { readonly type: 'held_expired'; readonly counts: readonly HeldCount[] }

export type Reply =
  /** Of the oldest append that was not answered yet. `unheld`: ids of parcels for which the quarantine had no room. */
  | { readonly type: 'appended'; readonly failure: Failure | undefined; readonly unheld: readonly number[] }
  | { readonly type: 'answered'; readonly call: number; readonly answer: Answer }
  | { readonly type: 'failed'; readonly call: number; readonly failure: Failure }
  | { readonly type: 'event'; readonly event: StoreEvent }
