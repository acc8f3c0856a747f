/**
 * The statements on the quarantine: events of one target from one request, held until somebody reviews them.
 *
 * What is asked of many rows (lists, counts, ages) is in a table without the bytes, so that a flood of small rows is
 * counted without reading what it holds. Nothing here knows what a family means or reads the bytes. What changes
 * anything runs inside a transaction of its caller.
 */
import type { DatabaseSync } from 'node:sqlite'
import { heldCharge, QUARANTINE_ROW_BYTES } from './limits.ts'
import type {
  HeldChunk,
  HeldCount,
  HeldParcelHead,
  HeldRange,
  HeldTarget,
  NumberedParcel,
  ReleasedRange,
} from './messages.ts'
import { bytesAt, numberAt, type Row, textAt } from './row.ts'

export interface QuarantineTables {
  /** The largest id that is held; 0 if nothing is. */
  lastId(): number
  /** What it takes of its own bound. */
  chargedBytes(): number
  /** All that is held, by what it counts as. */
  counts(): readonly HeldCount[]
  /** By target, in their order, those behind `after`; undefined: from the first on. */
  list(after: string | undefined, targetsMax: number): readonly HeldTarget[]
  /** What is held of one target. */
  of(target: string): readonly HeldTarget[]
  hold(parcel: NumberedParcel, held: HeldParcelHead, bytes: Uint8Array): void
  /** The oldest of a range, up to `bytesMax` and `itemsMax` but at least one row; undefined if it is empty. */
  load(range: HeldRange & { readonly bytesMax: number; readonly itemsMax: number }): HeldChunk | undefined
  /** Deletes a range that was loaded; false, and nothing deleted, if some of it is not there any more. */
  release(range: ReleasedRange): boolean
  /** Deletes the oldest of a range, up to `rowsMax`; returns what they count as. */
  discard(range: HeldRange, rowsMax: number): readonly HeldCount[]
  /** Takes back what was just held. */
  remove(ids: readonly number[]): readonly HeldCount[]
  /** Deletes up to `rowsMax` that came before. */
  expire(beforeMs: number, rowsMax: number): readonly HeldCount[]
  /** A transaction was rolled back: what is known between transactions may be wrong. */
  forget(): void
}

const TARGETS = (where: string): string => `
  SELECT target, family, carriage, sum(items) AS items, sum(bytes) AS bytes, min(admitted_ms) AS oldest_ms
  FROM quarantine WHERE target IN (SELECT DISTINCT target FROM quarantine WHERE ${where} ORDER BY target LIMIT ?)
  GROUP BY target, carriage, family ORDER BY target, carriage, family`

const RANGE = 'target = ? AND carriage = ? AND id > ? AND id <= ?'

