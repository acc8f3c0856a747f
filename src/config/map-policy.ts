/**
 * Tree → PolicySpec: target paths, families and lanes as the policy compiler reads them, with every position.
 *
 * What refers to policy words (families, targets, paths) is checked by the compiler; here only what is about
 * lanes as ways out: their signal, and the exporters that they name.
 */
import type { Position } from '../errors.ts'
import { SIGNALS } from '../otlp/signal.ts'
import { nearestWord } from '../policy/nearest.ts'
import type {
  AcceptLineSpec,
  FamilySpec,
  LaneSpec,
  PolicySpec,
  SelectorSpec,
  TargetPathSpec,
} from './config.ts'
import { canonicalExporter } from './map-exporters.ts'
import { mapFields } from './map-fields.ts'
import {
  booleanOf,
  entriesOf,
  itemsOf,
  type MapEntry,
  type Node,
  nodeAt,
  oneOrMany,
  type Report,
  textOf,
  textsOf,
  wordOf,
} from './tree.ts'

const DISPOSALS = ['forward', 'quarantine', 'drop'] as const
const ITEMS = ['events', 'spans', 'points'] as const

export function mapPolicy(root: Node, report: Report): PolicySpec {
  const policy = nodeAt(root, 'policy')
  const position = (key: string): Position => (nodeAt(policy, key) ?? policy ?? root).position
  const rehome = nodeAt(policy, 'rehome')
  const both = booleanOf(rehome)
  const targetPaths = (key: string): readonly TargetPathSpec[] =>
    itemsOf(nodeAt(policy, 'target', key)).map(mapTargetPath)
  return {
    namespace: textOf(nodeAt(policy, 'namespace')) ?? '',
    match: wordOf(nodeAt(policy, 'match'), ['segment', 'prefix'] as const) ?? 'segment',
    target: {
      logRecord: targetPaths('log_record'),
      spanEvent: targetPaths('span_event'),
      span: targetPaths('span'),
    },
    families: entriesOf(nodeAt(policy, 'families')).map(([name, entry]) => mapFamily(name, entry)),
    rejected: [],
    unreviewed: wordOf(nodeAt(policy, 'unreviewed'), DISPOSALS) ?? 'forward',
    foreign: wordOf(nodeAt(policy, 'foreign'), DISPOSALS) ?? 'drop',
    rehome: {
      toLogs: booleanOf(nodeAt(rehome, 'to_logs')) ?? both ?? rehome !== undefined,
      toTraces: booleanOf(nodeAt(rehome, 'to_traces')) ?? both ?? rehome !== undefined,
    },
    positions: {
      unreviewed: position('unreviewed'),
      foreign: position('foreign'),
      rehome: position('rehome'),
    },
    lanes: entriesOf(nodeAt(root, 'lanes')).flatMap(
      ([name, entry]) => mapLane(name, entry, root, report) ?? [],
    ),
  }
}

function mapTargetPath(node: Node): TargetPathSpec {
  return {
    path: textOf(node) ?? textOf(nodeAt(node, 'path')) ?? '',
    except: textsOf(itemsOf(nodeAt(node, 'except'))),
    position: node.position,
  }
}

function mapFamily(name: string, { keyPosition, value }: MapEntry): FamilySpec {
  const targets = itemsOf(nodeAt(value, 'targets')).flatMap((node) => {
    const target = textOf(node)
    return target === undefined ? [] : [{ target, position: node.position }]
  })
  return { name, targets, owner: textOf(nodeAt(value, 'owner')), position: keyPosition }
}

function mapLane(
  name: string,
  { keyPosition, value }: MapEntry,
  root: Node,
  report: Report,
): LaneSpec | undefined {
  const signalNode = nodeAt(value, 'signal')
  const signal = wordOf(signalNode, SIGNALS)
  if (signalNode === undefined) {
    report(
      'error',
      keyPosition,
      `lanes.${name}`,
      `has no signal, and no preset gives it one; write \`signal: logs\`, traces or metrics${presetLane(name)}`,
    )
  }
  const exporters = mapReferences(name, nodeAt(value, 'exporters'), root, report)
  const families = entriesOf(nodeAt(root, 'policy', 'families')).map(([family]) => family)
  // Without a signal its lines cannot be judged: what is wrong with it has been said.
  if (signal === undefined) return undefined
  return {
    name,
    signal,
    accept: itemsOf(nodeAt(value, 'accept')).flatMap(mapAcceptLine),
    fields: mapFields(itemsOf(nodeAt(value, 'fields')), { key: `lanes.${name}.fields`, families, report }),
    unlistedFields: wordOf(nodeAt(value, 'unlisted_fields'), ['keep', 'remove'] as const) ?? 'keep',
    wire: wordOf(nodeAt(value, 'wire'), ['as_is', 'canonical'] as const) ?? 'as_is',
    exporters,
    position: keyPosition,
  }
}

/** The lanes of the preset are singular: `logs` is the commonest slip. */
function presetLane(name: string): string {
  const nearest = nearestWord(name, ['log', 'trace', 'metric'])
  return nearest === undefined || nearest === name ? '' : ` (the preset codex has lane \`${nearest}\`)`
}

function mapReferences(
  lane: string,
  list: Node | undefined,
  root: Node,
  report: Report,
): LaneSpec['exporters'] {
  const key = `lanes.${lane}.exporters`
  const known = new Set(entriesOf(nodeAt(root, 'exporters')).map(([name]) => canonicalExporter(name)))
  const references = new Map<string, Position>()
  for (const node of itemsOf(list)) {
    const written = textOf(node)
    if (written === undefined || node.kind !== 'scalar') continue
    const name = canonicalExporter(written)
    if (!known.has(name))
      report('error', node.position, key, unknownExporter(node.outside ? '' : name, known))
    else if (references.has(name))
      report(
        'error',
        node.position,
        key,
        `names exporter \`${name}\` twice: each item would arrive twice; keep one`,
      )
    references.set(name, node.position)
  }
  return [...references].map(([name, position]) => ({ name, position }))
}

function unknownExporter(name: string, known: ReadonlySet<string>): string {
  const fact = name === '' ? 'there is no exporter of that name' : `there is no exporter \`${name}\``
  const nearest = nearestWord(name, known)
  if (nearest !== undefined) return `${fact}, did you mean \`${nearest}\`?`
  return known.size === 0
    ? `${fact}; write it under \`exporters\``
    : `${fact}; there are ${[...known].join(', ')}`
}

function mapAcceptLine(line: Node): readonly AcceptLineSpec[] {
  const excepted = nodeAt(line, 'except')
  const [items, list] =
    ITEMS.map((word) => [word, nodeAt(excepted ?? line, word)] as const).find(
      ([, found]) => found !== undefined,
    ) ?? []
  if (items === undefined) return []
  return [
    {
      except: excepted !== undefined,
      items,
      selectors: itemsOf(list).map(mapSelector),
      position: line.position,
    },
  ]
}

function mapSelector(node: Node): SelectorSpec {
  const resource = entriesOf(nodeAt(node, 'resource')).map(
    ([key, { value }]) => [key, textsOf(oneOrMany(value))] as const,
  )
  return {
    position: node.position,
    word: textOf(node),
    family: textOf(nodeAt(node, 'family')),
    target: textOf(nodeAt(node, 'target')),
    eventNames: textsOf(oneOrMany(nodeAt(node, 'event_name'))),
    resource: Object.fromEntries(resource),
  }
}
