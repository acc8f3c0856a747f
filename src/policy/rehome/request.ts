/**
 * The request that rehomed items leave in: the resources and scopes around them, made as items come.
 *
 *     begin ─► resource ─► scope ─► openLogRecord | openSpan … close ─► … ─► take
 *
 * Goes along with a walk over the request that they came in, and copies an envelope's head (the resource, its
 * schema_url) only when an item follows. In: ranges of that request, and the items as their builders write them.
 * Out: one whole ExportLogsServiceRequest or ExportTraceServiceRequest. Items are never decided here.
 * Source: contract, section "Rehomed items".
 */
import type { Viewed } from '../../otlp/copy.ts'
import { Cursor, LEN, tagOf } from '../../otlp/cursor.ts'
import { ProtobufWriter } from '../../otlp/protobuf-writer.ts'
import { type ByteString, latin1 } from '../family.ts'
import type { TextRange } from './field.ts'
import { type ResourceEntry, type ScopeEntry, StagedRequest } from './staged.ts'

export interface RehomedItems {
  readonly content: StagedRequest
  /** Log records or spans. */
  readonly items: number
}

/** Log records that are written already: `count` whole fields of a ScopeLogs in `[start, end)` of `source`. */
export interface MovedRecords {
  readonly source: Viewed
  readonly start: number
  readonly end: number
  readonly count: number
}

// ResourceLogs and ResourceSpans, ScopeLogs and ScopeSpans have their fields in common.
const RESOURCE = tagOf(1, LEN)
const SCOPE = tagOf(1, LEN)
const SCOPE_NAME = tagOf(1, LEN)
const SCHEMA_URL = tagOf(3, LEN)
const ITEM = tagOf(2, LEN)

/** Items of this many bytes of length are the rule, and are not moved when they are closed. */
const itemLengthBytes = 2

/** One large request does not keep its memory for ever. */
const stagedBytesKept = 1 << 20
const stagedBytesMin = 4096
/** Buffers that wait to be used again. */
const sparesMax = 2

/** Scratch: `take` hands over what was staged; a buffer that is released is used again. */
export class RehomedRequest {
  /** Where an item's fields are written, between its opening and `close`. */
  writer: ProtobufWriter = new ProtobufWriter(stagedBytesMin)
  readonly #spares: ProtobufWriter[] = []
  readonly #cursor = new Cursor()
  readonly #resources: ResourceEntry[] = []
  readonly #byTarget = new Map<ByteString, ScopeEntry>()
  #items = 0
  #resource: ResourceEntry | undefined
  #resourceStart = 0
  #resourceEnd = 0
  #scope: ScopeEntry | undefined
  #scopeStart = 0
  #scopeEnd = 0
  /** The scope entry that took the last item, and where that item starts. */
  #last: ScopeEntry | undefined
  #itemStart = 0
  #payloadStart = 0

  /** Forgets everything, and goes along with `request` from here on. */
  begin(request: Uint8Array): void {
    this.#cursor.reset(request, 0)
    this.#forget()
  }

  /** The walk enters the ResourceLogs or ResourceSpans whose payload is `[start, end)`. */
  resource(start: number, end: number): void {
    this.#resource = undefined
    this.#resourceStart = start
    this.#resourceEnd = end
    // Even an empty map makes itself a new table.
    if (this.#byTarget.size > 0) this.#byTarget.clear()
    this.#last = undefined
    this.scope(end, end)
  }

  /** The walk enters the ScopeLogs or ScopeSpans whose payload is `[start, end)`. Needed for spans only. */
  scope(start: number, end: number): void {
    this.#scope = undefined
    this.#scopeStart = start
    this.#scopeEnd = end
  }

  /** Starts a log record of `target`; records of one target share a ScopeLogs in a resource. */
  openLogRecord(target: TextRange): void {
    this.#enterNamedScope(target)
    this.#open()
  }

  /** Adds log records of `target`. */
  addLogRecords(target: TextRange, { source, start, end, count }: MovedRecords): void {
    const scope = this.#enterNamedScope(target)
    const from = this.writer.at
    this.writer.range(source, start, end)
    addPiece(scope, from, this.writer.at)
    this.#items += count
  }

  #enterNamedScope(target: TextRange): ScopeEntry {
    if (this.#last === undefined || !this.#isNamed(this.#last, target)) {
      const name = latin1(target.source.bytes, target.start, target.end)
      const known = this.#byTarget.get(name)
      this.#last = known ?? this.#createNamedScope(target)
      if (known === undefined) this.#byTarget.set(name, this.#last)
    }
    return this.#last
  }

