/**
 * The options that name a configuration, shared by every command that reads one, and the parsing of all options.
 *
 * An unknown option is an error that names the nearest known one; so is an argument where none is expected.
 */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { CommandError } from '../errors.ts'
import { didYouMean } from '../policy/nearest.ts'

export interface ConfigOptions {
  readonly files: readonly string[]
  readonly set: readonly string[]
}

const configOptions = {
  config: { type: 'string', multiple: true, short: 'c' },
  set: { type: 'string', multiple: true },
} as const

/** Parses the command line of a command that takes `--config` and `--set` only. */
export function parseConfigOptions(command: string, argv: readonly string[]): ConfigOptions {
  const { values } = parseOptions(command, argv, configOptions)
  return { files: values.config ?? [], set: values.set ?? [] }
}

/** Parses `argv` by `options`; positionals are refused. Throws `CommandError` with exit code 2. */
export function parseOptions<const Options extends ParseArgsOptionsConfig>(
  command: string,
  argv: readonly string[],
  options: Options,
): ReturnType<typeof parseArgs<{ args: string[]; options: Options; strict: true; allowPositionals: false }>> {
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: false })
  } catch (error) {
    throw new CommandError(`${command}: ${remedy(error, Object.keys(options))}`, 2)
  }
}

/** The same for a command that takes one argument; `what` says what it is. */
export function parseArgument<const Options extends ParseArgsOptionsConfig>(
  command: string,
  argv: readonly string[],
  { options, what }: { readonly options: Options; readonly what: string },
): {
  readonly argument: string
  readonly values: ReturnType<typeof parsePositionals<Options>>['values']
} {
  const { positionals, values } = parsePositionals(command, argv, options)
  const [argument] = positionals
  if (argument === undefined || positionals.length > 1) {
    const given = argument === undefined ? 'none is given' : `${positionals.length} are given`
    throw new CommandError(`${command}: it takes one ${what}, and ${given}`, 2)
  }
  return { argument, values }
}

/** The same for a command that takes a verb and what it is about. */
export function parsePositionals<const Options extends ParseArgsOptionsConfig>(
  command: string,
  argv: readonly string[],
  options: Options,
): ReturnType<typeof parseArgs<{ args: string[]; options: Options; strict: true; allowPositionals: true }>> {
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: true })
  } catch (error) {
    throw new CommandError(`${command}: ${remedy(error, Object.keys(options))}`, 2)
  }
}

/** The one of `known` that an option's `word` names. Throws `CommandError` with exit code 2. */
export function parseWord<const Word extends string>(
  option: string,
  word: string,
  { command, known }: { readonly command: string; readonly known: readonly Word[] },
): Word {
  const found = known.find((one) => one === word)
  if (found === undefined) {
    const remedy = didYouMean(word, known) || `; write ${known.join(', ')}`
    throw new CommandError(`${command}: there is no ${option} \`${word}\`${remedy}`, 2)
  }
  return found
}

function remedy(error: unknown, known: readonly string[]): string {
  if (!(error instanceof Error)) return String(error)
  const option = /^Unknown option '--([^']+)'/.exec(error.message)?.[1]
  if (option === undefined) return error.message
  return `there is no option \`--${option}\`${didYouMean(option, known)} It takes ${known.map((name) => `--${name}`).join(', ')}`
}
