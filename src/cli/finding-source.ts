/**
 * Where `laneway review` finds the findings: at the admin port of a running sidecar, or in the store of one that is not.
 */
import type { Config } from '../config/config.ts'
import type { FindingsSnapshot } from '../telemetry/findings.ts'
import { createAdminClient } from './admin-client.ts'

const PATH = '/api/v1/findings'

const NONE: FindingsSnapshot = Object.freeze({ findings: [], dropped: 0 })

/** `admin`: what `--admin` says. Without a sidecar and a store there are none. */
export async function findingsOf(admin: string | undefined, config: Config): Promise<FindingsSnapshot> {
  const client = createAdminClient(admin ?? config.admin)
  if (admin === undefined && !(await client.answers())) return NONE
  return client.ask<FindingsSnapshot>('GET', PATH)
}
