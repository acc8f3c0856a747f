/**
 * How a command speaks to a running sidecar: JSON by its admin port, with its token.
 *
 * Whether one runs is not guessed: it answers or it does not. What it answers in refusal is what the command's user
 * hears. Source: contract sections 3 and 4.
 */
import type { AdminConfig, ListenAddress } from '../config/config.ts'
import { CommandError } from '../errors.ts'
import { readSecret } from '../server/secret.ts'
import { call, formatAddress, parseCallAddress } from './call.ts'

export interface AdminClient {
  /** Our own sidecar's answer; its shape is that of the API. Throws CommandError. */
  ask<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T>
  /** Whether anything listens there. */
  answers(): Promise<boolean>
}

/** `admin`: what `--admin` says, or the configuration's admin endpoint. */
export function createAdminClient(admin: string | AdminConfig): AdminClient {
  const address: ListenAddress =
    typeof admin === 'string' ? parseCallAddress('--admin', admin) : admin.endpoint
  const token = typeof admin === 'string' || admin.token === undefined ? undefined : readSecret(admin.token)
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }

  return {
    async ask(method, path, body) {
      const posted = body && {
        headers: { ...headers, 'content-type': 'application/json' },
        body: Buffer.from(JSON.stringify(body)),
      }
      const answer = await call({ address, method, path, headers, ...posted })
      const text = answer.body.toString('utf8')
      if (answer.status === 200) return JSON.parse(text)
      throw new CommandError(errorIn(text) ?? `${formatAddress(address)} answers ${answer.status}`)
    },
    async answers() {
      try {
        await call({ address, method: 'GET', path: '/livez', headers })
        return true
      } catch (error) {
        if (error instanceof CommandError) return false
        throw error
      }
    },
  }
}

function errorIn(text: string): string | undefined {
  try {
    const { error }: { readonly error?: unknown } = JSON.parse(text)
    return typeof error === 'string' ? error : undefined
  } catch {
    return undefined
  }
}
