/**
 * The request in which events of one target are held until somebody reviews them.
 *
 *     enter ─► item | openSpan item… closeSpan ─► … ─► take
 *
 * Goes along with a walk over the request that they came in. An envelope is opened when an item follows: all that it
 * holds beside its scopes or items is copied, unknown fields included. In: ranges of that request. Out: the bytes of one
 * whole ExportLogsServiceRequest or ExportTraceServiceRequest. Nothing is decided here.
 */
import { LEN, tagOf } from '../otlp/cursor.ts'
import { ProtobufWriter } from '../otlp/protobuf-writer.ts'

// ResourceLogs and ResourceSpans, ScopeLogs and ScopeSpans have their fields in common.
const RESOURCES = tagOf(1, LEN)
const SCOPES = tagOf(2, LEN)
const ITEM = tagOf(2, LEN)

/** Starts and ends of byte ranges of the request, one behind the other. */
export type Pieces = readonly number[]

/** An envelope as a walk passes it: its index in the request, and what of it is no scope or item. */
export interface Envelope {
  readonly index: number
  readonly own: Pieces
}

/** What all held requests of one walk have copied beside their items. */
export interface Copied {
  bytes: number
}

export class HeldRequest {
  /** Log records or span events. */
  items = 0
  readonly #request: Uint8Array
  readonly #copied: Copied
  readonly #writer = new ProtobufWriter(1024)
  #resource = -1
  #resourceStart = 0
  #scope = -1
  #scopeStart = 0
  #spanStart = 0

  constructor(request: Uint8Array, copied: Copied) {
    this.#request = request
    this.#copied = copied
  }

  /** What follows is of this scope in this resource. */
  enter(resource: Envelope, scope: Envelope): void {
    if (scope.index === this.#scope) return
    this.#closeScope()
    if (resource.index !== this.#resource) {
      this.#closeResource()
      this.#resource = resource.index
      this.#resourceStart = this.#open(RESOURCES)
      this.#copyAside(resource.own)
    }
    this.#scope = scope.index
    this.#scopeStart = this.#open(SCOPES)
    this.#copyAside(scope.own)
  }

  /** An item as it came: the whole field `[field, end)` of its scope, or of the span that was opened. */
  item(field: number, end: number): void {
    this.#writer.raw(this.#request, field, end)
    this.items++
  }

  /** Starts a span that stands for one that has left: `own` is what it leaves behind for its events. */
  openSpan(own: Pieces): void {
    this.#spanStart = this.#open(ITEM)
    this.#copyAside(own)
  }

  closeSpan(): void {
    this.#writer.close(this.#spanStart)
  }

  take(): Uint8Array {
    this.#closeScope()
    this.#closeResource()
    return this.#writer.finish()
  }

  #open(tag: number): number {
    this.#writer.byte(tag)
    return this.#writer.open()
  }

  #closeScope(): void {
    if (this.#scope >= 0) this.#writer.close(this.#scopeStart)
    this.#scope = -1
  }

  #closeResource(): void {
    if (this.#resource >= 0) this.#writer.close(this.#resourceStart)
    this.#resource = -1
  }

  #copyAside(pieces: Pieces): void {
    const before = this.#writer.at
    for (let at = 0; at < pieces.length; at += 2) this.#writer.raw(this.#request, pieces[at], pieces[at + 1])
    this.#copied.bytes += this.#writer.at - before
  }
}
