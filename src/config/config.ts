/**
 * The effective configuration, as the rest of the program reads it: types only.
 *
 * Made by `load.ts` from YAML and presets: defaults filled in, sizes in bytes, durations in milliseconds,
 * relative paths resolved, keys in camelCase; frozen. The YAML names are in `schema.ts`.
 */
import type { Position, Problem } from '../errors.ts'
import type { Signal } from '../otlp/signal.ts'
import type { Place } from '../policy/place.ts'
import type { Reviews } from '../policy/reviews.ts'

export type { Place }

/** An address to listen on. `localhost` means both 127.0.0.1 and ::1. */
export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

/** A text whose `${file:…}` parts are read when it is used, and again when the file changes. */
export type SecretText = readonly (string | { readonly file: string })[]

export interface ReceiverConfig {
  readonly endpoint: ListenAddress
  readonly requestBodyBytesMax: number
  readonly inFlightBytesMax: number
  readonly corsAllowedOrigins: readonly string[]
}

export interface StorageConfig {
  readonly directory: string
  readonly bytesMax: number
  readonly deadLettersBytesMax: number
  readonly quarantineBytesMax: number
  readonly retentionMs: number
}

export interface AdminConfig {
  readonly endpoint: ListenAddress
  readonly healthEndpoint: ListenAddress | undefined
  readonly token: SecretText | undefined
}

export interface BatchConfig {
  readonly bytesMin: number
  readonly bytesMax: number
  readonly flushTimeoutMs: number
}

export interface QueueConfig {
  /** `disk`: durable before the sender hears 200. */
  readonly storage: 'disk' | 'memory'
  readonly bytesMax: number
  readonly onFull: 'refuse' | 'drop_oldest'
  readonly consumers: number
  /** The sender's 200 waits for the backend's. */
  readonly waitsForResult: boolean
  readonly batch: BatchConfig
}

export interface RetryConfig {
  readonly enabled: boolean
  readonly initialIntervalMs: number
  readonly maxIntervalMs: number
  /** 0: for ever. */
  readonly maxElapsedTimeMs: number
  readonly multiplier: number
  readonly randomizationFactor: number
}

export interface TlsConfig {
  readonly caFile: string | undefined
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
  readonly insecureSkipVerify: boolean
}

export interface OtlpHttpExporterConfig {
  readonly kind: 'otlp_http'
  readonly name: string
  readonly position: Position
  /** The full URL for each signal that this exporter can take. */
  readonly urls: Readonly<Partial<Record<Signal, string>>>
  readonly encoding: 'proto' | 'json'
  readonly compression: 'gzip' | 'zstd' | 'none'
  readonly headers: Readonly<Record<string, SecretText>>
  readonly timeoutMs: number
  readonly tls: TlsConfig
  readonly queue: QueueConfig
  readonly retry: RetryConfig
}

export interface FileExporterConfig {
  readonly kind: 'file'
  readonly name: string
  readonly position: Position
  readonly path: string
  /** Rotation happens before a line that would pass it. */
  readonly fileBytesMax: number
  readonly backupsMax: number
  readonly queue: QueueConfig
}

export interface DebugExporterConfig {
  readonly kind: 'debug'
  readonly name: string
  readonly position: Position
  readonly queue: QueueConfig
}

export type ExporterConfig = OtlpHttpExporterConfig | FileExporterConfig | DebugExporterConfig

/** Where an item's target is read: an OTTL path and the values that do not count as present. */
export interface TargetPathSpec {
  readonly path: string
  readonly except: readonly string[]
  readonly position: Position
}

/** One selector of an accept line: a word (`family`, target, `*`, `foreign`, `any`) or a map, all of whose parts must hold. */
export interface SelectorSpec {
  readonly position: Position
  readonly word: string | undefined
  readonly family: string | undefined
  readonly target: string | undefined
  /** Globs; one of them must match. Empty: any. */
  readonly eventNames: readonly string[]
  /** Resource attribute key → globs, one of which must match. */
  readonly resource: Readonly<Record<string, readonly string[]>>
}

export interface AcceptLineSpec {
  /** True for `except: {…}`: the items that it names are not taken. */
  readonly except: boolean
  readonly items: 'events' | 'spans' | 'points'
  readonly selectors: readonly SelectorSpec[]
  readonly position: Position
}

export interface FamilySpec {
  readonly name: string
  readonly targets: readonly { readonly target: string; readonly position: Position }[]
  readonly owner: string | undefined
  readonly position: Position
}

/** One line of a lane's field policy. Order matters; the verbs are the contract's. */
export interface FieldRuleSpec {
  readonly verb: 'keep' | 'remove' | 'only' | 'hash' | 'truncate'
  /** Exact keys, globs, or texts (`@name`). */
  readonly keys: readonly { readonly key: string; readonly position: Position }[]
  /** `truncate … to`: how many UTF-8 bytes stay. Undefined for the other verbs. */
  readonly bytesMax: number | undefined
  /** Empty: every place. */
  readonly on: readonly Place[]
  /** Family names; empty: any. */
  readonly families: readonly string[]
  /** Globs; empty: any. */
  readonly eventNames: readonly string[]
  readonly position: Position
}

export interface LaneSpec {
  readonly name: string
  readonly signal: Signal
  /** The user's lines, then the preset's. */
  readonly accept: readonly AcceptLineSpec[]
  /** The user's lines, then the preset's. */
  readonly fields: readonly FieldRuleSpec[]
  readonly unlistedFields: 'keep' | 'remove'
  readonly wire: 'as_is' | 'canonical'
  readonly exporters: readonly { readonly name: string; readonly position: Position }[]
  readonly position: Position
}

export type Disposal = 'forward' | 'quarantine' | 'drop'

/** What the policy compiler reads. Every rule keeps its place in the file that it came from. */
export interface PolicySpec {
  readonly namespace: string
  readonly match: 'segment' | 'prefix'
  readonly target: {
    readonly logRecord: readonly TargetPathSpec[]
    readonly spanEvent: readonly TargetPathSpec[]
    readonly span: readonly TargetPathSpec[]
  }
  readonly families: readonly FamilySpec[]
  /** Targets whose events a review has rejected. */
  readonly rejected: readonly { readonly target: string; readonly position: Position }[]
  readonly unreviewed: Disposal
  readonly foreign: Disposal
  readonly rehome: { readonly toLogs: boolean; readonly toTraces: boolean }
  /** Where each of these three was said, for `explain`. */
  readonly positions: { readonly unreviewed: Position; readonly foreign: Position; readonly rehome: Position }
  readonly lanes: readonly LaneSpec[]
}

/** Keys of HMAC-SHA-256 that are shorter than its digest are weaker than it. */
export const HASH_KEY_BYTES_MIN = 32

export interface Config {
  /** What `laneway ready` says of it: the files' names, or `built-in`. */
  readonly source: string
  readonly receiver: ReceiverConfig
  readonly storage: StorageConfig
  readonly admin: AdminConfig
  readonly shutdownDelayMs: number
  readonly shutdownGraceMs: number
  /** With the reviews taken up. */
  readonly policy: PolicySpec
  readonly reviews: Reviews
  /** Where `laneway review` writes, whether the file is there or not. */
  readonly reviewsFile: string
  /** Paths of all files that it was made of, the reviews file last. */
  readonly files: readonly string[]
  /** Key of the `hash` verb; undefined: the one in the storage folder. */
  readonly hashKey: SecretText | undefined
  /** In the order of the file. */
  readonly exporters: readonly ExporterConfig[]
  readonly telemetry: { readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent' }
  /** What is doubtful but usable, with its line. */
  readonly warnings: readonly Problem[]
}
