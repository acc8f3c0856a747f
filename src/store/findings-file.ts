/**
 * The findings of earlier runs, in a file of their own beside the store: `findings.json`.
 *
 * Read at start, written now and then while there is something new, whole and never in part: a temporary file, synced,
 * renamed. Nothing else must change with it, so it needs no transaction; and it serves where no queue is durable and no
 * database is open. A crash loses the counts of the last seconds. A file that cannot be understood is set aside, not
 * deleted. Nothing here knows what a finding is. Source: decision 0014.
 */
import { readFileSync, renameSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { FILE_MODE, prepareDirectory, syncDirectory } from './directory.ts'

export const FINDINGS_FILE = 'findings.json'

/** Far more than the bounded list of findings comes to. */
const FILE_BYTES_MAX = 64 * 1024 * 1024

export interface FindingsFile {
  /** What was written last; undefined if nothing was, or none of it can be read. */
  read(): unknown
  /** Rejects with what the file system says. */
  write(content: object): Promise<void>
}

export function createFindingsFile(directory: string): FindingsFile {
  const path = join(directory, FINDINGS_FILE)
  return {
    read() {
      const text = readText(path)
      if (text === undefined) return undefined
      try {
        const content: unknown = JSON.parse(text)
        return content
      } catch {
        renameSync(path, `${path}.corrupt`)
        return undefined
      }
    },
    async write(content) {
      prepareDirectory(directory)
      const temporary = `${path}.tmp`
      try {
        const handle = await open(temporary, 'w', FILE_MODE)
        try {
          await handle.writeFile(JSON.stringify(content))
          await handle.sync()
        } finally {
          await handle.close()
        }
        await rename(temporary, path)
      } catch (error) {
        await rm(temporary, { force: true })
        throw error
      }
      syncDirectory(directory)
    },
  }
}

function readText(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8')
    return text.length > FILE_BYTES_MAX ? undefined : text
  } catch {
    return undefined
  }
}
