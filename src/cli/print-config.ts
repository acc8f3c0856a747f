/**
 * `laneway print-config`: the effective configuration on stdout, its warnings on stderr.
 *
 * An invalid configuration has no effective form: its problems are listed instead, exit code 2.
 */
import { loadResolved } from '../config/load.ts'
import { printConfig } from '../config/print.ts'
import { formatProblem } from '../errors.ts'
import { parseConfigOptions } from './config-options.ts'
import type { Io } from './io.ts'

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const options = parseConfigOptions('print-config', argv)
  const { config, tree } = loadResolved({ ...options, env: io.env, cwd: io.cwd })
  for (const warning of config.warnings) io.stderr(`${formatProblem(warning)}\n`)
  io.stdout(printConfig(tree))
  return 0
}
