/**
 * The worker's side of the store: groups of requests in, transactions on the disk, replies out.
 *
 * All appends and settlements of one group share one sync: whoever waits while the disk works goes with the next. Most
 * groups are one record of the journal. What is more than that, or may not find room, is one transaction on the tables.
 * If it fails, every append of it is refused, settlements are kept for the next try, and the disk is tried again from
 * time to time until it works. A damaged file is set aside; a directory that was removed is made again from the file
 * that is still open.
 */
import type { StorageError } from '../errors.ts'
import { answerFrom, type OpenQuestion } from './answers.ts'
import { inodeAt, rebuild, setStoreAside } from './database.ts'
import { diskSpace } from './directory.ts'
import { roomOnDisk } from './disk-room.ts'
import { storageError, toStorageError } from './failure.ts'
import {
  bytesInFile,
  type Division,
  divideBytes,
  divisionOn,
  heldCharge,
  PROBE_INTERVAL_MS,
  QUARANTINE_ROWS_MAX,
  RETENTION_CHECK_MS,
  type StoreLimits,
} from './limits.ts'
import type {
  Answer,
  Failure,
  PlacedParcel,
  PlacedSettled,
  Question,
  ReleasedRange,
  Reply,
  Request,
} from './messages.ts'
import { SCHEMA_VERSION } from './schema.ts'
import { openShelf, type Shelf } from './shelf.ts'

export interface EngineOptions {
  readonly directory: string
  readonly limits: StoreLimits
  /** Every exporter has an account from the start. */
  readonly exporters: readonly string[]
  /** The memory that appended bytes are in. */
  readonly arena: Uint8Array
  readonly clock: () => number
  readonly reply: (reply: Reply) => void
}

export interface Engine {
  /** Carries out a group in order; appends and settlements next to each other share a transaction. */
  run(group: readonly Request[]): void
  /** To be called every PROBE_INTERVAL_MS: retries what failed, drops what is too old. */
  tick(): void
}

interface Append {
  readonly parcels: readonly PlacedParcel[]
  readonly released: ReleasedRange | undefined
}
/** What became of an append. */
interface Appended {
  readonly refusal: StorageError | undefined
  readonly unheld: readonly number[]
}

/** How much of the file stays free for SQLite's own pages. */
const FILE_RESERVE = 1 / 16
const TAKEN: Appended = { refusal: undefined, unheld: [] }

