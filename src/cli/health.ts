/**
 * `laneway health`: is the sidecar alive? For a container's health check.
 *
 * In: the arguments of the command. Out: exit code 0 or 1 and one line. It asks `/livez` on the health endpoint if
 * there is one, else on the admin endpoint. It loads nothing of the sidecar but its configuration, because it runs
 * every few seconds beside it.
 */
import { request } from 'node:http'
import type { AdminConfig, ListenAddress } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { CommandError } from '../errors.ts'
import { readSecret } from '../server/secret.ts'
import { parseOptions } from './config-options.ts'
import type { Io } from './io.ts'

/** A container's own time-out is usually longer; an answer that takes this long is none. */
const TIMEOUT_MS = 3_000

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const { values } = parseOptions('health', argv, {
    config: { type: 'string', multiple: true, short: 'c' },
    set: { type: 'string', multiple: true },
    admin: { type: 'string' },
  })
  const { config: files = [], set = [] } = values
  const asked =
    values.admin === undefined
      ? probeOf(loadConfig({ files, set, env: io.env, cwd: io.cwd }).admin)
      : { address: parseAddress(values.admin), token: undefined }
  const isAlive = await healthCheck(asked.address, asked.token)
  io.stdout(isAlive ? 'laneway is alive\n' : 'laneway does not answer\n')
  return isAlive ? 0 : 1
}

/** Where to ask, and with what: the health endpoint needs no token. */
function probeOf(admin: AdminConfig): {
  readonly address: ListenAddress
  readonly token: string | undefined
} {
  if (admin.healthEndpoint !== undefined) return { address: admin.healthEndpoint, token: undefined }
  return { address: admin.endpoint, token: admin.token === undefined ? undefined : readSecret(admin.token) }
}

function parseAddress(url: string): ListenAddress {
  if (url.startsWith('unix://')) return { kind: 'unix', path: url.slice('unix://'.length) }
  const parsed = URL.parse(url.includes('://') ? url : `http://${url}`)
  if (parsed?.protocol !== 'http:') {
    throw new CommandError('health: --admin needs `http://HOST:PORT` or `unix:///PATH`', 2)
  }
  const host = parsed.hostname.replace(/^\[|\]$/g, '')
  return { kind: 'tcp', host, port: Number(parsed.port || 80) }
}

/** True if `/livez` there answers 200. Never rejects. */
export function healthCheck(address: ListenAddress, token?: string): Promise<boolean> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const target =
    address.kind === 'unix'
      ? { socketPath: address.path }
      : { host: connectHost(address.host), port: address.port }
  return new Promise((resolve) => {
    const outgoing = request(
      { ...target, path: '/livez', headers, agent: false, timeout: TIMEOUT_MS },
      (response) => {
        response.resume()
        resolve(response.statusCode === 200)
      },
    )
    outgoing.on('timeout', () => outgoing.destroy())
    outgoing.on('error', () => resolve(false))
    outgoing.on('close', () => resolve(false))
    outgoing.end()
  })
}

/** An address that means "all" when listening is reached by loopback; `localhost` listens on IPv4 for certain. */
function connectHost(host: string): string {
  if (host === '0.0.0.0' || host === 'localhost' || host === '') return '127.0.0.1'
  return host === '::' ? '::1' : host
}
