/**
 * A ticket: what a sender holds who waits for the backend's answer (`wait_for_result`).
 *
 * Laneway does not try again for somebody who waits: after the first try it is known what to tell the sender, and a
 * sender that hears 503 sends again. So the parcel is withdrawn then, or it would arrive twice.
 *
 * Source: decision 0009.
 */

export type Result =
  | { readonly kind: 'taken' }
  /** Refused for good; the parcel is a dead letter. */
  | { readonly kind: 'refused'; readonly exporter: string; readonly message: string }
  /** It may succeed later. The parcel is in no queue any more. */
  | {
      readonly kind: 'untaken'
      readonly exporter: string
      readonly detail: string
      readonly retryAfterMs: number | undefined
    }

export interface Ticket {
  readonly result: Promise<Result>
  /** Only the first word counts. */
  resolve(result: Result): void
}

export function createTicket(): Ticket {
  const { promise, resolve } = Promise.withResolvers<Result>()
  return { result: promise, resolve }
}
