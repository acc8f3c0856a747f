/**
 * Whether the disk has room for what is to be appended, and for what makes room again.
 *
 * What is delivered is deleted by writing to the log, and the log is emptied by writing to the file. On a disk that is
 * filled to its end neither works, and no delivery would ever make room. So an append is refused before: as long as
 * nobody else fills the disk, the log can grow to its limit and all its pages find their place in the file.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { diskSpace, STORE_FILE } from './directory.ts'
import { WAL_SLACK } from './limits.ts'
import type { Session } from './session.ts'

/**
 * How many bytes may be appended now; each may need its place twice, in log and file. To ask costs as much as a small
 * append, so it is not done for each.
 */
export function roomOnDisk(
  session: Pick<Session, 'usedBytes' | 'fileBytes'>,
  { directory, walBytes }: { readonly directory: string; readonly walBytes: number },
): number {
  const path = join(directory, STORE_FILE)
  const fileBytes = session.fileBytes()
  const fileGrowth = Math.max(0, fileBytes - sizeOf(path))
  const logGrowth = Math.max(0, walBytes * WAL_SLACK - sizeOf(`${path}-wal`))
  const spareBytes = diskSpace(directory).freeBytes - fileGrowth - logGrowth
  if (spareBytes < 0) return 0
  // Pages that are free in the file have their place already, and the log's limit is counted in above.
  const reusedBytes = Math.min(fileBytes - session.usedBytes(), walBytes * (WAL_SLACK - 1))
  return Math.max(Math.floor(spareBytes / 2), reusedBytes)
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
