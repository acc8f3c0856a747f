/**
 * From the command line to one located tree: files, `--set`, references, and the preset underneath.
 *
 * `load.ts` makes the Config of it; `print.ts` writes it out again.
 */
import { nearestWord } from '../policy/nearest.ts'
import { mergeOverPreset, mergeTrees, treeOfSet } from './merge.ts'
import {
  type ConfigInput,
  findSources,
  PRESET_NAMES,
  type PresetName,
  presetSource,
  readSource,
} from './sources.ts'
import { substitute } from './substitute.ts'
import { type MapNode, mapNode, type Node, nodeAt, type Report, textOf } from './tree.ts'

export interface ResolvedTree {
  readonly root: MapNode
  /** The files' names, or `built-in`. */
  readonly source: string
  readonly directoryOf: (file: string) => string
  /** Paths of the user's files. */
  readonly files: readonly string[]
}

/** Undefined when a file could not be read at all; why is reported. */
export function resolveTree(input: ConfigInput, report: Report): ResolvedTree | undefined {
  const sources = findSources(input)
  const source = sources.map(({ name }) => name).join(', ')
  const files = sources.map(({ path }) => path)
  const directories = new Map(sources.map(({ name, directory }) => [name, directory]))
  const directoryOf = (file: string): string => directories.get(file) ?? input.cwd
  const trees = sources.map((file) => readSource(file, report))
  const settings = input.set.map((argument, index) => treeOfSet(argument, index, report))
  if ([...trees, ...settings].includes(undefined)) return undefined
  const top = { file: sources[0].name, line: 1, column: 1 }
  const written = [...trees, ...settings].reduce<Node>(
    (below, above) => (above === undefined ? below : mergeTrees(below, above)),
    mapNode(top, []),
  )
  const user = substitute(written, { env: input.env, directoryOf }, report)
  if (user.kind !== 'map') return undefined
  const preset = readSource(presetSource(presetOf(user)), report)
  if (preset === undefined) return undefined
  // The root stands for the first file: what no file says (the default storage folder) starts from there.
  return { root: { ...mergeOverPreset(preset, user, report), position: top }, source, directoryOf, files }
}

/** The preset underneath. A word that is none is reported by the schema check, and the nearest stands in for it. */
function presetOf(user: Node): PresetName {
  const word = textOf(nodeAt(user, 'policy', 'preset')) ?? 'codex'
  return PRESET_NAMES.find((name) => name === nearestWord(word, PRESET_NAMES)) ?? 'codex'
}
