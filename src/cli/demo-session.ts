/**
 * The made session of `laneway demo`, as the three requests that a JavaScript SDK would send for it.
 *
 * In: config/demo/session.json, which says what happened and when. Out: protobuf bodies made by OpenTelemetry's
 * own serializers from plain objects, with fresh ids and the time of now. The serializers are loaded here and
 * only when asked for: a running sidecar never needs them.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Attributes, HrTime, SpanContext } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import type { Signal } from '../otlp/signal.ts'

/** An event, on either carriage. Times count from the start of the session. */
interface DemoEvent {
  readonly target: string
  readonly atMs: number
  readonly severity?: string
  readonly body?: string
  readonly attributes: Attributes
}

export interface DemoSession {
  readonly resource: Readonly<Record<Signal, Attributes>>
  /** Attributes that every event with an `event.name` carries. */
  readonly shared: Attributes
  readonly logRecords: readonly (DemoEvent & { readonly span: string })[]
  readonly spans: readonly {
    readonly id: string
    readonly parent: string | null
    readonly name: string
    readonly target: string
    readonly startMs: number
    readonly endMs: number
    readonly attributes: Attributes
    readonly events: readonly DemoEvent[]
  }[]
  readonly counters: readonly {
    readonly name: string
    readonly value: number
    readonly attributes: Attributes
  }[]
}

export interface DemoRequest {
  readonly signal: Signal
  readonly body: Uint8Array
}

/** OTLP severity numbers of the level names that the session uses. */
const SEVERITY_NUMBERS: Readonly<Record<string, number>> = { DEBUG: 5, INFO: 9 }

/** AggregationTemporality.DELTA, DataPointType.SUM and ValueType.INT, without loading the SDK for three numbers. */
const DELTA = 0
const SUM = 3
const INT = 0

export function readDemoSession(): DemoSession {
  return JSON.parse(readFileSync(new URL('../../config/demo/session.json', import.meta.url), 'utf8'))
}

/** The requests of one session that ends at `nowMs`. */
export async function createDemoRequests(
  session: DemoSession,
  nowMs: number,
): Promise<readonly DemoRequest[]> {
  const { ProtobufLogsSerializer, ProtobufTraceSerializer, ProtobufMetricsSerializer } = await import(
    '@opentelemetry/otlp-transformer'
  )
  const context = createContext(session, nowMs)
  return [
    {
      signal: 'logs',
      body: assertMade(ProtobufLogsSerializer.serializeRequest(toLogRecords(session, context))),
    },
    {
      signal: 'traces',
      body: assertMade(ProtobufTraceSerializer.serializeRequest(toSpans(session, context))),
    },
    {
      signal: 'metrics',
      body: assertMade(ProtobufMetricsSerializer.serializeRequest(toMetrics(session, context))),
    },
  ]
}

interface Context {
  readonly time: (atMs: number) => HrTime
  readonly spanContext: (id: string) => SpanContext
  /** One object for each name: serializers group by its identity. */
  readonly scope: (name: string) => { readonly name: string }
  readonly resource: (signal: Signal) => Resource
}

function createContext(session: DemoSession, nowMs: number): Context {
  const startMs = nowMs - Math.max(...session.spans.map((span) => span.endMs))
  const traceId = randomBytes(16).toString('hex')
  const spanIds = new Map(session.spans.map((span) => [span.id, randomBytes(8).toString('hex')]))
  const scopes = new Map<string, { readonly name: string }>()
  return {
    time: (atMs) => [Math.floor((startMs + atMs) / 1000), ((startMs + atMs) % 1000) * 1_000_000],
    spanContext: (id) => ({ traceId, spanId: spanIds.get(id) ?? '', traceFlags: 1 }),
    scope: (name) => {
      const scope = scopes.get(name) ?? { name }
      scopes.set(name, scope)
      return scope
    },
    resource: (signal) => createResource(session.resource[signal]),
  }
}

function createResource(attributes: Attributes): Resource {
  const resource: Resource = {
    attributes,
    merge: () => resource,
    getRawAttributes: () => Object.entries(attributes),
  }
  return resource
}

/** A log record's target is its scope's name, as `tracing`'s appender writes it. */
function toLogRecords(session: DemoSession, context: Context): ReadableLogRecord[] {
  const resource = context.resource('logs')
  return session.logRecords.map((record) => ({
    hrTime: [0, 0],
    hrTimeObserved: context.time(record.atMs),
    spanContext: context.spanContext(record.span),
    severityText: record.severity ?? 'INFO',
    severityNumber: SEVERITY_NUMBERS[record.severity ?? 'INFO'],
    body: record.body,
    eventName: 'event demo',
    resource,
    instrumentationScope: context.scope(record.target),
    attributes: toAttributes(record, session),
    droppedAttributesCount: 0,
  }))
}

/** A span's target, and that of an event on a span, is an attribute. */
function toSpans(session: DemoSession, context: Context): ReadableSpan[] {
  const resource = context.resource('traces')
  return session.spans.map((span) => ({
    name: span.name,
    kind: 0,
    spanContext: () => context.spanContext(span.id),
    ...(span.parent === null ? {} : { parentSpanContext: context.spanContext(span.parent) }),
    startTime: context.time(span.startMs),
    endTime: context.time(span.endMs),
    duration: [0, (span.endMs - span.startMs) * 1_000_000],
    ended: true,
    status: { code: 0 },
    attributes: { target: span.target, ...span.attributes },
    links: [],
    events: span.events.map((event) => ({
      time: context.time(event.atMs),
      name: 'event demo',
      attributes: { level: event.severity ?? 'INFO', target: event.target, ...toAttributes(event, session) },
    })),
    resource,
    instrumentationScope: context.scope(String(session.resource.traces['service.name'])),
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }))
}

function toAttributes(event: DemoEvent, session: DemoSession): Attributes {
  return event.attributes['event.name'] === undefined
    ? event.attributes
    : { ...event.attributes, ...session.shared }
}

function toMetrics(session: DemoSession, context: Context): ResourceMetrics {
  const endMs = Math.max(...session.spans.map((span) => span.endMs))
  return {
    resource: context.resource('metrics'),
    scopeMetrics: [
      {
        scope: context.scope('codex'),
        metrics: session.counters.map(({ name, value, attributes }) => ({
          descriptor: { name, description: '', unit: '', valueType: INT },
          aggregationTemporality: DELTA,
          dataPointType: SUM,
          isMonotonic: true,
          dataPoints: [{ startTime: context.time(0), endTime: context.time(endMs), attributes, value }],
        })),
      },
    ],
  }
}

function assertMade(body: Uint8Array | undefined): Uint8Array {
  if (body === undefined) throw new Error('the OTLP serializer made no request')
  return body
}
