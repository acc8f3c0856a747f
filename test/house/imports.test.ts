/**
 * Imports go one way. The table is ARCHITECTURE's, held as data: what stands in a row may import what it lists.
 */
import { readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { type Import, parseSource, readSources, root, type SourceFile } from './source.ts'

/** A folder of src/, or a file that stands in src/ itself → the folders and files that it may import. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  'main.ts': ['cli', 'errors.ts'],
  // lane and store: `dead-letters` works on the files where no sidecar runs.
  cli: ['cli', 'sidecar.ts', 'config', 'policy', 'otlp', 'telemetry', 'server', 'lane', 'store', 'errors.ts'],
  'sidecar.ts': [
    'ways-out.ts',
    'reload.ts',
    'findings-keeper.ts',
    'pipeline.ts',
    'policy',
    'store',
    'lane',
    'server',
    'config',
    'telemetry',
    'otlp',
    'errors.ts',
  ],
  'ways-out.ts': ['lane', 'policy', 'store', 'telemetry', 'errors.ts'],
  'reload.ts': ['config', 'errors.ts'],
  'findings-keeper.ts': ['store', 'telemetry'],
  'pipeline.ts': ['otlp', 'policy', 'telemetry', 'errors.ts'],
  lane: ['lane', 'otlp', 'store', 'telemetry', 'bag.ts', 'errors.ts'],
  server: ['server', 'otlp', 'telemetry', 'bag.ts', 'errors.ts'],
  config: ['config', 'policy', 'otlp', 'errors.ts'],
  policy: ['policy', 'otlp', 'errors.ts'],
  store: ['store', 'errors.ts'],
  otlp: ['otlp', 'errors.ts'],
  telemetry: ['telemetry', 'errors.ts'],
  'bag.ts': [],
  'errors.ts': [],
}

/** What may be imported for its types alone, beside the above and config: words that both sides of a seam speak. */
const mayImportTypesOf: Readonly<Record<string, readonly string[]>> = {
  telemetry: ['otlp'],
  policy: ['telemetry'],
  'pipeline.ts': ['lane', 'server'],
}

const sources = readSources()

function unitOf(path: string): string {
  return path.split('/')[1]
}

function isAllowed(from: string, { path, isType }: Import): boolean {
  if (path === undefined || path === 'package.json') return true
  const [unit, target] = [unitOf(from), unitOf(path)]
  if (mayImport[unit]?.includes(target)) return true
  return isType && (target === 'config' || mayImportTypesOf[unit]?.includes(target) === true)
}

function violations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) =>
    file.imports
      .filter((imported) => !isAllowed(file.path, imported))
      .map(({ specifier }) => `${file.path} imports ${specifier}`),
  )
}

t.test('no import runs against the flow', async (t) => {
  t.ok(sources.length > 20, 'the sources are found')
  t.strictSame(violations(sources), [])
})

t.test('an arrow that runs back is found, in each way to write it', async (t) => {
  const code = [
    `import { a } from '../lane/queue.ts'`,
    `import {\n  b,\n  type C,\n} from '../lane/queue.ts'`,
    `export { d } from "../lane/queue.ts"`,
    `const e = await import('../lane/queue.ts')`,
    `import '../lane/queue.ts'`,
  ]
  for (const line of code) {
    t.equal(violations([parseSource('src/otlp/x.ts', `/** x */\n${line}\n`)]).length, 1, line)
  }
  t.strictSame(
    violations([parseSource('src/otlp/x.ts', `// import '../lane/queue.ts'\n`)]),
    [],
    'a comment is none',
  )
  t.strictSame(violations([parseSource('src/lane/x.ts', `import type { A } from '../config/config.ts'`)]), [])
})

t.test('no file imports itself round a corner', async (t) => {
  const next = new Map(
    sources.map(({ path, imports }) => [
      path,
      imports.filter(({ isType }) => !isType).flatMap(({ path }) => path ?? []),
    ]),
  )
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
    if (trail.includes(path) || done.has(path)) return
    for (const target of next.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of next.keys()) visit(path, [])
  t.strictSame(cycles, [])
})

/** Written out by scripts/schema.ts; what runs reads what was written. */
const generators: readonly string[] = [
  'src/config/schema.ts',
  'src/config/schema-words.ts',
  'src/config/reviews-schema.ts',
]

/** The files that main.ts reaches. With `types`, those too that are imported for their types alone. */
function reachable({ types }: { readonly types: boolean }): ReadonlySet<string> {
  const byPath = new Map(sources.map((file) => [file.path, file]))
  const reached = new Set<string>()
  const visit = (path: string): void => {
    const file = byPath.get(path)
    if (file === undefined || reached.has(path)) return
    reached.add(path)
    for (const { path, isType } of file.imports) {
      if (path !== undefined && (types || !isType)) visit(path)
    }
  }
  visit('src/main.ts')
  return reached
}

t.test('no file is left behind: main.ts reaches every one', async (t) => {
  const reached = reachable({ types: true })
  t.strictSame(
    sources
      .map(({ path }) => path)
      .filter((path) => !reached.has(path) && !generators.includes(path) && !path.endsWith('.d.ts')),
    [],
  )
})

t.test('what runs needs only what a user installs', async (t) => {
  const manifest: { readonly dependencies: Readonly<Record<string, string>> } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  )
  const running = reachable({ types: false })
  const foreign = sources
    .filter(({ path }) => running.has(path))
    .flatMap(({ path, imports }) =>
      imports
        .filter(({ specifier, path, isType }) => path === undefined && !isType && !isBuiltin(specifier))
        .map(({ specifier }) => ({ path, name: /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier })),
    )
  t.strictSame(
    foreign.filter(({ name }) => manifest.dependencies[name] === undefined),
    [],
    'every package that src/ imports is a dependency, not a devDependency',
  )
})
