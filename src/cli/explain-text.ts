/**
 * What `explain` found, for a person to read: a block a kind of item, then a summary.
 *
 * Items that are alike in all that is shown share a block with their count, so a long request stays readable. What a
 * lane removes or changes is listed first; what it keeps is one line. Names come from a request: what could move a
 * terminal's cursor is escaped.
 */
import type { Position } from '../errors.ts'
import type { Reason } from '../telemetry/tally.ts'
import type { ExplainedField, ExplainedItem, Way } from './explain-items.ts'
import { formatTable } from './table.ts'

/** So many names of kept fields are written out. */
const namesMax = 8
const nameCharactersMax = 100

/** `passing`: the lanes that have no field policy. */
export function formatExplanation(items: readonly ExplainedItem[], passing: ReadonlySet<string>): string {
  const kinds = Map.groupBy(items, identify)
  const blocks = [...kinds.values()].map((alike) => formatBlock(alike, passing))
  return `${blocks.join('')}${formatSummary(items)}`
}

/** What items must have in common to share a block: everything that is shown but what is kept. */
function identify(item: ExplainedItem): string {
  return `${formatHead(item)}${item.ways.map((way) => formatWay(way, item)).join('')}`
}

function formatBlock(alike: readonly ExplainedItem[], passing: ReadonlySet<string>): string {
  const [item] = alike
  const head = `${alike.length === 1 ? '' : `${alike.length} × `}${formatHead(item)}`
  const ways = item.ways.map(
    (way) => `${formatWay(way, item)}${formatKept(keptBy(way.lane, alike), passing.has(way.lane))}`,
  )
  return `${head}${ways.join('')}\n`
}

function formatHead(item: ExplainedItem): string {
  const { carriage, family, ways } = item
  const fate = ways.length === 0 ? `  ✕ ${formatFate(item)}\n` : ''
  return `${carriage.replace('_', ' ')}  ${formatTarget(item)}  family ${family}\n${fate}`
}

function formatTarget({ target, targetFrom }: ExplainedItem): string {
  if (targetFrom === undefined) return '(no target)'
  if (target === undefined) return `(target in doubt: ${targetFrom})`
  // A blank at the end makes another target, and nobody sees it.
  const isPlain = /^\S+$/.test(target)
  return `${isPlain ? printable(target) : `"${printable(target)}"`}  (${targetFrom})`
}

/** Why nothing takes the item. */
function formatFate({ outcome, reason, lane, rule }: ExplainedItem): string {
  const why = reason === '' ? '' : `: ${reason}`
  const words = reason === '' ? undefined : REASONS[reason]?.(lane)
  const place = rule === undefined ? '' : `   ${placeOf(rule)}`
  return `${outcome}${why}${words === undefined ? '' : ` (${words})`}${place}`
}

const REASONS: Readonly<Partial<Record<Reason, (lane: string) => string>>> = {
  foreign: () => 'its target is not of the namespace',
  unreviewed: () => 'no family names its target yet',
  wrong_carriage: (lane) => `lane ${lane} would take it in the other carriage, and rehoming is off`,
  no_lane: () => 'no lane names it',
  no_exporter: (lane) => `lane ${lane} would take it and has no exporter`,
  lane_rule: (lane) => `lane ${lane} excepts it`,
  ambiguous_target: () => 'none of the values of its target is of the namespace',
  no_span: () => 'it has no span to ride on',
}

function formatWay({ lane, how, rule }: Way, item: ExplainedItem): string {
  const moved = how === 'native' ? '' : `, ${HOW[how]}`
  const place = rule === undefined ? '' : `   ${placeOf(rule)}`
  return `  → ${lane}${moved}${place}\n${formatChanged(item.fields.filter((field) => field.lane === lane))}`
}

const HOW: Readonly<Record<'rehomed' | 'carried', string>> = {
  rehomed: 'rehomed',
  carried: 'on a carrier span',
}

