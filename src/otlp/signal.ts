/**
 * The three signals of OTLP as values, and what differs between them on the wire.
 *
 * Source: opentelemetry-proto 1.11, collector/{logs,trace,metrics}/v1 and docs/specification.md (OTLP/HTTP paths).
 */

export const SIGNALS = ['logs', 'traces', 'metrics'] as const
/** Which OTLP request carries an item. */
export type Signal = (typeof SIGNALS)[number]

export const CARRIAGES = ['log_record', 'span', 'span_event', 'data_point'] as const
/** How an item travels. An event has two: a LogRecord, or a Span.Event inside a span. */
export type Carriage = (typeof CARRIAGES)[number]

export interface SignalTraits {
  /** Default URL path of the OTLP/HTTP endpoint. */
  readonly path: string
  /** JSON name of field 1 of the request: the list of resources. */
  readonly resourcesKey: string
  /** Full name of the request message, as in the .proto files. */
  readonly requestMessage: string
  /** JSON name of the count in `partial_success`. */
  readonly rejectedKey: string
}

export const SIGNAL_TRAITS: Readonly<Record<Signal, SignalTraits>> = {
  logs: {
    path: '/v1/logs',
    resourcesKey: 'resourceLogs',
    requestMessage: 'ExportLogsServiceRequest',
    rejectedKey: 'rejectedLogRecords',
  },
  traces: {
    path: '/v1/traces',
    resourcesKey: 'resourceSpans',
    requestMessage: 'ExportTraceServiceRequest',
    rejectedKey: 'rejectedSpans',
  },
  metrics: {
    path: '/v1/metrics',
    resourcesKey: 'resourceMetrics',
    requestMessage: 'ExportMetricsServiceRequest',
    rejectedKey: 'rejectedDataPoints',
  },
}
