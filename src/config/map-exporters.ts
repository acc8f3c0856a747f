/**
 * Tree → exporters: URLs for each signal, secrets, queues and retry, with the contract's defaults.
 */
import { accessSync, constants } from 'node:fs'
import { validateHeaderName, validateHeaderValue } from 'node:http'
import { resolve } from 'node:path'
import { SIGNAL_TRAITS, SIGNALS, type Signal } from '../otlp/signal.ts'
import type { ExporterConfig, QueueConfig, RetryConfig, SecretText, TlsConfig } from './config.ts'
import { secretOf } from './map-process.ts'
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
  readonly storageBytesMax: number
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
  return [...entries].flatMap(([name, entry]) => {
    const kind = name.split('/', 1)[0]
    const common = {
      name,
      position: entry.keyPosition,
      queue: mapQueue(name, entry.value, queueBytes, report),
    } as const
    if (kind === 'otlp_http') return [mapOtlpHttp(common, entry.value, surroundings)]
    if (kind === 'file') return [mapFile(common, entry.value, surroundings)]
    return kind === 'debug' ? [{ kind, ...common }] : []
  })
}

type Common = Pick<ExporterConfig, 'name' | 'position' | 'queue'>

/** What a queue gets that asks for no size: an equal share of what storage.max_size leaves. */
function shareOf(
  queues: readonly { readonly name: string; readonly node: Node | undefined }[],
  section: Node,
  { storageBytesMax, report }: ExporterSurroundings,
): number {
  // An eighth each is set aside for quarantine and dead letters.
  const available = storageBytesMax - 2 * Math.floor(storageBytesMax / 8)
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

function mapQueue(name: string, exporter: Node, share: number, report: Report): QueueConfig {
  const queue = nodeAt(exporter, 'sending_queue')
  const batch = nodeAt(queue, 'batch')
  const key = `exporters.${name}.sending_queue`
  const bytesMax = sizeOf(nodeAt(queue, 'queue_size')) ?? share
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
    bytesMax,
    onFull: wordOf(nodeAt(queue, 'on_full'), ['refuse', 'drop_oldest'] as const) ?? 'refuse',
    consumers: numberOf(nodeAt(queue, 'num_consumers')) ?? 4,
    batch: {
      bytesMin,
      bytesMax: batchBytesMax,
      flushTimeoutMs: durationOf(nodeAt(batch, 'flush_timeout')) ?? 200,
    },
  }
}

function mapOtlpHttp(common: Common, node: Node, surroundings: ExporterSurroundings): ExporterConfig {
  const { report } = surroundings
  const timeout = nodeAt(node, 'timeout')
  const timeoutMs = durationOf(timeout) ?? 30_000
  if (timeout !== undefined && timeoutMs === 0) {
    report(
      'error',
      timeout.position,
      `exporters.${common.name}.timeout`,
      'must be longer than 0s; there is no endless request',
    )
  }
  return {
    kind: 'otlp_http',
    ...common,
    urls: mapUrls(common.name, node, report),
    encoding: wordOf(nodeAt(node, 'encoding'), ['proto', 'json'] as const) ?? 'proto',
    compression: wordOf(nodeAt(node, 'compression'), ['gzip', 'zstd', 'none'] as const) ?? 'gzip',
    headers: mapHeaders(common.name, node, report),
    timeoutMs,
    tls: mapTls(common.name, node, surroundings),
    retry: mapRetry(common.name, node, report),
  }
}

function mapUrls(name: string, node: Node, report: Report): Readonly<Partial<Record<Signal, string>>> {
  const base = parseUrl(nodeAt(node, 'endpoint'), `exporters.${name}.endpoint`, report)
  const urls: Partial<Record<Signal, string>> = {}
  for (const signal of SIGNALS) {
    const key = `${signal}_endpoint`
    const own = nodeAt(node, key)
    const url =
      own === undefined
        ? base && withPath(base, SIGNAL_TRAITS[signal].path)
        : parseUrl(own, `exporters.${name}.${key}`, report)
    if (url !== undefined) urls[signal] = url.href
  }
  const endpoint = nodeAt(node, 'endpoint')
  const doubled = base && SIGNALS.find((signal) => base.pathname.endsWith(SIGNAL_TRAITS[signal].path))
  if (doubled !== undefined && endpoint !== undefined) {
    const { path } = SIGNAL_TRAITS[doubled]
    report(
      'warning',
      endpoint.position,
      `exporters.${name}.endpoint`,
      `ends with ${path}, and ${path} is added to it; write \`${doubled}_endpoint\`, or the URL without ${path}`,
    )
  }
  return urls
}

function withPath(base: URL, path: string): URL {
  const url = new URL(base)
  url.pathname = `${url.pathname.replace(/\/+$/, '')}${path}`
  return url
}

