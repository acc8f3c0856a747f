/**
 * Counts and finds the data points of a Metric without entering one.
 *
 * A metric's data is a oneof: the last kind that is set is the metric's, and pieces of one kind are merged,
 * so their points add up. Source: opentelemetry-proto 1.11, metrics/v1.
 */
import { type Cursor, LEN, tagOf } from './cursor.ts'

const DATA_POINT = tagOf(1, LEN)

/** Gauge, sum, histogram, exponential histogram, summary. Each holds its points in field 1. */
const DATA_KINDS: ReadonlySet<number> = new Set([5, 7, 9, 10, 11].map((field) => tagOf(field, LEN)))

/** How many data points the Metric in `[start, end)` has. Throws `MalformedRequest`. */
export function countDataPoints(cursor: Cursor, start: number, end: number): number {
  let kind = 0
  let points = 0
  cursor.at = start
  while (cursor.at < end) {
    const tag = cursor.tag(end)
    if (!DATA_KINDS.has(tag)) {
      cursor.skip(tag, end)
      continue
    }
    if (tag !== kind) points = 0
    kind = tag
    const dataEnd = cursor.payloadEnd(end)
    while (cursor.at < dataEnd) {
      const field = cursor.tag(dataEnd)
      if (field === DATA_POINT) points++
      cursor.skip(field, dataEnd)
    }
  }
  return points
}

/**
 * Where the data begins that counts in the Metric in `[start, end)`: from there on, fields of `tag` hold its points.
 * `tag` is 0 where it has none. Throws `MalformedRequest`.
 */
export function findDataRun(
  cursor: Cursor,
  start: number,
  end: number,
): { readonly start: number; readonly tag: number } {
  let run = { start: end, tag: 0 }
  cursor.at = start
  while (cursor.at < end) {
    const field = cursor.at
    const tag = cursor.tag(end)
    if (DATA_KINDS.has(tag) && tag !== run.tag) run = { start: field, tag }
    cursor.skip(tag, end)
  }
  return run
}
