/**
 * The digest of a policy: tells apart policies that may decide differently.
 *
 * In: what a policy says. Out: SHA-256 over all of it as JSON with sorted keys. Where it was said is not part of it, nor
 * which exporters a lane has: the same item may leave on the same lane, whoever takes it there.
 */
import { createHash } from 'node:crypto'
import type { PolicySpec } from '../config/config.ts'

/** SHA-256 in hex. */
export function digestOf(spec: PolicySpec): string {
  return createHash('sha256').update(canonicalJson(spec)).digest('hex')
}

const NOT_DECIDING: ReadonlySet<string> = new Set(['position', 'positions', 'exporters'])

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value)
    .filter(([key]) => !NOT_DECIDING.has(key))
    .sort(([one], [other]) => (one < other ? -1 : 1))
  return `{${entries.map(([key, entry]) => `${JSON.stringify(key)}:${canonicalJson(entry)}`).join(',')}}`
}
