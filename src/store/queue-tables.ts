/**
 * The statements on parcels, queues and accounts. Each runs inside a transaction of its caller.
 */
import type { DatabaseSync } from 'node:sqlite'
import type {
  Amount,
  Departure,
  ExporterAccount,
  NumberedParcel,
  Revised,
  Settlement,
  StoredParcel,
} from './messages.ts'
import { bytesAt, numberAt, textAt } from './row.ts'

const NOTHING: Amount = Object.freeze({ items: 0, bytes: 0 })

export interface QueueTables {
  /** The largest id that was ever stored and still is. */
  lastId(): number
  accounts(): readonly ExporterAccount[]
  exporterId(name: string): number
  append(parcel: NumberedParcel, bytes: Uint8Array): void
  enqueue(parcel: { readonly id: number; readonly exporter: number } & Amount): void
  /** Takes parcels out of their queue; the caller says what becomes of each parcel. */
  dequeue(exporter: number, id: number): boolean
  /** One holder of the parcel less; the last takes its bytes with it. */
  release(id: number): void
  /** The parcel's bytes for all who hold it; what it counts for in the queue of one. */
  revise(exporter: number, revised: Revised): void
  count(departure: Departure): void
  /** What is in a queue with ids in (after, through], by id. Nothing is to be changed before its end. */
  inQueue(exporter: string, after: number, through: number): Iterable<QueuedParcel>
  /** `queued` is what it counts for in the queue that it is read from. */
  read(id: number, queued: Amount): StoredParcel | undefined
}

export interface QueuedParcel {
  readonly id: number
  readonly queued: Amount
}

