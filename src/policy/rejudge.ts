/**
 * What was stored under another policy, judged again under this one: its lane's `accept` and `fields`, and nothing else.
 *
 * In: the bytes of a parcel and its lane. Out: what of them may leave on that lane now, or undefined if nothing may. No
 * item changes its lane: one that the lane does not take any more is dropped. What cannot be read where the policy must
 * look is not let through either. A value that was hashed is hashed again.
 *
 * Source: contract section 2, `storage`; decision 0008.
 */
import type { PolicySpec } from '../config/config.ts'
import { MalformedRequest, TooLarge } from '../errors.ts'
import type { Signal } from '../otlp/signal.ts'
import { compilePolicy, type Policy } from './compile.ts'
import { type RoutedParcel, route } from './route.ts'

export interface Rejudged {
  readonly bytes: Uint8Array
  readonly items: number
}

export interface StoredBytes {
  readonly bytes: Uint8Array
  readonly signal: Signal
  readonly lane: string
}

export type Rejudge = (stored: StoredBytes) => Rejudged | undefined

/** The policy is compiled when it is first needed: most starts have nothing to judge again. */
export function createRejudge(spec: PolicySpec, hashKey: Uint8Array | undefined): Rejudge {
  let compiled: Policy | undefined
  return ({ bytes, signal, lane }) => {
    compiled ??= compilePolicy({ ...spec, rehome: NO_REHOMING }, hashKey).policy
    const parcels = parcelsOf(bytes, signal, compiled).filter((parcel) => parcel.lane === lane)
    const items = parcels.reduce((sum, parcel) => sum + parcel.items, 0)
    if (items === 0) return undefined
    const parts = parcels.map(({ content }) => bytesOf(content, bytes))
    return { bytes: parts.length === 1 ? parts[0] : Buffer.concat(parts), items }
  }
}

const NO_REHOMING: PolicySpec['rehome'] = Object.freeze({ toLogs: false, toTraces: false })

function parcelsOf(bytes: Uint8Array, signal: Signal, policy: Policy): readonly RoutedParcel[] {
  try {
    return route(bytes, signal, policy).parcels.filter((parcel) => parcel.signal === signal)
  } catch (error) {
    if (error instanceof MalformedRequest || error instanceof TooLarge) return []
    throw error
  }
}

function bytesOf(content: RoutedParcel['content'], request: Uint8Array): Uint8Array {
  if (content === undefined) return request
  return content instanceof Uint8Array ? content : content.toBytes()
}
