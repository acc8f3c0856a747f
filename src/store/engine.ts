/**
 * The worker's side of the store: groups of requests in, transactions on the disk, replies out.
 *
 * All appends and settlements of one group share one transaction and one sync: whoever waits while the disk works
 * goes with the next. If it fails, every append of it is refused, settlements are kept for the next try, and the disk
 * is tried again from time to time until it works. A damaged file is set aside; a directory that was removed is made
 * again from the file that is still open.
 */
import type { StorageError } from '../errors.ts'
import { closeQuietly, inodeAt, type OpenDatabase, openDatabase, rebuild, setStoreAside } from './database.ts'
import { diskSpace } from './directory.ts'
import { roomOnDisk } from './disk-room.ts'
import { storageError, toStorageError } from './failure.ts'
import {
  divideBytes,
  PROBE_INTERVAL_MS,
  QUARANTINE_ROW_BYTES,
  QUARANTINE_ROWS_MAX,
  RETENTION_CHECK_MS,
  type StoreLimits,
  walBytesOn,
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
import { createSession, type Session } from './session.ts'

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
interface OpenSession extends Session, OpenDatabase {}

/** What a parcel costs beside its bytes, and how much of the file stays free for SQLite's own pages. */
const PARCEL_OVERHEAD_BYTES = 256
const FILE_RESERVE = 1 / 16

export function createEngine(options: EngineOptions): Engine {
  const { directory, limits, arena, clock, reply } = options
  const { walBytes: walBytesMax, fileBytesMax } = divideBytes(limits)
  let walBytes = walBytesMax
  const bytesMax = fileBytesMax * (1 - FILE_RESERVE)
  let session: OpenSession | undefined
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

  /** One transaction: settlements first, for they make room. An append that finds none is refused alone. */
  function writeAll(open: OpenSession, appends: readonly Append[]): readonly Appended[] {
    const results = open.transact(() => {
      settleAll(open)
      let freeBytes = bytesMax - open.usedBytes()
      return appends.map(({ parcels, released }) => {
        const bytes = parcels.reduce((sum, { byteLength }) => sum + byteLength + PARCEL_OVERHEAD_BYTES, 0)
        if (bytes > freeBytes) return refused(storageError('size', directory))
        if (bytes > diskBytes) diskBytes = roomOnDisk(open, { directory, walBytes })
        if (bytes > diskBytes) return refused(noteLowDisk())
        if (released !== undefined && !open.quarantine.release(released))
          return refused(storageError('gone', directory))
        freeBytes -= bytes
        diskBytes -= bytes
        const quarantineBytesMax = released === undefined ? limits.quarantineBytesMax : bytesMax
        const unheld = parcels.filter((parcel) => !keep(open, parcel, quarantineBytesMax))
        return { refusal: undefined, unheld: unheld.map(({ id }) => id) }
      })
    })
    settlements = []
    return results
  }

  /** False: it is to be held, and the quarantine has no room. What was held before, and stays, always has. */
  function keep(open: OpenSession, parcel: PlacedParcel, quarantineBytesMax: number): boolean {
    const { held, byteLength } = parcel
    const { queues, quarantine } = open
    if (held === undefined) queues.append(parcel, bytesOf(parcel))
    else if (quarantine.chargedBytes() + byteLength + QUARANTINE_ROW_BYTES > quarantineBytesMax) return false
    else quarantine.hold(parcel, held, bytesOf(parcel))
    return true
  }

  function noteLowDisk(): StorageError {
    const error = storageError('disk_full', directory)
    if (!isDiskLow) reply({ type: 'event', event: { type: 'refusing', failure: failureOf(error) } })
    isDiskLow = true
    return error
  }

  function noteRoom(open: OpenSession): void {
    if (roomOnDisk(open, { directory, walBytes }) === 0) return
    isDiskLow = false
    reply({ type: 'event', event: { type: 'recovered' } })
  }

  function settleAll(open: OpenSession): void {
    let deaths = 0
    let homeless = 0
    for (const settled of settlements) {
      homeless += open.settle(settled, { nowMs: clock(), bytesMax: fileBytesMax * (1 - FILE_RESERVE / 2) })
      if (settled.death !== undefined || (settled.remains?.length ?? 0) > 0) deaths++
    }
    tellGone(homeless, 'full')
    if (deaths > 0) tellGone(open.deadLetters.trim(limits.deadLettersBytesMax), 'full')
  }

  function bytesOf({ own, offset, byteLength }: PlacedParcel): Uint8Array {
    return own ?? arena.subarray(offset, offset + byteLength)
  }

  /** Runs `work` with a session that works, and draws the consequences if it does not. Throws StorageError. */
  function attempt<T>(work: (open: OpenSession) => T): T {
    if (isClosed) throw storageError('stopped', directory)
    if (failure !== undefined && clock() < retryAtMs) throw failure
    try {
      const result = work(openSession())
      if (failure !== undefined) reply({ type: 'event', event: { type: 'recovered' } })
      failure = undefined
      return result
    } catch (error) {
      throw noteFailure(toStorageError(error, directory))
    }
  }

  function openSession(): OpenSession {
    if (session !== undefined) {
      const inode = inodeAt(directory)
      if (inode === session.inode) return session
      // Another file stands at the path: somebody else's, which is not ours to replace.
      if (inode !== undefined) throw storageError('lost', directory)
      const path = rebuild(session.database, directory)
      closeSession()
      reply({ type: 'event', event: { type: 'rebuilt', path } })
    }
    walBytes = walBytesOn(diskSpace(directory), walBytesMax)
    const opened = openDatabase({ directory, walBytes, fileBytesMax, clock })
    const { setAside } = opened
    if (setAside !== undefined) reply({ type: 'event', event: { type: 'set_aside', path: setAside } })
    session = { ...opened, ...createSession(opened.database) }
    return session
  }

  function closeSession(): void {
    if (session !== undefined) closeQuietly(session.database)
    session = undefined
  }

  function noteFailure(error: StorageError): StorageError {
    if (error.fault !== failure?.fault) {
      reply({ type: 'event', event: { type: 'refusing', failure: failureOf(error) } })
    }
    failure = error
    retryAtMs = clock() + PROBE_INTERVAL_MS
    switch (error.fault) {
      case 'corrupt':
        closeSession()
        setAsideOpenStore()
        break
      case 'io':
      case 'read_only':
        // After a failed sync nobody knows what is on the disk: what was logged is read again from there.
        closeSession()
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
  function answerOpen(question: Exclude<Question, { type: 'close' }>): Answer {
    const isReadable = question.type === 'load' && failure?.fault === 'disk_full'
    if (isReadable && session !== undefined) return answerWith(session, question)
    return attempt((open) => answerWith(open, question))
  }

  function answerWith(open: OpenSession, question: Exclude<Question, { type: 'close' }>): Answer {
    const { queues, deadLetters, quarantine } = open
    switch (question.type) {
      case 'open':
        open.transact(() => {
          for (const exporter of options.exporters) queues.exporterId(exporter)
        })
        return {
          type: 'opened',
          accounts: queues.accounts(),
          lastId: Math.max(queues.lastId(), quarantine.lastId()),
        }
      case 'load':
        return { type: 'parcels', parcels: queues.load(question) }
      case 'list':
        return { type: 'letters', letters: deadLetters.list(question.after, question.countMax) }
      case 'read': {
        const parcel = deadLetters.read(question.id)
        return { type: 'parcels', parcels: parcel === undefined ? [] : [parcel] }
      }
      case 'replay': {
        const { ids, firstId } = question
        const replayed = open.transact(() => ids.map((id, index) => deadLetters.replay(id, firstId + index)))
        return { type: 'replayed', replayed: replayed.filter((one) => one !== undefined) }
      }
      case 'drop': {
        const dropped = open.transact(() => question.ids.filter((id) => deadLetters.drop(id)))
        return { type: 'dropped', count: dropped.length }
      }
      case 'list_held':
        return { type: 'held_targets', targets: quarantine.list(question.after, question.targetsMax) }
      case 'held_of':
        return { type: 'held_targets', targets: quarantine.of(question.target) }
      case 'load_held':
        return { type: 'held_chunk', chunk: quarantine.load(question) }
      case 'discard_held':
        return {
          type: 'held_counts',
          counts: open.transact(() => quarantine.discard(question, question.rowsMax)),
        }
      case 'remove_held':
        return { type: 'held_counts', counts: open.transact(() => quarantine.remove(question.ids)) }
      case 'count_held':
        return { type: 'held_counts', counts: quarantine.counts() }
      case 'space':
        return { type: 'space', space: open.space() }
    }
  }

  function close(): Answer {
    isClosed = true
    closeSession()
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
        open.transact(() => open.deadLetters.expire(beforeMs)),
        'retention',
      )
      const counts = open.transact(() => open.quarantine.expire(beforeMs, QUARANTINE_ROWS_MAX))
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

function refused(refusal: StorageError): Appended {
  return { refusal, unheld: [] }
}

function failureOf({ fault, message }: StorageError): Failure {
  return { fault, message }
}
