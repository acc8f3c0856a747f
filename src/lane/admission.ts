/**
 * Admission: the parcels of one request enter the queues of all their exporters, or of none.
 *
 * Three steps. Reserve bytes in every queue that is needed, synchronously, all or none; make the durable parts
 * durable in one commit; hand over, which cannot fail. The sender's 200 means that all three are done.
 *
 * A queue charges what a parcel keeps in memory. A parcel that is under half of its pin is copied into bytes of
 * its own first, so that a small parcel does not keep a large body from being reused. Admission does not take
 * over the caller's hold on a pin: each queue retains it for itself.
 *
 * Source: DESIGN, "How bytes flow".
 */
import { collectedPin, type Parcel } from '../otlp/parcel.ts'
import { copyChunks } from './batch.ts'
import { wastesItsPin } from './charge.ts'
import type { Commit, DurableParcel, QuarantineChange } from './commit.ts'
import type { ExporterQueue } from './queue.ts'
import { createTicket, type Ticket } from './ticket.ts'

/** What a refused sender is told to wait: long enough for a backend to come back, short enough not to lose a session. */
export const RETRY_AFTER_SECONDS = 5

export type Admission =
  /** `refusal`: a backend whose answer was waited for refused it for good, and said so. */
  | {
      readonly admitted: true
      readonly refusal?: string
      /** For which of the held parcels, by index, the quarantine had no room. */
      readonly unheld?: readonly number[]
    }
  | {
      readonly admitted: false
      /** `full`: the store. */
      readonly reason: 'queue_full' | 'full' | 'stopping'
      /** Names the exporter or the directory, and the remedy; never content. */
      readonly message: string
      readonly retryAfterSeconds: number
    }

/** `policy` is the digest of the policy that the parcels were made under; it is kept with what is durable. */
export type Admit = (
  parcels: readonly Parcel[],
  policy?: string,
  quarantine?: QuarantineChange,
) => Promise<Admission>

const NOTHING_HELD: QuarantineChange = Object.freeze({ held: [] })

const ADMITTED: Admission = Object.freeze({ admitted: true })
/** Made once: the hot path allocates no promise. */
const ADMITTED_NOW = Promise.resolve(ADMITTED)

/** `queuesByLane` holds the queues of a lane's exporters. `commit` serves the durable ones among them. */
export function createAdmission(
  queuesByLane: ReadonlyMap<string, readonly ExporterQueue[]>,
  commit?: Commit,
): Admit {
  const durableByLane = new Map(
    [...queuesByLane].map(([lane, queues]) => [
      lane,
      queues.filter(({ isDurable }) => isDurable).map(({ exporter }) => exporter),
    ]),
  )

  function queuesOf(parcel: Parcel): readonly ExporterQueue[] {
    const queues = queuesByLane.get(parcel.lane)
    if (queues === undefined) throw new Error(`no such lane: ${parcel.lane}`)
    return queues
  }

  function reserveAll(parcels: readonly Parcel[]): Admission {
    for (let reserved = 0; reserved < parcels.length; reserved++) {
      const refusal = reserveOne(parcels[reserved])
      if (refusal !== undefined) {
        for (const parcel of parcels.slice(0, reserved)) unreserveOne(parcel, queuesOf(parcel).length)
        return refusal
      }
    }
    // Only now, when no queue has refused: a refused request must not cost anybody their parcels.
    for (const parcel of parcels) {
      for (const queue of queuesOf(parcel)) queue.makeRoom()
    }
    return ADMITTED
  }

  function reserveOne(parcel: Parcel): Admission | undefined {
    const queues = queuesOf(parcel)
    for (let index = 0; index < queues.length; index++) {
      const bytes = queues[index].chargeOf(parcel)
      const reservation = queues[index].reserve(bytes)
      if (reservation === 'reserved') continue
      unreserveOne(parcel, index)
      return reservation === 'full' ? refusedAsFull(queues[index], bytes) : refusedAsStopping(queues[index])
    }
    return undefined
  }

  function unreserveOne(parcel: Parcel, queueCount: number): void {
    const queues = queuesOf(parcel)
    for (const queue of queues.slice(0, queueCount)) queue.unreserve(queue.chargeOf(parcel))
  }

  /** `ids` are the store's, by parcel. What is released has no sender that could wait. */
  function handOver(
    parcels: readonly Parcel[],
    policy: string,
    {
      ids,
      isAwaited = true,
    }: { readonly ids?: ReadonlyMap<Parcel, number>; readonly isAwaited?: boolean } = {},
  ): readonly Ticket[] {
    const tickets: Ticket[] = []
    for (const parcel of parcels) {
      const queues = queuesOf(parcel)
      if (queues.length === 0) continue
      const isCopied = wastesItsPin(parcel)
      const kept = isCopied ? copyOf(parcel) : parcel
      for (const queue of queues) {
        const ticket = queue.waitsForResult && isAwaited ? createTicket() : undefined
        if (ticket !== undefined) tickets.push(ticket)
        queue.push(
          kept,
          queue.chargeOf(parcel),
          queue.isDurable ? ids?.get(parcel) : undefined,
          policy,
          ticket,
        )
      }
      if (isCopied) kept.pin.release()
    }
    return tickets
  }

  function durableOf(parcels: readonly Parcel[]): readonly DurableParcel[] {
    return parcels
      .map((parcel) => ({ parcel, exporters: durableByLane.get(parcel.lane) ?? [] }))
      .filter(({ exporters }) => exporters.length > 0)
  }

  async function commitAndHandOver(
    parcels: readonly Parcel[],
    durable: readonly DurableParcel[],
    {
      commit,
      policy,
      quarantine,
    }: { readonly commit: Commit; readonly policy: string; readonly quarantine: QuarantineChange },
  ): Promise<Admission> {
    let isCommitted = false
    try {
      const committed = await commit(durable, policy, quarantine)
      if ('refusal' in committed) return committed.refusal
      isCommitted = true
      const ids = new Map(durable.map(({ parcel }, index) => [parcel, committed.ids[index]]))
      const isAwaited = quarantine.released === undefined
      const admission = await admissionOf(handOver(parcels, policy, { ids, isAwaited }))
      if (quarantine.held.length === 0) return admission
      if (admission.admitted) return { ...admission, unheld: committed.unheld }
      await committed.unhold()
      return admission
    } finally {
      if (!isCommitted) for (const parcel of parcels) unreserveOne(parcel, queuesOf(parcel).length)
    }
  }

  return (parcels, policy = '', quarantine = NOTHING_HELD) => {
    const admission = reserveAll(parcels)
    if (!admission.admitted) return Promise.resolve(admission)
    if (commit !== undefined) {
      const durable = durableOf(parcels)
      const isDurable = durable.length > 0 || quarantine.held.length > 0 || quarantine.released !== undefined
      if (isDurable) return commitAndHandOver(parcels, durable, { commit, policy, quarantine })
    }
    const admitted = admissionOf(handOver(parcels, policy))
    return quarantine.held.length === 0 ? admitted : withoutRoom(admitted, quarantine)
  }
}

