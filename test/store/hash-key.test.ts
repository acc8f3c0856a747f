/** The key of the hash verb: given, made, kept, refused. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { CommandError } from '../../src/errors.ts'
import { readHashKey } from '../../src/store/hash-key.ts'
import { checkoutMain, runToEnd, startSidecar } from '../cli/process.ts'

const bytesMin = 32

function refusal(run: () => unknown): string {
  try {
    run()
    return ''
  } catch (error) {
    if (error instanceof CommandError) return error.message
    throw error
  }
}

t.test('without one, a key is made once, for its owner alone, and found again', async (t) => {
  const directory = join(t.testdir(), 'deep', 'data')
  const first = readHashKey({ given: undefined, directory, bytesMin })
  t.equal(first.length, 32)
  t.same(readHashKey({ given: undefined, directory, bytesMin }), first)
  t.same(readdirSync(directory).toSorted(), ['.gitignore', 'hash.key'], 'no draft is left')
  t.equal(statSync(join(directory, 'hash.key')).mode & 0o777, 0o600)
  t.equal(statSync(directory).mode & 0o777, 0o700)
  t.equal(readFileSync(join(directory, '.gitignore'), 'utf8'), '*\n')
})

t.test('two folders have two keys', async (t) => {
  const root = t.testdir()
  const [one, other] = ['a', 'b'].map((name) =>
    readHashKey({ given: undefined, directory: join(root, name), bytesMin }),
  )
  t.not(Buffer.compare(one, other), 0)
})

t.test('a given key is read whole, its files too, and no folder is made', async (t) => {
  const root = t.testdir({ key: `${'s'.repeat(30)}\r\n` })
  const directory = join(root, 'data')
  const given = ['ab', { file: join(root, 'key') }]
  t.equal(Buffer.from(readHashKey({ given, directory, bytesMin })).toString(), `ab${'s'.repeat(30)}`)
  t.same(readdirSync(root), ['key'])
})

t.test('a key at the least length is taken, one byte less is refused, and no key is shown', async (t) => {
  const directory = t.testdir()
  t.equal(readHashKey({ given: ['k'.repeat(32)], directory, bytesMin }).length, 32)
  const said = refusal(() => readHashKey({ given: ['k'.repeat(31)], directory, bytesMin }))
  t.match(said, /hash_key, is 31 bytes long and must be 32 or more/)
  t.notMatch(said, /kkk/)
})

t.test('a kept key that is cut short, or cannot be read, is never replaced', async (t) => {
  const directory = t.testdir({ 'hash.key': 'short' })
  const path = join(directory, 'hash.key')
  t.match(
    refusal(() => readHashKey({ given: undefined, directory, bytesMin })),
    `${path}, is 5 bytes long`,
  )
  t.equal(readFileSync(path, 'utf8'), 'short')
  const folder = join(t.testdir(), 'data')
  mkdirSync(join(folder, 'hash.key'), { recursive: true })
  t.match(
    refusal(() => readHashKey({ given: undefined, directory: folder, bytesMin })),
    /cannot read the key of the hash verb: EISDIR/,
  )
})

t.test('a folder that cannot be made is named, with what to do', async (t) => {
  const root = t.testdir({ file: '' })
  const said = refusal(() =>
    readHashKey({ given: undefined, directory: join(root, 'file', 'data'), bytesMin }),
  )
  t.match(
    said,
    /cannot keep a key for the hash verb: .*file.*; make storage\.directory writable, or give `hash_key`/,
  )
})

const HASHING = `
exporters: { debug: {} }
receivers: { otlp: { protocols: { http: { endpoint: "127.0.0.1:0" } } } }
admin: { endpoint: "127.0.0.1:0" }
lanes: { trace: { exporters: [debug] } }
`

t.test('a sidecar makes the key where a lane hashes, and no other command does', async (t) => {
  const cwd = t.testdir({
    'laneway.yaml': HASHING,
    'strict.yaml': `${HASHING}policy: { preset: codex-strict }`,
  })
  const program = { main: checkoutMain, cwd }
  for (const command of ['validate', 'print-config']) t.equal((await runToEnd(program, [command])).code, 0)
  const strict = await startSidecar(program, ['run', '--config', 'strict.yaml'])
  await strict.stop()
  t.notOk(existsSync(join(cwd, 'laneway-data', 'hash.key')), 'the strict preset hashes nothing')
  const sidecar = await startSidecar(program, ['run'])
  await sidecar.stop()
  t.equal(readFileSync(join(cwd, 'laneway-data', 'hash.key')).length, 32)
})

t.test('a sidecar whose key is cut short does not start, and says which file it is', async (t) => {
  const cwd = t.testdir({ 'laneway.yaml': HASHING, 'laneway-data': { 'hash.key': 'short' } })
  const { code, stderr } = await runToEnd({ main: checkoutMain, cwd }, ['run'])
  t.equal(code, 1)
  t.match(stderr, /laneway-data\/hash\.key, is 5 bytes long/)
})
