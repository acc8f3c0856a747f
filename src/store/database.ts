/**
 * The file of the store: opened under a lock, checked, and set aside if it is damaged. Never deleted.
 *
 * The lock is SQLite's own, held as long as the connection is open and gone with the process. No other part of this
 * process may open the file by itself: closing any descriptor of it would drop the lock.
 *
 * Source: sqlite.org/wal.html, sqlite.org/pragma.html; DESIGN, "The store".
 */
import { chmodSync, closeSync, existsSync, openSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { StorageError } from '../errors.ts'
import { FILE_MODE, prepareDirectory, STORE_FILE, syncDirectory, syncFile } from './directory.ts'
import { storageError, toStorageError } from './failure.ts'
import { CACHE_BYTES, LOCK_TIMEOUT_MS, PAGE_BYTES } from './limits.ts'
import { hasTables, migrate } from './schema.ts'

export interface OpenDatabase {
  readonly database: DatabaseSync
  /** Where a damaged store went, if there was one. */
  readonly setAside: string | undefined
  /** Tells this very file from another one at the same path. */
  readonly inode: bigint
}

interface DatabaseOptions {
  readonly directory: string
  readonly walBytes: number
  readonly fileBytesMax: number
  /** Milliseconds since the epoch. */
  readonly clock: () => number
}

/** Throws StorageError. */
export function openDatabase(options: DatabaseOptions): OpenDatabase {
  const { directory, clock } = options
  try {
    prepareDirectory(directory)
    try {
      return { ...openFile(options), setAside: undefined }
    } catch (error) {
      if (toStorageError(error, directory).fault !== 'corrupt') throw error
    }
    const setAside = setStoreAside(directory, clock())
    return { ...openFile(options), setAside }
  } catch (error) {
    throw toStorageError(error, directory)
  }
}

/** Renames the store and its log, with the time in the name. The connection must be closed. Returns the new path. */
export function setStoreAside(directory: string, nowMs: number): string {
  const path = join(directory, STORE_FILE)
  const aside = `${path}.corrupt-${new Date(nowMs).toISOString().replaceAll(':', '-')}`
  renameSync(path, aside)
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${aside}-wal`)
  syncDirectory(directory)
  return aside
}

/** The file's identity at its path; undefined if none is there. */
export function inodeAt(directory: string): bigint | undefined {
  return statSync(join(directory, STORE_FILE), { bigint: true, throwIfNoEntry: false })?.ino
}

/**
 * Writes all that an open connection holds to a new file in a directory that was removed under it: the open file has
 * no name any more, but lives. The caller closes the connection behind it.
 */
export function rebuild(database: DatabaseSync, directory: string): string {
  prepareDirectory(directory)
  const path = join(directory, STORE_FILE)
  // SQLite takes an empty file as a new one, so the mode is ours from the start.
  closeSync(openSync(path, 'wx', FILE_MODE))
  database.prepare('VACUUM INTO ?').run(path)
  syncFile(path)
  syncDirectory(directory)
  return path
}

function openFile({ directory, walBytes, fileBytesMax }: DatabaseOptions): Omit<OpenDatabase, 'setAside'> {
  const path = join(directory, STORE_FILE)
  if (existsSync(path)) chmodSync(path, FILE_MODE)
  else {
    closeSync(openSync(path, 'wx', FILE_MODE))
    syncDirectory(directory)
  }
  const database = new DatabaseSync(path, { timeout: LOCK_TIMEOUT_MS })
  try {
    database.exec(`
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA page_size = ${PAGE_BYTES};
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA wal_autocheckpoint = ${Math.floor(walBytes / PAGE_BYTES)};
      PRAGMA journal_size_limit = ${walBytes};
      PRAGMA max_page_count = ${Math.ceil(fileBytesMax / PAGE_BYTES)};
      PRAGMA cache_size = ${-Math.floor(CACHE_BYTES / 1024)};
      PRAGMA temp_store = MEMORY;
      BEGIN IMMEDIATE;
      COMMIT;
    `)
    if (!migrate(database)) throw storageError('newer', directory)
    if (!hasTables(database)) throw storageError('corrupt', directory)
    const inode = inodeAt(directory)
    if (inode === undefined) throw storageError('lost', directory)
    return { database, inode }
  } catch (error) {
    closeQuietly(database)
    throw error
  }
}

/** A connection whose disk is gone may fail to close; there is nothing more to do about it. */
export function closeQuietly(database: DatabaseSync): StorageError | undefined {
  try {
    database.close()
    return undefined
  } catch (error) {
    return toStorageError(error, '')
  }
}
