/**
 * Splits one Export*ServiceRequest at item boundaries into two of about half the items each.
 *
 *     resource{ scope{ 1 2 3 } scope{ 4 } }   ►   resource{ scope{ 1 2 } }  +  resource{ scope{ 3 } scope{ 4 } }
 *
 * In: the bytes of a request. Out: two requests that together hold every item once, in order; each repeats what the
 * items of its half need: resource, scope, schema_url, a metric's name, unknown fields. An item is never cut: a request
 * of one item cannot be split. Items are counted as a backend counts them, so a metric is split between its data points.
 *
 * Source: opentelemetry-proto docs/specification.md (413); opentelemetry-proto 1.11, metrics/v1.
 */
import { Cursor, LEN, tagOf } from './cursor.ts'
import { countDataPoints, findDataRun } from './metric.ts'
import { Scan } from './scan.ts'
import type { Signal } from './signal.ts'
import { Edits } from './splice.ts'

export interface Half {
  readonly bytes: Uint8Array
  /** Log records, spans or data points; at least one. */
  readonly items: number
}

const RESOURCE = tagOf(1, LEN)
const SCOPE = tagOf(2, LEN)
const METRIC = tagOf(2, LEN)
const DATA_POINT = tagOf(1, LEN)

/** Undefined: there are not two items. Throws `MalformedRequest` or `TooLarge` as a scan does. */
export function splitRequest(request: Uint8Array, signal: Signal): readonly [Half, Half] | undefined {
  const scan = new Scan()
  const cursor = new Cursor()
  scan.walk(request)
  cursor.reset(request, 0)
  const counts = new Int32Array(scan.items.count).fill(1)
  if (signal === 'metrics') {
    for (let item = 0; item < counts.length; item++) {
      counts[item] = countDataPoints(cursor, scan.items.starts[item], scan.items.ends[item])
    }
  }
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total < 2) return undefined
  const middle = Math.floor(total / 2)
  const take = (first: number, end: number): Half => {
    const splice = new Cut({ request, scan, cursor, counts, first, end }).take()
    return { bytes: splice?.toBytes() ?? request, items: end - first }
  }
  // What holds no item goes with the items behind it, so the second half is open at its end.
  return [take(0, middle), { ...take(middle, total + 1), items: total - middle }]
}

interface CutOptions {
  readonly request: Uint8Array
  readonly scan: Scan
  readonly cursor: Cursor
  /** By item of the scan: how many items it counts for. */
  readonly counts: Int32Array
  /** Which items are kept: `[first, end)`. */
  readonly first: number
  readonly end: number
}

/** One walk that keeps the items of one half. */
class Cut {
  readonly #options: CutOptions
  readonly #edits = new Edits()
  /** Items before the place where the walk is. */
  #index = 0

  constructor(options: CutOptions) {
    this.#options = options
  }

  take(): ReturnType<Edits['take']> {
    const { scan, request } = this.#options
    const edits = this.#edits
    const { resources } = scan
    for (let resource = 0; resource < resources.count; resource++) {
      edits.enter(RESOURCE, resources.fields[resource], resources.starts[resource], resources.ends[resource])
      for (let scope = scan.firstScope[resource]; scope < scan.firstScope[resource + 1]; scope++) {
        this.#scope(scope)
      }
      edits.leaveOrPrune()
    }
    return edits.take(request)
  }

  #scope(scope: number): void {
    const { scan, counts, first, end } = this.#options
    const { scopes, items } = scan
    const edits = this.#edits
    edits.enter(SCOPE, scopes.fields[scope], scopes.starts[scope], scopes.ends[scope])
    for (let item = scan.firstItem[scope]; item < scan.firstItem[scope + 1]; item++) {
      const from = this.#index
      const to = from + Math.max(1, counts[item])
      if (to <= first || from >= end) edits.cut(items.fields[item], items.ends[item])
      else {
        edits.kept++
        if (from < first || to > end) this.#metric(item)
      }
      this.#index = from + counts[item]
    }
    edits.leaveOrPrune()
  }

  /** A metric whose data points belong to both halves. */
  #metric(item: number): void {
    const { scan, cursor, first, end } = this.#options
    const { items } = scan
    const edits = this.#edits
    const [metricStart, metricEnd] = [items.starts[item], items.ends[item]]
    edits.enter(METRIC, items.fields[item], metricStart, metricEnd)
    const run = findDataRun(cursor, metricStart, metricEnd)
    let index = this.#index
    cursor.at = run.start
    while (cursor.at < metricEnd) {
      const field = cursor.at
      const tag = cursor.tag(metricEnd)
      if (tag !== run.tag) {
        cursor.skip(tag, metricEnd)
        continue
      }
      const dataEnd = cursor.payloadEnd(metricEnd)
      edits.enter(tag, field, cursor.at, dataEnd)
      while (cursor.at < dataEnd) {
        const start = cursor.at
        const part = cursor.tag(dataEnd)
        cursor.skip(part, dataEnd)
        if (part !== DATA_POINT) continue
        if (index < first || index >= end) edits.cut(start, cursor.at)
        index++
      }
      edits.leave()
    }
    edits.leave()
  }
}