export function createQuarantineTables(database: DatabaseSync): QuarantineTables {
  const maxId = database.prepare('SELECT coalesce(max(id), 0) AS id FROM quarantine')
  const totals = database.prepare(
    'SELECT count(*) AS count, coalesce(sum(bytes), 0) AS bytes FROM quarantine',
  )
  const selectCounts = database.prepare(`
    SELECT carriage, family, reason, sum(items) AS items FROM quarantine
    GROUP BY carriage, family, reason ORDER BY carriage, family, reason`)
  const selectFirst = database.prepare(TARGETS(`target >= ?`))
  const selectNext = database.prepare(TARGETS(`target > ?`))
  const selectTarget = database.prepare(TARGETS(`target = ?`))
  const insert = database.prepare('INSERT INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
  const insertContent = database.prepare('INSERT INTO quarantine_content VALUES (?, ?)')
  // One statement for heads and contents: a chunk may have thousands of rows.
  const selectRange = database.prepare(`
    SELECT id, carriage, family, reason, items, admitted_ms, c.bytes AS content
    FROM quarantine JOIN quarantine_content c USING (id) WHERE ${RANGE} ORDER BY id`)
  const rangeTotals = database.prepare(`
    SELECT count(*) AS count, coalesce(sum(bytes), 0) AS bytes FROM quarantine WHERE ${RANGE}`)
  const rangeCounts = database.prepare(`
    SELECT carriage, family, reason, sum(items) AS items FROM quarantine WHERE ${RANGE}
    GROUP BY carriage, family, reason`)
  const lastOfRange = database.prepare(`
    SELECT coalesce(max(id), 0) AS id FROM (SELECT id FROM quarantine WHERE ${RANGE} ORDER BY id LIMIT ?)`)
  const deleteContents = database.prepare(`
    DELETE FROM quarantine_content WHERE id IN (SELECT id FROM quarantine WHERE ${RANGE})`)
  const deleteRange = database.prepare(`DELETE FROM quarantine WHERE ${RANGE}`)
  const selectOld = database.prepare('SELECT id FROM quarantine WHERE admitted_ms < ? ORDER BY id LIMIT ?')
  const deleteRow = database.prepare('DELETE FROM quarantine WHERE id = ? RETURNING *')
  const deleteContent = database.prepare('DELETE FROM quarantine_content WHERE id = ?')
  /** Kept between changes, so that a flood does not add up all that came before each time. */
  let knownBytes: number | undefined

  function chargedBytes(): number {
    knownBytes ??= chargeOf(totals.get())
    return knownBytes
  }

  /** `charged` is what the range takes. */
  function drop(range: HeldRange, charged: number): void {
    const place = placeOf(range)
    deleteContents.run(...place)
    deleteRange.run(...place)
    if (knownBytes !== undefined) knownBytes -= charged
  }

  function remove(ids: readonly number[]): readonly HeldCount[] {
    const counts = new Map<string, HeldCount>()
    for (const id of ids) {
      const row = deleteRow.get(id)
      if (row === undefined) continue
      deleteContent.run(id)
      if (knownBytes !== undefined) knownBytes -= heldCharge(numberAt(row, 'bytes'))
      const { items, ...kind } = countOf(row)
      const key = `${kind.carriage}\n${kind.reason}\n${kind.family}`
      counts.set(key, { ...kind, items: items + (counts.get(key)?.items ?? 0) })
    }
    return [...counts.values()]
  }

  return {
    lastId: () => numberAt(maxId.get(), 'id'),
    chargedBytes,
    counts: () => selectCounts.all().map(countOf),
    list(after, targetsMax) {
      const rows = after === undefined ? selectFirst.all('', targetsMax) : selectNext.all(after, targetsMax)
      return rows.map(targetOf)
    },
    of: (target) => selectTarget.all(target, 1).map(targetOf),
    hold({ id, items, admittedMs, byteLength }, { target, carriage, family, reason }, bytes) {
      insert.run(id, target, carriage, family, reason, items, byteLength, admittedMs)
      insertContent.run(id, bytes)
      if (knownBytes !== undefined) knownBytes += heldCharge(byteLength)
    },
    load({ bytesMax, itemsMax, ...range }) {
      const rows: Row[] = []
      let bytes = 0
      let items = 0
      for (const row of selectRange.iterate(...placeOf(range))) {
        bytes += bytesAt(row, 'content').byteLength
        items += numberAt(row, 'items')
        if (rows.length > 0 && (bytes > bytesMax || items > itemsMax)) break
        rows.push(row)
      }
      if (rows.length === 0) return undefined
      return chunkOf(rows)
    },
    release({ rows, ...range }) {
      const totals = rangeTotals.get(...placeOf(range))
      if (numberAt(totals, 'count') !== rows) return false
      drop(range, chargeOf(totals))
      return true
    },
    discard(range, rowsMax) {
      const through = numberAt(lastOfRange.get(...placeOf(range), rowsMax), 'id')
      const oldest = { ...range, through }
      const counts = rangeCounts.all(...placeOf(oldest)).map(countOf)
      drop(oldest, chargeOf(rangeTotals.get(...placeOf(oldest))))
      return counts
    },
    remove,
    expire: (beforeMs, rowsMax) => remove(selectOld.all(beforeMs, rowsMax).map((row) => numberAt(row, 'id'))),
    forget() {
      knownBytes = undefined
    },
  }
}

function placeOf({ target, carriage, after, through }: HeldRange): [string, string, number, number] {
  return [target, carriage, after, through]
}

function chargeOf(row: Row | undefined): number {
  return numberAt(row, 'bytes') + numberAt(row, 'count') * QUARANTINE_ROW_BYTES
}

function countOf(row: Row): HeldCount {
  return {
    carriage: textAt(row, 'carriage'),
    family: textAt(row, 'family'),
    reason: textAt(row, 'reason'),
    items: numberAt(row, 'items'),
  }
}

function targetOf(row: Row): HeldTarget {
  return {
    target: textAt(row, 'target'),
    family: textAt(row, 'family'),
    carriage: textAt(row, 'carriage'),
    items: numberAt(row, 'items'),
    bytes: numberAt(row, 'bytes'),
    oldestMs: numberAt(row, 'oldest_ms'),
  }
}

/** The contents behind each other, which is one request again: small rows cross threads as one piece of memory. */
function chunkOf(rows: readonly Row[]): HeldChunk {
  const contents = rows.map((row) => bytesAt(row, 'content'))
  const bytes = new Uint8Array(contents.reduce((sum, { byteLength }) => sum + byteLength, 0))
  let at = 0
  for (const content of contents) {
    bytes.set(content, at)
    at += content.byteLength
  }
  return {
    through: rows.reduce((last, row) => Math.max(last, numberAt(row, 'id')), 0),
    oldestMs: rows.reduce((oldest, row) => Math.min(oldest, numberAt(row, 'admitted_ms')), Infinity),
    rows: rows.map((row, index) => ({ ...countOf(row), byteLength: contents[index].byteLength })),
    bytes,
  }
}
