/**
 * The digest of a policy: tells apart policies that may decide differently.
 *
 * In: what a policy says. Out: SHA-256 over all of it as JSON. Where it was said is not part of it, nor which exporters a
 * lane has: the same item may leave on the same lane, whoever takes it there. The same policy said in another order may
 * have another digest, which costs a second look at what is stored and changes nothing.
 */
import { createHash } from 'node:crypto'
import type { PolicySpec } from '../config/config.ts'

/** SHA-256 in hex. */
export function digestOf({ positions: _, lanes, ...spec }: PolicySpec): string {
  const deciding = { ...spec, lanes: lanes.map(({ exporters: _, ...lane }) => lane) }
  return createHash('sha256').update(JSON.stringify(deciding, withoutPositions)).digest('hex')
}

/** A resource attribute may be called `position`, too: what is said of it is a list. */
function withoutPositions(key: string, value: unknown): unknown {
  return key === 'position' && !Array.isArray(value) ? undefined : value
}