function formatChanged(fields: readonly ExplainedField[]): string {
  const rows = ACTIONS.flatMap((action) => rowsOf(fields.filter((field) => field.action === action)))
  const widths = [actionWidth, 1, 2].map((least, column) =>
    Math.max(least, ...rows.map((row) => row[column].length)),
  )
  return rows
    .map(
      (row) =>
        `      ${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

const ACTIONS = ['remove', 'hash', 'truncate'] as const
const actionWidth = 'truncate'.length

/** One row for what one line does in one place: action, place, line, keys. */
function rowsOf(fields: readonly ExplainedField[]): readonly (readonly string[])[] {
  const groups = Map.groupBy(
    fields,
    ({ place, rule }) => `${place}\n${rule === undefined ? '' : placeOf(rule)}`,
  )
  return [...groups.values()].map((group) => {
    const [{ action, place, rule }] = group
    const by = rule === undefined ? 'unlisted' : placeOf(rule)
    return [action, place, by, group.map(({ key }) => printable(key)).join(', ')]
  })
}

/** What a lane keeps of each of some items. */
function keptBy(lane: string, items: readonly ExplainedItem[]): readonly (readonly ExplainedField[])[] {
  return items.map(({ fields }) => fields.filter((field) => field.lane === lane && field.action === 'keep'))
}

/** `kept`: of each item of a block. */
function formatKept(kept: readonly (readonly ExplainedField[])[], isPassing: boolean): string {
  const counts = kept.map(({ length }) => length)
  const [least, most] = [Math.min(...counts), Math.max(...counts)]
  if (most === 0) return ''
  const fields = `${least === most ? most : `${least}–${most}`} ${most === 1 ? 'field' : 'fields'}`
  const open = kept.flat().filter(({ isDecided }) => !isDecided)
  return `      ${'keep'.padEnd(actionWidth)}  ${fields}${formatOpen(namesOf(open), isPassing)}\n`
}

/** The fields that no rule names: `names` holds each once. */
function formatOpen(names: readonly string[], isPassing: boolean): string {
  if (names.length === 0) return ''
  const more = names.length - namesMax
  const list = `${names.slice(0, namesMax).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
  return isPassing ? `, as the lane has no field rules: ${list}` : `; no rule names ${list}`
}

/** Attributes only, for the texts are the same in every item; the item's own first, then those that it shares. */
function namesOf(fields: readonly ExplainedField[]): readonly string[] {
  const isShared = ({ place }: ExplainedField): boolean => place === 'resource' || place === 'scope'
  const attributes = fields.filter(({ key }) => !key.startsWith('@'))
  const sorted = [...attributes.filter((field) => !isShared(field)), ...attributes.filter(isShared)]
  return [...new Set(sorted.map(({ key }) => printable(key)))]
}

/** As the ledger would count them: `copied` are further lanes of an item that is counted already. */
function formatSummary(items: readonly ExplainedItem[]): string {
  if (items.length === 0) return 'There is no item in it.\n'
  const counts = new Map<string, number>()
  const count = (cells: readonly string[]): void => {
    const row = cells.join('\n')
    counts.set(row, (counts.get(row) ?? 0) + 1)
  }
  for (const { family, carriage, outcome, lane, reason, ways } of items) {
    count([family, carriage, outcome, lane || '-', reason || '-'])
    for (const way of ways) if (way.lane !== lane) count([family, carriage, 'copied', way.lane, '-'])
  }
  const rows = [...counts].map(([row, items]) => {
    const [family, carriage, ...fate] = row.split('\n')
    return [family, carriage, items, ...fate]
  })
  const head = ['family', 'carriage', 'items', 'outcome', 'lane', 'reason']
  return `${items.length} ${items.length === 1 ? 'item' : 'items'}:\n${formatTable(head, rows)}`
}

function placeOf({ file, line }: Position): string {
  return `${file}:${line}`
}

/** A name as it may be written to a terminal. */
function printable(name: string): string {
  const cut = name.length > nameCharactersMax ? `${name.slice(0, nameCharactersMax)}…` : name
  return cut.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (found) => {
    return `\\u{${found.codePointAt(0)?.toString(16)}}`
  })
}
