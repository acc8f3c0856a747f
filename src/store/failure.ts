/**
 * What SQLite or the file system says → a StorageError that names the directory and the remedy.
 *
 * Source: sqlite.org/rescode.html (the primary code is the low byte), errno names as Node gives them.
 */
import { StorageError, type StorageFault } from '../errors.ts'

const BY_RESULT_CODE: ReadonlyMap<number, StorageFault> = new Map([
  [5, 'in_use'],
  [8, 'read_only'],
  [10, 'io'],
  [11, 'corrupt'],
  [13, 'disk_full'],
  [14, 'lost'],
  [26, 'corrupt'],
])

/** Wrong SQL, a broken constraint, misuse: no disk can be blamed for these. */
const OUR_MISTAKES: ReadonlySet<number> = new Set([1, 19, 20, 21, 25])

const BY_ERRNO: ReadonlyMap<string, StorageFault> = new Map([
  ['ENOENT', 'lost'],
  ['ENOTDIR', 'lost'],
  ['EEXIST', 'lost'],
  ['EACCES', 'read_only'],
  ['EPERM', 'read_only'],
  ['EROFS', 'read_only'],
  ['ENOSPC', 'disk_full'],
  ['EDQUOT', 'disk_full'],
])

const REMEDIES: Readonly<Record<StorageFault, string>> = {
  size: 'is full (storage.max_size): see that the backends answer, or raise storage.max_size',
  disk_full: 'lies on a disk that is full: make room, or set storage.directory to a larger disk',
  io: 'cannot be read or written (I/O error): check the disk and its quota',
  read_only: 'cannot be written: give the user that runs laneway write permission, or set storage.directory',
  lost: 'is not there or cannot be opened: bring it back, or set storage.directory and restart',
  in_use: 'is in use by another process: stop that one, or give this one a storage.directory of its own',
  corrupt: 'holds a store that is damaged: it is set aside and a new one is made',
  newer: 'holds a store that a newer laneway made: run that version, or set storage.directory',
  gone: 'does not hold any more what was to be released: look at what is there now, and release again',
  busy: 'takes what comes more slowly than it comes: send again later',
  stopped: 'is closed: laneway is stopping, or its storage thread has failed; restart it',
}

export function storageError(fault: StorageFault, directory: string, cause?: unknown): StorageError {
  const detail = detailOf(cause)
  const message = `storage directory ${directory} ${REMEDIES[fault]}${detail === '' ? '' : ` (${detail})`}`
  return new StorageError(fault, message, { cause })
}

/** Anything thrown below the store as a StorageError; what is no trouble of a disk is thrown on. */
export function toStorageError(error: unknown, directory: string): StorageError {
  if (error instanceof StorageError) return error
  const fault = faultOf(error)
  if (fault === undefined) throw error
  return storageError(fault, directory, error)
}

function faultOf(error: unknown): StorageFault | undefined {
  if (!(error instanceof Error)) return undefined
  if ('errcode' in error && typeof error.errcode === 'number') {
    const primary = error.errcode & 0xff
    return BY_RESULT_CODE.get(primary) ?? (OUR_MISTAKES.has(primary) ? undefined : 'io')
  }
  if ('syscall' in error && 'code' in error && typeof error.code === 'string') {
    return BY_ERRNO.get(error.code) ?? 'io'
  }
  return undefined
}

/** Codes only: the text of an error could quote a path twice, never more. */
function detailOf(cause: unknown): string {
  if (!(cause instanceof Error)) return ''
  if ('errcode' in cause && 'errstr' in cause) return `SQLite ${cause.errcode}, ${cause.errstr}`
  return 'code' in cause ? String(cause.code) : ''
}
