/**
 * The command line: which subcommand, and what each is for. Subcommands are loaded only when they are called.
 *
 * Exit codes: 0 done, 1 failed, 2 the configuration or the command line is wrong.
 */
import { CommandError, ConfigError } from '../errors.ts'
import { didYouMean } from '../policy/nearest.ts'
import type { Command, Io } from './io.ts'
import { VERSION } from './version.ts'

interface Entry {
  readonly usage: string
  readonly summary: string
  readonly load: () => Promise<Command>
}

const commands: Readonly<Record<string, Entry>> = {
  run: {
    usage: 'run [--config F]… [--set a.b=c]…',
    summary: 'receive, route and forward until SIGTERM (the default)',
    load: async () => (await import('./run.ts')).run,
  },
  validate: {
    usage: 'validate [--config F]… [--format json]',
    summary: 'check a configuration and list every problem; exit code 0 or 2',
    load: async () => (await import('./validate.ts')).run,
  },
  'print-config': {
    usage: 'print-config [--config F]…',
    summary: 'print the effective configuration, presets expanded, secrets hidden',
    load: async () => (await import('./print-config.ts')).run,
  },
  explain: {
    usage: 'explain [--config F]… [--signal S] [--format json] FILE|-',
    summary: 'where each item of a request would go, what becomes of its fields, and which line says so',
    load: async () => (await import('./explain.ts')).run,
  },
  'dead-letters': {
    usage: 'dead-letters list|show|replay|drop [ID…|--all]',
    summary: 'what a backend refused for good: look at it, send it again, or drop it',
    load: async () => (await import('./dead-letters.ts')).run,
  },
  review: {
    usage: 'review list|accept|reject|accept-field|reject-field|dismiss|release|discard|check …',
    summary: 'what is new, what is held for a review, and the decisions on it',
    load: async () => (await import('./review.ts')).run,
  },
  demo: {
    usage: 'demo [--endpoint URL] [--admin URL]',
    summary: 'send one made-up session to a running sidecar and show what went where',
    load: async () => (await import('./demo.ts')).run,
  },
  health: {
    usage: 'health [--config F] [--admin URL]',
    summary: 'ask a running sidecar whether it lives; exit code 0 or 1',
    load: async () => (await import('./health.ts')).run,
  },
}

/** Runs one command line and returns the exit code. Errors that a user can mend are printed, not thrown. */
export async function runCommandLine(argv: readonly string[], io: Io): Promise<number> {
  const [first = 'run', ...rest] = argv
  if (first === '--help' || first === '-h' || first === 'help') {
    io.stdout(help())
    return 0
  }
  if (first === '--version' || first === '-v') {
    io.stdout(`laneway ${VERSION}\n`)
    return 0
  }
  const isNamed = !first.startsWith('-')
  const name = isNamed ? first : 'run'
  const entry = commands[name]
  if (entry === undefined || !Object.hasOwn(commands, name)) {
    io.stderr(
      `laneway: there is no command \`${name}\`${didYouMean(name, Object.keys(commands))} See laneway --help\n`,
    )
    return 2
  }
  const args = isNamed ? rest : argv
  if (args.includes('--help')) {
    io.stdout(`laneway ${entry.usage}\n\n  ${entry.summary}\n`)
    return 0
  }
  try {
    const command = await entry.load()
    return await command(args, io)
  } catch (error) {
    if (error instanceof ConfigError) {
      io.stderr(`${error.message}\n`)
      return 2
    }
    if (error instanceof CommandError) {
      io.stderr(`laneway: ${error.message}\n`)
      return error.exitCode
    }
    throw error
  }
}

function help(): string {
  const entries = Object.values(commands)
  const width = Math.max(...entries.map(({ usage }) => usage.length))
  const lines = entries.map(({ usage, summary }) => `  ${usage.padEnd(width)}  ${summary}`)
  return `laneway ${VERSION}: an OTLP sidecar that keeps telemetry in its lane

usage: laneway [command] [options]

${lines.join('\n')}

  --version, --help (also behind a command)

The configuration is --config F, else $LANEWAY_CONFIG, ./laneway.yaml, /etc/laneway/laneway.yaml, or built in.
`
}
