/**
 * `laneway review release TARGET|discard TARGET`: what becomes of what is in quarantine.
 *
 * In: the arguments of the command. Out: a table or JSON. It asks the running sidecar; where none listens it works on
 * the files, which a running one would keep locked. Exit code 1 where something is left that could not go.
 * Source: contract section 3.
 */
import { loadConfig } from '../config/load.ts'
import { CommandError } from '../errors.ts'
import type { HeldTargetRow, Released } from '../lane/quarantine.ts'
import { parsePositionals } from './config-options.ts'
import type { Io } from './io.ts'
import { askQuarantineOfFiles, askQuarantineOfSidecar, type QuarantineSource } from './quarantine-source.ts'
import { formatTable } from './table.ts'

const VERBS = ['release', 'discard'] as const

const USAGE = 'write `release TARGET` or `discard TARGET` (`""` for items without a target)'

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parsePositionals('review', argv, OPTIONS)
  const [word = '', target, ...rest] = positionals
  const verb = VERBS.find((one) => one === word)
  if (verb === undefined || rest.length > 0 || target === undefined) {
    throw new CommandError(`review: ${USAGE}`, 2)
  }
  const { admin, config = [], set = [], format = 'text' } = values
  if (format !== 'text' && format !== 'json') {
    throw new CommandError(`review: there is no --format \`${format}\`; write text or json`, 2)
  }
  const source = await findSource({ admin, files: config, set }, io)
  const isJson = format === 'json'
  try {
    const released = await source.handle(verb, target)
    io.stdout(isJson ? `${JSON.stringify(released)}\n` : releasedText(released))
    return released.left === 0 && released.kept === 0 ? 0 : 1
  } finally {
    await source.close()
  }
}

const OPTIONS = {
  config: { type: 'string', multiple: true, short: 'c' },
  set: { type: 'string', multiple: true },
  admin: { type: 'string' },
  format: { type: 'string' },
} as const

export async function findSource(
  {
    admin,
    files,
    set,
  }: {
    readonly admin: string | undefined
    readonly files: readonly string[]
    readonly set: readonly string[]
  },
  io: Io,
): Promise<QuarantineSource> {
  if (admin !== undefined) return askQuarantineOfSidecar(admin)
  const config = loadConfig({ files, set, env: io.env, cwd: io.cwd })
  const sidecar = askQuarantineOfSidecar(config.admin)
  return (await sidecar.answers()) ? sidecar : askQuarantineOfFiles(config)
}

/** What is in quarantine, as a table. */
export function heldText(targets: readonly HeldTargetRow[]): string {
  if (targets.length === 0) return 'Nothing is in quarantine.\n'
  const head = ['target', 'family', 'carriage', 'items', 'bytes', 'oldest']
  const cells = targets.map(({ target, family, carriage, items, bytes, oldest }) => [
    nameOf(target),
    family,
    carriage,
    items,
    bytes,
    oldest,
  ])
  return formatTable(head, cells)
}

/** What a release or discard did. */
export function releasedText({ target, items, kept, left, outcomes, message }: Released): string {
  const lines = [`${items} items of ${nameOf(target)} have left quarantine.\n`]
  if (outcomes.length > 0) {
    const head = ['carriage', 'family', 'lane', 'outcome', 'reason', 'items']
    const cells = outcomes.map((row) => [
      row.carriage,
      row.family,
      row.lane,
      row.outcome,
      row.reason,
      row.items,
    ])
    lines.push(formatTable(head, cells))
  }
  if (kept > 0) {
    lines.push(`${kept} stay: the policy still quarantines them. Accept or reject the target first.\n`)
  }
  if (left > 0) lines.push(`${left} are left: ${message ?? 'it was stopped'}. Release again to go on.\n`)
  return lines.join('')
}

/** What a sender wrote must not move the cursor of a terminal. */
function nameOf(target: string): string {
  return target === '' ? '""' : target.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
}
