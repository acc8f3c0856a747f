/**
 * The limits of the store, each with its reason, and how those that depend on `storage.max_size` follow from it.
 */

const KIB = 1024
const MIB = 1024 * KIB

/**
 * Measured, CPU seconds per GB with pages of 4, 16, 32, 64 KiB: values of 378 KB –, 1.05, 0.90, 0.83; of 12 KB in
 * groups of 8 4.0, 3.7, 2.7, 3.5.
 */
export const PAGE_BYTES: number = 32 * KIB

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

/** How often dead letters that are past their retention are looked for. */
export const RETENTION_CHECK_MS: number = 10 * 60 * 1000

const WAL_BYTES: number = 32 * MIB

export interface StoreLimits {
  /** `storage.max_size`: the file and its log together. */
  readonly bytesMax: number
  readonly deadLettersBytesMax: number
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
