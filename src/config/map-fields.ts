/**
 * The lines of a lane's `fields` → FieldRuleSpec, in order: one verb a line, its keys and its filters.
 */
import { didYouMean } from '../policy/nearest.ts'
import { PLACES } from '../policy/place.ts'
import type { FieldRuleSpec } from './config.ts'
import {
  itemsOf,
  type Node,
  nodeAt,
  numberOf,
  oneOrMany,
  type Report,
  sizeOf,
  textOf,
  textsOf,
  wordOf,
} from './tree.ts'

const VERBS = ['keep', 'remove', 'only', 'hash', 'truncate'] as const

/** Texts outside attributes that a rule can name. */
export const FIELD_TEXTS = [
  '@name',
  '@status.message',
  '@trace_state',
  '@body',
  '@event_name',
  '@severity_text',
  '@schema_url',
  '@scope.name',
  '@scope.version',
  '@metric.name',
  '@metric.description',
] as const

/** Places that no item's event name or family can be asked of: they belong to many items. */
const SHARED_PLACES: ReadonlySet<string> = new Set(['resource', 'scope'])

/** What counts call items that no family of the policy owns: a rule may ask for them too. */
const OTHER_FAMILIES = ['unreviewed', 'ambiguous', 'foreign'] as const

interface Lane {
  /** Of the lane's lines: `lanes.trace.fields`. */
  readonly key: string
  /** Names of the families of the policy. */
  readonly families: readonly string[]
  readonly report: Report
}

export function mapFields(lines: readonly Node[], lane: Lane): readonly FieldRuleSpec[] {
  return lines.flatMap((line) => mapRule(line, lane) ?? [])
}

function mapRule(line: Node, { key, families, report }: Lane): FieldRuleSpec | undefined {
  const fail = (node: Node, message: string): void => report('error', node.position, key, message)
  const verbs = VERBS.filter((verb) => nodeAt(line, verb) !== undefined)
  const [verb] = verbs
  if (line.kind !== 'map') return undefined
  if (verb === undefined || verbs.length > 1) {
    const count = verb === undefined ? 'has no verb' : `has ${verbs.length} verbs (${verbs.join(', ')})`
    fail(line, `${count}; a line has one of ${VERBS.join(', ')}`)
    return undefined
  }
  const keys = itemsOf(nodeAt(line, verb)).flatMap((node) => {
    const text = textOf(node)
    return text === undefined ? [] : [{ key: text, position: node.position, node }]
  })
  for (const { key: field, node } of keys) {
    if (field.startsWith('@') && !FIELD_TEXTS.some((text) => text === field)) {
      fail(
        node,
        `is no text that a rule can name${didYouMean(field, FIELD_TEXTS) || `; there are ${FIELD_TEXTS.join(', ')}`}`,
      )
    }
  }
  const to = nodeAt(line, 'to')
  const bytesMax = numberOf(to) ?? sizeOf(to)
  if (verb === 'truncate' && to === undefined)
    fail(line, '`truncate` needs `to`: how many bytes stay, such as `to: 256B`')
  if (verb !== 'truncate' && to !== undefined)
    fail(to, `\`to\` belongs to \`truncate\`, not to \`${verb}\`; leave it out`)
  const on = oneOrMany(nodeAt(line, 'on')).flatMap((node) => wordOf(node, PLACES) ?? [])
  const filter = nodeAt(line, 'event_name') ?? nodeAt(line, 'family')
  if (filter !== undefined && on.length > 0 && on.every((place) => SHARED_PLACES.has(place))) {
    fail(filter, 'a resource or scope is shared by items of many families and names; leave the filter out')
  }
  const known = [...families, ...OTHER_FAMILIES]
  for (const node of oneOrMany(nodeAt(line, 'family'))) {
    const name = textOf(node)
    if (name !== undefined && !known.includes(name)) fail(node, unknownFamily(node, name, known))
  }
  return {
    verb,
    keys: keys.map(({ key: field, position }) => ({ key: field, position })),
    bytesMax: verb === 'truncate' ? bytesMax : undefined,
    on,
    families: textsOf(oneOrMany(nodeAt(line, 'family'))),
    eventNames: textsOf(oneOrMany(nodeAt(line, 'event_name'))),
    position: line.position,
  }
}

/** A name that came from outside is not quoted. */
function unknownFamily(node: Node, name: string, known: readonly string[]): string {
  const isOutside = node.kind === 'scalar' && node.outside
  const fact = isOutside ? 'there is no family of that name' : `there is no family \`${name}\``
  return `${fact}${(isOutside ? '' : didYouMean(name, known)) || `; there are ${known.join(', ')}`}`
}