  /** Starts a span, in a copy of the scope that the walk is in. */
  openSpan(): void {
    this.#scope ??= this.#copyScope()
    this.#last = this.#scope
    this.#open()
  }

  /** Ends the item that was opened. */
  close(): void {
    this.writer.close(this.#payloadStart, itemLengthBytes)
    if (this.#last !== undefined) addPiece(this.#last, this.#itemStart, this.writer.at)
    this.#items++
  }

  /** The whole request, to be written where there is room; undefined if no item was added. Nothing is left of it here. */
  take(): RehomedItems | undefined {
    if (this.#items === 0) return undefined
    const { writer } = this
    const items = this.#items
    const content = new StagedRequest(writer.bytes, this.#resources.splice(0), () => this.#reuse(writer))
    this.writer = this.#spares.pop() ?? new ProtobufWriter(stagedBytesMin)
    this.#forget()
    return { content, items }
  }

  #reuse(writer: ProtobufWriter): void {
    if (this.#spares.length < sparesMax && writer.bytes.length <= stagedBytesKept) this.#spares.push(writer)
  }

  #forget(): void {
    if (this.writer.bytes.length > stagedBytesKept) this.writer = new ProtobufWriter(stagedBytesMin)
    this.writer.at = 0
    this.#resources.length = 0
    this.#items = 0
    this.resource(0, 0)
  }

  #open(): void {
    this.#itemStart = this.writer.at
    this.writer.byte(ITEM)
    this.#payloadStart = this.writer.open(itemLengthBytes)
  }

  #isNamed({ nameStart, nameEnd }: ScopeEntry, { source, start, end }: TextRange): boolean {
    const { bytes } = source
    if (nameEnd - nameStart !== end - start) return false
    const staged = this.writer.bytes
    for (let at = start; at < end; at++) if (staged[nameStart - start + at] !== bytes[at]) return false
    return true
  }

  #createNamedScope({ source, start, end }: TextRange): ScopeEntry {
    const resource = this.#openResource()
    const { writer } = this
    const from = writer.at
    writer.byte(SCOPE)
    const scope = writer.open()
    writer.byte(SCOPE_NAME)
    writer.delimitedRange(source, start, end)
    writer.close(scope)
    const nameEnd = writer.at
    const entry = { pieces: [], size: 0, nameStart: nameEnd - (end - start), nameEnd }
    addPiece(entry, from, nameEnd)
    resource.scopes.push(entry)
    return entry
  }

  /** All pieces of the scope, and its schema_url. What else stands there is not known to be of the other signal too. */
  #copyScope(): ScopeEntry {
    const resource = this.#openResource()
    const from = this.writer.at
    this.#copyFields(this.#scopeStart, this.#scopeEnd, (tag) => tag === SCOPE || tag === SCHEMA_URL)
    const entry = { pieces: [], size: 0, nameStart: 0, nameEnd: 0 }
    addPiece(entry, from, this.writer.at)
    resource.scopes.push(entry)
    return entry
  }

  /** All pieces of the resource, and its schema_url; of what else stands there nobody knows that it may cross over. */
  #openResource(): ResourceEntry {
    if (this.#resource === undefined) {
      const headStart = this.writer.at
      this.#copyFields(
        this.#resourceStart,
        this.#resourceEnd,
        (tag) => tag === RESOURCE || tag === SCHEMA_URL,
      )
      this.#resource = { headStart, headEnd: this.writer.at, scopes: [] }
      this.#resources.push(this.#resource)
    }
    return this.#resource
  }

  #copyFields(start: number, end: number, isWanted: (tag: number) => boolean): void {
    const cursor = this.#cursor
    cursor.at = start
    while (cursor.at < end) {
      const field = cursor.at
      const tag = cursor.tag(end)
      cursor.skip(tag, end)
      if (isWanted(tag)) this.writer.range(cursor, field, cursor.at)
    }
  }
}

/** Adds the staged bytes `[start, end)`, which join what stands just before them. */
function addPiece(scope: ScopeEntry, start: number, end: number): void {
  const { pieces } = scope
  if (pieces.length > 0 && pieces[pieces.length - 1] === start) pieces[pieces.length - 1] = end
  else pieces.push(start, end)
  scope.size += end - start
}
