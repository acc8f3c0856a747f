/**
 * Canonical bytes: of a request, only what a decoder would read.
 *
 * A field that no decoder knows, a value that a later one overrides, an id of a wrong length, the spare bits of an
 * over-long varint: backends show none of it, no field policy can name it, and all of it would travel. Here it ends.
 * Nearly every request is canonical as it comes, so a walk over all of its bytes first asks only whether it is
 * (canonical-walk.ts); a request that is not is written anew (canonical-rewrite.ts). Not judged, because a decoder
 * reads them: zeros that are spelled out, the order of fields, text that is not UTF-8.
 * Source: protobuf.dev/programming-guides/encoding; opentelemetry-proto 1.11.
 */
import { LEVELS_MAX, rowOf } from './canonical-plan.ts'
import { rewrite } from './canonical-rewrite.ts'
import { CanonicalWalk } from './canonical-walk.ts'
import { SIGNAL_TRAITS, type Signal } from './signal.ts'

export interface Canonical {
  /** The very bytes that came in, if nothing had to be removed. */
  readonly bytes: Uint8Array
  /** How many fields were removed, and how many encodings were rewritten. */
  readonly removed: number
}

/** Makes requests canonical. Scratch state: one request at a time. */
export class Canonicaliser {
  readonly #walk = new CanonicalWalk()

  /** Whether a whole Export*ServiceRequest is canonical as it is. Malformed bytes are not. */
  isCanonical(bytes: Uint8Array, signal: Signal): boolean {
    this.#walk.load(bytes)
    return this.#walk.isCanonical(REQUEST_ROWS[signal], 0, bytes.length, LEVELS_MAX)
  }

  /** Makes a whole Export*ServiceRequest canonical. Throws `MalformedRequest` for what no decoder takes. */
  canonicalise(bytes: Uint8Array, signal: Signal): Canonical {
    if (this.isCanonical(bytes, signal)) return { bytes, removed: 0 }
    return rewrite(bytes, REQUEST_ROWS[signal], this.#walk)
  }
}

const REQUEST_ROWS: Readonly<Record<Signal, number>> = {
  logs: rowOf(SIGNAL_TRAITS.logs.requestMessage),
  traces: rowOf(SIGNAL_TRAITS.traces.requestMessage),
  metrics: rowOf(SIGNAL_TRAITS.metrics.requestMessage),
}