export function createQueueTables(database: DatabaseSync): QueueTables {
  const insertParcel = database.prepare('INSERT INTO parcels VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
  const insertShared = database.prepare('INSERT INTO shared VALUES (?, ?)')
  const insertQueue = database.prepare('INSERT INTO queue VALUES (?, ?, ?, ?)')
  const deleteQueue = database.prepare('DELETE FROM queue WHERE exporter = ? AND parcel = ?')
  const deleteParcel = database.prepare('DELETE FROM parcels WHERE id = ? AND is_shared = 0')
  const releaseShared = database.prepare('UPDATE shared SET holders = holders - 1 WHERE parcel = ?')
  const deleteShared = database.prepare('DELETE FROM shared WHERE parcel = ? AND holders <= 0')
  const deleteSharedParcel = database.prepare('DELETE FROM parcels WHERE id = ?')
  const reviseParcel = database.prepare('UPDATE parcels SET items = ?, policy = ?, bytes = ? WHERE id = ?')
  const reviseQueue = database.prepare(
    'UPDATE queue SET items = ?, bytes = ? WHERE exporter = ? AND parcel = ?',
  )
  const addToAccount = database.prepare(`
    INSERT INTO accounts VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET items = items + excluded.items, bytes = bytes + excluded.bytes`)
  const selectExporter = database.prepare('SELECT id FROM exporters WHERE name = ?')
  const insertExporter = database.prepare('INSERT INTO exporters (name) VALUES (?) RETURNING id')
  const selectIds = database.prepare(`
    SELECT parcel, items, bytes FROM queue WHERE exporter = ? AND parcel > ? AND parcel <= ? ORDER BY parcel`)
  const selectParcel = database.prepare('SELECT * FROM parcels WHERE id = ?')

  const exporterIds = new Map<string, number>()

  function lastId(): number {
    return numberAt(database.prepare('SELECT coalesce(max(id), 0) AS id FROM parcels').get(), 'id')
  }

  function exporterId(name: string): number {
    const known = exporterIds.get(name)
    if (known !== undefined) return known
    const found = selectExporter.get(name)
    // Not remembered: the transaction that it is made in may be rolled back.
    if (found === undefined) return numberAt(insertExporter.get(name), 'id')
    const id = numberAt(found, 'id')
    exporterIds.set(name, id)
    return id
  }

  function accounts(): readonly ExporterAccount[] {
    const settled = new Map<string, Amount>()
    for (const row of database.prepare('SELECT * FROM accounts').all()) {
      settled.set(`${numberAt(row, 'exporter')} ${textAt(row, 'outcome')}`, {
        items: numberAt(row, 'items'),
        bytes: numberAt(row, 'bytes'),
      })
    }
    const queues = database.prepare(`
      SELECT e.id, e.name, coalesce(parcels, 0) AS parcels, coalesce(q.items, 0) AS items,
        coalesce(q.bytes, 0) AS bytes, coalesce(last_id, 0) AS last_id, coalesce(admitted_ms, 0) AS oldest_ms
      FROM exporters e
      LEFT JOIN (SELECT exporter, count(*) AS parcels, sum(items) AS items, sum(bytes) AS bytes,
        min(parcel) AS first_id, max(parcel) AS last_id FROM queue GROUP BY exporter) q ON q.exporter = e.id
      LEFT JOIN parcels p ON p.id = q.first_id`)
    return queues.all().map((row) => {
      const of = (outcome: Settlement): Amount => settled.get(`${numberAt(row, 'id')} ${outcome}`) ?? NOTHING
      return {
        exporter: textAt(row, 'name'),
        parcels: numberAt(row, 'parcels'),
        queued: { items: numberAt(row, 'items'), bytes: numberAt(row, 'bytes') },
        lastId: numberAt(row, 'last_id'),
        oldestMs: numberAt(row, 'oldest_ms'),
        settled: { sent: of('sent'), rejected: of('rejected'), dead: of('dead'), lost: of('lost') },
      }
    })
  }

  function append(parcel: NumberedParcel, bytes: Uint8Array): void {
    const { id, signal, lane, items, policy, admittedMs, exporters, byteLength } = parcel
    const holders = exporters.length
    insertParcel.run(id, signal, lane, items, policy, admittedMs, holders > 1 ? 1 : 0, bytes)
    if (holders > 1) insertShared.run(id, holders)
    for (const exporter of exporters) insertQueue.run(exporterId(exporter), id, items, byteLength)
  }

  function release(id: number): void {
    if (deleteParcel.run(id).changes === 1) return
    releaseShared.run(id)
    if (deleteShared.run(id).changes === 1) deleteSharedParcel.run(id)
  }

  function* inQueue(exporter: string, after: number, through: number): Iterable<QueuedParcel> {
    for (const row of selectIds.iterate(exporterId(exporter), after, through)) {
      const queued = { items: numberAt(row, 'items'), bytes: numberAt(row, 'bytes') }
      yield { id: numberAt(row, 'parcel'), queued }
    }
  }

  function read(id: number, queued: Amount): StoredParcel | undefined {
    const row = selectParcel.get(id)
    if (row === undefined) return undefined
    return {
      id,
      signal: textAt(row, 'signal'),
      lane: textAt(row, 'lane'),
      items: numberAt(row, 'items'),
      policy: textAt(row, 'policy'),
      admittedMs: numberAt(row, 'admitted_ms'),
      queued,
      bytes: bytesAt(row, 'bytes'),
    }
  }

  return {
    lastId,
    accounts,
    exporterId,
    append,
    enqueue: ({ id, exporter, items, bytes }) => void insertQueue.run(exporter, id, items, bytes),
    dequeue: (exporter, id) => deleteQueue.run(exporter, id).changes === 1,
    release,
    revise(exporter, { id, items, policy, bytes }) {
      reviseParcel.run(items, policy, bytes, id)
      reviseQueue.run(items, bytes.byteLength, exporter, id)
    },
    count({ exporter, amounts }) {
      const id = exporterId(exporter)
      for (const { outcome, items, bytes } of amounts) addToAccount.run(id, outcome, items, bytes)
    },
    inQueue,
    read,
  }
}
