/**
 * Takes aside what the policy quarantines, while a walk goes through the request that it came in.
 *
 *     held item, its target ─► one request for each target ─► held parcels
 *
 * A log record is held as it came. A span event is held in a span of its own, which keeps what the event needs when it
 * is released: the ids, flags and trace state of the span that has left without it.
 *
 * How many targets a request names is its sender's choice, so what it costs is bounded: each target takes copies of the
 * envelopes around its items, and beyond so many of either, what follows is held together under `MIXED_TARGET`. Nothing
 * is lost by it: a release judges each item by itself. Source: decision 0011.
 */
import { Cursor, FIXED32, LEN, tagOf } from '../otlp/cursor.ts'
import type { HeldCarriage, HeldParcel } from '../otlp/parcel.ts'
import type { Ranges } from '../otlp/scan.ts'
import { type ByteString, fromByteString, latin1 } from './family.ts'
import { type Copied, type Envelope, HeldRequest, type Pieces } from './held-request.ts'
import { targetBytes } from './target-bytes.ts'
import type { Verdict } from './verdict.ts'
import type { Workspace } from './workspace.ts'

/** Under which name items of many targets are held together. A target of this very name is held with them. */
export const MIXED_TARGET = '*'

/** A request holds so many targets apart; no application has so many subsystems. */
export const heldTargetsMax = 1024

/** A longer target is held with the mixed ones: it is a key of the store, and read by people. */
export const heldTargetBytesMax = 256

/** What the copies of envelopes may take beside the request's own length. */
export const copiedBytesSpare: number = 64 * 1024

const SPAN_TRACE_ID = tagOf(1, LEN)
const SPAN_ID = tagOf(2, LEN)
const SPAN_TRACE_STATE = tagOf(3, LEN)
const SPAN_PARENT_ID = tagOf(4, LEN)
const SPAN_FLAGS = tagOf(16, FIXED32)
const keptOfSpan: ReadonlySet<number> = new Set([
  SPAN_TRACE_ID,
  SPAN_ID,
  SPAN_TRACE_STATE,
  SPAN_PARENT_ID,
  SPAN_FLAGS,
])

/** Indices in the scan. */
interface Place {
  readonly resource: number
  readonly scope: number
}

interface Run {
  readonly first: number
  readonly last: number
}

interface Held {
  readonly request: HeldRequest
  readonly target: string
  readonly verdict: Verdict
}

export class Holding {
  readonly #request: Uint8Array
  readonly #workspace: Workspace
  readonly #copiedBytesMax: number
  readonly #held = new Map<ByteString, Held>()
  readonly #copied: Copied = { bytes: 0 }
  #resource: Envelope | undefined
  #scope: Envelope | undefined

  constructor(request: Uint8Array, workspace: Workspace) {
    this.#request = request
    this.#workspace = workspace
    this.#copiedBytesMax = request.length + copiedBytesSpare
  }

  /** The log records `[first, last)` of a scope, which have one verdict and one target. */
  logRecords(at: Place, records: Run, verdict: Verdict, target: Uint8Array): void {
    const { items } = this.#workspace.scan
    for (let item = records.first; item < records.last; item++)
      this.#enter(at, verdict, target).item(items.fields[item], items.ends[item])
  }

  /** Those events of the span in `[start, end)`, which was judged last, that wait for a review. */
  spanEvents(at: Place, { start, end }: { readonly start: number; readonly end: number }): void {
    const { events } = this.#workspace.reading
    const own = this.#ownOfSpan(start, end)
    const open = new Set<HeldRequest>()
    for (let index = 0; index < events.count; index++) {
      const verdict = events.verdicts[index]
      if (verdict.outcome !== 'quarantined') continue
      const { targetStarts, targetEnds, standIns } = events
      const target = targetBytes(this.#request, targetStarts[index], targetEnds[index], standIns[index])
      const request = this.#enter(at, verdict, target)
      if (!open.has(request)) request.openSpan(own)
      open.add(request)
      request.item(events.fields[index], events.ends[index])
    }
    for (const request of open) request.closeSpan()
  }

  take(): readonly HeldParcel[] {
    return [...this.#held.values()].map(({ request, target, verdict }) => ({
      target,
      carriage: carriageOf(verdict),
      family: verdict.family,
      reason: verdict.reason === 'foreign' ? 'foreign' : 'unreviewed',
      items: request.items,
      bytes: request.take(),
    }))
  }

  #enter({ resource, scope }: Place, verdict: Verdict, target: Uint8Array): HeldRequest {
    const request = this.#requestFor(verdict, target)
    if (this.#resource?.index !== resource) this.#resource = this.#resourceAt(resource)
    if (this.#scope?.index !== scope) this.#scope = this.#scopeAt(scope)
    request.enter(this.#resource, this.#scope)
    return request
  }

  #requestFor(verdict: Verdict, target: Uint8Array): HeldRequest {
    const kind = `${verdict.family}\n${verdict.reason}\n`
    const isLong = target.length > heldTargetBytesMax
    const own = isLong ? MIXED_TARGET : latin1(target, 0, target.length)
    const known = this.#held.get(kind + own)
    const isSpent = this.#copied.bytes > this.#copiedBytesMax
    const mayHaveOwn = !isSpent && (known !== undefined || this.#held.size < heldTargetsMax)
    if (mayHaveOwn && known !== undefined) return known.request
    const name = mayHaveOwn ? own : MIXED_TARGET
    const found = this.#held.get(kind + name)
    if (found !== undefined) return found.request
    const request = new HeldRequest(this.#request, this.#copied)
    this.#held.set(kind + name, { request, target: fromByteString(name), verdict })
    return request
  }

  #resourceAt(index: number): Envelope {
    const { resources, scopes, firstScope } = this.#workspace.scan
    const children = { ranges: scopes, first: firstScope[index], last: firstScope[index + 1] }
    return { index, own: around(resources.starts[index], resources.ends[index], children) }
  }

  #scopeAt(index: number): Envelope {
    const { scopes, items, firstItem } = this.#workspace.scan
    const children = { ranges: items, first: firstItem[index], last: firstItem[index + 1] }
    return { index, own: around(scopes.starts[index], scopes.ends[index], children) }
  }

  #ownOfSpan(start: number, end: number): Pieces {
    const cursor = new Cursor()
    cursor.reset(this.#request, start)
    const own: number[] = []
    while (cursor.at < end) {
      const field = cursor.at
      const tag = cursor.tag(end)
      cursor.skip(tag, end)
      if (keptOfSpan.has(tag)) addPiece(own, field, cursor.at)
    }
    return own
  }
}

/** What lies in `[start, end)` around the children `[first, last)`. */
function around(
  start: number,
  end: number,
  children: { readonly ranges: Ranges; readonly first: number; readonly last: number },
): Pieces {
  const { fields, ends } = children.ranges
  const pieces: number[] = []
  let at = start
  for (let child = children.first; child < children.last; child++) {
    addPiece(pieces, at, fields[child])
    at = ends[child]
  }
  addPiece(pieces, at, end)
  return pieces
}

function addPiece(pieces: number[], start: number, end: number): void {
  if (start === end) return
  if (pieces.at(-1) === start) pieces[pieces.length - 1] = end
  else pieces.push(start, end)
}

function carriageOf({ carriage }: Verdict): HeldCarriage {
  return carriage === 'span_event' ? 'span_event' : 'log_record'
}
