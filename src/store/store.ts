/**
 * The durable store, as the rest of the program sees it: parcels are appended, read back, settled, buried.
 *
 * All of it is asynchronous; the disk is only ever touched by a thread of its own. `append` resolves when the bytes
 * are synced; what was appended by several callers while the disk worked shares one sync. A settlement is durable a
 * little later, and after a crash a parcel may come back that was delivered: at least once, never less.
 *
 * Nothing here knows what a lane is or reads a parcel's bytes. Source: DESIGN, "The store".
 */
import { MessageChannel, Worker } from 'node:worker_threads'
import { StorageError } from '../errors.ts'
import { type Arena, createArena } from './arena.ts'
import { storageError } from './failure.ts'
import {
  ARENA_APPEND_BYTES_MAX,
  ARENA_BYTES,
  GATHERED_APPENDS_MAX,
  SETTLE_BYTES_MAX,
  SETTLE_DELAY_MS,
  type StoreLimits,
  WAITING_BYTES_MAX,
} from './limits.ts'
import type {
  Answer,
  DeadLetter,
  ExporterAccount,
  Failure,
  LoadRange,
  ParcelHead,
  PlacedParcel,
  PlacedSettled,
  Question,
  ReleasedRange,
  Replayed,
  Reply,
  Request,
  Settled,
  Space,
  StoredParcel,
  StoreEvent,
} from './messages.ts'
import { createQuarantine, type Quarantine } from './quarantine.ts'
import { unasked } from './unasked.ts'

/** A parcel to keep. Its chunks are read until `append` settles, not longer. */
export interface NewParcel extends ParcelHead {
  readonly chunks: readonly Uint8Array[]
  readonly byteLength: number
}

export interface StoreOptions {
  /** `storage.directory`. */
  readonly directory: string
  readonly limits: StoreLimits
  /** The exporters of the configuration whose queues are durable. */
  readonly exporters: readonly string[]
  readonly onEvent: (event: StoreEvent) => void
}

export interface DeadLetters {
  /** In the order that they died in, those with ids greater than `after`. */
  list(after: number, countMax: number): Promise<readonly DeadLetter[]>
  /** The parcel with its bytes; undefined if there is no such dead letter. */
  read(id: number): Promise<StoredParcel | undefined>
  /** Puts them back into their queues, as the last of these, and takes them off `dead`. */
  replay(ids: readonly number[]): Promise<readonly Replayed[]>
  /** Returns how many of them were there. */
  drop(ids: readonly number[]): Promise<number>
}

/** Everything that may fail rejects with StorageError, whose message names the directory and the remedy. */
export interface Store {
  /** Locks and reads the store. The first call; resolves with what each exporter left behind. */
  open(): Promise<readonly ExporterAccount[]>
  /**
   * All or none. Resolves when they are durable, with their ids: later ones are larger, and NOT_HELD stands for a held
   * parcel that found the quarantine full. `released` leaves the quarantine in the same transaction; if some of it is
   * not there any more nothing is done, and the fault is `gone`.
   */
  append(parcels: readonly NewParcel[], released?: ReleasedRange): Promise<readonly number[]>
  settle(settled: Settled): void
  load(range: LoadRange): Promise<readonly StoredParcel[]>
  readonly deadLetters: DeadLetters
  readonly quarantine: Quarantine
  /** Why appends are refused just now; undefined while they are not. */
  refusal(): Failure | undefined
  space(): Promise<Space>
  /** Makes what was settled durable, tidies up, gives the lock back. */
  close(): Promise<void>
}

/** No parcel has this id. */
export const NOT_HELD = 0

interface WaitingAppend {
  readonly parcels: readonly NewParcel[]
  readonly released: ReleasedRange | undefined
  readonly byteLength: number
  readonly firstId: number
  readonly resolve: (ids: readonly number[]) => void
  readonly reject: (error: StorageError) => void
}

interface Call {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: StorageError) => void
}

