/**
 * Several trees → one: further files, `--set`, and the user's file over a preset.
 *
 * Maps merge, lists and values replace, as the Collector does it. A key without a value says nothing, so
 * it replaces nothing. Under a preset, a lane's own `accept` and `fields` lines come before the preset's,
 * because the first line that names an item decides.
 */
import { parseYaml } from './parse-yaml.ts'
import {
  booleanOf,
  isNull,
  type MapEntry,
  type MapNode,
  mapNode,
  type Node,
  nodeAt,
  type Report,
} from './tree.ts'

/** Keys of a lane whose lists join the preset's instead of replacing them. */
const JOINED_LISTS = ['accept', 'fields'] as const

export function mergeTrees(base: Node, over: Node): Node {
  if (isNull(over)) return base
  if (base.kind !== 'map' || over.kind !== 'map') return over
  const entries = new Map<string, MapEntry>(base.entries)
  for (const [key, entry] of over.entries) {
    const below = entries.get(key)
    entries.set(key, below === undefined ? entry : mergeEntry(below, entry))
  }
  return { kind: 'map', position: over.position, entries }
}

function mergeEntry(below: MapEntry, above: MapEntry): MapEntry {
  return isNull(above.value)
    ? below
    : { keyPosition: above.keyPosition, value: mergeTrees(below.value, above.value) }
}

/** The tree that one `--set a.b=value` stands for; its line is which `--set` it was. */
export function treeOfSet(argument: string, index: number, report: Report): Node | undefined {
  const position = { file: '--set', line: index + 1, column: 1 }
  const equals = argument.indexOf('=')
  const path = equals < 0 ? [] : argument.slice(0, equals).split('.')
  if (path.length === 0 || path.includes('')) {
    report('error', position, '', 'not a setting: write --set a.b=value, keys joined by single dots')
    return undefined
  }
  const valuePosition = { ...position, column: equals + 2 }
  // The value is read inside a map so that `--set a.b=` is a key without a value, and `[x, y]` a list.
  const prefix = 'value: '
  const shifted: Report = (severity, { line, column }, _key, message) => {
    const shift = line === 1 ? valuePosition.column - prefix.length - 1 : 0
    report(severity, { ...position, column: Math.max(1, column + shift) }, path.join('.'), message)
  }
  const parsed = parseYaml(`${prefix}${argument.slice(equals + 1)}`, '--set', shifted)
  const value = parsed?.kind === 'map' ? parsed.entries.get('value')?.value : undefined
  if (value === undefined) return undefined
  return path.reduceRight<Node>(
    (node, key) => mapNode(position, [[key, { keyPosition: position, value: node }]]),
    relocate(value, valuePosition),
  )
}

function relocate(node: Node, position: Node['position']): Node {
  if (node.kind === 'scalar') return { ...node, position }
  if (node.kind === 'list')
    return { ...node, position, items: node.items.map((item) => relocate(item, position)) }
  const entries = [...node.entries].map(
    ([key, { value }]) => [key, { keyPosition: position, value: relocate(value, position) }] as const,
  )
  return mapNode(position, entries)
}

/** The user's tree over a preset's. `preset_rules` is spent here and leaves the tree. */
export function mergeOverPreset(preset: Node, user: MapNode, report: Report): MapNode {
  const merged = mergeTrees(preset, user)
  if (merged.kind !== 'map') return user
  const lanes = nodeAt(merged, 'lanes')
  const lanesEntry = merged.entries.get('lanes')
  if (lanes?.kind !== 'map' || lanesEntry === undefined) return merged
  const joined = [...lanes.entries].map(([name, entry]) => {
    const above = nodeAt(user, 'lanes', name)
    if (entry.value.kind !== 'map' || above?.kind !== 'map') return [name, entry] as const
    const lane = joinLane(name, { merged: entry.value, below: nodeAt(preset, 'lanes', name), above }, report)
    return [name, { ...entry, value: lane }] as const
  })
  const entries = new Map(merged.entries)
  entries.set('lanes', { ...lanesEntry, value: mapNode(lanes.position, joined) })
  return { ...merged, entries }
}

interface LaneParts {
  readonly merged: MapNode
  readonly below: Node | undefined
  readonly above: MapNode
}

function joinLane(name: string, { merged, below, above }: LaneParts, report: Report): MapNode {
  const entries = new Map(merged.entries)
  const switchEntry = above.entries.get('preset_rules')
  const keepsPreset = booleanOf(switchEntry?.value) !== false
  if (!keepsPreset && switchEntry !== undefined) {
    const place = switchEntry.keyPosition
    report(
      'warning',
      place,
      `lanes.${name}.preset_rules`,
      "the preset's accept and fields lines are off on this lane: what it protects is up to you",
    )
  }
  // Only a valid switch is spent; any other value stays, so that the schema check can refuse it.
  if (
    switchEntry !== undefined &&
    (isNull(switchEntry.value) || booleanOf(switchEntry.value) !== undefined)
  ) {
    entries.delete('preset_rules')
  }
  for (const key of JOINED_LISTS) {
    const own = nodeAt(above, key)
    const shipped = nodeAt(below, key)
    const entry = entries.get(key)
    if (entry === undefined || shipped?.kind !== 'list') continue
    if (!keepsPreset && own === undefined) entries.delete(key)
    else if (keepsPreset && own?.kind === 'list') {
      entries.set(key, { ...entry, value: { ...own, items: [...own.items, ...shipped.items] } })
    }
  }
  return { ...merged, entries }
}
