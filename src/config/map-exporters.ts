/**
 * Tree → exporters, each with its queue and the contract's defaults. What is particular to `otlp_http` is in
 * `map-otlp-http.ts`.
 */
import { resolve } from 'node:path'
import type { ExporterConfig, FileExporterConfig, QueueConfig, StorageConfig } from './config.ts'
import { mapOtlpHttp } from './map-otlp-http.ts'
import {
  booleanOf,
  durationOf,
  entriesOf,
  type MapEntry,
  type Node,
  nodeAt,
  numberOf,
  type Report,
  sizeOf,
  textOf,
  wordOf,
} from './tree.ts'

const MIB = 1024 * 1024
/** `max_megabytes` counts millions: a file of 100 is at most 100 MB by either reading of the word. */
const MEGABYTE = 1_000_000

export interface ExporterSurroundings {
  readonly directoryOf: (file: string) => string
  readonly storage: StorageConfig
  readonly report: Report
}

/** The Collector's old name of a type is an alias: `otlphttp/x` is `otlp_http/x`. */
export function canonicalExporter(name: string): string {
  return name.replace(/^otlphttp(?=\/|$)/, 'otlp_http')
}

export function mapExporters(root: Node, surroundings: ExporterSurroundings): readonly ExporterConfig[] {
  const { report } = surroundings
  const section = nodeAt(root, 'exporters')
  const entries = new Map<string, MapEntry>()
  for (const [written, entry] of entriesOf(section)) {
    const name = canonicalExporter(written)
    if (entries.has(name)) {
      report(
        'error',
        entry.keyPosition,
        `exporters.${written}`,
        `is exporter \`${name}\` a second time: otlphttp is another spelling of otlp_http; give one another name`,
      )
    } else entries.set(name, entry)
  }
  const queueBytes = shareOf(
    [...entries].map(([name, { value }]) => ({ name, node: nodeAt(value, 'sending_queue', 'queue_size') })),
    section ?? root,
    surroundings,
  )
  return [...entries].flatMap(([name, entry]): readonly ExporterConfig[] => {
    const kind = name.split('/', 1)[0]
    // Files and standard error are as durable as the disk that they are on, and nobody waits for them.
    const defaults = { storage: kind === 'otlp_http' ? 'disk' : 'memory', bytesMax: queueBytes } as const
    const common = {
      name,
      position: entry.keyPosition,
      queue: mapQueue(name, entry.value, defaults, report),
    } as const
    if (kind === 'otlp_http') return [mapOtlpHttp(common, entry.value, surroundings)]
    if (kind === 'file') return [mapFile(common, entry.value, surroundings)]
    return kind === 'debug' ? [{ kind, ...common }] : []
  })
}

/** What every exporter has. */
export type Common = Pick<ExporterConfig, 'name' | 'position' | 'queue'>

/** What a queue gets that asks for no size: an equal share of what storage.max_size leaves. */
function shareOf(
  queues: readonly { readonly name: string; readonly node: Node | undefined }[],
  section: Node,
  { storage, report }: ExporterSurroundings,
): number {
  // Set aside for quarantine and dead letters: an eighth each, if nothing else is said.
  const available = Math.max(0, storage.bytesMax - storage.quarantineBytesMax - storage.deadLettersBytesMax)
  const given = queues.flatMap(({ name, node }) =>
    node === undefined ? [] : [{ name, node, bytes: sizeOf(node) ?? 0 }],
  )
  const givenBytes = given.reduce((sum, { bytes }) => sum + bytes, 0)
  const sharers = queues.length - given.length
  if (givenBytes > available || (givenBytes === available && sharers > 0)) {
    const last = given.at(-1)
    const key = last === undefined ? 'storage.max_size' : `exporters.${last.name}.sending_queue.queue_size`
    report(
      'error',
      (last?.node ?? section).position,
      key,
      'the queues together are larger than three quarters of storage.max_size (the rest is for quarantine and dead letters); write smaller queues or a larger storage.max_size',
    )
    return 0
  }
  return sharers === 0 ? 0 : Math.floor((available - givenBytes) / sharers)
}

function mapQueue(
  name: string,
  exporter: Node,
  defaults: Pick<QueueConfig, 'storage' | 'bytesMax'>,
  report: Report,
): QueueConfig {
  const queue = nodeAt(exporter, 'sending_queue')
  const batch = nodeAt(queue, 'batch')
  const key = `exporters.${name}.sending_queue`
  const bytesMax = sizeOf(nodeAt(queue, 'queue_size')) ?? defaults.bytesMax
  const bytesMin = sizeOf(nodeAt(batch, 'min_size')) ?? 0
  const batchBytesMax = sizeOf(nodeAt(batch, 'max_size')) ?? 4 * MIB
  const queuePlace = nodeAt(queue, 'queue_size')?.position
  if (bytesMax === 0 && queuePlace !== undefined)
    report('error', queuePlace, `${key}.queue_size`, 'must be more than nothing: nothing could be sent')
  const batchPlace = (nodeAt(batch, 'max_size') ?? nodeAt(batch, 'min_size'))?.position
  if (batchPlace !== undefined && batchBytesMax === 0)
    report(
      'error',
      batchPlace,
      `${key}.batch.max_size`,
      'must be more than nothing; there is no unlimited batch',
    )
  else if (batchPlace !== undefined && bytesMin > batchBytesMax) {
    report(
      'error',
      nodeAt(batch, 'min_size')?.position ?? batchPlace,
      `${key}.batch.min_size`,
      'is larger than max_size; write min_size ≤ max_size',
    )
  }
  return {
    storage: wordOf(nodeAt(queue, 'storage'), ['disk', 'memory'] as const) ?? defaults.storage,
    bytesMax,
    onFull: wordOf(nodeAt(queue, 'on_full'), ['refuse', 'drop_oldest'] as const) ?? 'refuse',
    consumers: numberOf(nodeAt(queue, 'num_consumers')) ?? 4,
    waitsForResult: booleanOf(nodeAt(queue, 'wait_for_result')) ?? false,
    batch: {
      bytesMin,
      bytesMax: batchBytesMax,
      flushTimeoutMs: durationOf(nodeAt(batch, 'flush_timeout')) ?? 200,
    },
  }
}

function mapFile(common: Common, node: Node, { directoryOf }: ExporterSurroundings): FileExporterConfig {
  const path = nodeAt(node, 'path')
  const rotation = nodeAt(node, 'rotation')
  return {
    kind: 'file',
    ...common,
    path: resolve(directoryOf((path ?? node).position.file), textOf(path) ?? ''),
    fileBytesMax: (numberOf(nodeAt(rotation, 'max_megabytes')) ?? 100) * MEGABYTE,
    backupsMax: numberOf(nodeAt(rotation, 'max_backups')) ?? 3,
  }
}
