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
export const ARENA_BYTES: number = 8 * MIB
export const ARENA_APPEND_BYTES_MAX: number = 2 * MIB

/** Appends that wait for the disk. Beyond it the disk is too slow for what comes, and senders hear so. */
export const WAITING_BYTES_MAX: number = 64 * MIB

/** Pages that SQLite keeps in memory: enough for what is between its append and its deletion. */
export const CACHE_BYTES: number = 8 * MIB

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

/** So many rows of the quarantine expire, or are discarded, in one transaction: others wait for no more than that. */
export const QUARANTINE_ROWS_MAX = 4096

/** How often dead letters and held items that are past their retention are looked for. */
export const RETENTION_CHECK_MS: number = 10 * 60 * 1000

const WAL_BYTES: number = 32 * MIB

/** The log is at most this share of its disk. */
const WAL_DISK_SHARE = 1 / 8

export interface StoreLimits {
  /** `storage.max_size`: the file and its log together. */
  readonly bytesMax: number
  readonly deadLettersBytesMax: number
  readonly quarantineBytesMax: number
  readonly retentionMs: number
}

/** How large the write-ahead log grows before its pages move to the file, and what is left for the file. */
export function divideBytes({ bytesMax }: StoreLimits): {
  readonly walBytes: number
  readonly fileBytesMax: number
} {
  const walBytes = Math.min(WAL_BYTES, Math.max(MIB, Math.floor(bytesMax / 8)))
  return { walBytes, fileBytesMax: Math.max(MIB, bytesMax - walBytes) }
}

/** The same on a disk of this size: a log that is large beside its disk could not be moved to the file once that is full. */
export function walBytesOn(disk: { readonly totalBytes: number }, walBytes: number): number {
  return Math.min(walBytes, Math.max(8 * PAGE_BYTES, Math.floor(disk.totalBytes * WAL_DISK_SHARE)))
}

/** How much beyond its limit the log may grow before it is emptied. */
export const WAL_SLACK: number = 5 / 4
