/**
 * The JavaScript SDK's own exporters, pointed at Laneway as a user points them: what they export arrives on its lane.
 */
import { SeverityNumber } from '@opentelemetry/api-logs'
import { OTLPLogExporter as JsonLogExporter } from '@opentelemetry/exporter-logs-otlp-http'
import { OTLPLogExporter as ProtoLogExporter } from '@opentelemetry/exporter-logs-otlp-proto'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto'
import { OTLPTraceExporter as JsonTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as ProtoTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs'
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import t from 'tap'
import { messagesOf } from '../oracle/oracle.ts'
import { arrivedAt, drained, type Flow, receivedItems, rowItems, startFlow, startSink } from './flow.ts'
import { bodiesIn, metricsIn, recordsIn, spansIn } from './records.ts'

const resource = resourceFromAttributes({ 'service.name': 'sdk-test' })

const configOf = (url: string): string => `
policy: { preset: codex }
exporters: { otlp_http: { endpoint: "${url}", compression: none } }
lanes:
  log: { exporters: [otlp_http] }
  trace: { exporters: [otlp_http] }
  metric: { exporters: [otlp_http] }
`

const ways = {
  'protobuf with gzip': { Logs: ProtoLogExporter, Traces: ProtoTraceExporter, compression: 'gzip' },
  protobuf: { Logs: ProtoLogExporter, Traces: ProtoTraceExporter, compression: 'none' },
  JSON: { Logs: JsonLogExporter, Traces: JsonTraceExporter, compression: 'none' },
  'JSON with gzip': { Logs: JsonLogExporter, Traces: JsonTraceExporter, compression: 'gzip' },
} as const

for (const [way, { Logs, Traces, compression }] of Object.entries(ways)) {
  t.test(`the SDK's logs and traces, in ${way}, arrive on their lanes`, async (t) => {
    const sink = await startSink(t)
    const flow = await startFlow(t, configOf(sink.url))
    // Read by the exporters when they are made.
    process.env.OTEL_EXPORTER_OTLP_COMPRESSION = compression
    const options = (path: string): { readonly url: string } => ({
      url: `${flow.running.receiver}${path}`,
    })
    const logs = new LoggerProvider({
      resource,
      processors: [new BatchLogRecordProcessor({ exporter: new Logs(options('/v1/logs')) })],
    })
    for (let count = 0; count < 100; count++) {
      logs.getLogger('codex_otel.log_only').emit({
        severityNumber: SeverityNumber.INFO,
        severityText: 'INFO',
        body: `record ${count}`,
        attributes: { 'event.name': 'codex.user_prompt', nested: { list: [1, 'two', { three: 3 }] } },
      })
    }
    logs.getLogger('some.library').emit({ body: 'foreign' })

    const traces = new TracerProvider({
      resource,
      spanProcessors: [new BatchSpanProcessor({ exporter: new Traces(options('/v1/traces')) })],
    })
    const span = traces.getTracer('app').startSpan('turn')
    span.addEvent('codex.api_request', { target: 'codex_otel.trace_safe', 'event.name': 'codex.api_request' })
    span.addEvent('rich', { target: 'codex_otel.log_only', 'event.name': 'codex.user_prompt' })
    span.end()
    await Promise.all([logs.forceFlush(), traces.forceFlush()])
    const ledger = await drained(flow)

    t.strictSame(
      bodiesIn(arrivedAt(sink, '/v1/logs')).filter((text) => text.startsWith('record')),
      Array.from({ length: 100 }, (_, count) => `record ${count}`),
    )
    const [turn] = spansIn(arrivedAt(sink, '/v1/traces'))
    t.equal(turn.name, 'turn')
    t.strictSame(
      messagesOf(turn, 'events').map(({ name }) => name),
      ['codex.api_request'],
      'the rich event is not on the trace lane',
    )
    t.equal(rowItems(ledger, { carriage: 'span_event', lane: 'log', outcome: 'rehomed' }), 1)
    t.equal(recordsIn(arrivedAt(sink, '/v1/logs')).length, 101, 'it is on the log lane')
    t.equal(rowItems(ledger, { family: 'foreign', carriage: 'log_record', outcome: 'dropped' }), 1)
    t.strictSame(receivedOf(ledger), [101, 1, 2, 0])
    await Promise.all([logs.shutdown(), traces.shutdown()])
    t.equal((await flow.stop()).code, 0)
  })
}

t.test("the SDK's metrics arrive on their lane", async (t) => {
  const sink = await startSink(t)
  const flow = await startFlow(t, configOf(sink.url))
  const exporter = new OTLPMetricExporter({ url: `${flow.running.receiver}/v1/metrics` })
  const metrics = new MeterProvider({
    resource,
    readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 })],
  })
  const meter = metrics.getMeter('codex')
  meter.createCounter('codex.turns').add(3, { model: 'a' })
  meter.createHistogram('codex.latency').record(12.5)
  await metrics.forceFlush()
  const ledger = await drained(flow)
  t.strictSame(
    metricsIn(arrivedAt(sink, '/v1/metrics')).map(({ name }) => name),
    ['codex.turns', 'codex.latency'],
  )
  t.strictSame(receivedOf(ledger), [0, 0, 0, 2])
  await metrics.shutdown()
})

function receivedOf(ledger: Awaited<ReturnType<Flow['ledger']>>): readonly number[] {
  return (['log_record', 'span', 'span_event', 'data_point'] as const).map((one) =>
    receivedItems(ledger, one),
  )
}