/** What the sender hears: at once, or when all whose answer is waited for have answered. */
function admissionOf(tickets: readonly Ticket[]): Promise<Admission> {
  return tickets.length === 0 ? ADMITTED_NOW : waitFor(tickets)
}

/** Whoever can take it later comes first: then the whole request is worth sending again. */
async function waitFor(tickets: readonly Ticket[]): Promise<Admission> {
  const results = await Promise.all(tickets.map(({ result }) => result))
  const untaken = results.find((result) => result.kind === 'untaken')
  if (untaken !== undefined) {
    const { exporter, detail, retryAfterMs = RETRY_AFTER_SECONDS * 1000 } = untaken
    const message = `exporter ${exporter} could not deliver (wait_for_result): ${detail}`
    return {
      admitted: false,
      reason: 'queue_full',
      message,
      retryAfterSeconds: Math.ceil(retryAfterMs / 1000),
    }
  }
  const refused = results.find((result) => result.kind === 'refused')
  if (refused === undefined) return ADMITTED
  return {
    admitted: true,
    refusal: `the backend of exporter ${refused.exporter} refused it: ${refused.message}`,
  }
}

/** Without a store nothing can be held. */
async function withoutRoom(admitted: Promise<Admission>, { held }: QuarantineChange): Promise<Admission> {
  const admission = await admitted
  return admission.admitted ? { ...admission, unheld: [...held.keys()] } : admission
}

/** The same parcel in memory of its own, with one owner: the caller. */
function copyOf(parcel: Parcel): Parcel {
  // Not from Buffer's shared pool: there a tiny parcel would keep a whole pool block.
  const bytes = Buffer.allocUnsafeSlow(parcel.byteLength)
  copyChunks(parcel.chunks, bytes)
  const { signal, lane, byteLength, items } = parcel
  return { signal, lane, chunks: [bytes], byteLength, items, pin: collectedPin(byteLength) }
}

function refusedAsFull(queue: ExporterQueue, bytes: number): Admission {
  const message =
    bytes > queue.bytesMax
      ? `exporter ${queue.exporter}: a request that needs ${bytes} bytes can never fit its queue of ${queue.bytesMax} bytes; raise sending_queue.queue_size`
      : `exporter ${queue.exporter}: its queue is full (${queue.usedBytes} of ${queue.bytesMax} bytes); see that its backend answers, or raise sending_queue.queue_size`
  return { admitted: false, reason: 'queue_full', message, retryAfterSeconds: RETRY_AFTER_SECONDS }
}

function refusedAsStopping(queue: ExporterQueue): Admission {
  const message = `exporter ${queue.exporter} is stopping; send again to the next instance`
  return { admitted: false, reason: 'stopping', message, retryAfterSeconds: RETRY_AFTER_SECONDS }
}
