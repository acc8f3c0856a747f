/**
 * `laneway review VERB …`: which verb, and who carries it out. Verbs are loaded only when they are called.
 *
 * Source: contract section 3.
 */
import { parseArgs } from 'node:util'
import { CommandError } from '../errors.ts'
import { didYouMean } from '../policy/nearest.ts'
import type { Command, Io } from './io.ts'

const decide = async (): Promise<Command> => (await import('./review-decide.ts')).run
const quarantine = async (): Promise<Command> => (await import('./review-quarantine.ts')).run

const VERBS: Readonly<Record<string, () => Promise<Command>>> = {
  list: async () => (await import('./review-list.ts')).run,
  accept: decide,
  reject: decide,
  'accept-field': decide,
  'reject-field': decide,
  dismiss: decide,
  release: quarantine,
  discard: quarantine,
  check: async () => (await import('./review-check.ts')).run,
}

/** Options of any verb that take a value: what follows one of them is no verb. */
const VALUED = ['config', 'set', 'admin', 'format', 'family', 'by', 'reason', 'on', 'reviews', 'corpus']

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const options = Object.fromEntries(
    VALUED.map((name) => [name, { type: 'string' as const, multiple: true }]),
  )
  const [verb = ''] = parseArgs({
    args: [...argv],
    options,
    strict: false,
    allowPositionals: true,
  }).positionals
  const load = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined
  if (load === undefined) {
    const known = Object.keys(VERBS)
    const fact = verb === '' ? 'it takes a verb' : `there is no verb \`${verb}\`${didYouMean(verb, known)}`
    throw new CommandError(`review: ${fact}; write ${known.join(', ')}`, 2)
  }
  const command = await load()
  return command(argv, io)
}
