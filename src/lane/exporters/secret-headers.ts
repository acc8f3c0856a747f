/**
 * The configured headers of an exporter, with the parts that come from files read when they are used.
 *
 * A file is looked at again at most once a second and read only if it changed, so that a rotated token is used
 * without a restart; after a 401 it is read at once. While a file that was read before is missing, the value that
 * is known stays in use: secrets are often replaced by removing them first. Values are never logged.
 */
import { readFileSync, statSync } from 'node:fs'
import type { SecretText } from '../../config/config.ts'

const LOOK_INTERVAL_MS = 1000

export interface SecretHeaders {
  /** Names and values in turn. Throws what the file system throws if a file was never readable. */
  read(): readonly string[]
  /** Reads all files now. True if a value changed. */
  reread(): boolean
}

interface SecretFile {
  readonly text: string
  /** What tells one version of the file from another. */
  readonly stamp: string
}

export function createSecretHeaders(
  headers: Readonly<Record<string, SecretText>>,
  clock: () => number,
): SecretHeaders {
  const paths = new Set<string>()
  for (const parts of Object.values(headers)) {
    for (const part of parts) if (typeof part !== 'string') paths.add(part.file)
  }
  const files = new Map<string, SecretFile>()
  let lines: readonly string[] | undefined
  let lookedAtMs = Number.NEGATIVE_INFINITY

  /** True if a text changed. */
  function look(onlyIfStampDiffers: boolean): boolean {
    let hasChanged = false
    for (const path of paths) {
      const known = files.get(path)
      const file = readSecret(path, known, onlyIfStampDiffers)
      if (file.text !== known?.text) hasChanged = true
      files.set(path, file)
    }
    lookedAtMs = clock()
    return hasChanged
  }

  function textOf(part: SecretText[number]): string {
    return typeof part === 'string' ? part : (files.get(part.file)?.text ?? '')
  }

  function assemble(): readonly string[] {
    return Object.entries(headers).flatMap(([name, parts]) => [name, parts.map(textOf).join('')])
  }

  return {
    read() {
      // Also when the clock was set back.
      const isDue = paths.size > 0 && Math.abs(clock() - lookedAtMs) >= LOOK_INTERVAL_MS
      if ((isDue && look(true)) || lines === undefined) lines = assemble()
      return lines
    },
    reread() {
      const hasChanged = look(false)
      if (hasChanged) lines = assemble()
      return hasChanged
    },
  }
}

function readSecret(path: string, known: SecretFile | undefined, onlyIfStampDiffers: boolean): SecretFile {
  try {
    const { mtimeMs, size, ino } = statSync(path)
    const stamp = `${mtimeMs} ${size} ${ino}`
    if (onlyIfStampDiffers && known?.stamp === stamp) return known
    // Editors and `echo` end a file with a line end, which is no part of a token.
    return { text: readFileSync(path, 'utf8').trim(), stamp }
  } catch (error) {
    if (known !== undefined) return known
    throw error
  }
}
