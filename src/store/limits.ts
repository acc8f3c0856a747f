/**
 * The limits of the store, each with its reason, and how those that depend on `storage.max_size` follow from it.
 */

const KIB = 1024
const MIB = 1024 * KIB

/**
 * Measured with pages of 8, 16, 32 KiB: parcels of 378 KB cost 2.0, 1.5, 1.4 CPU seconds per GB; for one of 12 KB, four
 * to a sync, 26, 41, 63 KiB are written.
 */
export const PAGE_BYTES: number = 16 * KIB

/** Shared memory in which appended bytes cross to the worker. Larger requests bring memory of their own. */
export const ARENA_BYTES: number = 4 * MIB
export const ARENA_APPEND_BYTES_MAX: number = MIB

/** Appends that wait for the disk. Beyond it the disk is too slow for what comes, and senders hear so. */
export const WAITING_BYTES_MAX: number = 64 * MIB

/** So many appends are enough for one sync: they need not wait for more. */
export const GATHERED_APPENDS_MAX = 32

/** Pages that SQLite keeps in memory: enough for what is between its append and its deletion. */
export const CACHE_BYTES: number = 4 * MIB

/** How long a process that starts waits for one that is about to end to give the lock back. */
export const LOCK_TIMEOUT_MS = 2000

/** After a failure the disk is tried again so often, whoever asks. */
export const PROBE_INTERVAL_MS = 500

/** What was delivered is deleted together with the next append, at the latest after this, or at this many bytes. */
export const SETTLE_DELAY_MS = 50
export const SETTLE_BYTES_MAX: number = 4 * MIB

/** The longest message of a backend that is kept with a dead letter, in UTF-16 units. */
export const DEAD_LETTER_MESSAGE_MAX = 1024

/** What a held parcel costs beside its bytes: its row, its target there and in the index. */
export const QUARANTINE_ROW_BYTES = 512

/** What a held parcel counts for towards `storage.quarantine_max_size`. */
export function heldCharge(byteLength: number): number {
  return byteLength + QUARANTINE_ROW_BYTES
}

/** So many rows of the quarantine expire, or are discarded, in one transaction: others wait for no more than that. */
export const QUARANTINE_ROWS_MAX = 4096

/** How often dead letters and held items that are past their retention are looked for. */
export const RETENTION_CHECK_MS: number = 10 * 60 * 1000

const WAL_BYTES: number = 32 * MIB

/**
 * The journal is so many files. What is delivered before all but one of them are full is never written a second time,
 * so together they hold what passes in the fraction of a second that a backend takes to answer.
 */
export const JOURNAL_SEGMENTS = 4
const JOURNAL_BYTES: number = 64 * MIB

/** A file of the journal grows by so much: few enough syncs have a size to note, and none has much to write. */
export const JOURNAL_GROWTH_BYTES: number = 2 * MIB

/** Of what only the journal holds, memory knows so many parcels, and so many ids of parcels that have left their queue. */
export const PENDING_PARCELS_MAX = 32_768
export const PENDING_GONE_MAX = 65_536

/** What a parcel costs beside its bytes. */
const PARCEL_OVERHEAD_BYTES = 256

/** The log, and the journal, are at most this share of their disk. */
const DISK_SHARE = 1 / 8

export interface StoreLimits {
  /** `storage.max_size`: the file, its log and the journal together. */
  readonly bytesMax: number
  readonly deadLettersBytesMax: number
  readonly quarantineBytesMax: number
  readonly retentionMs: number
}

/** How `storage.max_size` is divided: SQLite's file, its write-ahead log, and the journal. */
export interface Division {
  /** How large the log grows before its pages move to the file. */
  readonly walBytes: number
  readonly journalBytes: number
  readonly fileBytesMax: number
}

export function divideBytes({ bytesMax }: StoreLimits): Division {
  const eighth = Math.max(MIB, Math.floor(bytesMax / 8))
  const walBytes = Math.min(WAL_BYTES, eighth)
  const journalBytes = Math.min(JOURNAL_BYTES, eighth)
  return { walBytes, journalBytes, fileBytesMax: Math.max(MIB, bytesMax - walBytes - journalBytes) }
}

/**
 * The same on a disk of this size: a log that is large beside its disk could not be moved to the file once that is
 * full.
 */
export function divisionOn(disk: { readonly totalBytes: number }, division: Division): Division {
  const share = Math.max(8 * PAGE_BYTES, Math.floor(disk.totalBytes * DISK_SHARE))
  const { walBytes, journalBytes } = division
  return { ...division, walBytes: Math.min(walBytes, share), journalBytes: Math.min(journalBytes, share) }
}

/** What a parcel may take of SQLite's file: one that is larger than a page's quarter fills the rest of its last page. */
export function bytesInFile(byteLength: number): number {
  const bytes = byteLength + PARCEL_OVERHEAD_BYTES
  return bytes < PAGE_BYTES / 4 ? bytes : Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES
}

/** How much beyond its limit the log may grow before it is emptied. */
export const WAL_SLACK: number = 5 / 4
