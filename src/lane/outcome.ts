/**
 * What became of one try to deliver a request to one destination, and what every destination looks like.
 *
 * The only question that decides delivery is whether the same bytes may succeed later: `retryable` says yes,
 * `permanent` says no. No `detail` or `message` of ours holds record content.
 *
 * Source: opentelemetry-proto docs/specification.md, OTLP/HTTP response and failures.
 */
import type { Parcel } from '../otlp/parcel.ts'
import type { Signal } from '../otlp/signal.ts'

export type DeliveryOutcome =
  /** The destination took it, but for `rejectedItems` that it refused for good. `message` is its warning, or empty. */
  | { readonly kind: 'sent'; readonly rejectedItems: number; readonly message: string }
  /** It may succeed later. `detail` says what is wrong and, where we know it, the remedy. */
  | { readonly kind: 'retryable'; readonly detail: string; readonly retryAfterMs: number | undefined }
  /** It will never succeed. `status` is the HTTP status, or 0 where none was received. Too large: its parts may succeed. */
  | {
      readonly kind: 'permanent'
      readonly status: number
      readonly message: string
      readonly isTooLarge?: boolean
    }

export const SENT: DeliveryOutcome = { kind: 'sent', rejectedItems: 0, message: '' }

/** One destination. Knows nothing of queues and retries; never throws for what a destination may do. */
export interface Sender {
  /** False where parcels keep their own place, as lines of a file do: each is sent alone. */
  readonly joinsParcels: boolean
  /** One try with parcels of one signal, joined to one request. Their memory may be reused once it settles. */
  send(signal: Signal, parcels: readonly Parcel[]): Promise<DeliveryOutcome>
  /** Breaks off what is in flight, which then settles as retryable. */
  close(): Promise<void>
}
