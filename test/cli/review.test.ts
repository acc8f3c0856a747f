/** `laneway review` as a user calls it: decisions written into a file, with and without a running sidecar. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { encode } from '../oracle/oracle.ts'
import { checkoutMain, type Finished, runToEnd, startSidecar } from './process.ts'

const CONFIG = `
receivers: { otlp: { protocols: { http: { endpoint: "127.0.0.1:0" } } } }
admin: { endpoint: "127.0.0.1:0" }
policy: { preset: codex }
exporters: { file/out: { path: ./out.jsonl } }
lanes: { log: { exporters: [file/out] }, trace: { exporters: [file/out] }, metric: { exporters: [file/out] } }
`
const WHO = ['--by', 'ana@example.com', '--reason', 'counts only: no text']

function review(cwd: string, ...args: readonly string[]): Promise<Finished> {
  return runToEnd({ main: checkoutMain, cwd }, ['review', ...args])
}

function logsOf(target: string): Uint8Array {
  const attributes = [
    { key: 'event.name', value: { stringValue: 'codex.new.began' } },
    { key: 'secret.field', value: { stringValue: 'what a person wrote' } },
  ]
  return encode('ExportLogsServiceRequest', {
    resourceLogs: [{ scopeLogs: [{ scope: { name: target }, logRecords: [{ attributes }] }] }],
  })
}

t.test(
  'decisions without a sidecar are written, one entry each, and taken up by what reads the file',
  async (t) => {
    const cwd = t.testdir({ 'laneway.yaml': CONFIG })
    const accepted = await review(cwd, 'accept', 'codex_otel.new', '--family', 'network_proxy', ...WHO)
    t.equal(accepted.code, 0)
    t.match(accepted.stdout, /codex_otel\.new:\n {4}decision: accept\n {4}family: network_proxy\n/)
    t.match(accepted.stdout, /counts from the next start/)
    t.equal((await review(cwd, 'reject', 'codex_otel.gone', ...WHO)).code, 0)
    t.equal((await review(cwd, 'accept', 'codex_otel.own', '--family', 'own', '--new', ...WHO)).code, 0)
    t.equal((await review(cwd, 'accept-field', 'retry.count', '--on', 'span', ...WHO)).code, 0)
    t.equal((await review(cwd, 'dismiss', '0123456789ab', ...WHO)).code, 0)
    const text = readFileSync(join(cwd, 'reviews.yaml'), 'utf8')
    t.match(
      text,
      /codex_otel\.gone:[\s\S]*codex_otel\.new:[\s\S]*codex_otel\.own:[\s\S]*retry\.count[\s\S]*0123456789ab/,
    )
    t.strictSame(readdirSync(cwd).toSorted(), ['laneway.yaml', 'reviews.yaml'], 'nothing else is left')
    writeFileSync(join(cwd, 'new-logs.pb'), logsOf('codex_otel.gone.inner'))
    const explained = await runToEnd({ main: checkoutMain, cwd }, [
      'explain',
      '--format',
      'json',
      'new-logs.pb',
    ])
    const [item] = JSON.parse(explained.stdout).items
    t.match(item, { outcome: 'dropped', reason: 'rejected', rule: { file: 'reviews.yaml' } })
  },
)

t.test(
  'what cannot be decided so is refused with the remedy, exit code 2, and nothing is written',
  async (t) => {
    const cwd = t.testdir({ 'laneway.yaml': CONFIG })
    const refused: readonly (readonly [readonly string[], RegExp])[] = [
      [['accept', 'codex_otel.new', '--family', 'network_proxi', ...WHO], /did you mean `network_proxy`/],
      [['accept', 'codex_otel.new', ...WHO], /--family is missing/],
      [
        ['accept', 'codex_otel.new', '--family', 'log_only', '--new', ...WHO],
        /is there already; leave --new out/,
      ],
      [
        ['accept', 'codex_otel.new', '--family', 'trace_safe', ...WHO],
        /leave on a traces lane.*--onto-trace-lane/,
      ],
      [['accept', 'codex_otel.trace_safe.x', '--family', 'log_only', ...WHO], /a review never overrides/],
      [['accept', 'h3.client', '--family', 'log_only', ...WHO], /outside the namespace/],
      [['accept', 'codex_otel.', '--family', 'log_only', ...WHO], /no whole target/],
      [['accept', 'codex_otel.new', '--family', 'log_only', '--by', 'ana'], /--reason missing/],
      [['reject', 'codex_otel.new', '--reason', 'x'], /--by missing/],
      [['reject', ...WHO], /review reject TARGET/],
      [
        ['accept-field', 'prompt', '--on', 'span', ...WHO],
        /decides on `prompt` already, in preset:codex:\d+/,
      ],
      [['accept-field', 'a', ...WHO], /--on is missing/],
      [['accept-field', 'a', '--on', 'spam', ...WHO], /did you mean `span`/],
      [['accept-field', 'a.*', '--on', 'span', ...WHO], /one key by its name/],
      [['accept-field', 'a', '--on', 'span', '--family', 'trace_saf', ...WHO], /did you mean `trace_safe`/],
      [['dismiss', 'xyz', ...WHO], /no id of a finding/],
      [['acept', 'codex_otel.new', ...WHO], /did you mean `accept`/],
      [['accept', 'codex_otel.new', '--famly', 'log_only', ...WHO], /did you mean `family`/],
      [[], /write list, accept/],
    ]
    for (const [args, said] of refused) {
      const { code, stderr } = await review(cwd, ...args)
      t.match(stderr, said, args.join(' '))
      t.equal(code, 2, args.join(' '))
    }
    t.notOk(existsSync(join(cwd, 'reviews.yaml')))
  },
)

t.test('decisions at one time take turns: none is lost', async (t) => {
  const cwd = t.testdir({ 'laneway.yaml': CONFIG })
  const names = Array.from({ length: 6 }, (_, index) => `codex_otel.new${index}`)
  const codes = await Promise.all(names.map(async (name) => (await review(cwd, 'reject', name, ...WHO)).code))
  t.strictSame(
    codes,
    names.map(() => 0),
  )
  const text = readFileSync(join(cwd, 'reviews.yaml'), 'utf8')
  for (const name of names) t.ok(text.includes(`${name}:`), name)
})

t.test('where the file cannot be written the lines to commit are printed: exit code 3', async (t) => {
  // Whoever runs this may be root, for whom no mode is read-only: a folder that is none stops root, too.
  const cwd = t.testdir({
    'laneway.yaml': CONFIG.replace('codex }', 'codex, reviews: ./file/reviews.yaml }'),
    file: '',
  })
  const { code, stdout, stderr } = await review(cwd, 'reject', 'codex_otel.new', ...WHO)
  t.equal(code, 3)
  t.match(stderr, /file\/reviews\.yaml cannot be written: .*commit these lines/)
  t.match(stdout, /^targets:\n {2}codex_otel\.new:\n {4}decision: reject\n {4}by: ana@example\.com\n/)
})

t.test('the file keeps its mode, and a link to it stays a link', async (t) => {
  const cwd = t.testdir({
    'laneway.yaml': CONFIG,
    real: { 'team.yaml': '# ours\n' },
    'reviews.yaml': t.fixture('symlink', 'real/team.yaml'),
  })
  const { chmodSync, lstatSync } = await import('node:fs')
  const real = join(cwd, 'real/team.yaml')
  chmodSync(real, 0o640)
  t.equal((await review(cwd, 'reject', 'codex_otel.new', ...WHO)).code, 0)
  t.equal(statSync(real).mode & 0o777, 0o640)
  t.ok(lstatSync(join(cwd, 'reviews.yaml')).isSymbolicLink())
  t.match(readFileSync(real, 'utf8'), /^# ours\n[\s\S]*codex_otel\.new/)
})

t.test(
  'with a sidecar: its findings are listed, and a target for traces shows the fields that were seen',
  async (t) => {
    const cwd = t.testdir({ 'laneway.yaml': CONFIG })
    const sidecar = await startSidecar({ main: checkoutMain, cwd }, [])
    t.teardown(() => sidecar.stop())
    const headers = { 'content-type': 'application/x-protobuf' }
    await fetch(`${sidecar.receiver}/v1/logs`, {
      method: 'POST',
      headers,
      body: Buffer.from(logsOf('codex_otel.new')),
    })
    const at = ['--admin', sidecar.admin]
    const listed = await review(cwd, 'list', ...at)
    t.match(
      listed.stdout,
      /open .* unreviewed subsystem +codex_otel\.new +codex\.new\.began, event\.name, secret\.field/,
    )
    t.match(listed.stdout, /Nothing is in quarantine/)
    t.notMatch(listed.stdout, /what a person wrote/)
    const json = JSON.parse((await review(cwd, 'list', '--format', 'json', ...at)).stdout)
    t.match(json, {
      findings: [{ kind: 'unreviewed_subsystem', state: 'open', id: /^[0-9a-f]{12}$/ }],
      quarantine: [],
    })
    const warned = await review(cwd, 'accept', 'codex_otel.new', '--family', 'trace_safe', ...at, ...WHO)
    t.equal(warned.code, 2)
    t.match(warned.stderr, /these fields in codex\.new\.began: event\.name, secret\.field/)
    const unknown = await review(cwd, 'dismiss', '000000000000', ...at, ...WHO)
    t.match(unknown.stderr, /there is no finding 000000000000/)
    t.equal((await review(cwd, 'dismiss', json.findings[0].id, ...at, ...WHO)).code, 0)
  },
)

t.test(
  'check fails on what nobody has reviewed, with the commands that decide, and passes when they have',
  async (t) => {
    const cwd = t.testdir({ 'laneway.yaml': CONFIG, corpus: { notes: { 'README.md': 'no request' } } })
    mkdirSync(join(cwd, 'corpus/logs'))
    writeFileSync(join(cwd, 'corpus/logs/new-logs.pb'), logsOf('codex_otel.new'))
    const check = ['check', '--reviews', 'reviews.yaml', '--corpus', 'corpus']
    const dirty = await review(cwd, ...check)
    t.equal(dirty.code, 1)
    t.match(
      dirty.stdout,
      /subsystem codex_otel\.new, 1 times in codex\.new\.began\n {2}fields: event\.name, secret\.field\n/,
    )
    t.match(dirty.stdout, /laneway review accept codex_otel\.new --family NAME --by WHO --reason WHY/)
    t.notMatch(dirty.stdout, /what a person wrote/)
    await review(cwd, 'reject', 'codex_otel.new', ...WHO)
    const clean = await review(cwd, ...check)
    t.equal(clean.code, 0)
    t.match(clean.stdout, /^1 captured requests: nothing/)
    const session = new URL('../corpus/rust', import.meta.url).pathname
    const known = t.testdir({ 'laneway.yaml': CONFIG, corpus: {} })
    for (const name of readdirSync(session).filter((file) => file.startsWith('01-'))) {
      writeFileSync(join(known, 'corpus', name), readFileSync(join(session, name)))
    }
    t.equal(
      (await review(known, 'check', '--corpus', 'corpus')).code,
      0,
      'the session that the preset knows is clean',
    )
    writeFileSync(join(cwd, 'corpus/cut-logs.pb'), logsOf('codex_otel.new').subarray(0, 20))
    const bad = await review(cwd, ...check)
    t.equal(bad.code, 2)
    t.match(bad.stderr, /cut-logs\.pb/)
    t.equal((await review(cwd, 'check', '--corpus', 'none')).code, 2)
  },
)
