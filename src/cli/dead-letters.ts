/**
 * `laneway dead-letters list|show|replay|drop`: what backends refused for good, and what to do about it.
 *
 * In: the arguments of the command. Out: a table or JSON. It asks the running sidecar; where none listens it works on
 * the files, which a running one would keep locked. Values of fields are shown with `--values` only.
 *
 * Source: contract section 3.
 */
import { loadConfig } from '../config/load.ts'
import { CommandError } from '../errors.ts'
import type { DeadLetterRow, ShownDeadLetter } from '../lane/dead-letters.ts'
import type { Handled } from '../store/dead-letter-desk.ts'
import { parsePositionals } from './config-options.ts'
import { askFiles, askSidecar, type DeadLetterSource } from './dead-letter-source.ts'
import type { Io } from './io.ts'
import { formatTable } from './table.ts'

const VERBS = ['list', 'show', 'replay', 'drop'] as const
type Verb = (typeof VERBS)[number]

const USAGE = 'write `list`, `show ID`, `replay ID…|--all` or `drop ID…|--all`'

interface Asked {
  readonly verb: Verb
  readonly ids: readonly number[]
  readonly all: boolean
  readonly exporter: string | undefined
  readonly values: boolean
  readonly isJson: boolean
  readonly admin: string | undefined
  readonly files: readonly string[]
  readonly set: readonly string[]
}

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const asked = parse(argv)
  const source = await findSource(asked, io)
  try {
    io.stdout(await answer(asked, source))
    return 0
  } finally {
    await source.close()
  }
}

function parse(argv: readonly string[]): Asked {
  const { values, positionals } = parsePositionals('dead-letters', argv, OPTIONS)
  const [word = '', ...rest] = positionals
  const verb = VERBS.find((one) => one === word)
  if (verb === undefined) throw new CommandError(`dead-letters: ${USAGE}`, 2)
  const ids = rest.map(idOf)
  const {
    exporter,
    all = false,
    values: isOpen = false,
    format = 'text',
    admin,
    config = [],
    set = [],
  } = values
  const needsIds =
    verb === 'show' ? ids.length === 1 : verb === 'list' ? ids.length === 0 : ids.length > 0 !== all
  if (!needsIds || (all && (verb === 'list' || verb === 'show'))) {
    throw new CommandError(`dead-letters: ${USAGE}`, 2)
  }
  if (format !== 'text' && format !== 'json') {
    throw new CommandError(`dead-letters: there is no --format \`${format}\`; write text or json`, 2)
  }
  return { verb, ids, all, exporter, values: isOpen, isJson: format === 'json', admin, files: config, set }
}

const OPTIONS = {
  config: { type: 'string', multiple: true, short: 'c' },
  set: { type: 'string', multiple: true },
  admin: { type: 'string' },
  format: { type: 'string' },
  exporter: { type: 'string' },
  all: { type: 'boolean' },
  values: { type: 'boolean' },
} as const

function idOf(word: string): number {
  if (!/^\d{1,15}$/.test(word))
    throw new CommandError(`dead-letters: \`${word}\` is no id; \`list\` shows them`, 2)
  return Number(word)
}

async function findSource({ admin, files, set }: Asked, io: Io): Promise<DeadLetterSource> {
  if (admin !== undefined) return askSidecar(admin)
  const config = loadConfig({ files, set, env: io.env, cwd: io.cwd })
  const sidecar = askSidecar(config.admin)
  return (await sidecar.answers()) ? sidecar : askFiles(config)
}

async function answer(asked: Asked, source: DeadLetterSource): Promise<string> {
  const { verb, ids, exporter, values, isJson } = asked
  switch (verb) {
    case 'list': {
      const rows = await source.list(exporter)
      return isJson ? `${JSON.stringify({ dead_letters: rows })}\n` : listText(rows)
    }
    case 'show': {
      const shown = await source.show(ids[0], values)
      return isJson ? `${JSON.stringify(shown)}\n` : showText(shown)
    }
    case 'replay':
    case 'drop': {
      const selection = {
        ...(asked.all ? { all: true } : { ids }),
        ...(exporter !== undefined && { exporter }),
      }
      const handled = await source.handle(verb, selection)
      return isJson ? `${JSON.stringify(handled)}\n` : handledText(verb, handled)
    }
  }
}

const LIST_HEAD = ['id', 'when', 'exporter', 'lane', 'signal', 'items', 'bytes', 'status', 'message']

function listText(rows: readonly DeadLetterRow[]): string {
  if (rows.length === 0) return 'There are no dead letters.\n'
  const cells = rows.map(({ id, when, exporter, lane, signal, items, bytes, status, message }) => [
    id,
    when,
    exporter,
    lane,
    signal,
    items,
    bytes,
    status,
    printable(message),
  ])
  return formatTable(LIST_HEAD, cells)
}

function showText(shown: ShownDeadLetter): string {
  const parts = [listText([shown])]
  shown.content.items.forEach(({ fields }, index) => {
    const isOpen = fields.some(({ value }) => value !== undefined)
    const cells = fields.map(({ place, key, bytes, value }) => {
      const cell = [place, printable(key), bytes]
      return isOpen ? [...cell, printable(value ?? '')] : cell
    })
    const head = ['place', 'key', 'bytes', ...(isOpen ? ['value'] : [])]
    parts.push(`\nitem ${index + 1}\n${formatTable(head, cells)}`)
  })
  const { more } = shown.content
  if (more > 0) parts.push(`\nand ${more} items more\n`)
  return parts.join('')
}

function handledText(verb: 'replay' | 'drop', { dead_letters, items, bytes }: Handled): string {
  const done = verb === 'replay' ? 'are in their queues again' : 'are gone'
  return `${dead_letters} dead letters with ${items} items (${bytes} bytes) ${done}.\n`
}

/** What a backend or a sender wrote must not move the cursor of a terminal. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
}
