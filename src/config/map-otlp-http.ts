/**
 * Tree → one `otlp_http` exporter: a URL for each signal, headers whose secrets stay references, TLS files,
 * retry. No message quotes a URL or a header's value: they may hold a password or a token.
 */
import { accessSync, constants } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { SIGNAL_TRAITS, SIGNALS, type Signal } from '../otlp/signal.ts'
import type { OtlpHttpExporterConfig, RetryConfig, SecretText, TlsConfig } from './config.ts'
import type { Common, ExporterSurroundings } from './map-exporters.ts'
import { secretOf } from './map-process.ts'
import {
  booleanOf,
  durationOf,
  entriesOf,
  type Node,
  nodeAt,
  numberOf,
  type Report,
  textOf,
  wordOf,
} from './tree.ts'

// An ES import of node:http would load Node's built-in HTTP client with it: 3 MiB and 20–40 ms of the start.
const http: typeof import('node:http') = createRequire(import.meta.url)('node:http')

export function mapOtlpHttp(
  common: Common,
  node: Node,
  surroundings: ExporterSurroundings,
): OtlpHttpExporterConfig {
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
    http.validateHeaderName(name)
    return true
  } catch {
    return false
  }
}

function isHeaderValue(value: string): boolean {
  try {
    http.validateHeaderValue('x', value)
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
