/** The key of the hash verb: given, made, kept, refused. */
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { CommandError } from '../../src/errors.ts'
import { readHashKey } from '../../src/store/hash-key.ts'

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
