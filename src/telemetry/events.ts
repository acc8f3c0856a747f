/**
 * Everything that Laneway says of itself, as typed events in one place.
 *
 * Parts of the program emit events; the ledger, the Prometheus metrics and the log listen. No event carries
 * record content: only counts, names from the configuration, codes and durations.
 */
import type { Signal } from '../otlp/signal.ts'
import type { Sighting } from './doubles.ts'
import type { Finding } from './finding.ts'
import type { Reason, TallyRow } from './tally.ts'

export type TelemetryEvent =
  /** The fate of one whole request is known: its items enter the ledger in one step. */
  | { readonly type: 'request_decided'; readonly signal: Signal; readonly tally: readonly TallyRow[] }
  /**
   * What is held changed without a request: it was counted again at a start, released, discarded or grew too old. Rows of
   * less and rows of more, in one step.
   */
  | { readonly type: 'quarantine_changed'; readonly signal: Signal; readonly tally: readonly TallyRow[] }
  /** Items found the quarantine full and were dropped, or waited there longer than they are kept. */
  | { readonly type: 'held_dropped'; readonly items: number; readonly reason: 'full' | 'retention' }
  /** A request was answered. `reason` is empty for 200, 408 and 500, where the code says it all. */
  | {
      readonly type: 'request_answered'
      readonly signal: Signal | 'unknown'
      readonly code: number
      readonly reason: Reason | 'unsupported' | ''
      readonly durationMs: number
    }
  /** A parcel entered an exporter's queue. */
  | {
      readonly type: 'parcel_admitted'
      readonly exporter: string
      readonly items: number
      readonly bytes: number
    }
  /** A parcel, or a part of one, left an exporter's queue for good. */
  | {
      readonly type: 'parcel_settled'
      readonly exporter: string
      readonly outcome: 'sent' | 'rejected' | 'dead' | 'lost'
      readonly items: number
      readonly bytes: number
    }
  /** An exporter cannot deliver just now; said once a change, not once a try. `detail` holds no content of records. */
  | { readonly type: 'backend_down'; readonly exporter: string; readonly detail: string }
  | { readonly type: 'backend_up'; readonly exporter: string }
  /** A backend refused items for good, or warned. `message` is the backend's own, cut to a bounded length. */
  | {
      readonly type: 'backend_refused'
      readonly exporter: string
      readonly status: number
      readonly items: number
      readonly message: string
    }
  /** One request held what a person should review. Names of targets and keys come from the request; values never do. */
  | { readonly type: 'findings_noted'; readonly findings: readonly Finding[] }
  /** Some of the events that one request held, by what tells that they came twice. */
  | { readonly type: 'events_seen'; readonly sightings: readonly Sighting[] }
  /** The store cannot take anything just now; said once a change. `detail` names the directory and the remedy. */
  | { readonly type: 'storage_refusing'; readonly fault: string; readonly detail: string }
  | { readonly type: 'storage_recovered' }
  /** The store began anew: a damaged one was set aside at `path`, or one was rebuilt there behind its removal. */
  | { readonly type: 'storage_replaced'; readonly cause: 'damaged' | 'removed'; readonly path: string }
  /** Dead letters made room for newer ones, or passed their retention. */
  | { readonly type: 'dead_letters_gone'; readonly count: number; readonly reason: 'full' | 'retention' }
  /** A bug or a broken machine: something failed that nobody expected. `detail` is where in the code, no content. */
  | {
      readonly type: 'fault'
      readonly place: 'receiver' | 'admin' | 'store' | 'reload'
      readonly detail: string
    }

export type Emit = (event: TelemetryEvent) => void
