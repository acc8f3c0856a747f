/**
 * The open store: the tables, the journal in front of them, and what only the journal knows yet.
 *
 * An append goes to the journal. Before a segment of the journal is written over, what of it is still wanted is folded
 * into the tables; and whatever reads or changes more than a queue's ends works on tables into which all is folded.
 */
import { closeQuietly, type OpenDatabase, openDatabase } from './database.ts'
import { type Journal, openJournal } from './journal.ts'
import type { JournalRecord } from './journal-record.ts'
import { type Division, JOURNAL_SEGMENTS, PENDING_GONE_MAX, PENDING_PARCELS_MAX } from './limits.ts'
import { Pending } from './pending.ts'
import { createSession, type Session } from './session.ts'

export interface Shelf extends OpenDatabase {
  readonly tables: Session
  readonly journal: Journal
  readonly pending: Pending
  /** Makes a record durable in the journal. False, and nothing done: it is to go to the tables. */
  note(record: JournalRecord, bodies: readonly Uint8Array[]): boolean
  /** One transaction on tables into which all is folded. The only way to change them. */
  transact<T>(work: () => T): T
  /** Pages of the tables' file that hold something, outside of a transaction. */
  usedBytes(): number
  /** Brings all that only the journal holds into the tables. */
  fold(): void
  /** The same, if some of it is held: the quarantine is read and changed in the tables. */
  foldHeld(): void
  close(): void
  /** Closes it with all of it in the tables, and no journal left. */
  finish(): void
}

interface ShelfOptions {
  readonly directory: string
  readonly division: Division
  readonly clock: () => number
}

/** Throws StorageError, or what the file system or SQLite throws. */
export function openShelf({ directory, division, clock }: ShelfOptions): Shelf {
  const { walBytes, fileBytesMax, journalBytes } = division
  const segmentBytes = Math.floor(journalBytes / JOURNAL_SEGMENTS)
  const opened = openDatabase({ directory, walBytes, fileBytesMax, clock })
  const { database } = opened
  const pending = new Pending()
  let journal: Journal | undefined
  try {
    const tables = createSession(database)
    const { foldedThrough } = tables.journalState()
    journal = openJournal({
      ...{ directory, segmentBytes, foldedThrough },
      onRecord: (record, place) => pending.take(record, place),
    })
    const shelf = assemble({ opened, tables, journal, pending, segmentBytes })
    if (pending.lastSegment !== undefined) shelf.fold()
    return shelf
  } catch (error) {
    // It is tried again and again: nothing of a failed try may stay open.
    journal?.close()
    closeQuietly(database)
    throw error
  }
}

interface Parts {
  readonly opened: OpenDatabase
  readonly tables: Session
  readonly journal: Journal
  readonly pending: Pending
  readonly segmentBytes: number
}

function assemble({ opened, tables, journal, pending, segmentBytes }: Parts): Shelf {
  /** Known until the tables change: to ask SQLite costs as much as a small append. */
  let usedBytes: number | undefined
  const target = tables.foldTarget(({ place, byteLength }) => journal.peek(place, byteLength))

  function note(record: JournalRecord, bodies: readonly Uint8Array[]): boolean {
    if (pending.parcelCount > PENDING_PARCELS_MAX || pending.goneCount > PENDING_GONE_MAX) return false
    if (bodies.reduce((sum, { byteLength }) => sum + byteLength, 0) > segmentBytes) return false
    const place = journal.write(record, bodies) ?? writeToNext(record, bodies)
    if (place === undefined) return false
    pending.take(record, place)
    return true
  }

  function writeToNext(record: JournalRecord, bodies: readonly Uint8Array[]): ReturnType<Journal['write']> {
    const overwritten = journal.segment + 1 - JOURNAL_SEGMENTS
    if (pending.isPending(overwritten)) {
      change(() => pending.fold(overwritten, target))
      pending.forget(overwritten)
    }
    journal.advance()
    return journal.write(record, bodies)
  }

  function change<T>(work: () => T): T {
    usedBytes = undefined
    return tables.transact(work)
  }

  function transact<T>(work: () => T): T {
    const through = pending.lastSegment
    if (through === undefined) return change(work)
    const result = change(() => {
      pending.fold(through, target)
      return work()
    })
    pending.forget(through)
    journal.advance()
    return result
  }

  function fold(): void {
    transact(() => {})
  }

  function close(): void {
    journal.close()
    closeQuietly(opened.database)
  }

  return {
    ...opened,
    ...{ tables, journal, pending, note, transact, fold, close },
    usedBytes() {
      usedBytes ??= tables.usedBytes()
      return usedBytes
    },
    foldHeld() {
      if (pending.heldCharge > 0) fold()
    },
    finish() {
      fold()
      journal.remove()
      close()
    },
  }
}
