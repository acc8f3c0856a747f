/**
 * Makes the package form: the files of the checkout with their types stripped, in `build/`.
 *
 * In: src/ and config/ of the checkout. Out: build/src with one .js for each .ts, build/config, and a small
 * package.json, laid out as in the checkout, so that a URL relative to a module means the same in both. Nothing
 * is bundled, moved or down-levelled: stripping puts blanks where types stood, so lines and columns stay.
 * Source: Node refuses to strip types inside node_modules, and stripping at every start costs time and memory.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const build = join(root, 'build')

/** A relative path to one of our modules, as import, import() and `new URL(…, import.meta.url)` write it. */
const OUR_MODULE = /(['"])(\.{1,2}\/[^'"\n]*)\.ts\1/g
const ANY_TS_PATH = /['"`][^'"`\s]*\.ts['"`]/

/** The JavaScript of one module. Throws if it would still point at a .ts file, which the package does not have. */
export function toPackageForm(path: string, source: string): string {
  const code = stripTypeScriptTypes(source, { mode: 'strip' }).replace(OUR_MODULE, '$1$2.js$1')
  const left = code.split('\n').findIndex((line) => !isComment(line) && ANY_TS_PATH.test(line))
  if (left >= 0) throw new Error(`${path}:${left + 1}: a path to a .ts file is left; write it as './name.ts'`)
  return code
}

function isComment(line: string): boolean {
  return /^\s*(\/?\*|\/\/)/.test(line)
}

function buildPackage(): number {
  rmSync(build, { recursive: true, force: true })
  let count = 0
  for (const entry of readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.endsWith('.d.ts')) continue
    const source = join(entry.parentPath, entry.name)
    const target = join(build, source.slice(root.length))
    mkdirSync(dirname(target), { recursive: true })
    if (entry.name.endsWith('.ts')) {
      writeFileSync(
        target.replace(/\.ts$/, '.js'),
        toPackageForm(source.slice(root.length), readFileSync(source, 'utf8')),
      )
    } else {
      cpSync(source, target)
    }
    count++
  }
  cpSync(join(root, 'config'), join(build, 'config'), { recursive: true })
  const { name, version, license, type } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  writeFileSync(join(build, 'package.json'), `${JSON.stringify({ name, version, license, type }, null, 2)}\n`)
  return count
}

if (import.meta.main) {
  const count = buildPackage()
  process.stderr.write(`build/: ${count} modules, types stripped\n`)
}