export function createEngine(options: EngineOptions): Engine {
  const { directory, limits, arena, clock, reply } = options
  const wholeDivision = divideBytes(limits)
  const { fileBytesMax } = wholeDivision
  let division: Division = wholeDivision
  const bytesMax = fileBytesMax * (1 - FILE_RESERVE)
  let shelf: Shelf | undefined
  let isClosed = false
  let failure: StorageError | undefined
  /** The disk has no room but the reserve: appends are refused, all else goes on. */
  let isDiskLow = false
  /** What may be appended before the disk is looked at again. */
  let diskBytes = 0
  let retryAtMs = 0
  let retentionAtMs = 0
  /** Not durable yet; kept over failures. */
  let settlements: PlacedSettled[] = []

  function run(group: readonly Request[]): void {
    let appends: Append[] = []
    for (const request of group) {
      switch (request.type) {
        case 'append':
          appends.push(request)
          break
        case 'settle':
          settlements.push(...request.settled)
          break
        case 'ask':
          commitAppends(appends)
          appends = []
          answer(request.call, request.question)
          break
      }
    }
    commitAppends(appends)
  }

  function commitAppends(appends: readonly Append[]): void {
    if (appends.length === 0 && settlements.length === 0) return
    let results: readonly Appended[]
    try {
      results = attempt((open) => writeAll(open, appends))
    } catch (error) {
      const refusal = toStorageError(error, directory)
      results = appends.map(() => refused(refusal))
    }
    for (const { refusal, unheld } of results)
      reply({ type: 'appended', failure: refusal && failureOf(refusal), unheld })
  }

  function writeAll(open: Shelf, appends: readonly Append[]): readonly Appended[] {
    const results = noteAll(open, appends) ?? storeAll(open, appends)
    settlements = []
    return results
  }

  /** One record of the journal. Undefined, and nothing done: it is too much for that, or there may be no room. */
  function noteAll(open: Shelf, appends: readonly Append[]): readonly Appended[] | undefined {
    if (!settlements.every(isDeparture) || appends.some(({ released }) => released !== undefined))
      return undefined
    const parcels = appends.flatMap((append) => append.parcels)
    const bytes = fileBytesOf(parcels)
    if (parcels.length > 0 && !hasRoom(open, bytes, parcels)) return undefined
    const departures = settlements.map(({ exporter, ids, amounts }) => ({ exporter, ids, amounts }))
    const heads = parcels.map(({ offset, own, ...head }) => head)
    if (!open.note({ departures, parcels: heads }, parcels.map(bytesOf))) return undefined
    diskBytes -= bytes
    return appends.map(() => TAKEN)
  }

  function hasRoom(open: Shelf, bytes: number, parcels: readonly PlacedParcel[]): boolean {
    const { tables, pending } = open
    if (bytes > bytesMax - open.usedBytes() - pending.bytes) return false
    const held = parcels.filter((parcel) => parcel.held !== undefined)
    const charge = held.reduce((sum, { byteLength }) => sum + heldCharge(byteLength), 0)
    if (charge > 0) {
      const charged = tables.quarantine.chargedBytes() + pending.heldCharge
      if (charged + charge > limits.quarantineBytesMax) return false
    }
    return hasDiskRoom(open, bytes)
  }

  /** Whether the disk has room for so much; it is asked where what it said last does not do. */
  function hasDiskRoom(open: Shelf, bytes: number): boolean {
    if (bytes > diskBytes) diskBytes = roomOn(open)
    return bytes <= diskBytes
  }

  function roomOn(open: Shelf): number {
    return roomOnDisk(open, { directory, walBytes: division.walBytes })
  }

  /** One transaction: settlements first, for they make room. An append that finds none is refused alone. */
  function storeAll(open: Shelf, appends: readonly Append[]): readonly Appended[] {
    return open.transact(() => {
      settleAll(open)
      let freeBytes = bytesMax - open.tables.usedBytes()
      return appends.map(({ parcels, released }) => {
        const bytes = fileBytesOf(parcels)
        if (bytes > freeBytes) return refused(storageError('size', directory))
        if (!hasDiskRoom(open, bytes)) return refused(noteLowDisk())
        if (released !== undefined && !open.tables.quarantine.release(released))
          return refused(storageError('gone', directory))
        freeBytes -= bytes
        diskBytes -= bytes
        const quarantineBytesMax = released === undefined ? limits.quarantineBytesMax : bytesMax
        const unheld = parcels.filter((parcel) => !keep(open, parcel, quarantineBytesMax))
        return { refusal: undefined, unheld: unheld.map(({ id }) => id) }
      })
    })
  }

  /** False: it is to be held, and the quarantine has no room. What was held before, and stays, always has. */
  function keep({ tables }: Shelf, parcel: PlacedParcel, quarantineBytesMax: number): boolean {
    const { held, byteLength } = parcel
    const { queues, quarantine } = tables
    if (held === undefined) queues.append(parcel, bytesOf(parcel))
    else if (quarantine.chargedBytes() + heldCharge(byteLength) > quarantineBytesMax) return false
    else quarantine.hold(parcel, held, bytesOf(parcel))
    return true
  }

  function noteLowDisk(): StorageError {
    const error = storageError('disk_full', directory)
    if (!isDiskLow) reply({ type: 'event', event: { type: 'refusing', failure: failureOf(error) } })
    isDiskLow = true
    return error
  }

  function noteRoom(open: Shelf): void {
    if (roomOn(open) === 0) return
    isDiskLow = false
    reply({ type: 'event', event: { type: 'recovered' } })
  }

  function settleAll({ tables }: Shelf): void {
    let deaths = 0
    let homeless = 0
    for (const settled of settlements) {
      homeless += tables.settle(settled, { nowMs: clock(), bytesMax: fileBytesMax * (1 - FILE_RESERVE / 2) })
      if (settled.death !== undefined || (settled.remains?.length ?? 0) > 0) deaths++
    }
    tellGone(homeless, 'full')
    if (deaths > 0) tellGone(tables.deadLetters.trim(limits.deadLettersBytesMax), 'full')
  }

  function bytesOf({ own, offset, byteLength }: PlacedParcel): Uint8Array {
    return own ?? arena.subarray(offset, offset + byteLength)
  }

  /** Runs `work` with a store that works, and draws the consequences if it does not. Throws StorageError. */
  function attempt<T>(work: (open: Shelf) => T): T {
    if (isClosed) throw storageError('stopped', directory)
    if (failure !== undefined && clock() < retryAtMs) throw failure
    try {
      const result = work(openStore())
      if (failure !== undefined) reply({ type: 'event', event: { type: 'recovered' } })
      failure = undefined
      return result
    } catch (error) {
      throw noteFailure(toStorageError(error, directory))
    }
  }

  function openStore(): Shelf {
    if (shelf !== undefined) {
      const inode = inodeAt(directory)
      if (inode === shelf.inode) return shelf
      // Another file stands at the path: somebody else's, which is not ours to replace.
      if (inode !== undefined) throw storageError('lost', directory)
      shelf.fold()
      const path = rebuild(shelf.database, directory)
      closeStore()
      reply({ type: 'event', event: { type: 'rebuilt', path } })
    }
    division = divisionOn(diskSpace(directory), wholeDivision)
    const opened = openShelf({ directory, division, clock })
    const { setAside } = opened
    if (setAside !== undefined) reply({ type: 'event', event: { type: 'set_aside', path: setAside } })
    shelf = opened
    return opened
  }

  function closeStore(): void {
    shelf?.close()
    shelf = undefined
  }

  function noteFailure(error: StorageError): StorageError {
    if (error.fault !== failure?.fault) {
      reply({ type: 'event', event: { type: 'refusing', failure: failureOf(error) } })
    }
    failure = error
    retryAtMs = clock() + PROBE_INTERVAL_MS
    switch (error.fault) {
      case 'corrupt':
        closeStore()
        setAsideOpenStore()
        break
      case 'io':
      case 'read_only':
        // After a failed sync nobody knows what is on the disk: what was logged is read again from there.
        closeStore()
        break
      default:
        break
    }
    return error
  }

  function setAsideOpenStore(): void {
    try {
      const path = setStoreAside(directory, clock())
      reply({ type: 'event', event: { type: 'set_aside', path } })
    } catch (error) {
      failure = toStorageError(error, directory)
    }
  }

  function answer(call: number, question: Question): void {
    try {
      const answered = question.type === 'close' ? close() : answerOpen(question)
      reply({ type: 'answered', call, answer: answered })
    } catch (error) {
      reply({ type: 'failed', call, failure: failureOf(toStorageError(error, directory)) })
    }
  }

  /** Reading back needs no room, and it is by delivery that room is made: a full disk does not hold it up. */
  function answerOpen(question: OpenQuestion): Answer {
    const isReadable = question.type === 'load' && failure?.fault === 'disk_full'
    if (isReadable && shelf !== undefined) return answerFrom(shelf, question)
    return attempt((open) => {
      if (question.type === 'open') nameExporters(open)
      return answerFrom(open, question)
    })
  }

  function nameExporters(open: Shelf): void {
    open.transact(() => {
      for (const exporter of options.exporters) open.tables.queues.exporterId(exporter)
    })
  }

  function close(): Answer {
    isClosed = true
    try {
      shelf?.finish()
    } catch (error) {
      // What could not be folded is in the journal, for the next start.
      toStorageError(error, directory)
      closeStore()
    }
    shelf = undefined
    return { type: 'closed' }
  }

  function tick(): void {
    if (isClosed) return
    // Others write to the disk as well.
    diskBytes = 0
    try {
      if (settlements.length > 0) commitAppends([])
      // An empty transaction writes nothing, so it proves nothing: the version is written again.
      else if (failure !== undefined) attempt((open) => open.database.exec(REWRITE_VERSION))
      else if (isDiskLow) attempt(noteRoom)
      if (clock() >= retentionAtMs) expire()
    } catch (error) {
      // Known and told already; the next tick tries again.
      toStorageError(error, directory)
    }
  }

  function expire(): void {
    retentionAtMs = clock() + RETENTION_CHECK_MS
    const beforeMs = clock() - limits.retentionMs
    attempt((open) => {
      tellGone(
        open.transact(() => open.tables.deadLetters.expire(beforeMs)),
        'retention',
      )
      const counts = open.transact(() => open.tables.quarantine.expire(beforeMs, QUARANTINE_ROWS_MAX))
      if (counts.length === 0) return
      reply({ type: 'event', event: { type: 'held_expired', counts } })
      // There may be more.
      retentionAtMs = clock()
    })
  }

  function tellGone(count: number, reason: 'full' | 'retention'): void {
    if (count > 0) reply({ type: 'event', event: { type: 'dead_letters_gone', count, reason } })
  }

  return { run, tick }
}

const REWRITE_VERSION = `PRAGMA user_version = ${SCHEMA_VERSION}`

/** What they may take of the tables' file. */
function fileBytesOf(parcels: readonly PlacedParcel[]): number {
  return parcels.reduce((sum, { byteLength }) => sum + bytesInFile(byteLength), 0)
}

function isDeparture({ death, remains, revised }: PlacedSettled): boolean {
  return death === undefined && revised === undefined && (remains === undefined || remains.length === 0)
}

function refused(refusal: StorageError): Appended {
  return { refusal, unheld: [] }
}

function failureOf({ fault, message }: StorageError): Failure {
  return { fault, message }
}
