/**
 * One exporter: a destination with its own queue, its own consumers, retry and health, put together.
 *
 * No exporter shares anything with another but the memory of parcels, which none of them changes: a slow or dead
 * destination delays nobody else.
 */
import type { ExporterConfig, RetryConfig } from '../config/config.ts'
import type { Emit } from '../telemetry/events.ts'
import type { QueueStore } from './backlog.ts'
import { createDelivery, type DeliverySettings } from './deliver.ts'
import { createDebugSender } from './exporters/debug.ts'
import { createFileSender } from './exporters/file.ts'
import type { Sender } from './outcome.ts'
import { ExporterQueue } from './queue.ts'
import type { Review } from './review.ts'

export interface ExporterDeps {
  readonly emit: Emit
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** In [0, 1). */
  readonly random: () => number
  /** Writes text to the process's standard error; the text brings its own line end. */
  readonly stderr: (text: string) => void
  /** Given: the queue is durable. */
  readonly store?: QueueStore | undefined
  /** Where a queue in memory puts what was refused for good. */
  readonly deadLetters?: Pick<QueueStore, 'settle'> | undefined
  /** How to judge again what was admitted under another policy than that in force. */
  readonly review?: (() => Review) | undefined
}

export interface ExporterStats {
  /** Neither delivered nor given up: waiting and in flight. */
  readonly queuedItems: number
  readonly queuedBytes: number
  /** Age of the oldest of them, 0 if there is none. */
  readonly oldestMs: number
  /** The last try failed in a way that may pass. */
  readonly down: boolean
}

export interface Exporter {
  readonly name: string
  readonly queue: ExporterQueue
  stats(): ExporterStats
  /** Takes up other settings of the same exporter, its kind and the storage of its queue apart. */
  configure(config: ExporterConfig): void
  /** Delivers what is queued; what is left after `graceMs` is lost, and counted, or stays on the disk. */
  close(graceMs: number): Promise<void>
}

/** Files and standard error have no retry settings: a full disk is waited for, as long as it takes. */
const LOCAL_RETRY: RetryConfig = Object.freeze({
  enabled: true,
  initialIntervalMs: 1000,
  maxIntervalMs: 30_000,
  maxElapsedTimeMs: 0,
  multiplier: 1.5,
  randomizationFactor: 0.5,
})

export function createExporter(config: ExporterConfig, deps: ExporterDeps): Exporter {
  const { emit, clock, random, store, deadLetters, review } = deps
  const queue = new ExporterQueue({
    exporter: config.name,
    config: config.queue,
    emit,
    clock,
    store,
    deadLetters,
    review,
  })
  const delivery = createDelivery({ queue, ...settingsOf(config, deps), emit, clock, random })
  return {
    name: config.name,
    queue,
    stats() {
      const oldestAtMs = queue.oldestAdmittedAtMs()
      return {
        queuedItems: queue.queuedItems,
        queuedBytes: queue.queuedBytes,
        oldestMs: oldestAtMs === undefined ? 0 : Math.max(0, clock() - oldestAtMs),
        down: delivery.isDown(),
      }
    },
    configure(next) {
      queue.configure(next.queue)
      delivery.configure(settingsOf(next, deps))
    },
    close: (graceMs) => delivery.close(graceMs),
  }
}

function settingsOf(config: ExporterConfig, deps: ExporterDeps): DeliverySettings {
  const isRemote = config.kind === 'otlp_http'
  return {
    sender: createSender(config, deps),
    batch: config.queue.batch,
    // Lines of a file have an order, so it has one writer.
    consumers: isRemote ? config.queue.consumers : 1,
    retry: isRemote ? config.retry : LOCAL_RETRY,
  }
}

function createSender(config: ExporterConfig, deps: ExporterDeps): Sender {
  switch (config.kind) {
    case 'otlp_http':
      return createLateSender(async () => {
        const { createOtlpHttpSender } = await import('./exporters/otlp-http.ts')
        return createOtlpHttpSender(config, { clock: deps.clock })
      })
    case 'file':
      return createFileSender(config, { clock: deps.clock })
    case 'debug':
      return createDebugSender(config, { stderr: deps.stderr })
  }
}

/** Loads a sender's code when there is something to send: the HTTP client is a large part of what would be idle. */
function createLateSender(load: () => Promise<Sender>): Sender {
  let loading: Promise<Sender> | undefined
  return {
    joinsParcels: true,
    async send(signal, parcels) {
      loading ??= load()
      return (await loading).send(signal, parcels)
    },
    async close() {
      await (await loading)?.close()
    },
  }
}
