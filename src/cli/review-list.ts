/**
 * `laneway review list`: the findings, newest first, and what is in quarantine, by target.
 *
 * Names and counts only; what a sender wrote cannot move the cursor of a terminal. Source: contract section 3.
 */
import { loadConfig } from '../config/load.ts'
import { CommandError } from '../errors.ts'
import type { HeldTargetRow } from '../lane/quarantine.ts'
import type { FindingRow, FindingsSnapshot } from '../telemetry/findings.ts'
import { parsePositionals, parseWord } from './config-options.ts'
import { findingsOf } from './finding-source.ts'
import type { Io } from './io.ts'
import { findSource, heldText } from './review-quarantine.ts'
import { formatTable } from './table.ts'

const OPTIONS = {
  config: { type: 'string', multiple: true, short: 'c' },
  set: { type: 'string', multiple: true },
  admin: { type: 'string' },
  format: { type: 'string' },
} as const

/** Names of events and fields that a line of the table shows; the others are counted. */
const NAMES_SHOWN = 4

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parsePositionals('review', argv, OPTIONS)
  if (positionals.length > 1) throw new CommandError('review: list takes no argument', 2)
  const { admin, config: files = [], set = [] } = values
  const format = parseWord('--format', values.format ?? 'text', {
    command: 'review',
    known: ['text', 'json'],
  })
  const config = loadConfig({ files, set, env: io.env, cwd: io.cwd })
  const found = await findingsOf(admin, config)
  const source = await findSource({ admin, files, set }, io)
  try {
    const targets = await source.list()
    const { findings, dropped } = found
    const json = { findings, dropped, quarantine: targets }
    io.stdout(format === 'json' ? `${JSON.stringify(json)}\n` : listText(found, targets))
    return 0
  } finally {
    await source.close()
  }
}

function listText({ findings, dropped }: FindingsSnapshot, targets: readonly HeldTargetRow[]): string {
  const head = ['id', 'state', 'last seen', 'count', 'kind', 'about', 'events and fields']
  const rows = findings.map((finding) => [
    finding.id,
    finding.state,
    finding.last_seen,
    finding.count,
    finding.kind.replaceAll('_', ' '),
    printable(aboutOf(finding)),
    printable(namesOf([...finding.event_names, ...finding.fields])),
  ])
  const lost = dropped > 0 ? `${dropped} more found no room, and were counted only.\n` : ''
  const table = rows.length === 0 ? 'There are no findings.\n' : formatTable(head, rows)
  return `${table}${lost}\nIn quarantine:\n${heldText(targets)}`
}

/** The subject: a target, or a field where it is. */
export function aboutOf({ target, family, place, key, lane }: FindingRow): string {
  if (key !== null) return `${key} on ${place ?? 'item'}${family === null ? '' : ` of ${family}`}`
  return target ?? lane ?? family ?? ''
}

function namesOf(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN
  return [...names.slice(0, NAMES_SHOWN), ...(more > 0 ? [`and ${more} more`] : [])].join(', ')
}

function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
}
