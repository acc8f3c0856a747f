/**
 * Release and discard: what is held of one target leaves the quarantine, a bounded piece at a time.
 *
 *     load a chunk ─► judge it by the policy as it is now ─► one transaction: into the queues, out of the quarantine
 *
 * A chunk is in the quarantine or it is in the queues, so whoever is interrupted at any point goes on by releasing again.
 * What the policy still quarantines stays where it is. Where a queue is full it is waited for, a bounded time.
 * Source: contract sections 3 and 4, decision 0011.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { MalformedRequest, StorageError, TooLarge } from '../errors.ts'
import type { Parcel } from '../otlp/parcel.ts'
import { HELD_CARRIAGES, type HeldCarriage, SIGNAL_OF_HELD } from '../otlp/parcel.ts'
import type { HeldChunk, HeldRange } from '../store/messages.ts'
import type { Quarantine } from '../store/quarantine.ts'
import type { Emit } from '../telemetry/events.ts'
import type { Finding } from '../telemetry/finding.ts'
import type { TallyRow } from '../telemetry/tally.ts'
import type { Admit } from './admission.ts'
import type { QuarantineChange } from './commit.ts'
import { dropped, droppedRow, heldItemsOf, heldRow } from './held.ts'

/** How much of the quarantine is in memory at once, and in one transaction. */
export const RELEASE_CHUNK_BYTES: number = 2 * 1024 * 1024
const RELEASE_CHUNK_ITEMS = 1 << 16

/** A queue that is full may take a smaller piece; below this it is not tried. */
const RELEASE_CHUNK_BYTES_MIN = 64 * 1024

/** How long a release waits for a backend to make room. */
export const ROOM_WAIT_MS = 5000
const ROOM_RETRY_MS = 50

/** What the policy says now of held items of one carriage. */
export interface Judged {
  readonly parcels: readonly Parcel[]
  readonly held: QuarantineChange['held']
  readonly tally: readonly TallyRow[]
  readonly findings: readonly Finding[]
}

export interface ReleaseParts {
  readonly quarantine: Quarantine
  /** Throws MalformedRequest and TooLarge. */
  readonly judge: (bytes: Uint8Array, carriage: HeldCarriage) => Judged
  /** The digest of the policy that `judge` goes by. */
  readonly policy: () => string
  readonly admit: Admit
  readonly emit: Emit
  readonly clock: () => number
  /** How long a full queue is waited for without getting any room. */
  readonly roomWaitMs: number
}

/** How far a release or discard has come; it grows while the work goes on. */
export interface Progress {
  /** Items that have left the quarantine. */
  items: number
  /** Items that the policy still quarantines. */
  kept: number
  /** Items that were not looked at. */
  left: number
  /** What became of those that have left. */
  readonly rows: Map<string, TallyRow>
  /** Why it stopped before its end. */
  message: string | undefined
}

export function createProgress(): Progress {
  return { items: 0, kept: 0, left: 0, rows: new Map(), message: undefined }
}

export async function release(target: string, progress: Progress, parts: ReleaseParts): Promise<void> {
  const through = parts.quarantine.lastId()
  for (const carriage of HELD_CARRIAGES) {
    await releaseRange({ target, carriage, after: 0, through }, carriage, progress, parts)
    if (progress.message !== undefined) return
  }
}

export async function discard(
  target: string,
  progress: Progress,
  { quarantine, emit }: Pick<ReleaseParts, 'quarantine' | 'emit'>,
): Promise<void> {
  const through = quarantine.lastId()
  for (const carriage of HELD_CARRIAGES) {
    for (;;) {
      const counts = await quarantine.discard({ target, carriage, after: 0, through })
      if (counts.length === 0) break
      for (const change of dropped(counts, 'discarded')) {
        emit({ type: 'quarantine_changed', ...change })
        note(progress, change.tally)
      }
    }
  }
}

