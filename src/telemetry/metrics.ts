/**
 * The Prometheus text of `/metrics`, made from the ledger and the request counts when it is asked for.
 *
 * Nothing is counted here, so counters cannot disagree with the ledger. Names and labels are the contract's,
 * section 4. Labels are bounded: signals, carriages, families, lanes, exporters, outcomes and reasons all come
 * from the configuration or from lists in the code, never from a request. prom-client is loaded by the first
 * scrape: a sidecar that nobody scrapes does not pay for it.
 */
import { cpuUsage, memoryUsage } from 'node:process'
import type { LedgerSnapshot } from './ledger.ts'
import { type Distribution, REQUEST_BOUNDS_MS, type RequestCount } from './requests.ts'

/** What only the parts that own it know. Asked at each scrape. */
export interface Stats {
  readonly queueOldestMs: readonly { readonly exporter: string; readonly ageMs: number }[]
  readonly isStorageRefusing: boolean
}

export interface MetricsSource {
  readonly ledger: LedgerSnapshot
  readonly requests: readonly RequestCount[]
  readonly requestDurations: Distribution
  readonly findings: ReadonlyMap<string, number>
  readonly stats: Stats
  readonly startedMs: number
}

export interface Metrics {
  /** The text of one scrape. */
  text(source: MetricsSource): Promise<string>
}

export async function createMetrics(): Promise<Metrics> {
  const { Counter, Gauge, Histogram, Registry } = await import('prom-client')
  const registry = new Registry()
  const registers = [registry]

  const items = new Counter({
    name: 'laneway_items_total',
    help: 'Items received, and what became of them.',
    labelNames: ['signal', 'carriage', 'family', 'lane', 'outcome', 'reason'],
    registers,
  })
  const requests = new Counter({
    name: 'laneway_requests_total',
    help: 'Requests answered.',
    labelNames: ['signal', 'code', 'reason'],
    registers,
  })
  const exporterItems = new Counter({
    name: 'laneway_exporter_items_total',
    help: 'Items that left the queue of an exporter for good.',
    labelNames: ['exporter', 'outcome'],
    registers,
  })
  const queuedItems = new Gauge({
    name: 'laneway_exporter_queued_items',
    help: 'Items in the queue of an exporter, those in flight included.',
    labelNames: ['exporter'],
    registers,
  })
  const queuedBytes = new Gauge({
    name: 'laneway_exporter_queued_bytes',
    help: 'Bytes in the queue of an exporter, those in flight included.',
    labelNames: ['exporter'],
    registers,
  })
  const queueOldest = new Gauge({
    name: 'laneway_queue_oldest_seconds',
    help: 'Age of the oldest parcel in the queue of an exporter; 0 if it is empty.',
    labelNames: ['exporter'],
    registers,
  })
  const quarantined = new Gauge({
    name: 'laneway_quarantine_items',
    help: 'Items that wait for a review.',
    registers,
  })
  const storageRefusing = new Gauge({
    name: 'laneway_storage_refusing',
    help: '1 while storage refuses to take more.',
    registers,
  })
  const findings = new Counter({
    name: 'laneway_findings_total',
    help: 'Findings that a person should review.',
    labelNames: ['kind'],
    registers,
  })
  const cpuSeconds = new Counter({
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time spent, in seconds.',
    registers,
  })
  const residentBytes = new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory, in bytes.',
    registers,
  })
  const startTime = new Gauge({
    name: 'process_start_time_seconds',
    help: 'Start time, in seconds since the epoch.',
    registers,
  })

  let durations: Distribution = { counts: [], sumMs: 0 }
  /** prom-client's histogram only takes single observations; this one is handed its buckets whole. */
  class RequestSeconds extends Histogram {
    /** What the registry calls to write text. */
    getForPromString() {
      const { name, help } = REQUEST_SECONDS
      return Promise.resolve({ name, help, type: 'histogram', values: histogramValues(name, durations) })
    }
  }
  new RequestSeconds({ ...REQUEST_SECONDS, registers })

  function fill(source: MetricsSource): void {
    registry.resetMetrics()
    for (const { items: count, ...labels } of source.ledger.rows) items.inc(labels, count)
    for (const { requests: count, ...labels } of source.requests) requests.inc(labels, count)
    for (const { exporter, outcome, items: count, bytes } of source.ledger.exporters) {
      if (outcome === 'queued') {
        queuedItems.set({ exporter }, count)
        queuedBytes.set({ exporter }, bytes)
      } else {
        exporterItems.inc({ exporter, outcome }, count)
      }
    }
    for (const { exporter, ageMs } of source.stats.queueOldestMs) queueOldest.set({ exporter }, ageMs / 1000)
    for (const [kind, count] of source.findings) findings.inc({ kind }, count)
    const waiting = source.ledger.rows.filter((row) => row.outcome === 'quarantined')
    quarantined.set(waiting.reduce((sum, row) => sum + row.items, 0))
    storageRefusing.set(source.stats.isStorageRefusing ? 1 : 0)
    durations = source.requestDurations
    const { user, system } = cpuUsage()
    cpuSeconds.inc((user + system) / 1e6)
    residentBytes.set(memoryUsage.rss())
    startTime.set(source.startedMs / 1000)
  }

  return {
    text(source) {
      fill(source)
      return registry.metrics()
    },
  }
}

const REQUEST_SECONDS = {
  name: 'laneway_request_seconds',
  help: 'Time from the headers of a request to its answer.',
} as const

function histogramValues(name: string, { counts, sumMs }: Distribution) {
  const labelled = (suffix: string, labels: { readonly le?: string }, value: number) => ({
    metricName: `${name}${suffix}`,
    labels,
    value,
  })
  let below = 0
  const buckets = counts.map((count, index) => {
    below += count
    const bound = REQUEST_BOUNDS_MS[index]
    return labelled('_bucket', { le: bound === undefined ? '+Inf' : String(bound / 1000) }, below)
  })
  return [...buckets, labelled('_sum', {}, sumMs / 1000), labelled('_count', {}, below)]
}
