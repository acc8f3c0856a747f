/** `laneway validate`: exit codes, texts and JSON. */
import t from 'tap'
import { run } from '../../src/cli/validate.ts'
import { CommandError } from '../../src/errors.ts'
import { createIo } from './io.ts'

const VALID = 'exporters: { debug: }\nlanes: { log: { exporters: [debug] } }\n'

t.test('a valid file is exit code 0, with its warnings', async (t) => {
  const { io, out, err } = createIo(t.testdir({ 'laneway.yaml': VALID }))
  t.equal(await run([], io), 0)
  t.equal(out(), 'laneway.yaml: valid\n')
  t.match(err(), /^laneway.yaml:1:1: warning: /)
})

t.test('an invalid file is exit code 2, with every problem on a line of its own', async (t) => {
  const { io, out, err } = createIo(t.testdir({ 'a.yaml': `${VALID}storag: {}\nreceivers: []\n` }))
  t.equal(await run(['--config', 'a.yaml'], io), 2)
  t.equal(out(), '')
  t.match(
    err(),
    'a.yaml:3:1: error: storag: unknown key, did you mean `storage`?\na.yaml:4:12: error: receivers: must be a map, not a list\n',
  )
})

t.test('--format json lists the same as data', async (t) => {
  const cwd = t.testdir({ 'a.yaml': `${VALID}storag: {}\n`, 'b.yaml': VALID })
  const bad = createIo(cwd)
  t.equal(await run(['--config', 'a.yaml', '--format', 'json'], bad.io), 2)
  const { valid, problems } = JSON.parse(bad.out())
  t.equal(valid, false)
  t.same(
    problems.filter(({ severity }: { readonly severity: string }) => severity === 'error'),
    [
      {
        severity: 'error',
        file: 'a.yaml',
        line: 3,
        column: 1,
        key: 'storag',
        message: 'unknown key, did you mean `storage`?',
      },
    ],
  )
  t.equal(bad.err(), '')
  const good = createIo(cwd)
  t.equal(await run(['--config=b.yaml', '--format=json', '--set', 'storage.max_size=2GiB'], good.io), 0)
  t.equal(JSON.parse(good.out()).valid, true)
})

t.test('an unknown option or format is exit code 2 and names the nearest', async (t) => {
  const { io } = createIo(t.testdir())
  await t.rejects(run(['--fromat', 'json'], io), { exitCode: 2, message: /did you mean `format`/ })
  await t.rejects(
    run(['--format', 'jsn'], io),
    new CommandError('validate: there is no format `jsn`, did you mean `json`?', 2),
  )
})
