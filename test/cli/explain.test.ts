/**
 * `laneway explain` as a user calls it: what it reads, what it says in each form, how it fails.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import t from 'tap'
import { run } from '../../src/cli/explain.ts'
import { CommandError } from '../../src/errors.ts'
import { root } from '../house/source.ts'
import { attribute, logRequest, spanRequest } from '../policy/fates.ts'
import { createIo } from './io.ts'

const CONFIG = `policy:
  preset: none
  namespace: codex_otel
  target:
    log_record: [scope.name]
    span_event: ['attributes["target"]']
    span: ['attributes["target"]']
  families:
    private: { targets: [codex_otel.private] }
    shown: { targets: [codex_otel.shown] }
lanes:
  log:
    signal: logs
    accept: [{ except: { events: [shown] } }, { events: ["*"] }]
    exporters: [debug]
  audit:
    signal: logs
    accept: [{ events: [private] }]
    exporters: [debug]
exporters: { debug: {} }
`
const JSON_LOGS = {
  resourceLogs: [
    {
      scopeLogs: [
        {
          scope: { name: 'codex_otel.private' },
          logRecords: [
            { attributes: [{ key: 'prompt', value: { stringValue: 'CANARY' } }] },
            { attributes: [{ key: 'prompt', value: { stringValue: 'CANARY' } }] },
          ],
        },
        { scope: { name: 'other' }, logRecords: [{}] },
        { scope: { name: 'codex_otel.shown' }, logRecords: [{}] },
      ],
    },
  ],
}

interface Shown {
  readonly items: readonly {
    readonly carriage: string
    readonly target: string | null
    readonly lanes: readonly string[]
    readonly reason: string | null
    readonly fields: readonly { readonly key: string }[]
  }[]
}

async function explain(
  cwd: string,
  args: readonly string[],
  stdin: readonly Uint8Array[] = [],
): Promise<string> {
  const { io, out, err } = createIo(cwd, {}, stdin)
  const code = await run(['--config', 'laneway.yaml', ...args], io)
  if (code !== 0 || err() !== '') throw new Error(`${code}: ${err()}`)
  return out()
}

async function explainJson(
  cwd: string,
  args: readonly string[],
  stdin: readonly Uint8Array[] = [],
): Promise<Shown> {
  return JSON.parse(await explain(cwd, ['--format', 'json', ...args], stdin))
}

t.test('the JSON form says of each item where it goes, why, and what becomes of its fields', async (t) => {
  const cwd = t.testdir({ 'laneway.yaml': CONFIG, 'a.json': JSON.stringify(JSON_LOGS) })
  const { items } = await explainJson(cwd, ['a.json'])
  t.equal(items.length, 4)
  t.strictSame(items[0], {
    carriage: 'log_record',
    target: 'codex_otel.private',
    target_from: 'scope.name',
    family: 'private',
    lanes: ['log', 'audit'],
    lane: 'log',
    outcome: 'forwarded',
    reason: null,
    rule: { file: 'laneway.yaml', line: 14, column: 47 },
    fields: [
      { lane: 'log', place: 'scope', key: '@scope.name', action: 'keep', rule: null },
      { lane: 'audit', place: 'scope', key: '@scope.name', action: 'keep', rule: null },
      { lane: 'log', place: 'log_record', key: 'prompt', action: 'keep', rule: null },
      { lane: 'audit', place: 'log_record', key: 'prompt', action: 'keep', rule: null },
    ],
  })
  t.match(items[2], {
    target: 'other',
    family: 'foreign',
    lanes: [],
    lane: null,
    outcome: 'dropped',
    reason: 'foreign',
  })
  t.match(items[3], { lanes: [], lane: 'log', reason: 'lane_rule', rule: { line: 14 }, fields: [] })
})

t.test('the text form shares a block among items that are alike, and ends with the counts', async (t) => {
  const cwd = t.testdir({ 'laneway.yaml': CONFIG, 'a.json': JSON.stringify(JSON_LOGS) })
  t.equal(
    await explain(cwd, ['a.json']),
    `2 × log record  codex_otel.private  (scope.name)  family private
  → log   laneway.yaml:14
      keep      2 fields, as the lane has no field rules: prompt
  → audit   laneway.yaml:18
      keep      2 fields, as the lane has no field rules: prompt

log record  other  (scope.name)  family foreign
  ✕ dropped: foreign (its target is not of the namespace)   preset:none:14

log record  codex_otel.shown  (scope.name)  family shown
  ✕ dropped: lane_rule (lane log excepts it)   laneway.yaml:14

4 items:
  family   carriage    items  outcome    lane   reason
  private  log_record      2  forwarded  log    -
  private  log_record      2  copied     audit  -
  foreign  log_record      1  dropped    -      foreign
  shown    log_record      1  dropped    log    lane_rule
`,
  )
})

t.test('a request is read in each form that clients send, from a file or from standard input', async (t) => {
  const json = Buffer.from(`\n ${JSON.stringify(JSON_LOGS, null, 2)}`)
  const protobuf = logRequest('codex_otel.private', { severityNumber: 9, attributes: [attribute('a', 'b')] })
  const cwd = t.testdir({ 'laneway.yaml': CONFIG })
  for (const [body, items] of [
    [json, 4],
    [gzipSync(json), 4],
    [zstdCompressSync(json), 4],
    [protobuf, 1],
    [gzipSync(protobuf), 1],
    [Buffer.concat([gzipSync(protobuf), gzipSync(protobuf)]), 2],
    [Buffer.from('{}'), 0],
    [Buffer.alloc(0), 0],
  ] as const) {
    const shown = await explainJson(cwd, ['--signal', 'logs', '-'], [body.subarray(0, 3), body.subarray(3)])
    t.equal(shown.items.length, items)
    const sniffed = items === 1 || items === 2 ? shown : await explainJson(cwd, ['-'], [body])
    t.same(sniffed, shown)
  }
})

t.test('a protobuf request that begins like JSON is none', async (t) => {
  const cwd = t.testdir({ 'laneway.yaml': CONFIG })
  const missed: number[] = []
  for (let length = 0; length < 140; length++) {
    const body = logRequest('codex_otel.private', { attributes: [attribute('a', 'b'.repeat(length))] })
    const { items } = await explainJson(cwd, ['--signal', 'logs', '-'], [body])
    if (items.length !== 1) missed.push(body.length)
  }
  t.same(missed, [])
})

t.test(
  'the signal that content does not tell is told by the option, or by the name of the file',
  async (t) => {
    const bare = logRequest('codex_otel.private', { attributes: [attribute('a', 'b')] })
    const cwd = t.testdir({ 'laneway.yaml': CONFIG, 'x-logs.pb': bare, 'x.pb': bare })
    t.equal((await explainJson(cwd, ['x-logs.pb'])).items[0].carriage, 'log_record')
    t.equal((await explainJson(cwd, ['x.pb', '--signal=traces'])).items[0].carriage, 'span')
    await t.rejects(explain(cwd, ['x.pb']), {
      exitCode: 1,
      message: /^x\.pb: of which signal .* --signal logs\|traces\|metrics$/,
    })
  },
)

t.test(
  'what cannot be read is exit code 1 and says where, a wrong command line or configuration is 2',
  async (t) => {
    const cwd = t.testdir({
      'laneway.yaml': CONFIG,
      'bad.yaml': 'storag: {}\n',
      'cut-logs.pb': Buffer.from('0a050a', 'hex'),
      'cut.json': '{"resourceLogs": [{"scopeLogs": 1}]}',
      'cut.json.gz': gzipSync('{}').subarray(0, 15),
      folder: {},
    })
    const fails = (args: readonly string[], exitCode: number, message: RegExp) =>
      t.rejects(explain(cwd, args), { name: 'Error', exitCode, message }, args.join(' '))
    await fails(['cut-logs.pb'], 1, /^cut-logs\.pb: malformed: .* at byte \d+$/)
    await fails(['cut.json'], 1, /^cut\.json: malformed: .* at resourceLogs\[0\]\.scopeLogs$/)
    await fails(['cut.json.gz'], 1, /^cut\.json\.gz: malformed: not whole and valid gzip, .* at byte 0$/)
    await fails(['none.pb'], 1, /^none\.pb: there is no such file; /)
    await fails(['folder'], 1, /^folder: is a folder; /)
    await fails([], 2, /^explain: it takes one FILE .*, and none is given$/)
    await fails(['a', 'b'], 2, /and 2 are given$/)
    await fails(['a', '--signal', 'logz'], 2, /there is no signal `logz`, did you mean `logs`\?/)
    await fails(['a', '--sginal', 'logs'], 2, /there is no option `--sginal`, did you mean `signal`\?/)
    await t.rejects(run(['--config', 'bad.yaml', 'cut.json'], createIo(cwd).io), { code: 'config' })
  },
)

t.test('a request is bounded as the receiver bounds it, on the wire and decompressed', async (t) => {
  const cwd = t.testdir({
    'laneway.yaml': `${CONFIG}receivers: { otlp: { protocols: { http: { max_request_body_size: 1KiB } } } }\n`,
    'at.json': `{}${' '.repeat(1022)}`,
    'over.json': `{}${' '.repeat(1023)}`,
    'bomb.json.gz': gzipSync(`{}${' '.repeat(1023)}`),
  })
  t.same(await explainJson(cwd, ['at.json']), { items: [] })
  for (const file of ['over.json', 'bomb.json.gz']) {
    await t.rejects(
      explain(cwd, [file]),
      new CommandError(
        `${file}: larger than 1024 bytes, so a sidecar would answer 413; receivers.otlp.protocols.http.max_request_body_size says how much it takes`,
      ),
    )
  }
})

t.test('a request of the corpus is told item by item, without a value of it', async (t) => {
  const cwd = t.testdir({
    'laneway.yaml':
      'exporters: { debug: {} }\nlanes: { log: { exporters: [debug] }, trace: { exporters: [debug] }, metric: { exporters: [debug] } }\n',
  })
  for (const [file, spans, events] of [
    ['rust-nofilter/01-traces-session.pb', 7, 46],
    ['rust/26-traces-simple-exporter.pb', 1, 4],
    ['rust/14-traces-targets.pb', 1, 7],
  ] as const) {
    const path = join(root, 'test/corpus', file)
    const { items } = await explainJson(cwd, [path])
    t.equal(items.filter(({ carriage }) => carriage === 'span').length, spans)
    t.equal(items.filter(({ carriage }) => carriage === 'span_event').length, events)
    t.match(readFileSync(path, 'latin1'), /CANARY/)
    for (const format of ['text', 'json'])
      t.notMatch(await explain(cwd, ['--format', format, path]), /CANARY/)
  }
})

t.test('each data point of a metric is told the fields of its metric', async (t) => {
  const cwd = t.testdir({
    'laneway.yaml':
      'policy: { preset: none }\nexporters: { debug: {} }\nlanes: { m: { signal: metrics, accept: [{ points: [any] }], exporters: [debug] } }\n',
  })
  const point = (key: string) => ({ attributes: [{ key, value: { stringValue: 'CANARY' } }], asInt: 1 })
  const metrics = [
    { name: 'none', gauge: { dataPoints: [] } },
    { name: 'two', gauge: { dataPoints: [point('a'), point('b')] } },
    { name: 'one', sum: { dataPoints: [point('c')] } },
  ]
  const body = Buffer.from(JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }))
  const { items } = await explainJson(cwd, ['-'], [body])
  const keys = items.map(({ fields }) => fields.map(({ key }) => key).filter((key) => !key.startsWith('@')))
  t.same(keys, [['a', 'b'], ['a', 'b'], ['c']])
})

t.test('a name cannot move the cursor of a terminal', async (t) => {
  const cwd = t.testdir({ 'laneway.yaml': CONFIG })
  const body = spanRequest({ attributes: [attribute('target', 'codex_otel.\u001b[2J\u202e ')] })
  const text = await explain(cwd, ['--signal=traces', '-'], [body])
  t.match(text, '"codex_otel.\\u{1b}[2J\\u{202e} "')
  t.notOk(text.includes('\u001b') || text.includes('\u202e'))
})

t.test(
  'fields are told by what becomes of them: removed and changed ones by line, kept ones in one line',
  async (t) => {
    const cwd = t.testdir({
      'laneway.yaml': CONFIG.replace(
        'exporters: { debug: {} }',
        `  trace:
    signal: traces
    accept: [{ spans: [any] }, { events: [shown] }]
    fields:
      - { remove: [secret, "user.*"] }
      - { hash: [id] }
      - { truncate: [text], to: 4B }
      - { keep: [fine] }
    exporters: [debug]
exporters: { debug: {} }`,
      ),
    })
    const keys = [
      'target',
      'user.name',
      'user.email',
      'secret',
      'secret',
      'id',
      'text',
      'fine',
      'else',
      'event.name',
    ]
    const attributes = keys.map((key) => attribute(key, key === 'target' ? 'codex_otel.shown' : 'CANARY'))
    const kvlist = {
      kvlistValue: { values: [attribute('user.name', 'CANARY'), attribute('open', 'CANARY')] },
    }
    const body = spanRequest({ events: [{ attributes: [...attributes, attribute('nested', kvlist)] }] })
    const args = ['--signal=traces', '-']
    const { items } = await explainJson(cwd, args, [body])
    const line = (line: number) => ({ file: 'laneway.yaml', line })
    const place = 'span_event'
    t.match(
      items[1].fields.filter((field) => !field.key.startsWith('@')),
      [
        { place, key: 'target', action: 'keep', rule: null },
        { place, key: 'user.name', action: 'remove', rule: line(24) },
        { place, key: 'user.email', action: 'remove', rule: line(24) },
        { place, key: 'secret', action: 'remove', rule: line(24) },
        { place, key: 'id', action: 'hash', rule: line(25) },
        { place, key: 'text', action: 'truncate', rule: line(26) },
        { place, key: 'fine', action: 'keep', rule: line(27) },
        { place, key: 'else', action: 'keep', rule: null },
        { place, key: 'event.name', action: 'keep', rule: null },
        { place, key: 'nested', action: 'keep', rule: null },
        { place, key: 'nested.user.name', action: 'remove', rule: line(24) },
        { place, key: 'nested.open', action: 'keep', rule: null },
      ],
    )
    t.match(
      await explain(cwd, args, [body]),
      `
      remove    span_event  laneway.yaml:24  user.name, user.email, secret, nested.user.name
      hash      span_event  laneway.yaml:25  id
      truncate  span_event  laneway.yaml:26  text
      keep      7 fields; no rule names else, nested, nested.open
`,
    )
  },
)
