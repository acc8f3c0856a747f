import t from 'tap'
import { REQUEST_BOUNDS_MS } from '../../src/telemetry/requests.ts'
import { createTelemetry, type Telemetry } from '../../src/telemetry/telemetry.ts'

const STATS = { queueOldestMs: [{ exporter: 'otlp_http/a', ageMs: 2500 }], isStorageRefusing: false }

function createFull(): Telemetry {
  const telemetry = createTelemetry({
    config: { logLevel: 'silent' },
    exporters: ['otlp_http/a'],
    clock: () => 1000,
    destination: { write: () => {} },
  })
  const row = { carriage: 'log_record', family: 'log_only', lane: 'log', reason: '' } as const
  telemetry.emit({
    type: 'request_decided',
    signal: 'logs',
    tally: [
      { ...row, outcome: 'forwarded', items: 7 },
      { ...row, lane: '', outcome: 'quarantined', items: 2 },
    ],
  })
  telemetry.emit({ type: 'request_answered', signal: 'logs', code: 200, reason: '', durationMs: 0.3 })
  telemetry.emit({ type: 'request_answered', signal: 'logs', code: 200, reason: '', durationMs: 60_000 })
  telemetry.emit({
    type: 'request_answered',
    signal: 'unknown',
    code: 404,
    reason: 'unsupported',
    durationMs: 5,
  })
  telemetry.emit({ type: 'parcel_admitted', exporter: 'otlp_http/a', items: 7, bytes: 700 })
  telemetry.emit({ type: 'parcel_settled', exporter: 'otlp_http/a', outcome: 'sent', items: 3, bytes: 300 })
  telemetry.emit({
    type: 'findings_noted',
    findings: [
      {
        kind: 'near_miss',
        target: 'codex_otel2',
        family: 'foreign',
        eventName: '',
        place: undefined,
        keys: [],
        count: 2,
      },
    ],
  })
  return telemetry
}

t.test('every metric of the contract is there under its name, with its labels', async (t) => {
  const text = await createFull().metricsText(STATS)
  for (const line of [
    'laneway_items_total{signal="logs",carriage="log_record",family="log_only",lane="log",outcome="forwarded",reason=""} 7',
    'laneway_items_total{signal="logs",carriage="log_record",family="log_only",lane="",outcome="received",reason=""} 9',
    'laneway_requests_total{signal="logs",code="200",reason=""} 2',
    'laneway_requests_total{signal="unknown",code="404",reason="unsupported"} 1',
    'laneway_exporter_items_total{exporter="otlp_http/a",outcome="sent"} 3',
    'laneway_exporter_items_total{exporter="otlp_http/a",outcome="lost"} 0',
    'laneway_exporter_queued_items{exporter="otlp_http/a"} 4',
    'laneway_exporter_queued_bytes{exporter="otlp_http/a"} 400',
    'laneway_queue_oldest_seconds{exporter="otlp_http/a"} 2.5',
    'laneway_quarantine_items 2',
    'laneway_storage_refusing 0',
    'laneway_findings_total{kind="near_miss"} 2',
    'laneway_request_seconds_bucket{le="0.0005"} 1',
    'laneway_request_seconds_bucket{le="0.005"} 2',
    'laneway_request_seconds_bucket{le="30"} 2',
    'laneway_request_seconds_bucket{le="+Inf"} 3',
    'laneway_request_seconds_count 3',
    '# TYPE laneway_request_seconds histogram',
    '# TYPE laneway_items_total counter',
    'process_start_time_seconds 1',
  ]) {
    t.ok(text.split('\n').includes(line), line)
  }
  t.notMatch(text, /outcome="queued"/)
  t.match(text, /^process_cpu_seconds_total \d/m)
  t.match(text, /^process_resident_memory_bytes \d/m)
})

t.test('a second scrape says the same, not twice as much', async (t) => {
  const telemetry = createFull()
  const strip = (text: string) =>
    text
      .split('\n')
      .filter((line) => !line.startsWith('process_'))
      .join('\n')
  t.equal(strip(await telemetry.metricsText(STATS)), strip(await telemetry.metricsText(STATS)))
})

t.test('every metric is there before anything happened', async (t) => {
  const telemetry = createTelemetry({
    config: { logLevel: 'silent' },
    exporters: [],
    clock: () => 0,
    destination: { write: () => {} },
  })
  const text = await telemetry.metricsText({ queueOldestMs: [], isStorageRefusing: true })
  for (const name of [
    'items_total',
    'requests_total',
    'exporter_items_total',
    'findings_total',
    'request_seconds',
  ]) {
    t.match(text, `# TYPE laneway_${name} `)
  }
  t.match(text, 'laneway_storage_refusing 1')
  t.equal(text.split('laneway_request_seconds_bucket').length - 1, REQUEST_BOUNDS_MS.length + 1)
})
