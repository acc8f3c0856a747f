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
  /** The exporters whose queues it enters, at least one. */
  readonly exporters: readonly string[]
}

/** A parcel on its way to the worker: its bytes are at `offset` of the arena, or `own`. */
export interface PlacedParcel extends ParcelHead {
  readonly id: number
  readonly offset: number
  readonly byteLength: number
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
export interface Settled {
  readonly exporter: string
  readonly ids: readonly number[]
  readonly amounts: readonly (Amount & { readonly outcome: Settlement })[]
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
  | { readonly type: 'append'; readonly parcels: readonly PlacedParcel[] }
  | { readonly type: 'settle'; readonly settled: readonly PlacedSettled[] }
  | { readonly type: 'ask'; readonly call: number; readonly question: Question }

export type Question =
  | { readonly type: 'open' }
  /** Parcels of a queue with ids in (after, through], oldest first, up to `bytesMax` but at least one. */
  | {
      readonly type: 'load'
      readonly exporter: string
      readonly after: number
      readonly through: number
      readonly bytesMax: number
    }
  | { readonly type: 'list'; readonly after: number; readonly countMax: number }
  | { readonly type: 'read'; readonly id: number }
  | { readonly type: 'replay'; readonly ids: readonly number[]; readonly firstId: number }
  | { readonly type: 'drop'; readonly ids: readonly number[] }
  | { readonly type: 'space' }
  | { readonly type: 'close' }

export type Answer =
  | { readonly type: 'opened'; readonly accounts: readonly ExporterAccount[]; readonly lastId: number }
  | { readonly type: 'parcels'; readonly parcels: readonly StoredParcel[] }
  | { readonly type: 'letters'; readonly letters: readonly DeadLetter[] }
  | { readonly type: 'replayed'; readonly replayed: readonly Replayed[] }
  | { readonly type: 'dropped'; readonly count: number }
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

export type Reply =
  /** Of the oldest append that was not answered yet. */
  | { readonly type: 'appended'; readonly failure: Failure | undefined }
  | { readonly type: 'answered'; readonly call: number; readonly answer: Answer }
  | { readonly type: 'failed'; readonly call: number; readonly failure: Failure }
  | { readonly type: 'event'; readonly event: StoreEvent }
