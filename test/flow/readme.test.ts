/**
 * The README is true: its links lead somewhere, its configurations are valid, and what it shows of the demo, of
 * `validate` and of `explain` is what they print.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { checkoutMain, runToEnd } from '../cli/process.ts'
import { startFlowIn } from './flow.ts'

const root = new URL('../../', import.meta.url).pathname
const readme = readFileSync(join(root, 'README.md'), 'utf8')

/** Fenced blocks of a language, without the indentation that a list gives them. */
function blocksOf(language: string): readonly string[] {
  return [...readme.matchAll(/^( *)```(\w+)\n([\s\S]*?)^ *```$/gm)]
    .filter(([, , found]) => found === language)
    .map(([, indentation, , text]) => text.replaceAll(new RegExp(`^${indentation}`, 'gm'), ''))
}

function textBlock(beginning: RegExp): string {
  const [found] = blocksOf('text').filter((text) => beginning.test(text))
  if (found === undefined) throw new Error(`the README has no block that begins with ${beginning}`)
  return found
}

t.test('every link of the project leads to a file', async (t) => {
  for (const document of ['README.md', 'ARCHITECTURE.md']) {
    const links = [...readFileSync(join(root, document), 'utf8').matchAll(/\]\(([^)#:]+)\)/g)]
    t.ok(links.length > 0)
    for (const [, path] of links) t.ok(existsSync(join(root, path)), `${document}: ${path}`)
  }
})

t.test('every configuration in it is valid', async (t) => {
  const blocks = blocksOf('yaml')
  t.ok(blocks.length >= 2)
  for (const text of blocks) {
    const cwd = t.testdir({ 'laneway.yaml': text })
    const { policy } = loadConfig({ files: [], set: [], env: {}, cwd })
    t.ok(policy.lanes.length >= 2)
  }
})

t.test('the demo prints what it shows', async (t) => {
  const cwd = t.testdir({})
  const flow = await startFlowIn(t, cwd, [
    ...['--set', 'receivers.otlp.protocols.http.endpoint=127.0.0.1:0'],
    ...['--set', 'admin.endpoint=127.0.0.1:0'],
    ...['--set', 'shutdown_delay=0s'],
  ])
  const { receiver, admin } = flow.running
  const demo = await runToEnd({ main: checkoutMain, cwd }, [
    'demo',
    ...['--endpoint', receiver],
    ...['--admin', admin],
  ])
  t.equal(
    demo.stdout.replace(receiver, 'http://localhost:4318').trim(),
    textBlock(/^One made session/).trim(),
  )
  for (const lane of ['log', 'trace', 'metric']) {
    t.ok(existsSync(join(cwd, 'laneway-data/lanes', `${lane}.jsonl`)))
  }
  t.equal((await flow.stop()).code, 0)
})

t.test('validate says of such a file what it shows', async (t) => {
  const [small] = blocksOf('yaml')
  const wrong = small
    .replace('preset: codex', 'preset: codexx')
    .replace(/(otlp_http\/traces: \{ [^}]*) \}/, '$1, compresion: zstd }')
  const cwd = t.testdir({ 'laneway.yaml': wrong })
  const { code, stdout, stderr } = await runToEnd({ main: checkoutMain, cwd }, ['validate'])
  t.equal(code, 2)
  for (const line of textBlock(/^laneway\.yaml:1/)
    .trim()
    .split('\n'))
    t.match(stdout + stderr, line)
})

t.test('explain says of a captured request what it shows', async (t) => {
  const [small] = blocksOf('yaml')
  const cwd = t.testdir({ 'laneway.yaml': small })
  const file = join(root, 'test/corpus/rust/26-traces-simple-exporter.pb')
  const { code, stdout } = await runToEnd({ main: checkoutMain, cwd }, ['explain', file])
  t.equal(code, 0)
  // The preset's lines move when it is edited.
  const withoutLine = (text: string): string => text.replaceAll(/preset:codex:\d+/g, 'preset:codex')
  t.match(withoutLine(stdout), withoutLine(textBlock(/^2 × span event/).trim()))
})
