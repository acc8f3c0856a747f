/**
 * The sources of src/ as house tests read them: each file's text, its code without comments, and its imports.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root: string = fileURLToPath(new URL('../..', import.meta.url))

export interface Import {
  /** As written: `./x.ts`, `node:fs`, `undici`. */
  readonly specifier: string
  /** Relative to the root, for one of our own files; else undefined. */
  readonly path: string | undefined
  /** True for `import type`: it leaves nothing behind when types are stripped. */
  readonly isType: boolean
}

export interface SourceFile {
  /** Relative to the root: `src/otlp/scan.ts`. */
  readonly path: string
  readonly text: string
  /** The text with comments blanked, line by line. */
  readonly code: string
  readonly imports: readonly Import[]
}

export function readSources(folder = 'src'): readonly SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort()
    .map((path) => parseSource(path, readFileSync(join(root, path), 'utf8')))
}

export function parseSource(path: string, text: string): SourceFile {
  const code = blankComments(text)
  return { path, text, code, imports: [...findImports(path, code)] }
}

/** Strings are matched first, so that `//` in a URL starts no comment. A template's text is kept whole. */
function blankComments(text: string): string {
  const token = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g
  return text.replace(token, (found) => (found.startsWith('/') ? found.replace(/[^\n]/g, ' ') : found))
}

function* findImports(path: string, code: string): Generator<Import> {
  const statement = /^\s*(?:import|export)\s+(type\s)?(?:[\w*{}\s,$]+\sfrom\s+)?['"]([^'"]+)['"]/gm
  const call = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g
  for (const [, type, specifier] of code.matchAll(statement)) {
    yield { specifier, path: ours(path, specifier), isType: type !== undefined }
  }
  // A thread's file is named by its URL.
  const thread = /\bnew Worker\(\s*new URL\(\s*['"]([^'"]+\.ts)['"]\s*,\s*import\.meta\.url\s*\)/g
  for (const pattern of [call, thread]) {
    for (const [, specifier] of code.matchAll(pattern)) {
      yield { specifier, path: ours(path, specifier), isType: false }
    }
  }
}

function ours(path: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? relative(root, resolve(root, dirname(path), specifier)) : undefined
}
