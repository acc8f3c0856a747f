/**
 * The admin token as it is now. Its files are read each time, so that one rotated on disk counts at once.
 */
import { readFileSync } from 'node:fs'
import type { SecretText } from '../config/config.ts'

/** Throws if a file cannot be read: then nobody is let in. A newline at the end of a file is no part of it. */
export function readSecret(secret: SecretText): string {
  return secret
    .map((part) => (typeof part === 'string' ? part : readFileSync(part.file, 'utf8').trimEnd()))
    .join('')
}
