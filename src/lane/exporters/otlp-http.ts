/**
 * The `otlp_http` exporter: one try is one POST to the signal's URL.
 *
 * Each consumer has a connection of its own, so that a body's memory has exactly one user. A connection's buffer
 * and the connection are taken together and given back together. Secrets are read when they are used; a 401 after
 * which the secret turns out to have changed is tried once more at once.
 *
 * Source: opentelemetry-proto docs/specification.md (OTLP/HTTP); specification, protocol/exporter.md (User-Agent).
 */
import { readFileSync } from 'node:fs'
import manifest from '../../../package.json' with { type: 'json' }
import type { OtlpHttpExporterConfig, TlsConfig } from '../../config/config.ts'
import { MalformedRequest } from '../../errors.ts'
import type { Parcel } from '../../otlp/parcel.ts'
import type { Signal } from '../../otlp/signal.ts'
import { batchChunks, REQUEST_BYTES_MAX } from '../batch.ts'
import type { DeliveryOutcome, Sender } from '../outcome.ts'
import { type Connection, createConnection, createConnector } from './connection.ts'
import { outcomeOfReply } from './reply-outcome.ts'
import { type BodyEncoder, createBodyEncoder, type EncodedBody } from './request-body.ts'
import { createSecretHeaders } from './secret-headers.ts'

const USER_AGENT = `laneway/${manifest.version} OTel-OTLP-Exporter-Laneway/${manifest.version}`

interface Line {
  readonly connection: Connection
  readonly body: BodyEncoder
}

export function createOtlpHttpSender(
  config: OtlpHttpExporterConfig,
  { clock }: { readonly clock: () => number },
): Sender {
  const { urls, encoding, compression, timeoutMs } = config
  const secretHeaders = createSecretHeaders(config.headers, clock)
  const fixedHeaders = fixedHeadersOf(config)
  const targets = new Map(Object.entries(urls).map(([signal, url]) => [signal, targetOf(url)]))
  /** Connections without a request, by origin; the one used last is the one used next. */
  const idleLines = new Map<string, Line[]>()
  const allLines = new Set<Line>()

  function takeLine(origin: string): Line {
    const idle = idleLines.get(origin)?.pop()
    if (idle !== undefined) return idle
    const isTls = origin.startsWith('https:')
    const line = {
      connection: createConnection(origin, (options, callback) => {
        // Files are read for each new connection: a rotated certificate needs no restart.
        createConnector({ tls: readTls(config.tls), timeoutMs })(options, callback)
      }),
      body: createBodyEncoder({ encoding, compression, isBodyKept: isTls }),
    }
    allLines.add(line)
    return line
  }

  function giveBack(origin: string, line: Line): void {
    const idle = idleLines.get(origin)
    if (idle === undefined) idleLines.set(origin, [line])
    else idle.push(line)
  }

  async function send(signal: Signal, parcels: readonly Parcel[]): Promise<DeliveryOutcome> {
    const target = targets.get(signal)
    if (target === undefined) return permanent(`exporter ${config.name} has no endpoint for ${signal}`)
    const line = takeLine(target.origin)
    try {
      const byteLength = parcels.reduce((sum, parcel) => sum + parcel.byteLength, 0)
      const encoded = await encode(line.body, signal, parcels, byteLength)
      if ('kind' in encoded) return encoded
      if (encoded.plainBytes > REQUEST_BYTES_MAX) {
        const message = `a request of ${encoded.plainBytes} bytes is over the limit of ${REQUEST_BYTES_MAX}`
        return { kind: 'permanent', status: 0, message, isTooLarge: true }
      }
      return await post(line.connection, target.path, signal, encoded.bytes)
    } finally {
      giveBack(target.origin, line)
    }
  }

  async function post(
    connection: Connection,
    path: string,
    signal: Signal,
    body: Uint8Array,
    isSecondTry = false,
  ): Promise<DeliveryOutcome> {
    let headers: readonly string[]
    try {
      headers = [...fixedHeaders, ...secretHeaders.read()]
    } catch (error) {
      return retryable(
        `cannot read the file of a header (${messageOf(error)}); see that it exists and is readable`,
      )
    }
    const result = await connection.post({ path, headers, body, timeoutMs })
    if (result.kind === 'no_reply') return retryable(result.detail)
    if (result.status === 401 && !isSecondTry && secretHeaders.reread()) {
      return post(connection, path, signal, body, true)
    }
    return outcomeOfReply(result, signal, clock())
  }

  return {
    joinsParcels: true,
    send,
    async close() {
      await Promise.all([...allLines].map((line) => line.connection.close()))
    },
  }
}

/** Two parcels may be well-formed to whoever only steps over their records, and yet be unreadable as JSON. */
async function encode(
  body: BodyEncoder,
  signal: Signal,
  parcels: readonly Parcel[],
  byteLength: number,
): Promise<EncodedBody | DeliveryOutcome> {
  try {
    return await body.encode(signal, batchChunks(parcels), byteLength)
  } catch (error) {
    if (error instanceof MalformedRequest) return permanent(`cannot be written as JSON: ${error.message}`)
    throw error
  }
}

function fixedHeadersOf({ encoding, compression }: OtlpHttpExporterConfig): readonly string[] {
  const contentType = encoding === 'json' ? 'application/json' : 'application/x-protobuf'
  const headers = ['content-type', contentType, 'user-agent', USER_AGENT]
  return compression === 'none' ? headers : [...headers, 'content-encoding', compression]
}

function targetOf(url: string): { readonly origin: string; readonly path: string } {
  const { origin, pathname, search } = new URL(url)
  return { origin, path: pathname + search }
}

function readTls(tls: TlsConfig) {
  return {
    ...(tls.caFile !== undefined && { ca: readFileSync(tls.caFile) }),
    ...(tls.certFile !== undefined && { cert: readFileSync(tls.certFile) }),
    ...(tls.keyFile !== undefined && { key: readFileSync(tls.keyFile) }),
    rejectUnauthorized: !tls.insecureSkipVerify,
  }
}

function permanent(message: string): DeliveryOutcome {
  return { kind: 'permanent', status: 0, message }
}

function retryable(detail: string): DeliveryOutcome {
  return { kind: 'retryable', detail, retryAfterMs: undefined }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown error'
}
