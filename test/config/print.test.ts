// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this file is about that syntax
/** What print-config writes: the same behaviour when read again, references as written, secrets hidden. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { Config } from '../../src/config/config.ts'
import { type ConfigInput, loadConfig, loadResolved } from '../../src/config/load.ts'
import { printConfig } from '../../src/config/print.ts'
import { ConfigError } from '../../src/errors.ts'
import { mutations } from './mutate.ts'

/** A Config without what says where it came from. */
function behaviour({ source: _source, files: _files, warnings: _warnings, ...config }: Config): unknown {
  return JSON.parse(JSON.stringify(config, (key, value) => (/^positions?$/.test(key) ? undefined : value)))
}

function print(input: ConfigInput): string {
  return printConfig(loadResolved(input).tree)
}

/** Reads `text` from a folder other than the one that it was written for. */
function readBack(t: Test, text: string, env: ConfigInput['env'] = {}): Config {
  const cwd = t.testdirName
  mkdirSync(join(cwd, 'else/where'), { recursive: true })
  writeFileSync(join(cwd, 'else/where/printed.yaml'), text)
  return loadConfig({ files: ['else/where/printed.yaml'], set: [], env, cwd })
}

const config = new URL('../../config/', import.meta.url).pathname
const examples = readdirSync(config).filter((name) => name.endsWith('.yaml'))

for (const name of examples) {
  t.test(`${name} read, printed and read again behaves the same`, async (t) => {
    t.testdir()
    const input = { files: [join(config, name)], set: [], env: {}, cwd: config }
    t.same(behaviour(readBack(t, print(input))), behaviour(loadConfig(input)))
  })
}

t.test('the built-in configuration read again from elsewhere keeps its folders', async (t) => {
  const input = { files: [], set: [], env: {}, cwd: t.testdir() }
  t.same(behaviour(readBack(t, print(input))), behaviour(loadConfig(input)))
})

const FULL = readFileSync(join(config, 'full.yaml'), 'utf8')

const WITH_REFERENCES = `
storage: { directory: "\${env:DATA:-data}/x$$y" }
admin: { token: "\${file:./token}" }
hash_key: "\${env:HASH_KEY:-}\${file:./key}"
exporters:
  otlp_http/a:
    endpoint: "https://\${env:WHO}:\${env:PASS}@h/\${env:PATH_PART:-p}?a=\${env:PASS}"
    headers: { authorization: "Bearer \${file:./token}", x-key: "\${env:PASS}" }
    tls: { ca_file: ./token }
lanes: { log: { preset_rules: false, accept: [{ events: [any] }], exporters: [otlphttp/a] } }
`

t.test('references stay as they were written, and mean the same from anywhere', async (t) => {
  const cwd = t.testdir({ 'laneway.yaml': WITH_REFERENCES, token: 'hunter2', key: 'hunter5'.repeat(5) })
  const env = { WHO: 'hunter3', PASS: 'hunter4' }
  const input = { files: [], set: [], env, cwd }
  const text = print(input)
  t.notMatch(text, /hunter/)
  t.match(text, '${env:WHO}:${env:PASS}@h/${env:PATH_PART:-p}')
  t.match(text, `Bearer \${file:${cwd}/token}`)
  t.same(behaviour(readBack(t, text, env)), behaviour(loadConfig(input)))
})

t.test(
  'literal secrets are hidden wherever they stand, and what is hidden is refused when read',
  async (t) => {
    const text = `
admin: { token: hunter2 }
hash_key: hunter2-and-31-more-of-its-characters
exporters:
  otlp_http/a:
    endpoint: "https://hunter2:hunter2@h/?key=hunter2"
    logs_endpoint: "https://\${env:U:-hunter2}@h/"
    headers: { authorization: "Bearer hunter2", x: "\${env:X:-hunter2}", y: "hunter2\${env:X:-}" }
lanes: { log: { exporters: [otlp_http/a] } }
`
    const cwd = t.testdir({ 'laneway.yaml': text })
    const printed = print({ files: [], set: [], env: {}, cwd })
    t.notMatch(printed, /hunter2/)
    try {
      readBack(t, printed)
      t.fail('it was read')
    } catch (error) {
      const problems = error instanceof ConfigError ? error.problems : []
      const keys = problems
        .filter(({ message }) => message.includes('[REDACTED]'))
        .map(({ key }) => key.replace(/^exporters.otlp_http\/a./, ''))
      t.same(keys.toSorted(), [
        'admin.token',
        'endpoint',
        'hash_key',
        'headers.authorization',
        'headers.x',
        'headers.y',
        'logs_endpoint',
      ])
    }
  },
)

t.test('whatever is valid can be printed and read again to the same behaviour', async (t) => {
  const cwd = t.testdir()
  const env = { X: 'x', WHO: 'w', PASS: 'p' }
  writeFileSync(join(cwd, 'token'), 'hunter2')
  writeFileSync(join(cwd, 'key'), 'hunter5'.repeat(5))
  let compared = 0
  fc.assert(
    fc.property(mutations([WITH_REFERENCES, FULL]), (text) => {
      writeFileSync(join(cwd, 'laneway.yaml'), text)
      const input = { files: [], set: [], env, cwd }
      let before: Config
      try {
        before = loadConfig(input)
      } catch {
        return
      }
      const printed = print(input)
      if (printed.includes('[REDACTED]')) return
      compared += 1
      t.same(behaviour(readBack(t, printed, env)), behaviour(before), text)
    }),
    { numRuns: 200 },
  )
  t.ok(compared > 10, `${compared} of 200 were valid`)
})
