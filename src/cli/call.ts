/**
 * One HTTP request from a command to a running sidecar, over TCP or a Unix socket.
 *
 * In: where the sidecar listens and what to ask. Out: its status and body. Nothing is retried or followed. If
 * nobody listens, the CommandError says so and how to start one.
 */
import { request } from 'node:http'
import type { ListenAddress } from '../config/config.ts'
import { CommandError } from '../errors.ts'

/** What a sidecar answers fits many times over; a command should not wait for ever. */
const timeoutMs = 10_000
const answerBytesMax = 16 * 1024 * 1024

export interface Call {
  readonly address: ListenAddress
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
}

export interface Answer {
  readonly status: number
  readonly body: Buffer
}

/** `http://host:port` or `unix:///path`. Throws CommandError with exit code 2. */
export function parseCallAddress(option: string, text: string): ListenAddress {
  if (/^unix:\/\/\/./.test(text)) return { kind: 'unix', path: text.slice('unix://'.length) }
  const url = URL.parse(text)
  if (url === null || url.protocol !== 'http:' || url.hostname === '') {
    throw new CommandError(`${option}: write \`http://host:port\` or \`unix:///path\`, not \`${text}\``, 2)
  }
  return { kind: 'tcp', host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 80) }
}

/** As a client would write it. */
export function formatAddress(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix://${address.path}`
  return `http://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}

export function call({ address, method, path, headers = {}, body }: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const fail = (fact: string): void => {
      const remedy = 'start a sidecar with `npm start` (installed: `laneway`) in another terminal'
      reject(new CommandError(`${fact} at ${formatAddress(address)}; ${remedy}`))
    }
    const outgoing = request(
      {
        ...(address.kind === 'unix'
          ? { socketPath: address.path, headers: { ...headers, host: 'localhost' } }
          : { host: reachableHost(address.host), port: address.port, headers }),
        method,
        path,
        agent: false,
        timeout: timeoutMs,
      },
      (response) => {
        const chunks: Buffer[] = []
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          chunks.push(chunk)
          if (bytes > answerBytesMax) response.destroy(new Error('the answer is too large'))
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }))
        response.on('error', (error) => fail(`no whole answer (${error.message})`))
      },
    )
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)))
    outgoing.on('error', (error) => fail(noAnswer(error)))
    outgoing.end(body)
  })
}

/** An address that means "all" when listening is reached by loopback. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '::1' : host
}

function noAnswer(error: Error): string {
  const code = 'code' in error ? error.code : undefined
  return code === 'ECONNREFUSED' || code === 'ENOENT' ? 'nothing listens' : `no answer (${error.message})`
}
