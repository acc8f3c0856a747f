/**
 * The loop of one exporter: takes batches from its queue, tries to deliver them, and settles every parcel once.
 *
 * When to send is decided as Nagle did for packets. With nothing in flight, what is queued goes at once, behind the
 * current burst of events, so that requests that arrived in one poll are joined. With something in flight, or just
 * sent, small parcels wait until they make a good batch, until `flush_timeout`, or until a request in flight completes
 * and the pace allows it.
 *
 * What a destination refuses for good is sent again parcel by parcel, so that one poisoned request never takes the
 * data of others with it. What is too large for it is halved: the batch, then the parcel between its items. What may
 * succeed later is tried again with backoff, in the slot of its consumer.
 *
 * Source: DESIGN, "How bytes flow"; opentelemetry-proto docs/specification.md (failures, partial success).
 */
import type { BatchConfig, RetryConfig } from '../config/config.ts'
import type { Parcel } from '../otlp/parcel.ts'
import type { Emit } from '../telemetry/events.ts'
import { createCircuit } from './circuit.ts'
import type { DeliveryOutcome, Sender } from './outcome.ts'
import { createPace } from './pace.ts'
import { type Part, splitParcel } from './parts.ts'
import type { ExporterQueue, QueueEntry } from './queue.ts'
import { retryDelayMs } from './retry.ts'

/**
 * While a request is in flight, this much is worth another one. Measured: from here on a larger request costs no less
 * CPU per byte (12 KB parcels: 36 µs one by one, 11 µs joined by 8, 5 µs by 64), and the buffers to join them stay small.
 */
export const GOOD_BATCH_BYTES: number = 1024 * 1024

/** Behind a slow or distant backend more waits than this for each consumer; then batches grow to `max_size`. */
const BACKLOG_BYTES_PER_CONSUMER: number = 2 * GOOD_BATCH_BYTES

/** How many requests the parts of one parcel may take. A backend that finds everything too large ends there. */
export const PART_TRIES_MAX = 1024

type Refusal = Extract<DeliveryOutcome, { kind: 'permanent' }>
type Decision =
  | Exclude<DeliveryOutcome, { kind: 'retryable' }>
  | { readonly kind: 'given_up'; readonly status: number; readonly message: string }
  /** Not taken now, and a sender waits to hear it. */
  | { readonly kind: 'untaken'; readonly detail: string; readonly retryAfterMs: number | undefined }
  /** The process ends before it was known. */
  | { readonly kind: 'left' }
  /** Another policy has come into force: it must be judged again before it is tried again. */
  | { readonly kind: 'outdated' }

/** What may change while it runs. */
export interface DeliverySettings {
  readonly sender: Sender
  readonly batch: BatchConfig
  readonly consumers: number
  readonly retry: RetryConfig
}

export interface DeliveryOptions extends DeliverySettings {
  readonly queue: ExporterQueue
  readonly emit: Emit
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** In [0, 1). */
  readonly random: () => number
}

export interface Delivery {
  isDown(): boolean
  /** From now on it sends so; what waits to be tried again is tried so, too. */
  configure(settings: DeliverySettings): void
  /** Sends what is queued without waiting for more; after `graceMs` what is left is lost, and counted, or stays on the disk. */
  close(graceMs: number): Promise<void>
}

