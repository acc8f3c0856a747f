/**
 * Which files make the configuration, and their text.
 *
 * `--config` (repeatable), else `$LANEWAY_CONFIG`, else `./laneway.yaml`, else `/etc/laneway/laneway.yaml`,
 * else the built-in one. Presets and the built-in lie in `config/presets`, in a checkout and in the package.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FILE_BYTES_MAX, parseYaml } from './parse-yaml.ts'
import { readFault } from './substitute.ts'
import type { Node, Report } from './tree.ts'

export interface ConfigInput {
  /** Of `--config`, in order. */
  readonly files: readonly string[]
  /** Of `--set`, in order. */
  readonly set: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

export interface SourceFile {
  /** As messages name it. */
  readonly name: string
  readonly path: string
  /** Where its relative paths start. */
  readonly directory: string
}

const BUILT_IN = 'built-in'
const SYSTEM_FILE = '/etc/laneway/laneway.yaml'

/** Names of the presets that are shipped. */
export const PRESET_NAMES = ['codex', 'codex-strict', 'none'] as const
export type PresetName = (typeof PRESET_NAMES)[number]

export function findSources({ files, env, cwd }: ConfigInput): readonly SourceFile[] {
  const named = (name: string): SourceFile => {
    const path = resolve(cwd, name)
    return { name, path, directory: dirname(path) }
  }
  if (files.length > 0) return files.map(named)
  if (env.LANEWAY_CONFIG !== undefined && env.LANEWAY_CONFIG !== '') return [named(env.LANEWAY_CONFIG)]
  const found = ['laneway.yaml', SYSTEM_FILE].find((name) => existsSync(resolve(cwd, name)))
  if (found !== undefined) return [named(found)]
  return [{ name: BUILT_IN, path: presetPath('builtin'), directory: cwd }]
}

export function presetSource(preset: PresetName): SourceFile {
  const path = presetPath(preset)
  return { name: `preset:${preset}`, path, directory: dirname(path) }
}

function presetPath(name: string): string {
  return fileURLToPath(new URL(`../../config/presets/${name}.yaml`, import.meta.url))
}

/** What the files held when they were last read without a complaint: of a reload, most have not changed. */
const lastRead = new Map<string, { readonly bytes: Buffer; readonly tree: Node }>()

/** The file's tree; undefined when it cannot be read, which is reported. */
export function readSource({ name, path }: SourceFile, report: Report): Node | undefined {
  const fail = (message: string): undefined => {
    report('error', { file: name, line: 1, column: 1 }, '', message)
  }
  let bytes: Buffer
  try {
    const stat = statSync(path)
    if (stat.isDirectory()) return fail('is a folder; name the file in it')
    if (stat.size > FILE_BYTES_MAX) return fail('is larger than 1 MiB, so it is no configuration')
    bytes = readFileSync(path)
  } catch (error) {
    return fail(`cannot be read: ${readFault(error)}`)
  }
  // Devices and pipes (`<(…)`) have no size of their own.
  if (bytes.length > FILE_BYTES_MAX) return fail('is larger than 1 MiB, so it is no configuration')
  const key = `${name}\n${path}`
  const last = lastRead.get(key)
  if (last?.bytes.equals(bytes)) return last.tree
  lastRead.delete(key)
  let complaints = 0
  const counted: Report = (...problem) => {
    complaints++
    report(...problem)
  }
  try {
    const tree = parseYaml(new TextDecoder('utf-8', { fatal: true }).decode(bytes), name, counted)
    if (tree !== undefined && complaints === 0) lastRead.set(key, { bytes, tree })
    return tree
  } catch (error) {
    if (error instanceof TypeError) return fail('is not UTF-8; save it as UTF-8')
    throw error
  }
}
