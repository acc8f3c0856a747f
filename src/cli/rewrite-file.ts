/**
 * Rewrites a file that others read at the same time: whoever looks sees the old text or the new one, whole.
 *
 * A temporary file in the same folder, synced, renamed over the old one; a link stays a link, and the file keeps its mode
 * and its owner. Two that rewrite at once take turns by a lock file, so that neither loses what the other wrote.
 */
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { syncDirectory } from '../store/directory.ts'

/** Whoever holds the lock longer than this has died with it: a rewrite takes milliseconds. */
const lockAgeMsMax = 10_000
const lockRetryMs = 20

const NEW_FILE_MODE = 0o644

/** What a folder or a file that may not be written says. */
const NOT_WRITABLE: Readonly<Record<string, string>> = {
  EACCES: 'it may not be written',
  EPERM: 'it may not be written',
  EROFS: 'the file system is read-only',
  EBUSY: 'it is mounted by itself',
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder is none',
}

export type Rewritten =
  | { readonly isWritten: true }
  /** Why not, in words. The file is as it was. */
  | { readonly isWritten: false; readonly why: string }

/** `edit` gets the text that is there, empty for a new file. Throws what is no matter of permission. */
export async function rewriteFile(path: string, edit: (text: string) => string): Promise<Rewritten> {
  const file = existsSync(path) ? realpathSync(path) : path
  const lock = `${file}.lock`
  try {
    await acquire(lock)
    try {
      replace(file, edit(existsSync(file) ? readFileSync(file, 'utf8') : ''))
    } finally {
      rmSync(lock, { force: true })
    }
    return { isWritten: true }
  } catch (error) {
    const why = NOT_WRITABLE[codeOf(error)]
    if (why === undefined) throw error
    return { isWritten: false, why }
  }
}

async function acquire(lock: string): Promise<void> {
  for (;;) {
    try {
      closeSync(openSync(lock, 'wx'))
      return
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
    const heldSinceMs = statSync(lock, { throwIfNoEntry: false })?.mtimeMs
    if (heldSinceMs !== undefined && Date.now() - heldSinceMs > lockAgeMsMax) rmSync(lock, { force: true })
    else await delay(lockRetryMs)
  }
}

function replace(file: string, text: string): void {
  const temporary = `${file}.${randomUUID()}.tmp`
  const old = statSync(file, { throwIfNoEntry: false })
  try {
    const descriptor = openSync(temporary, 'wx', NEW_FILE_MODE)
    try {
      writeFileSync(descriptor, text)
      if (old !== undefined) {
        fchmodSync(descriptor, old.mode)
        fchownSync(descriptor, old.uid, old.gid)
      }
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(temporary, file)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  syncDirectory(dirname(file))
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
