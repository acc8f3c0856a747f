/**
 * One connection to the store's file with its statements, and what only a whole transaction can do.
 *
 * Nothing here decides what to do about a failure: it throws, and the engine closes or keeps the session.
 */
import type { DatabaseSync } from 'node:sqlite'
import { createDeadLetterTables, type DeadLetterTables } from './dead-letter-tables.ts'
import type { Departure, PlacedSettled, Space } from './messages.ts'
import type { FoldTarget, PendingParcel } from './pending.ts'
import { createQuarantineTables, type QuarantineTables } from './quarantine-tables.ts'
import { createQueueTables, type QueueTables } from './queue-tables.ts'
import { numberAt } from './row.ts'

export interface Session {
  readonly queues: QueueTables
  readonly deadLetters: DeadLetterTables
  readonly quarantine: QuarantineTables
  /** Runs `work` and makes it durable, or undoes it and throws. */
  transact<T>(work: () => T): T
  /** Returns how many dead letters found no room: with them the file would hold more than `bytesMax`. */
  settle(settled: PlacedSettled, limits: { readonly nowMs: number; readonly bytesMax: number }): number
  /** Pages of the file that hold something, also within a transaction. */
  usedBytes(): number
  /** All of its pages, also those that are only in the log yet. */
  fileBytes(): number
  space(): Space
  /** The last segment of the journal that is folded, and the largest id that any parcel had. */
  journalState(): { readonly foldedThrough: number; readonly lastId: number }
  /** Where the journal is folded to; `read` gives the bytes of what it holds. */
  foldTarget(read: (parcel: PendingParcel) => Uint8Array): FoldTarget
}

export function createSession(database: DatabaseSync): Session {
  const queues = createQueueTables(database)
  const deadLetters = createDeadLetterTables(database, queues)
  const quarantine = createQuarantineTables(database)
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  const pageCount = database.prepare('PRAGMA page_count')
  // A file keeps the page size that it was made with.
  const pageBytes = numberAt(database.prepare('PRAGMA page_size').get(), 'page_size')
  const freeCount = database.prepare('PRAGMA freelist_count')
  const selectJournal = database.prepare('SELECT * FROM journal')
  const markJournal = database.prepare('UPDATE journal SET folded_through = ?, last_id = max(last_id, ?)')

  function transact<T>(work: () => T): T {
    begin.run()
    try {
      const result = work()
      commit.run()
      return result
    } catch (error) {
      deadLetters.forget()
      quarantine.forget()
      // SQLite has undone it by itself after some failures of the disk.
      if (database.isTransaction) database.exec('ROLLBACK')
      throw error
    }
  }

  function settle(settled: PlacedSettled, { nowMs, bytesMax }: Parameters<Session['settle']>[1]): number {
    let homeless = 0
    const exporter = queues.exporterId(settled.exporter)
    if (settled.death === undefined) takeOut(exporter, settled.ids)
    else for (const id of settled.ids) deadLetters.bury({ exporter, id, death: settled.death, nowMs })
    for (const { death, bytes, ...head } of settled.remains ?? []) {
      const { byteLength } = bytes
      // What goes back to its queue was there before. A dead letter may be of a queue in memory.
      if (death !== undefined && usedBytes() + byteLength > bytesMax) {
        homeless++
        continue
      }
      queues.append({ ...head, exporters: [settled.exporter], byteLength }, bytes)
      if (death !== undefined) deadLetters.bury({ exporter, id: head.id, death, nowMs })
    }
    if (settled.revised !== undefined) queues.revise(exporter, settled.revised)
    queues.count(settled)
    return homeless
  }

  function usedBytes(): number {
    const pages = numberAt(pageCount.get(), 'page_count') - numberAt(freeCount.get(), 'freelist_count')
    return pages * pageBytes
  }

  function fileBytes(): number {
    return numberAt(pageCount.get(), 'page_count') * pageBytes
  }

  function space(): Space {
    return { usedBytes: usedBytes(), fileBytes: fileBytes(), ...deadLetters.count() }
  }

  function journalState(): ReturnType<Session['journalState']> {
    const row = selectJournal.get()
    const lastIds = [numberAt(row, 'last_id'), queues.lastId(), quarantine.lastId()]
    return { foldedThrough: numberAt(row, 'folded_through'), lastId: Math.max(...lastIds) }
  }

  function depart(departure: Departure): void {
    takeOut(queues.exporterId(departure.exporter), departure.ids)
    queues.count(departure)
  }

  /** Of an exporter's queue, and of the store where no other wants it. */
  function takeOut(exporter: number, ids: readonly number[]): void {
    for (const id of ids) if (queues.dequeue(exporter, id)) queues.release(id)
  }

  function foldTarget(read: (parcel: PendingParcel) => Uint8Array): FoldTarget {
    return {
      append: (parcel) => queues.append(parcel, read(parcel)),
      hold: (parcel, held) => quarantine.hold(parcel, held, read(parcel)),
      depart,
      mark: (foldedThrough, lastId) => void markJournal.run(foldedThrough, lastId),
    }
  }

  return {
    ...{ queues, deadLetters, quarantine, transact, settle },
    ...{ usedBytes, fileBytes, space, journalState, foldTarget },
  }
}