export function createStore({ directory, limits, exporters, onEvent }: StoreOptions): Store {
  const arena: Arena = createArena(ARENA_BYTES)
  const { port1: port, port2 } = new MessageChannel()
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    name: 'laneway-store',
    workerData: { port: port2, arena: arena.buffer, directory, limits, exporters },
    transferList: [port2],
    resourceLimits: WORKER_LIMITS,
  })
  /** Not sent yet, for want of room in the arena or of a turn. */
  let waiting: WaitingAppend[] = []
  let waitingBytes = 0
  /** How many of them there were a turn of the event loop ago. */
  let gathered = 0
  /** Sent, not answered yet; the worker answers in order. */
  const sent: { readonly append: WaitingAppend; readonly isInArena: boolean }[] = []
  const calls = new Map<number, Call>()
  let lastCall = 0
  let lastId = 0
  let settled: PlacedSettled[] = []
  let settledBytes = 0
  let settleTimer: NodeJS.Timeout | undefined
  let isSettlingDue = false
  let isFlushScheduled = false
  let refusal: Failure | undefined
  let isClosing = false
  let isStopped = false

  port.on('message', (replies: readonly Reply[]) => {
    for (const reply of replies) receive(reply)
  })
  worker.on('error', (error) => stop(placeOf(error)))
  worker.on('exit', () => stop('ended'))

  function receive(reply: Reply): void {
    switch (reply.type) {
      case 'appended':
        finishAppend(reply.failure, reply.unheld)
        break
      case 'answered':
        takeCall(reply.call)?.resolve(reply.answer)
        break
      case 'failed':
        takeCall(reply.call)?.reject(errorOf(reply.failure))
        break
      case 'event':
        if (reply.event.type === 'refusing') refusal = reply.event.failure
        if (reply.event.type === 'recovered') refusal = undefined
        onEvent(reply.event)
        break
    }
  }

  function finishAppend(failure: Failure | undefined, unheld: readonly number[]): void {
    const first = sent.shift()
    if (first === undefined) throw new Error('the storage thread answered what nobody asked')
    if (first.isInArena) arena.giveBack()
    const { append } = first
    waitingBytes -= append.byteLength
    const ids = append.parcels.map((_, index) => append.firstId + index)
    if (failure === undefined) append.resolve(ids.map((id) => (unheld.includes(id) ? NOT_HELD : id)))
    else append.reject(errorOf(failure))
    if (sent.length === 0 && (waiting.length > 0 || isSettlingDue)) scheduleFlush()
  }

  function takeCall(call: number): Call | undefined {
    const found = calls.get(call)
    calls.delete(call)
    return found
  }

  function append(parcels: readonly NewParcel[], released?: ReleasedRange): Promise<readonly number[]> {
    const byteLength = parcels.reduce((sum, parcel) => sum + parcel.byteLength, 0)
    if (isStopped) return Promise.reject(storageError('stopped', directory))
    if (waitingBytes > 0 && waitingBytes + byteLength > WAITING_BYTES_MAX) {
      return Promise.reject(storageError('busy', directory))
    }
    waitingBytes += byteLength
    const firstId = lastId + 1
    lastId += parcels.length
    return new Promise((resolve, reject) => {
      waiting.push({ parcels, released, byteLength, firstId, resolve, reject })
      scheduleFlush()
    })
  }

  /**
   * Behind the current burst of events: what arrived in one poll crosses to the worker in one message, together with
   * what the next polls bring, as long as each brings something. On an idle machine that is one empty turn.
   */
  function scheduleFlush(): void {
    if (isFlushScheduled) return
    isFlushScheduled = true
    setImmediate(flush)
  }

  function flush(): void {
    isFlushScheduled = false
    // What comes while the disk works is the next group.
    if (isStopped || sent.length > 0) return
    const isGrowing = waiting.length > gathered && waiting.length < GATHERED_APPENDS_MAX
    gathered = isGrowing ? waiting.length : 0
    if (isGrowing) scheduleFlush()
    else sendGroup()
  }

  function sendGroup(): void {
    const requests: Request[] = []
    const own: ArrayBuffer[] = []
    if (isSettlingDue) takeSettled(requests)
    let taken = 0
    for (const append of waiting) {
      const placed = place(append)
      if (placed === undefined) break
      taken++
      for (const { own: bytes } of placed.parcels) if (bytes !== undefined) own.push(bytes.buffer)
      sent.push({ append, isInArena: placed.isInArena })
      requests.push({ type: 'append', parcels: placed.parcels, released: append.released })
    }
    waiting = waiting.slice(taken)
    if (requests.length > 0) port.postMessage(requests, own)
  }

  /** Copies the bytes of an append to where the worker reads them; undefined: no room until others are done. */
  function place({ parcels, byteLength, firstId }: WaitingAppend): Placed | undefined {
    const isInArena = byteLength <= ARENA_APPEND_BYTES_MAX
    let offset = isInArena ? arena.take(byteLength) : 0
    if (offset === undefined) return undefined
    const placed: PlacedParcel[] = []
    for (const parcel of parcels) {
      const own = isInArena ? undefined : new Uint8Array(parcel.byteLength)
      const target = own ?? arena.bytes.subarray(offset, offset + parcel.byteLength)
      let at = 0
      for (const chunk of parcel.chunks) {
        target.set(chunk, at)
        at += chunk.byteLength
      }
      const { signal, lane, items, policy, admittedMs, exporters, held } = parcel
      const { byteLength } = parcel
      const head = { signal, lane, items, policy, admittedMs, exporters, held, byteLength }
      placed.push({ ...head, id: firstId + placed.length, offset, own })
      if (isInArena) offset += parcel.byteLength
    }
    return { parcels: placed, isInArena }
  }

  function settle(one: Settled): void {
    const { remains, ...rest } = one
    settled.push(remains ? { ...rest, remains: remains.map((part) => ({ ...part, id: ++lastId })) } : rest)
    settledBytes += one.amounts.reduce((sum, { bytes }) => sum + bytes, 0)
    if (settledBytes >= SETTLE_BYTES_MAX) settleSoon()
    else settleTimer ??= setTimeout(settleSoon, SETTLE_DELAY_MS)
  }

  function settleSoon(): void {
    isSettlingDue = true
    scheduleFlush()
  }

  function takeSettled(requests: Request[]): void {
    clearTimeout(settleTimer)
    settleTimer = undefined
    isSettlingDue = false
    if (settled.length > 0) requests.push({ type: 'settle', settled })
    settled = []
    settledBytes = 0
  }

  /** What was appended and settled before is done before it. */
  function ask(question: Question): Promise<Answer> {
    if (isStopped) return Promise.reject(storageError('stopped', directory))
    const call = ++lastCall
    return new Promise((resolve, reject) => {
      calls.set(call, { resolve, reject })
      const requests: Request[] = []
      takeSettled(requests)
      port.postMessage([...requests, { type: 'ask', call, question }])
    })
  }

  async function open(): Promise<readonly ExporterAccount[]> {
    const answer = await ask({ type: 'open' })
    if (answer.type !== 'opened') throw unasked()
    lastId = answer.lastId
    return answer.accounts
  }

  async function load(range: LoadRange): Promise<readonly StoredParcel[]> {
    const answer = await ask({ type: 'load', ...range })
    if (answer.type !== 'parcels') throw unasked()
    return answer.parcels
  }

  const deadLetters: DeadLetters = {
    async list(after, countMax) {
      const answer = await ask({ type: 'list', after, countMax })
      if (answer.type !== 'letters') throw unasked()
      return answer.letters
    },
    async read(id) {
      const answer = await ask({ type: 'read', id })
      if (answer.type !== 'parcels') throw unasked()
      return answer.parcels[0]
    },
    async replay(ids) {
      if (ids.length === 0) return []
      // Ids are in the order in which the queues hear of them: what was appended before must be on its way.
      while (waiting.length > 0) await new Promise((resolve) => setImmediate(resolve))
      const firstId = lastId + 1
      lastId += ids.length
      const answer = await ask({ type: 'replay', ids, firstId })
      if (answer.type !== 'replayed') throw unasked()
      return answer.replayed
    },
    async drop(ids) {
      const answer = await ask({ type: 'drop', ids })
      if (answer.type !== 'dropped') throw unasked()
      return answer.count
    },
  }

  const quarantine = createQuarantine(ask, () => lastId)

  async function space(): Promise<Space> {
    const answer = await ask({ type: 'space' })
    if (answer.type !== 'space') throw unasked()
    return answer.space
  }

  async function close(): Promise<void> {
    if (isClosing || isStopped) return
    isClosing = true
    while (waiting.length + sent.length > 0) await new Promise((resolve) => setImmediate(resolve))
    await ask({ type: 'close' })
    stop('closed')
    await worker.terminate()
  }

  /** The thread is gone: by close, or because of a fault in it. */
  function stop(detail: string): void {
    if (isStopped) return
    isStopped = true
    clearTimeout(settleTimer)
    port.close()
    const error = storageError('stopped', directory)
    const { fault, message } = error
    refusal = { fault, message }
    for (const { append } of sent.splice(0)) append.reject(error)
    for (const one of waiting.splice(0)) one.reject(error)
    for (const call of calls.values()) call.reject(error)
    calls.clear()
    if (isClosing) return
    onEvent({ type: 'thread_failed', detail })
    onEvent({ type: 'refusing', failure: refusal })
  }

  return { open, append, settle, load, deadLetters, quarantine, refusal: () => refusal, space, close }
}

/** The thread holds no bytes but SQLite's and those of one load; a large young generation would only be resident. */
const WORKER_LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 128 } as const

interface Placed {
  readonly parcels: readonly PlacedParcel[]
  readonly isInArena: boolean
}

function errorOf({ fault, message }: Failure): StorageError {
  return new StorageError(fault, message)
}

/** Not the message of an error, which could quote what it choked on. */
function placeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const frames = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '))
  return [error.name, ...frames.slice(0, 4).map((line) => line.trim())].join(' ')
}
