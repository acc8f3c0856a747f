/**
 * The request bodies that the bench sends, made the same in every run.
 *
 * In: nothing, or a folder of captured requests (`BENCH_CORPUS`). Out: named bodies with what is in them.
 * Log records are mostly log_only, some network_proxy, some (but for the `clean` variant) in a trace_safe
 * scope where they do not belong; a quarter of the span events are log_only events that do not belong on spans.
 * Other bodies hold nothing misplaced, or nothing else, or fields that must not leave on a trace.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { encodeRequest } from './otlp-schema.ts'
import { createDraws } from './random.ts'
import { attributes, createLogRecord, createSpan, type SpanShares } from './session.ts'

/**
 * Who meets whom. `peers`: everybody, on what everybody can do. `policy`: traces, with fields that must not leave.
 * `variants`: what only Laneway can do, and what its variants should do alike.
 */
export type Comparison = 'peers' | 'policy' | 'variants'

export interface Body {
  readonly name: string
  readonly comparisons: readonly Comparison[]
  readonly signal: 'logs' | 'traces'
  readonly contentType: string
  readonly contentEncoding: 'identity' | 'gzip'
  readonly bytes: Buffer
  /** Size before compression: what CPU per GB is counted by. */
  readonly plainByteLength: number
  /** Log records or spans. */
  readonly items: number
  /** Requests a second of the fixed-rate phase: moderate for every subject. */
  readonly ratePerSecond: number
}

const SEED = 20261123
const RESOURCE = {
  attributes: attributes({
    'service.name': 'codex_cli_rs',
    'service.version': '0.112.0',
    env: 'dev',
    'telemetry.sdk.language': 'rust',
    'telemetry.sdk.name': 'opentelemetry',
    'telemetry.sdk.version': '0.31.0',
  }),
}

/** Makes a logs request: one ScopeLogs a target, as the Rust SDK groups them. */
function logsJson(count: number, shares: Readonly<Record<string, number>>): string {
  const draws = createDraws(SEED)
  let index = 0
  const scopeLogs = Object.entries(shares).map(([target, share]) => ({
    scope: { name: target },
    logRecords: Array.from({ length: Math.round(count * share) }, () =>
      createLogRecord(target, index++, draws),
    ),
  }))
  return JSON.stringify({ resourceLogs: [{ resource: RESOURCE, scopeLogs }] })
}

function tracesJson(count: number, shares: SpanShares): string {
  const draws = createDraws(SEED)
  const spans = Array.from({ length: count }, (_, index) => createSpan(index, shares, draws))
  const scopeSpans = [{ scope: { name: 'codex_cli_rs' }, spans }]
  return JSON.stringify({ resourceSpans: [{ resource: RESOURCE, scopeSpans }] })
}

const MIXED = {
  'codex_otel.log_only': 0.75,
  'codex_otel.network_proxy': 0.1875,
  'codex_otel.trace_safe': 0.0625,
}
const CLEAN = { 'codex_otel.log_only': 0.8125, 'codex_otel.network_proxy': 0.1875 }
const TRACE_SAFE = { 'codex_otel.trace_safe': 1 }

const MISPLACED = { misplaced: 0.25, exposed: 0 }

/** All generated bodies, in the order of the report. */
export function createBodies(): readonly Body[] {
  const large = { items: 512, ratePerSecond: 40, comparisons: ['peers'] } as const
  const small = { items: 16, ratePerSecond: 400, comparisons: ['peers'] } as const
  const policy = { ...large, comparisons: ['policy'] } as const
  const variants = { ...large, comparisons: ['variants'] } as const
  const logs = logsJson(large.items, MIXED)
  const traces = (shares: SpanShares): string => tracesJson(large.items, shares)
  return [
    protobufBody('logs512', 'logs', logs, large),
    protobufBody('traces512', 'traces', traces(MISPLACED), { ...large, comparisons: ['peers', 'policy'] }),
    protobufBody('logs16', 'logs', logsJson(small.items, MIXED), small),
    protobufBody('traces16', 'traces', tracesJson(small.items, MISPLACED), small),
    gzipBody('logs512gzip', protobufBody('', 'logs', logs, large)),
    jsonBody('logs512json', 'logs', logs, large),
    protobufBody('traces512clean', 'traces', traces({ misplaced: 0, exposed: 0 }), policy),
    protobufBody('traces512exposed', 'traces', traces({ misplaced: 0.25, exposed: 0.25 }), policy),
    protobufBody('traces512logonly', 'traces', traces({ misplaced: 1, exposed: 0 }), variants),
    protobufBody('logs512tracesafe', 'logs', logsJson(large.items, TRACE_SAFE), variants),
    protobufBody('logs512clean', 'logs', logsJson(large.items, CLEAN), variants),
  ]
}

interface Volume {
  readonly comparisons: readonly Comparison[]
  readonly items: number
  readonly ratePerSecond: number
}

function protobufBody(name: string, signal: 'logs' | 'traces', json: string, volume: Volume): Body {
  return rawBody(name, signal, 'application/x-protobuf', encodeRequest(signal, json), volume)
}

function jsonBody(name: string, signal: 'logs' | 'traces', json: string, volume: Volume): Body {
  return rawBody(name, signal, 'application/json', Buffer.from(json), volume)
}

function rawBody(
  name: string,
  signal: 'logs' | 'traces',
  contentType: string,
  bytes: Buffer,
  volume: Volume,
): Body {
  return {
    name,
    signal,
    contentType,
    contentEncoding: 'identity',
    bytes,
    plainByteLength: bytes.length,
    ...volume,
  }
}

function gzipBody(name: string, body: Body): Body {
  return { ...body, name, contentEncoding: 'gzip', bytes: gzipSync(body.bytes) }
}

/** Captured requests of the Rust SDK: its bursts, protobuf and uncompressed. The folder holds `corpus.json`. */
export function readCorpusBodies(folder: string): readonly Body[] {
  const entries: unknown = JSON.parse(readFileSync(join(folder, 'corpus.json'), 'utf8'))
  if (!Array.isArray(entries)) throw new Error(`${folder}/corpus.json is not a list`)
  return entries.flatMap(
    (entry: { file: string; signal: string; items: { records?: number; spans?: number } }) => {
      const { file, signal } = entry
      if (!/^rust\/\d+-(logs|traces)-burst\.pb$/.test(file) || (signal !== 'logs' && signal !== 'traces'))
        return []
      const items = entry.items.records ?? entry.items.spans ?? 0
      const bytes = readFileSync(join(folder, file))
      return [
        rawBody(`corpus-${signal}`, signal, 'application/x-protobuf', bytes, {
          items,
          ratePerSecond: 40,
          comparisons: ['peers'],
        }),
      ]
    },
  )
}
