/**
 * What was held, judged by the policy as it is now: the parcels that may go, and what still waits.
 *
 * In: held parcels of one carriage joined to one request. Out: finished parcels, the tally of the items, and what the
 * policy holds again. Pure. Throws `MalformedRequest` where the policy must look now and cannot read, and `TooLarge`.
 */
import {
  collectedPin,
  type HeldCarriage,
  type HeldParcel,
  type Parcel,
  SIGNAL_OF_HELD,
} from '../otlp/parcel.ts'
import type { Finding } from '../telemetry/finding.ts'
import type { TallyRow } from '../telemetry/tally.ts'
import type { Policy } from './compile.ts'
import { type RoutedParcel, routeHeld } from './route.ts'

export interface ReleasedItems {
  readonly parcels: readonly Parcel[]
  readonly held: readonly HeldParcel[]
  readonly tally: readonly TallyRow[]
  /** Of fields: what there was to say of the items themselves was said when they came. */
  readonly findings: readonly Finding[]
}

export function releaseHeld(bytes: Uint8Array, carriage: HeldCarriage, policy: Policy): ReleasedItems {
  const { parcels, held, tally, findings } = routeHeld(bytes, SIGNAL_OF_HELD[carriage], policy)
  return {
    parcels: parcels.map((parcel) => finish(parcel, bytes)),
    held,
    tally,
    findings: findings.filter(({ place }) => place !== undefined),
  }
}

function finish({ lane, signal, items, content }: RoutedParcel, request: Uint8Array): Parcel {
  const bytes = bytesOf(content, request)
  const { byteLength } = bytes
  return { lane, signal, items, chunks: [bytes], byteLength, pin: collectedPin(byteLength) }
}

function bytesOf(content: RoutedParcel['content'], request: Uint8Array): Uint8Array {
  if (content === undefined) return request
  if (content instanceof Uint8Array) return content
  const bytes = content.toBytes()
  content.release()
  return bytes
}
