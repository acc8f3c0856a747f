/**
 * The flow of one request, top to bottom: route, write the parcels, admit all or none, and tell the ledger.
 *
 * In: the protobuf bytes of one request and the memory that holds them. Out: whether the sender may forget them.
 * What is in force is read once, so a request finishes under the policy that it began with. The request enters the
 * ledger in one step, when its fate is known; a request that cannot be read has no items and enters nothing.
 */
import { collectedPin, type HeldParcel, type Parcel, type Pin } from './otlp/parcel.ts'
import type { Signal } from './otlp/signal.ts'
import type { Policy } from './policy/compile.ts'
import { type RoutedParcel, route } from './policy/route.ts'
import type { Emit } from './telemetry/events.ts'
import type { Reason, TallyRow } from './telemetry/tally.ts'

export interface PipelineRequest {
  readonly signal: Signal
  /** One whole Export*ServiceRequest. */
  readonly body: Uint8Array
  /** The memory behind `body`; one hold on it passes to the pipeline. */
  readonly pin: Pin
}

export type Reception =
  | { readonly accepted: true }
  /** A backend whose answer the sender waits for refused it for good: 400, and it must not be sent again. */
  | { readonly accepted: false; readonly refusal: string }
  | {
      readonly accepted: false
      readonly reason: Reason
      /** For the sender: what is full and what helps. Never content. */
      readonly message: string
      readonly retryAfterSeconds: number
    }

/** What admission answers; made by the lanes. */
export type Admission =
  /** `unheld`: for which of the held parcels, by index, the quarantine had no room. */
  | { readonly admitted: true; readonly refusal?: string; readonly unheld?: readonly number[] }
  | {
      readonly admitted: false
      readonly reason: 'queue_full' | 'full' | 'stopping'
      readonly message: string
      readonly retryAfterSeconds: number
    }

/** What one request begins and ends with. */
export interface InForce {
  readonly policy: Policy
  /**
   * Takes all parcels into the queues of their lanes, and what is held into quarantine, or none. Retains what it keeps,
   * and by which policy it was made.
   */
  readonly admit: (
    parcels: readonly Parcel[],
    policy: string,
    quarantine: { readonly held: readonly HeldParcel[] },
  ) => Promise<Admission>
}

export interface PipelineParts {
  /** Read once a request. */
  readonly inForce: () => InForce
  /** Memory for the bytes of a parcel, with one hold on it. */
  readonly allocate: (bytes: number) => { readonly buffer: Uint8Array; readonly pin: Pin }
  readonly emit: Emit
}

export type Handle = (request: PipelineRequest) => Promise<Reception>

const ACCEPTED: Reception = Object.freeze({ accepted: true })

export function createPipeline({ inForce, allocate, emit }: PipelineParts): Handle {
  return async (request) => {
    const { signal, pin } = request
    const parcels: Parcel[] = []
    const { policy, admit } = inForce()
    try {
      const { parcels: routed, held, tally, findings, sightings } = route(request.body, signal, policy)
      if (sightings.length > 0) emit({ type: 'events_seen', sightings })
      if (findings.length > 0) emit({ type: 'findings_noted', findings })
      for (const parcel of routed) parcels.push(writeParcel(parcel, request, allocate))
      const isEmpty = parcels.length === 0 && held.length === 0
      const admission = isEmpty ? undefined : await admit(parcels, policy.digest, { held })
      if (admission === undefined || admission.admitted) {
        const unheld = admission?.unheld?.map((index) => held[index]) ?? []
        emit({ type: 'request_decided', signal, tally: [...tally, ...unheld.flatMap(droppedAsFull)] })
        if (unheld.length > 0) emit({ type: 'held_dropped', items: itemsOf(unheld), reason: 'full' })
        const refusal = admission?.refusal
        return refusal === undefined ? ACCEPTED : { accepted: false, refusal }
      }
      const { reason, message, retryAfterSeconds } = admission
      emit({ type: 'request_decided', signal, tally: refused(tally, reason) })
      return { accepted: false, reason, message, retryAfterSeconds }
    } finally {
      for (const parcel of parcels) parcel.pin.release()
      pin.release()
    }
  }
}

/** The finished parcel: the request's own bytes where nothing was edited, else the spliced ones in new memory. */
function writeParcel(
  routed: RoutedParcel,
  request: PipelineRequest,
  allocate: PipelineParts['allocate'],
): Parcel {
  const { lane, signal, items, content } = routed
  if (content === undefined) {
    request.pin.retain()
    return { lane, signal, items, chunks: [request.body], byteLength: request.body.length, pin: request.pin }
  }
  if (content instanceof Uint8Array) {
    return {
      lane,
      signal,
      items,
      chunks: [content],
      byteLength: content.length,
      pin: collectedPin(content.length),
    }
  }
  const { buffer, pin } = allocate(content.byteLength)
  content.write(buffer, 0)
  content.release()
  const bytes = buffer.subarray(0, content.byteLength)
  return { lane, signal, items, chunks: [bytes], byteLength: content.byteLength, pin }
}

/** What was to be held and found no room: a row of less and a row of more. */
function droppedAsFull({ carriage, family, reason, items }: HeldParcel): readonly TallyRow[] {
  return [
    { carriage, family, lane: '', outcome: 'quarantined', reason, items: -items },
    { carriage, family, lane: '', outcome: 'dropped', reason: 'quarantine_full', items },
  ]
}

function itemsOf(parcels: readonly HeldParcel[]): number {
  return parcels.reduce((sum, { items }) => sum + items, 0)
}

/** The whole request was refused: whatever had been decided of its items, their fate is that. */
function refused(tally: readonly TallyRow[], reason: Reason): readonly TallyRow[] {
  return tally
    .filter(({ outcome }) => outcome !== 'copied')
    .map(({ carriage, family, items }) => ({ carriage, family, lane: '', outcome: 'refused', reason, items }))
}