export function createDelivery(options: DeliveryOptions): Delivery {
  const { queue, emit, clock, random } = options
  let { sender, batch, consumers, retry } = options
  const exporter = queue.exporter
  const circuit = createCircuit()
  const sleepers = new Set<() => void>()
  /** How many requests each sender has in flight. */
  const uses = new Map<Sender, number>()
  let busyConsumers = 0
  let isFlushScheduled = false
  let flushTimer: NodeJS.Timeout | undefined
  /** `flush_timeout` has passed since something began to wait. */
  let isOverdue = false
  let hasCompleted = false
  const pace = createPace(wake)
  let isDown = false
  let phase: 'open' | 'draining' | 'ended' = 'open'
  let onDrained: (() => void) | undefined

  queue.onChange(wake)

  function wake(): void {
    if (phase === 'ended') queue.giveUpWaiting()
    if (phase !== 'open' && isDrained()) onDrained?.()
    if (isFlushScheduled || !queue.hasNext || busyConsumers >= consumers) return
    if (queue.waitingBytes < bytesWorthSending()) {
      startFlushTimer()
      return
    }
    isFlushScheduled = true
    setImmediate(flush)
  }

  function isDrained(): boolean {
    if (busyConsumers > 0 || queue.waitingParcels > 0 || queue.reservedBytes > 0) return false
    return phase === 'ended' || !queue.hasBacklog
  }

  function bytesWorthSending(): number {
    if (isOverdue || phase !== 'open') return 0
    const mayBeSmall = !pace.isHolding() && (busyConsumers === 0 || hasCompleted)
    return mayBeSmall ? batch.bytesMin : Math.max(batch.bytesMin, goodBatchBytes())
  }

  function goodBatchBytes(): number {
    return Math.min(GOOD_BATCH_BYTES, batch.bytesMax || GOOD_BATCH_BYTES)
  }

  function configure(settings: DeliverySettings): void {
    const old = sender
    ;({ sender, batch, consumers, retry } = settings)
    // Whoever waited for the old destination to come back has another one to try.
    wakeSleepers()
    closeUnused(old)
    wake()
  }

  /** How many bytes to take for the next request. */
  function batchBytes(): number {
    if (!sender.joinsParcels) return 1
    const isBehind = queue.waitingBytes > consumers * BACKLOG_BYTES_PER_CONSUMER
    return isBehind ? batch.bytesMax : Math.max(batch.bytesMin, goodBatchBytes())
  }

  function startFlushTimer(): void {
    flushTimer ??= setTimeout(() => {
      flushTimer = undefined
      isOverdue = true
      wake()
    }, batch.flushTimeoutMs)
  }

  function flush(): void {
    isFlushScheduled = false
    while (queue.hasNext && busyConsumers < consumers && queue.waitingBytes >= bytesWorthSending()) {
      hasCompleted = false
      const entries = queue.take(batchBytes())
      if (entries.length === 0) continue
      if (!queue.waitsForResult && bytesOf(entries) < goodBatchBytes()) pace.hold()
      void consume(entries)
    }
    if (queue.waitingParcels === 0) isOverdue = false
    wake()
  }

  async function consume(entries: readonly QueueEntry[]): Promise<void> {
    busyConsumers++
    await deliver(entries)
    busyConsumers--
    hasCompleted = queue.waitingParcels > 0
    wake()
  }

  /** Ends when every entry is settled. */
  async function deliver(entries: readonly QueueEntry[]): Promise<void> {
    const isAwaited = entries.some(({ ticket }) => ticket !== undefined)
    const decision = await decide(
      entries.map((entry) => entry.parcel),
      { isAwaited, isCurrent: () => queue.isCurrent(entries) },
    )
    switch (decision.kind) {
      case 'untaken': {
        queue.withdraw(
          entries.filter(({ ticket }) => ticket !== undefined),
          decision,
        )
        const others = entries.filter(({ ticket }) => ticket === undefined)
        return others.length > 0 ? deliver(others) : undefined
      }
      case 'sent':
        return settleSent(entries, decision)
      case 'left':
        return queue.giveUp(entries)
      case 'outdated': {
        const current = queue.review(entries)
        return current.length > 0 ? deliver(current) : undefined
      }
      case 'given_up':
        return settleDead(entries, decision)
      case 'permanent':
        if (entries.length > 1) {
          for (const group of groupsOf(entries, decision)) await deliver(group)
        } else if (decision.isTooLarge) {
          await deliverParts(entries[0], decision)
        } else {
          settleDead(entries, decision)
        }
    }
  }

  /** Delivers the halves of a parcel that is too large, and their halves; what cannot be split is dead. */
  async function deliverParts(entry: QueueEntry, refusal: Refusal): Promise<void> {
    let triesLeft = PART_TRIES_MAX
    async function partsOf(
      parcel: Parcel,
      { status, message, isTooLarge }: Refusal,
    ): Promise<readonly Part[]> {
      const halves = isTooLarge && triesLeft > 0 ? splitParcel(parcel) : undefined
      if (halves === undefined) return [{ parcel, fate: { kind: 'dead', status, message } }]
      const parts: Part[] = []
      for (const half of halves) {
        triesLeft--
        // Once a part is sent the rest must follow: its sender waits for that.
        const decision = await decide([half], { isAwaited: false, isCurrent: () => true })
        switch (decision.kind) {
          case 'permanent':
            parts.push(...(await partsOf(half, decision)))
            break
          case 'given_up':
            parts.push({ parcel: half, fate: { ...decision, kind: 'dead' } })
            break
          case 'sent':
            parts.push({ parcel: half, fate: decision })
            break
          case 'untaken':
          case 'left':
          case 'outdated':
            parts.push({ parcel: half, fate: { kind: 'left' } })
            break
        }
      }
      return parts
    }
    const parts = await partsOf(entry.parcel, refusal)
    queue.settleParts(entry, parts)
    const { status, message } = refusal
    const isRefused = parts.some(({ fate }) => fate.kind === 'dead')
    entry.ticket?.resolve(
      isRefused
        ? { kind: 'refused', exporter, message: message || `it answers ${status}` }
        : { kind: 'taken' },
    )
    for (const { parcel, fate } of parts) {
      if (fate.kind === 'dead') emit({ type: 'backend_refused', exporter, items: parcel.items, ...fate })
      if (fate.kind === 'sent') tellWarning(fate)
    }
  }

  /** Tries until it is known what becomes of these parcels together, or the process ends. */
  async function decide(
    parcels: readonly Parcel[],
    { isAwaited, isCurrent }: { readonly isAwaited: boolean; readonly isCurrent: () => boolean },
  ): Promise<Decision> {
    const startedAtMs = clock()
    for (let failures = 1; ; failures++) {
      if (isAwaited && circuit.isBlocked()) return NOT_ANSWERING
      const turn = circuit.enter()
      if (turn !== undefined) await turn
      const outcome = await tryOnce(parcels)
      circuit.leave(outcome.kind !== 'retryable')
      noteHealth(outcome)
      if (outcome.kind !== 'retryable') return outcome
      if (phase === 'ended') return { kind: 'left' }
      const elapsedMs = Math.max(0, clock() - startedAtMs)
      const { detail, retryAfterMs } = outcome
      if (isAwaited) return { kind: 'untaken', detail, retryAfterMs }
      const delayMs = retryDelayMs(retry, { failures, elapsedMs, retryAfterMs, random: random() })
      if (delayMs === undefined) {
        return { kind: 'given_up', status: 0, message: `given up after ${failures} tries: ${detail}` }
      }
      await sleep(delayMs)
      if (!isCurrent()) return { kind: 'outdated' }
    }
  }

  async function tryOnce(parcels: readonly Parcel[]): Promise<DeliveryOutcome> {
    if (phase === 'ended') return { kind: 'retryable', detail: 'stopped', retryAfterMs: undefined }
    const used = sender
    uses.set(used, (uses.get(used) ?? 0) + 1)
    try {
      return await used.send(parcels[0].signal, parcels)
    } catch (error) {
      // A fault of ours. Its text is not passed on: it could quote what it choked on.
      const name = error instanceof Error ? error.name : 'unknown error'
      return { kind: 'permanent', status: 0, message: `internal ${name} while sending` }
    } finally {
      uses.set(used, (uses.get(used) ?? 1) - 1)
      closeUnused(used)
    }
  }

  /** A sender that was replaced finishes what it has in flight: to cut it off would be to send that twice. */
  function closeUnused(one: Sender): void {
    if (one === sender || (uses.get(one) ?? 0) > 0) return
    uses.delete(one)
    void one.close()
  }

  function noteHealth(outcome: DeliveryOutcome): void {
    if (phase === 'ended') return
    if (outcome.kind === 'retryable' && !isDown) {
      isDown = true
      emit({ type: 'backend_down', exporter, detail: outcome.detail })
    } else if (outcome.kind !== 'retryable' && isDown) {
      isDown = false
      emit({ type: 'backend_up', exporter })
    }
  }

  function settleSent(
    entries: readonly QueueEntry[],
    outcome: Extract<DeliveryOutcome, { kind: 'sent' }>,
  ): void {
    queue.settle(entries, 'sent', { rejectedItems: outcome.rejectedItems })
    for (const { ticket } of entries) ticket?.resolve({ kind: 'taken' })
    tellWarning(outcome)
  }

  function tellWarning({ rejectedItems, message }: Extract<DeliveryOutcome, { kind: 'sent' }>): void {
    if (rejectedItems > 0 || message !== '') {
      emit({ type: 'backend_refused', exporter, status: 200, items: rejectedItems, message })
    }
  }

  function settleDead(entries: readonly QueueEntry[], { status, message }: Omit<Refusal, 'kind'>): void {
    const items = entries.reduce((sum, entry) => sum + entry.parcel.items, 0)
    queue.settle(entries, 'dead', { death: { status, message } })
    for (const { ticket } of entries) ticket?.resolve({ kind: 'refused', exporter, message })
    emit({ type: 'backend_refused', exporter, status, items, message })
  }

  function sleep(durationMs: number): Promise<void> {
    if (phase === 'ended') return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(wakeUp, durationMs)
      function wakeUp(): void {
        clearTimeout(timer)
        sleepers.delete(wakeUp)
        resolve()
      }
      sleepers.add(wakeUp)
    })
  }

  function wakeSleepers(): void {
    for (const wakeUp of sleepers) wakeUp()
  }

  async function close(graceMs: number): Promise<void> {
    phase = 'draining'
    queue.stop()
    const drained = new Promise<void>((resolve) => {
      onDrained = resolve
    })
    // What waits for its backoff gets one prompt try: the process ends before the backoff would.
    wakeSleepers()
    wake()
    const graceTimer = setTimeout(end, graceMs)
    await drained
    clearTimeout(graceTimer)
    clearTimeout(flushTimer)
    await sender.close()
  }

  function end(): void {
    phase = 'ended'
    wake()
    wakeSleepers()
    void sender.close()
  }

  return { isDown: () => isDown, configure, close }
}

/** One request at a time finds out whether it answers again: no sender is kept waiting behind that one. */
const NOT_ANSWERING: Decision = Object.freeze({
  kind: 'untaken',
  detail: 'it has not answered lately',
  retryAfterMs: undefined,
})

function bytesOf(entries: readonly QueueEntry[]): number {
  return entries.reduce((sum, { parcel }) => sum + parcel.byteLength, 0)
}

/** What is to be sent on its own when it was refused together. */
function groupsOf(
  entries: readonly QueueEntry[],
  { isTooLarge }: Refusal,
): readonly (readonly QueueEntry[])[] {
  if (!isTooLarge) return entries.map((entry) => [entry])
  const middle = entries.length >> 1
  return [entries.slice(0, middle), entries.slice(middle)]
}
