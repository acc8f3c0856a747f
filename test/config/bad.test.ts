/** Each file in `bad/` is refused with exactly the problems that its table row lists. */
import { readdirSync } from 'node:fs'
import t from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { ConfigError, type Problem } from '../../src/errors.ts'
import { PROBLEMS } from './bad/problems.ts'

const folder = new URL('bad/', import.meta.url).pathname
const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'))

function problemsOf(file: string): readonly Problem[] {
  try {
    return loadConfig({ files: [file], set: [], env: {}, cwd: folder }).warnings
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

function format({ position, key, message }: Problem): string {
  return `${position.line}:${position.column}: ${key === '' ? '' : `${key}: `}${message}`
}

for (const name of names) {
  t.test(`${name} is refused, with every problem at its line`, async (t) => {
    const problems = problemsOf(name)
    const errors = problems.filter(({ severity }) => severity === 'error')
    t.same(errors.map(format), PROBLEMS[name.replace('.yaml', '')])
    t.ok(
      errors.every(({ position }) => position.file === name),
      'every error names the file',
    )
  })
}

t.test('the table and the folder hold the same names', async (t) => {
  t.same(Object.keys(PROBLEMS).toSorted(), names.map((name) => name.replace('.yaml', '')).toSorted())
})

t.test('a secret never appears in a problem', async (t) => {
  const said = names.flatMap((name) => problemsOf(name).map(({ message }) => message)).join('\n')
  t.notMatch(said, /hunter2/)
})
