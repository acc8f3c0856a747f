/**
 * `laneway validate`: every problem of a configuration, warnings too. Exit code 0, or 2 if there is an error.
 *
 * Text: one problem a line on stderr, and a last word on stdout if it is valid. `--format json`: one object on stdout,
 * `{"valid", "problems": [{severity, file, line, column, key, message}]}`.
 */
import { loadConfig } from '../config/load.ts'
import { ConfigError, formatProblem, type Problem } from '../errors.ts'
import { type ConfigOptions, parseOptions, parseWord } from './config-options.ts'
import type { Io } from './io.ts'

const FORMATS = ['text', 'json'] as const

interface Verdict {
  readonly valid: boolean
  /** What the files are called, where they could be used. */
  readonly source: string
  readonly problems: readonly Problem[]
}

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const { values } = parseOptions('validate', argv, {
    config: { type: 'string', multiple: true, short: 'c' },
    set: { type: 'string', multiple: true },
    format: { type: 'string' },
  })
  const format = parseWord('format', values.format ?? 'text', { command: 'validate', known: FORMATS })
  const verdict = judge({ files: values.config ?? [], set: values.set ?? [] }, io)
  if (format === 'json') io.stdout(`${JSON.stringify(toJson(verdict))}\n`)
  else {
    for (const problem of verdict.problems) io.stderr(`${formatProblem(problem)}\n`)
    if (verdict.valid) io.stdout(`${verdict.source}: valid\n`)
  }
  return verdict.valid ? 0 : 2
}

function judge(options: ConfigOptions, { env, cwd }: Io): Verdict {
  try {
    const { source, warnings } = loadConfig({ ...options, env, cwd })
    return { valid: true, source, problems: warnings }
  } catch (error) {
    if (error instanceof ConfigError) return { valid: false, source: '', problems: error.problems }
    throw error
  }
}

function toJson({ valid, problems }: Verdict): unknown {
  const rows = problems.map(({ severity, position, key, message }) => ({
    severity,
    ...position,
    key,
    message,
  }))
  return { valid, problems: rows }
}
