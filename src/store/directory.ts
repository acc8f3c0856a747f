/**
 * The storage directory: made where it is missing, private, kept out of git, its entries made durable.
 *
 * Queued telemetry and keys are nobody else's business: directories are 0700, files 0600. A `.gitignore` of `*`
 * stands in it because the default directory lies in the folder that Laneway is started from, often a checkout.
 *
 * Source: contract section 2, `storage`.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, statfsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const DIRECTORY_MODE = 0o700
export const FILE_MODE = 0o600

/** The file of the store in its directory. */
export const STORE_FILE = 'laneway.db'

/** Makes the directory and its `.gitignore` if they are not there. Throws what the file system throws. */
export function prepareDirectory(directory: string): void {
  const isNew = mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE }) !== undefined
  const ignore = join(directory, '.gitignore')
  // Written first with content of its own: a user's file of that name is left alone.
  if (!existsSync(ignore)) writeFileSync(ignore, '*\n', { mode: FILE_MODE, flag: 'a' })
  if (isNew) syncDirectory(join(directory, '..'))
}

/** The disk that the directory lies on, or will: `freeBytes` is what an unprivileged user may still write. */
export function diskSpace(directory: string): { readonly freeBytes: number; readonly totalBytes: number } {
  const parent = dirname(directory)
  if (!existsSync(directory) && parent !== directory) return diskSpace(parent)
  const { bavail, blocks, bsize } = statfsSync(directory)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}

/** Makes entries that were added, renamed or removed durable: the sync of a file says nothing of its name. */
export function syncDirectory(directory: string): void {
  syncFile(directory)
}

/** Opens by path and syncs. Never for a file that a database connection of this process holds: its locks would go. */
export function syncFile(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
