/**
 * What Laneway says of itself, put together: events go in, the ledger, the metrics and the log come out.
 *
 * `emit` is synchronous, never throws for a known event and does no I/O but a log line. It is on the path of every
 * request, so it only adds numbers.
 */
import type { Config } from '../config/config.ts'
import { createDoubles } from './doubles.ts'
import type { Emit } from './events.ts'
import type { Finding } from './finding.ts'
import { createFindings, type Findings } from './findings.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { createLog, type Log, type LogOptions } from './log.ts'
import { createMetrics, type Metrics, type Stats } from './metrics.ts'
import { createRequestCounts } from './requests.ts'

export interface Telemetry {
  readonly emit: Emit
  readonly ledger: Ledger
  readonly findings: Findings
  /** The text of one Prometheus scrape. `stats` is what queues and storage say now. */
  metricsText(stats: Stats): Promise<string>
  readonly log: Log
}

export interface TelemetryOptions {
  readonly config: Config['telemetry']
  /** Names of the exporters of the configuration. */
  readonly exporters: readonly string[]
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  readonly destination: LogOptions['destination']
}

export function createTelemetry({ config, exporters, clock, destination }: TelemetryOptions): Telemetry {
  const startedMs = clock()
  const ledger = createLedger({ exporters, sinceMs: startedMs })
  const requests = createRequestCounts()
  const log = createLog({ level: config.logLevel, clock, destination })
  const findings = createFindings()
  const doubles = createDoubles()
  let metrics: Promise<Metrics> | undefined

  function noteFindings(noted: readonly Finding[]): void {
    for (const finding of findings.record(noted, clock())) log.recordNew(finding)
  }

  const emit: Emit = (event) => {
    switch (event.type) {
      case 'request_decided':
      case 'quarantine_changed':
      case 'parcel_admitted':
      case 'parcel_settled':
        ledger.record(event)
        break
      case 'request_answered':
        requests.record(event)
        log.record(event)
        break
      case 'findings_noted':
        noteFindings(event.findings)
        break
      case 'events_seen':
        noteFindings(doubles.note(event.sightings, clock()))
        break
      case 'backend_down':
      case 'backend_up':
      case 'backend_refused':
      case 'storage_refusing':
      case 'storage_recovered':
      case 'storage_replaced':
      case 'dead_letters_gone':
      case 'held_dropped':
      case 'fault':
        log.record(event)
        break
    }
  }

  async function metricsText(stats: Stats): Promise<string> {
    metrics ??= createMetrics()
    return (await metrics).text({
      ledger: ledger.snapshot(),
      requests: requests.counts(),
      requestDurations: requests.distribution(),
      findings: findings.counts(),
      stats,
      startedMs,
    })
  }

  return { emit, ledger, findings, metricsText, log }
}
