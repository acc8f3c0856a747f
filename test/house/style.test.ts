/**
 * House rules that a reader relies on, over every file of src/.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { readSources, root } from './source.ts'

const linesMax = 400

const sources = readSources()

interface Rule {
  readonly title: string
  readonly pattern: RegExp
  readonly except?: readonly string[]
}

/** What the code of a file, without its comments, must not hold. */
const absences: readonly Rule[] = [
  {
    title: 'only main.ts touches the process',
    pattern:
      /\bprocess\.(?:argv|cpuUsage|cwd|emit\w*|env|exit\w*|hrtime|kill|memoryUsage|nextTick|off|on|once|pid|platform|stderr|stdin|stdout|umask|uptime|versions?)\b|['"]node:process['"]/,
    // What the process itself uses is among the metrics: read there, at a scrape, and never changed.
    except: ['src/main.ts', 'src/telemetry/metrics.ts'],
  },
  { title: 'nothing writes to the console', pattern: /\bconsole\s*\./ },
  {
    title: 'no name says Manager, Helper or Utils',
    pattern: /(?:Manager|Helper|Utils?)\b|\/utils?\b|\b(?<!node:)utils?\b/,
  },
  { title: 'no family of the preset is known to code', pattern: /log_only|trace_safe|network_proxy/ },
  { title: 'no type is asserted away', pattern: /@ts-(?:ignore|expect-error|nocheck)/ },
]

for (const { title, pattern, except = [] } of absences) {
  t.test(title, async (t) => {
    const found = sources
      .filter(({ path }) => !except.includes(path))
      .flatMap(({ path, code }) =>
        code
          .split('\n')
          .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
      )
    t.strictSame(found, [])
  })
}

t.test('nothing is left to do in comments', async (t) => {
  const found = sources.filter(({ text }) => /\b(?:TODO|FIXME|XXX|HACK)\b/.test(text)).map(({ path }) => path)
  t.strictSame(found, [])
})

t.test('every file opens by saying what it is for', async (t) => {
  const found = sources
    .filter(({ text }) => !/^(?:#![^\n]*\n)?(?:\/\/ biome-ignore-all [^\n]*\n)*\/\*\*/.test(text))
    .map(({ path }) => path)
  t.strictSame(found, [])
})

t.test(`no file has more than ${linesMax} lines`, async (t) => {
  const found = sources
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > linesMax)
  t.strictSame(found, [])
})

t.test('`as` is written only before const', async (t) => {
  // Stripping puts blanks where types stood, so an `as` that is blank afterwards was a type assertion, unless it
  // stood in a comment within a type.
  const { emitWarning } = process
  process.emitWarning = () => {}
  t.teardown(() => {
    process.emitWarning = emitWarning
  })
  const found = sources.flatMap((file) => {
    const code = blankImports(file.text)
    const stripped = stripTypeScriptTypes(code)
    return [...code.matchAll(/\bas\s+(?!const\b)/g)]
      .filter(
        ({ index }) =>
          stripped.slice(index, index + 2) === '  ' && file.code.slice(index, index + 2) === 'as',
      )
      .map(({ index }) => `${file.path}:${code.slice(0, index).split('\n').length}`)
  })
  t.strictSame(found, [])
})

function blankImports(text: string): string {
  return text.replace(/^import\s[^'"]*from\s+['"][^'"]+['"](?:\s+with\s*\{[^}]*\})?/gm, (found) =>
    found.replace(/[^\n]/g, ' '),
  )
}

t.test(
  'every configuration in config/ is named by a test or is checked by one that lists the folder',
  async (t) => {
    const names = readdirSync(join(root, 'config')).filter((name) => /\.(?:yaml|json)$/.test(name))
    const tests = readSources('test').map(({ text }) => text)
    const listsFolder = tests.some(
      (text) => /readdir(?:Sync)?\([^)]*config/.test(text) && /loadConfig|validate/.test(text),
    )
    const unnamed = names.filter((name) => !tests.some((text) => text.includes(name)))
    t.ok(listsFolder || unnamed.length === 0, `no test exercises ${unnamed.join(', ')}`)
  },
)

t.test('every command of the README is a script of package.json', async (t) => {
  const manifest: { readonly scripts: Readonly<Record<string, string>> } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  )
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const named = [...readme.matchAll(/\bnpm (?:run ([\w:-]+)|(start|test))\b/g)].map(
    ([, run, short]) => run ?? short,
  )
  t.ok(named.includes('start') && named.includes('test'), 'the README says how to start and how to test')
  t.strictSame(
    named.filter((name) => manifest.scripts[name] === undefined),
    [],
  )
  t.ok(/npm ci && npm start\b/.test(readme), 'one line starts it')
  t.ok(/npm ci && npm test\b/.test(readme), 'one line tests it')
})
