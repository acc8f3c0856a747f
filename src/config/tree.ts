/**
 * A configuration file as a tree in which every key, list item and value knows its place.
 *
 * All steps of loading (parse, merge, substitute, check, map) read and return this tree; none of them
 * loses a position. The functions here read one value: they give undefined for what is absent, empty or of
 * another kind, and never complain, because `check.ts` has reported the kind already.
 */
import type { Position } from '../errors.ts'
import type { SecretText } from './config.ts'
import { parseDuration, parseSize } from './units.ts'

export interface ScalarNode {
  readonly kind: 'scalar'
  readonly position: Position
  readonly value: string | number | boolean | null
  /** The text as it stands in the file, before `${…}` is replaced. */
  readonly source: string
  /** The value came, in part, from the environment or a file: never quote it, convert it where a number is due. */
  readonly outside: boolean
  /** Only on secrets with `${file:…}`, which are read when used. */
  readonly secret: SecretText | undefined
}

export interface MapEntry {
  readonly keyPosition: Position
  readonly value: Node
}

export interface MapNode {
  readonly kind: 'map'
  readonly position: Position
  readonly entries: ReadonlyMap<string, MapEntry>
}

export interface ListNode {
  readonly kind: 'list'
  readonly position: Position
  readonly items: readonly Node[]
}

export type Node = ScalarNode | MapNode | ListNode

/** Reports one problem; `key` is joined by dots. */
export type Report = (severity: 'error' | 'warning', position: Position, key: string, message: string) => void

export function scalarNode(
  value: ScalarNode['value'],
  position: Position,
  source: string = String(value),
): ScalarNode {
  return { kind: 'scalar', position, value, source, outside: false, secret: undefined }
}

export function mapNode(position: Position, entries: Iterable<readonly [string, MapEntry]>): MapNode {
  return { kind: 'map', position, entries: new Map(entries) }
}

export function isNull(node: Node): boolean {
  return node.kind === 'scalar' && node.value === null
}

/** The node under a path of keys. A key without a value (`tls:`) is as absent as one that is not there. */
export function nodeAt(node: Node | undefined, ...path: readonly string[]): Node | undefined {
  let found = node
  for (const key of path) found = found?.kind === 'map' ? found.entries.get(key)?.value : undefined
  return found === undefined || isNull(found) ? undefined : found
}

/** The entries of a map, those without a value included. */
export function entriesOf(node: Node | undefined): readonly (readonly [string, MapEntry])[] {
  return node?.kind === 'map' ? [...node.entries] : []
}

export function itemsOf(node: Node | undefined): readonly Node[] {
  return node?.kind === 'list' ? node.items : []
}

/** The items of a list, or the one value that stands for a list of one. */
export function oneOrMany(node: Node | undefined): readonly Node[] {
  if (node === undefined || isNull(node)) return []
  return node.kind === 'list' ? node.items : [node]
}

export function textOf(node: Node | undefined): string | undefined {
  return node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined
}

export function textsOf(nodes: readonly Node[]): readonly string[] {
  return nodes.flatMap((node) => textOf(node) ?? [])
}

export function numberOf(node: Node | undefined): number | undefined {
  if (node?.kind !== 'scalar') return undefined
  if (typeof node.value === 'number') return node.value
  const isNumber = node.outside && typeof node.value === 'string' && /^-?[0-9]+(\.[0-9]+)?$/.test(node.value)
  return isNumber ? Number(node.value) : undefined
}

export function booleanOf(node: Node | undefined): boolean | undefined {
  if (node?.kind !== 'scalar') return undefined
  if (typeof node.value === 'boolean') return node.value
  if (!node.outside) return undefined
  return node.value === 'true' ? true : node.value === 'false' ? false : undefined
}

/** Bytes. */
export function sizeOf(node: Node | undefined): number | undefined {
  const text = textOf(node)
  return text === undefined ? undefined : parseSize(text)
}

/** Milliseconds. */
export function durationOf(node: Node | undefined): number | undefined {
  const text = textOf(node)
  return text === undefined ? undefined : parseDuration(text)
}

/** The word of `words` that the node holds. */
export function wordOf<Word extends string>(
  node: Node | undefined,
  words: readonly Word[],
): Word | undefined {
  const text = textOf(node)
  return words.find((word) => word === text)
}