/** No message quotes a URL: it may hold a password or a token. */
function parseUrl(node: Node | undefined, key: string, report: Report): URL | undefined {
  const text = textOf(node)
  if (node === undefined || text === undefined || text === '') return undefined
  const fail = (message: string): undefined => {
    report('error', node.position, key, message)
  }
  if (!/^https?:\/\//i.test(text)) {
    const isScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
    return fail(
      isScheme
        ? 'has a scheme that is not spoken here; write http:// or https://'
        : 'has no scheme; write http:// or https:// before the host',
    )
  }
  if (!URL.canParse(text)) return fail('is not a URL; write one such as `http://localhost:4318`')
  const url = new URL(text)
  return url.hash === '' ? url : fail('has a `#` part, which is never sent; leave it out')
}

/** Whether a backend's URL was written for a signal, be it right or wrong. */
export function hasUrlFor(node: Node, signal: Signal): boolean {
  return nodeAt(node, 'endpoint') !== undefined || nodeAt(node, `${signal}_endpoint`) !== undefined
}

function mapHeaders(name: string, node: Node, report: Report): Readonly<Record<string, SecretText>> {
  const headers = new Map<string, SecretText>()
  for (const [header, { keyPosition, value }] of entriesOf(nodeAt(node, 'headers'))) {
    const key = `exporters.${name}.headers.${header}`
    const lower = header.toLowerCase()
    const secret = secretOf(value)
    if (!isHeaderName(header))
      report('error', keyPosition, key, 'is no name of an HTTP header; write letters, digits and `-`')
    else if (OWN_HEADERS.has(lower))
      report('error', keyPosition, key, 'is set by Laneway itself; leave it out')
    else if (headers.has(lower))
      report('error', keyPosition, key, 'is given twice: header names have no case; keep one')
    if (secret === undefined) continue
    headers.set(lower, secret)
    const texts = secret.filter((part) => typeof part === 'string')
    if (!texts.every(isHeaderValue))
      report(
        'error',
        value.position,
        key,
        'holds a character that no HTTP header can have (a line break, or one outside Latin-1); remove it',
      )
  }
  return Object.fromEntries(headers)
}

/** What a request's body is, and where it goes, is not for a configuration to say twice. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'content-type',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'host',
  'connection',
])

function isHeaderName(name: string): boolean {
  try {
    validateHeaderName(name)
    return true
  } catch {
    return false
  }
}

function isHeaderValue(value: string): boolean {
  try {
    validateHeaderValue('x', value)
    return true
  } catch {
    return false
  }
}

function mapTls(name: string, node: Node, { directoryOf, report }: ExporterSurroundings): TlsConfig {
  const tls = nodeAt(node, 'tls')
  const path = (key: string): string | undefined => {
    const found = nodeAt(tls, key)
    const text = textOf(found)
    if (found === undefined || text === undefined) return undefined
    const file = resolve(directoryOf(found.position.file), text)
    if (!isReadable(file))
      report(
        'error',
        found.position,
        `exporters.${name}.tls.${key}`,
        'names a file that cannot be read; mend the path or its permissions',
      )
    return file
  }
  const config: TlsConfig = {
    caFile: path('ca_file'),
    certFile: path('cert_file'),
    keyFile: path('key_file'),
    insecureSkipVerify: booleanOf(nodeAt(tls, 'insecure_skip_verify')) ?? false,
  }
  const lone = config.certFile === undefined ? 'key_file' : 'cert_file'
  if ((config.certFile === undefined) !== (config.keyFile === undefined)) {
    const place = (nodeAt(tls, lone) ?? node).position
    report(
      'error',
      place,
      `exporters.${name}.tls.${lone}`,
      `stands alone; a certificate and its key go together: write \`${lone === 'key_file' ? 'cert_file' : 'key_file'}\` too`,
    )
  }
  return config
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}

function mapRetry(name: string, node: Node, report: Report): RetryConfig {
  const retry = nodeAt(node, 'retry_on_failure')
  const initial = nodeAt(retry, 'initial_interval')
  const maximum = nodeAt(retry, 'max_interval')
  const initialIntervalMs = durationOf(initial) ?? 1_000
  const maxIntervalMs = durationOf(maximum) ?? 30_000
  const key = `exporters.${name}.retry_on_failure.initial_interval`
  if (initial !== undefined && initialIntervalMs === 0) {
    report(
      'error',
      initial.position,
      key,
      'must be longer than 0s: a dead backend would be asked without a pause',
    )
  } else if (initialIntervalMs > maxIntervalMs) {
    report(
      'error',
      (initial ?? maximum ?? node).position,
      key,
      'is longer than max_interval; write initial_interval ≤ max_interval',
    )
  }
  return {
    enabled: booleanOf(nodeAt(retry, 'enabled')) ?? true,
    initialIntervalMs,
    maxIntervalMs,
    maxElapsedTimeMs: durationOf(nodeAt(retry, 'max_elapsed_time')) ?? 0,
    multiplier: numberOf(nodeAt(retry, 'multiplier')) ?? 1.5,
    randomizationFactor: numberOf(nodeAt(retry, 'randomization_factor')) ?? 0.5,
  }
}

function mapFile(common: Common, node: Node, { directoryOf }: ExporterSurroundings): ExporterConfig {
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
