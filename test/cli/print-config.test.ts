/** `laneway print-config`: the file on stdout and nothing else, or the problems. */
import t from 'tap'
import { run } from '../../src/cli/print-config.ts'
import { createIo } from './io.ts'

t.test('the effective file goes to stdout alone, presets expanded', async (t) => {
  const cwd = t.testdir({ 'laneway.yaml': 'exporters: { debug: }\nlanes: { log: { exporters: [debug] } }\n' })
  const { io, out, err } = createIo(cwd)
  t.equal(await run(['--set', 'storage.max_size=2GiB'], io), 0)
  t.match(out(), /^policy:\n {2}preset: none\n {2}namespace: codex_otel\n/)
  t.match(out(), 'max_size: 2GiB')
  t.match(err(), /^laneway.yaml:1:1: warning: /)
})

t.test('an invalid file has no effective form', async (t) => {
  const { io, out } = createIo(t.testdir({ 'laneway.yaml': 'lanes: 5\n' }))
  await t.rejects(run([], io), { code: 'config' })
  t.equal(out(), '')
})