async function releaseRange(
  range: HeldRange,
  carriage: HeldCarriage,
  progress: Progress,
  parts: ReleaseParts,
): Promise<void> {
  const { quarantine, clock, roomWaitMs } = parts
  let bytesMax = RELEASE_CHUNK_BYTES
  let after = range.after
  let waitsUntilMs: number | undefined
  const load = (): Promise<HeldChunk | undefined> => {
    const loading = quarantine.load({ ...range, after, bytesMax, itemsMax: RELEASE_CHUNK_ITEMS })
    // Whoever waits for it hears; one that is given up fails unheard.
    loading.catch(() => {})
    return loading
  }
  for (let loading = load(); ; ) {
    const chunk = await loading
    if (chunk === undefined) return
    const at = { ...range, after }
    after = chunk.through
    // The store reads the next one while this one is judged.
    loading = load()
    const refusal = await releaseChunk(chunk, at, carriage, progress, parts)
    if (refusal === undefined) {
      bytesMax = Math.min(RELEASE_CHUNK_BYTES, bytesMax * 2)
      waitsUntilMs = undefined
      continue
    }
    after = at.after
    if (refusal.isFinal) {
      return stop(progress, refusal.message)
    } else if (bytesMax > RELEASE_CHUNK_BYTES_MIN) {
      // Half as much may fit.
      bytesMax /= 2
    } else {
      waitsUntilMs ??= clock() + roomWaitMs
      if (clock() >= waitsUntilMs) return stop(progress, refusal.message)
      await delay(ROOM_RETRY_MS, undefined, { ref: false })
    }
    loading = load()
  }
}

function stop(progress: Progress, message: string): void {
  progress.message = message
}

interface Refusal {
  readonly message: string
  /** Waiting does not help. */
  readonly isFinal: boolean
}

/** Undefined: it is done with. */
async function releaseChunk(
  chunk: HeldChunk,
  at: HeldRange,
  carriage: HeldCarriage,
  progress: Progress,
  { judge, policy, admit, emit }: ReleaseParts,
): Promise<Refusal | undefined> {
  const items = chunk.rows.reduce((sum, row) => sum + row.items, 0)
  const { parcels, held, tally, findings } = judgeRows(chunk, carriage, judge)
  const kept = held.reduce((sum, parcel) => sum + parcel.items, 0)
  if (kept < items) {
    const { through, oldestMs: heldSinceMs, rows } = chunk
    const released = { ...at, through, rows: rows.length, heldSinceMs }
    try {
      const admission = await admit(parcels, policy(), { held, released })
      if (!admission.admitted) return { message: admission.message, isFinal: admission.reason === 'stopping' }
    } catch (error) {
      // Somebody else took some of it away meanwhile: what is there now is loaded anew.
      if (error instanceof StorageError && error.fault === 'gone')
        return { message: error.message, isFinal: false }
      throw error
    }
    if (findings.length > 0) emit({ type: 'findings_noted', findings })
    const gone = chunk.rows.map(heldItemsOf).map((row) => heldRow(row, -row.items))
    emit({ type: 'quarantine_changed', signal: SIGNAL_OF_HELD[carriage], tally: [...gone, ...tally] })
    note(progress, tally)
  }
  progress.kept += kept
  progress.left -= kept
  return undefined
}

/** All at once; where something cannot be read, parcel by parcel, so that what came beside it does not suffer for it. */
function judgeRows({ rows, bytes }: HeldChunk, carriage: HeldCarriage, judge: ReleaseParts['judge']): Judged {
  try {
    return judge(bytes, carriage)
  } catch (error) {
    const reason =
      error instanceof MalformedRequest ? 'malformed' : error instanceof TooLarge ? 'too_large' : undefined
    if (reason === undefined) throw error
    const [row] = rows
    if (rows.length === 1)
      return { parcels: [], held: [], tally: [droppedRow(heldItemsOf(row), reason)], findings: [] }
  }
  let at = 0
  const each = rows.map((row): Judged => {
    const start = at
    at += row.byteLength
    return judgeRows({ ...EMPTY, rows: [row], bytes: bytes.subarray(start, at) }, carriage, judge)
  })
  return {
    parcels: each.flatMap(({ parcels }) => parcels),
    held: each.flatMap(({ held }) => held),
    tally: each.flatMap(({ tally }) => tally),
    findings: each.flatMap(({ findings }) => findings),
  }
}

const EMPTY = Object.freeze({ through: 0, oldestMs: 0 })

/** Adds what has left; what stays is counted apart, and `copied` counts nothing new. */
function note(progress: Progress, tally: readonly TallyRow[]): void {
  for (const row of tally) {
    if (row.outcome === 'quarantined') continue
    const key = `${row.carriage}\n${row.lane}\n${row.outcome}\n${row.reason}\n${row.family}`
    progress.rows.set(key, { ...row, items: row.items + (progress.rows.get(key)?.items ?? 0) })
    if (row.outcome === 'copied') continue
    progress.items += row.items
    progress.left -= row.items
  }
}
