/**
 * A request of rehomed items, measured but not yet written: its pieces lie staged in one buffer, in the order in which
 * they came, and are put in their places when somebody has room for them.
 *
 *     staged: head A │ scope x │ item │ scope y │ item │ item …   ─►   A[ x[item item] y[item] ] …
 */
import { copyRange, type Viewed, viewed } from '../../otlp/copy.ts'
import { LEN, tagOf } from '../../otlp/cursor.ts'
import { varintSize, writeVarint } from '../../otlp/splice.ts'
import { Unwritten } from '../../otlp/unwritten.ts'

// ResourceLogs and ResourceSpans, ScopeLogs and ScopeSpans have these fields in common.
const RESOURCES = tagOf(1, LEN)
const SCOPES = tagOf(2, LEN)

/** A ScopeLogs or ScopeSpans in the making. */
export interface ScopeEntry {
  /** Offsets of the staged bytes that make it up: start and end of each piece, in order. */
  readonly pieces: number[]
  size: number
  /** Where its name is staged; empty for a scope that was copied. */
  readonly nameStart: number
  readonly nameEnd: number
}

/** A ResourceLogs or ResourceSpans in the making; its head is staged in `[headStart, headEnd)`. */
export interface ResourceEntry {
  readonly headStart: number
  readonly headEnd: number
  readonly scopes: ScopeEntry[]
}

export class StagedRequest extends Unwritten {
  readonly byteLength: number
  readonly #staged: Viewed
  readonly #resources: readonly ResourceEntry[]

  constructor(staged: Uint8Array, resources: readonly ResourceEntry[], giveBack: () => void) {
    super(giveBack)
    this.#staged = viewed(staged)
    this.#resources = resources
    this.byteLength = resources.reduce((sum, resource) => sum + fieldSize(sizeOf(resource)), 0)
  }

  write(target: Uint8Array, offset: number): void {
    const into = viewed(target)
    let to = offset
    for (const resource of this.#resources) {
      const { headStart, headEnd, scopes } = resource
      to = writeHead(RESOURCES, sizeOf(resource), target, to)
      to = copyRange(this.#staged, headStart, headEnd, into, to)
      for (const { pieces, size } of scopes) {
        to = writeHead(SCOPES, size, target, to)
        for (let at = 0; at < pieces.length; at += 2)
          to = copyRange(this.#staged, pieces[at], pieces[at + 1], into, to)
      }
    }
  }
}

function sizeOf({ headStart, headEnd, scopes }: ResourceEntry): number {
  return scopes.reduce((sum, { size }) => sum + fieldSize(size), headEnd - headStart)
}

/** Of a field with a tag of one byte and a payload of `size` bytes. */
function fieldSize(size: number): number {
  return 1 + varintSize(size) + size
}

function writeHead(tag: number, size: number, target: Uint8Array, to: number): number {
  target[to] = tag
  return writeVarint(size, target, to + 1)
}
