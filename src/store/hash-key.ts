/**
 * The key of the `hash` verb: the configured one, or one made once and kept in the storage folder.
 *
 * Made: 32 random bytes in `hash.key`, 0600, in a folder that is 0700 and ignored by git; they are on disk before
 * they are used, so that a value has the same hash after a restart. A key that cannot be read, or is too short,
 * is an error that names its file: another key in its place would silently break every join on hashed values.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SecretText } from '../config/config.ts'
import { CommandError } from '../errors.ts'
import { FILE_MODE, prepareDirectory, syncDirectory, syncFile } from './directory.ts'

const FILE = 'hash.key'

export interface HashKeyOptions {
  /** The configured key, if there is one. */
  readonly given: SecretText | undefined
  /** The storage folder, where the key is kept otherwise. */
  readonly directory: string
  readonly bytesMin: number
}

/** Throws CommandError. */
export function readHashKey({ given, directory, bytesMin }: HashKeyOptions): Uint8Array {
  if (given !== undefined) return longEnough(readGiven(given), bytesMin, 'hash_key')
  const path = join(directory, FILE)
  if (!existsSync(path)) makeKey(directory, path, bytesMin)
  return longEnough(read(path), bytesMin, path)
}

/** As in the configuration's other values, one newline at the end of a file is no part of it. */
function readGiven(given: SecretText): Uint8Array {
  const texts = given.map((part) =>
    typeof part === 'string'
      ? part
      : read(part.file)
          .toString('utf8')
          .replace(/\r?\n$/, ''),
  )
  return Buffer.from(texts.join(''))
}

function read(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new CommandError(`cannot read the key of the hash verb: ${reasonOf(error)}`)
  }
}

function longEnough(key: Uint8Array, bytesMin: number, name: string): Uint8Array {
  if (key.length >= bytesMin) return key
  throw new CommandError(
    `the key of the hash verb, ${name}, is ${key.length} bytes long and must be ${bytesMin} or more; put the right one back, or make a new one: values hashed before will not match`,
  )
}

/** Written beside its place and then moved there: a crash leaves the whole key or none. */
function makeKey(directory: string, path: string, bytes: number): void {
  try {
    prepareDirectory(directory)
    const draft = `${path}.${randomBytes(8).toString('hex')}`
    writeFileSync(draft, randomBytes(bytes), { mode: FILE_MODE, flag: 'wx' })
    syncFile(draft)
    renameSync(draft, path)
    syncDirectory(directory)
  } catch (error) {
    throw new CommandError(
      `cannot keep a key for the hash verb: ${reasonOf(error)}; make storage.directory writable, or give \`hash_key\``,
    )
  }
}

/** Node's own message names the call, the path and the cause. */
function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
