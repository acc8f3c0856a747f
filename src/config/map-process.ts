// biome-ignore-all lint/suspicious/noTemplateCurlyInString: comments and messages show references
/**
 * Tree → the parts of Config that are about the process: receiver, storage, admin, shutdown, telemetry.
 *
 * Defaults are the contract's. Relations are checked here: two listeners on one address, an admin port in
 * the open, limits that contradict each other.
 */
import { resolve } from 'node:path'
import { addressesClash, isLoopback, parseListenAddress } from './address.ts'
import type {
  AdminConfig,
  Config,
  ListenAddress,
  ReceiverConfig,
  SecretText,
  StorageConfig,
} from './config.ts'
import {
  durationOf,
  itemsOf,
  type Node,
  nodeAt,
  type Report,
  sizeOf,
  textOf,
  textsOf,
  wordOf,
} from './tree.ts'

const MIB = 1024 * 1024
/** `storage.retention`: 168h. */
const RETENTION_MS = 7 * 24 * 60 * 60 * 1000
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const

type ProcessConfig = Pick<
  Config,
  'receiver' | 'storage' | 'admin' | 'shutdownDelayMs' | 'shutdownGraceMs' | 'telemetry'
>

/** `directoryOf` gives the folder that relative paths of a file start from. */
export function mapProcess(root: Node, directoryOf: (file: string) => string, report: Report): ProcessConfig {
  const receiver = mapReceiver(root, report)
  const admin = mapAdmin(root, report)
  checkListeners(root, { receiver, admin }, report)
  const delay = nodeAt(root, 'shutdown_delay')
  const shutdownDelayMs = durationOf(delay) ?? 3_000
  const shutdownGraceMs = durationOf(nodeAt(root, 'shutdown_grace')) ?? 10_000
  if (shutdownDelayMs > shutdownGraceMs) {
    const place = (delay ?? nodeAt(root, 'shutdown_grace') ?? root).position
    report(
      'error',
      place,
      'shutdown_delay',
      'is longer than shutdown_grace, which counts from SIGTERM too; write a shorter one',
    )
  }
  return {
    receiver,
    storage: mapStorage(root, directoryOf),
    admin,
    shutdownDelayMs,
    shutdownGraceMs,
    telemetry: { logLevel: wordOf(nodeAt(root, 'telemetry', 'logs', 'level'), LOG_LEVELS) ?? 'info' },
  }
}

const HTTP = ['receivers', 'otlp', 'protocols', 'http'] as const

function mapReceiver(root: Node, report: Report): ReceiverConfig {
  const http = nodeAt(root, ...HTTP)
  const body = nodeAt(http, 'max_request_body_size')
  const inFlight = nodeAt(http, 'max_in_flight_size')
  const requestBodyBytesMax = sizeOf(body) ?? 64 * MIB
  const inFlightBytesMax = sizeOf(inFlight) ?? 256 * MIB
  const bodyKey = [...HTTP, 'max_request_body_size'].join('.')
  if (requestBodyBytesMax === 0 && body !== undefined) {
    report('error', body.position, bodyKey, 'must be more than nothing; there is no unlimited body')
  }
  if (requestBodyBytesMax > inFlightBytesMax) {
    const place = (body ?? inFlight ?? root).position
    report(
      'error',
      place,
      bodyKey,
      'is larger than max_in_flight_size, so the largest request could never be taken; write max_in_flight_size at least as large',
    )
  }
  return {
    endpoint: addressOf(nodeAt(http, 'endpoint'), [...HTTP, 'endpoint'].join('.'), report) ?? {
      kind: 'tcp',
      host: 'localhost',
      port: 4318,
    },
    requestBodyBytesMax,
    inFlightBytesMax,
    corsAllowedOrigins: textsOf(itemsOf(nodeAt(http, 'cors', 'allowed_origins'))),
  }
}

function mapStorage(root: Node, directoryOf: (file: string) => string): StorageConfig {
  const directory = nodeAt(root, 'storage', 'directory')
  // Without a word on it, the folder lies beside the file: the same data is found again from any folder.
  const base = directoryOf((directory ?? root).position.file)
  const bytesMax = sizeOf(nodeAt(root, 'storage', 'max_size')) ?? 1024 * MIB
  return {
    directory: resolve(base, textOf(directory) ?? './laneway-data'),
    bytesMax,
    deadLettersBytesMax: sizeOf(nodeAt(root, 'storage', 'dead_letters_max_size')) ?? Math.floor(bytesMax / 8),
    quarantineBytesMax: sizeOf(nodeAt(root, 'storage', 'quarantine_max_size')) ?? Math.floor(bytesMax / 8),
    retentionMs: durationOf(nodeAt(root, 'storage', 'retention')) ?? RETENTION_MS,
  }
}

function mapAdmin(root: Node, report: Report): AdminConfig {
  const endpointNode = nodeAt(root, 'admin', 'endpoint')
  const endpoint = addressOf(endpointNode, 'admin.endpoint', report) ?? {
    kind: 'tcp',
    host: '127.0.0.1',
    port: 13_133,
  }
  const token = secretOf(nodeAt(root, 'admin', 'token'))
  const isEmpty = token?.every((part) => part === '') === true
  if (endpointNode !== undefined && !isLoopback(endpoint) && (token === undefined || isEmpty)) {
    report(
      'error',
      endpointNode.position,
      'admin.endpoint',
      'is not loopback, and the admin port shows what passes: give `admin.token`, or write `127.0.0.1:13133` and open only `health_endpoint`',
    )
  }
  return {
    endpoint,
    healthEndpoint: addressOf(nodeAt(root, 'admin', 'health_endpoint'), 'admin.health_endpoint', report),
    token: isEmpty ? undefined : token,
  }
}

/** The text of a secret; its `${file:…}` parts stay references. */
export function secretOf(node: Node | undefined): SecretText | undefined {
  return node?.kind === 'scalar' ? node.secret : undefined
}

function addressOf(node: Node | undefined, key: string, report: Report): ListenAddress | undefined {
  const text = textOf(node)
  if (node === undefined || text === undefined) return undefined
  const address = parseListenAddress(text)
  if (address.kind !== 'fault') return address
  report('error', node.position, key, address.message)
  return undefined
}

function checkListeners(root: Node, config: Pick<Config, 'receiver' | 'admin'>, report: Report): void {
  const { receiver, admin } = config
  const listeners = [
    { key: [...HTTP, 'endpoint'].join('.'), address: receiver.endpoint },
    { key: 'admin.endpoint', address: admin.endpoint },
    ...(admin.healthEndpoint === undefined
      ? []
      : [{ key: 'admin.health_endpoint', address: admin.healthEndpoint }]),
  ]
  listeners.forEach(({ key, address }, index) => {
    const other = listeners.slice(0, index).find((earlier) => addressesClash(earlier.address, address))
    if (other === undefined) return
    const place = nodeAt(root, ...key.split('.')) ?? nodeAt(root, ...other.key.split('.')) ?? root
    report(
      'error',
      place.position,
      key,
      `listens on the same address as ${other.key}; give it a port of its own`,
    )
  })
}
