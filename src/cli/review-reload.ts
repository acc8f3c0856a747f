/**
 * Asks the sidecar that runs to take up a reviews file that was just written.
 *
 * None running is no failure: the file counts from the next start. Source: contract section 3.
 */
import type { Config } from '../config/config.ts'
import { CommandError } from '../errors.ts'
import { createAdminClient } from './admin-client.ts'
import type { Io } from './io.ts'

const PATH = '/api/v1/reload'

/** The exit code: 1 if the sidecar refuses it. */
export async function takeUp(admin: string | undefined, config: Config, io: Io): Promise<number> {
  const client = createAdminClient(admin ?? config.admin)
  if (!(await client.answers())) {
    io.stdout('No sidecar answers: it counts from the next start.\n')
    return 0
  }
  try {
    await client.ask<object>('POST', PATH, {})
    io.stdout('The sidecar has taken it up.\n')
    return 0
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    io.stderr(`laneway: the sidecar goes on as it was: ${error.message}\n`)
    return 1
  }
}
