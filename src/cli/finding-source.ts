/**
 * Where `laneway review` finds the findings: at the admin port of a running sidecar, or in the file that the last one left.
 */
import type { Config } from '../config/config.ts'
import { isReviewed } from '../policy/reviews.ts'
import { createFindingsFile } from '../store/findings-file.ts'
import { createFindings, type FindingsSnapshot } from '../telemetry/findings.ts'
import { createAdminClient } from './admin-client.ts'

const PATH = '/api/v1/findings'

/** `admin`: what `--admin` says. Without a sidecar they are those of the last run, and there may be none. */
export async function findingsOf(admin: string | undefined, config: Config): Promise<FindingsSnapshot> {
  const client = createAdminClient(admin ?? config.admin)
  if (admin === undefined && !(await client.answers())) {
    const findings = createFindings()
    findings.restore(createFindingsFile(config.storage.directory).read())
    return findings.snapshot((row) => isReviewed(config.reviews, row))
  }
  return client.ask<FindingsSnapshot>('GET', PATH)
}
