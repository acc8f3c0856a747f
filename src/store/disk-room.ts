/**
 * Whether the disk has room for what is to be appended, and for what makes room again.
 *
 * What is delivered is deleted by writing to the log, and the log is emptied by writing to the file. On a disk that is
 * filled to its end neither works, and no delivery would ever make room. So an append is refused before: as long as
 * nobody else fills the disk, log and journal can grow to their limits, and all their pages find a place in the file.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { diskSpace, STORE_FILE } from './directory.ts'
import type { Journal } from './journal.ts'
import { WAL_SLACK } from './limits.ts'
import type { Pending } from './pending.ts'
import type { Session } from './session.ts'

interface Store {
  readonly tables: Pick<Session, 'usedBytes' | 'fileBytes'>
  readonly journal: Pick<Journal, 'growthBytes'>
  readonly pending: Pick<Pending, 'bytes'>
}

/**
 * How many bytes may be appended now; each may need its place twice, in log and file. To ask costs as much as a small
 * append, so it is not done for each.
 */
export function roomOnDisk(
  { tables, journal, pending }: Store,
  { directory, walBytes }: { readonly directory: string; readonly walBytes: number },
): number {
  const path = join(directory, STORE_FILE)
  const fileBytes = tables.fileBytes()
  const fileGrowth = Math.max(0, fileBytes - sizeOf(path))
  const logGrowth = Math.max(0, walBytes * WAL_SLACK - sizeOf(`${path}-wal`))
  const spareBytes = diskSpace(directory).freeBytes - fileGrowth - logGrowth - journal.growthBytes()
  if (spareBytes < 0) return 0
  // Pages that are free in the file have their place already, and the log's limit is counted in above.
  const reusedBytes = Math.min(fileBytes - tables.usedBytes(), walBytes * (WAL_SLACK - 1))
  return Math.max(0, Math.max(Math.floor(spareBytes / 2), reusedBytes) - pending.bytes)
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
