// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this file is about that syntax
/** What a valid configuration becomes: defaults, files on files, presets, references, and its doubts. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { Config } from '../../src/config/config.ts'
import { type ConfigInput, loadConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/errors.ts'
import { mutations } from './mutate.ts'

type Given = Partial<Omit<ConfigInput, 'cwd'>>

/** Loads `files` from a folder of its own; `laneway.yaml` is found without being named. */
function load(
  t: Test,
  files: Readonly<Record<string, string>>,
  given: Given = {},
): Config & { readonly cwd: string } {
  const cwd = t.testdir()
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(cwd, name)), { recursive: true })
    writeFileSync(join(cwd, name), text)
  }
  return { ...loadConfig({ files: [], set: [], env: {}, ...given, cwd }), cwd }
}

function problems(t: Test, files: Readonly<Record<string, string>>, given: Given = {}): readonly string[] {
  try {
    load(t, files, given)
    return []
  } catch (error) {
    if (error instanceof ConfigError)
      return error.message.split('\n').filter((line) => line.includes(': error: '))
    throw error
  }
}

/** All warnings but the one that says what the program does not do yet. */
function warnings(config: Config): readonly string[] {
  return config.warnings
    .filter(({ key }) => key !== '')
    .map(
      ({ position, key, message }) =>
        `${position.line}:${position.column} ${key} ${message.split(/[:;,]/)[0]}`,
    )
}

const SMALL = `
exporters: { otlp_http/logs: { endpoint: "http://localhost:3100/otlp/" } }
lanes: { log: { exporters: [otlp_http/logs] } }
`

t.test('what the file leaves out has the default of the contract', async (t) => {
  const { receiver, admin, storage, exporters, cwd, ...config } = load(t, { 'laneway.yaml': SMALL })
  t.same(receiver, {
    endpoint: { kind: 'tcp', host: 'localhost', port: 4318 },
    requestBodyBytesMax: 64 * 2 ** 20,
    inFlightBytesMax: 256 * 2 ** 20,
    corsAllowedOrigins: [],
  })
  t.same(admin, {
    endpoint: { kind: 'tcp', host: '127.0.0.1', port: 13133 },
    healthEndpoint: undefined,
    token: undefined,
  })
  t.same(storage, {
    directory: join(cwd, 'laneway-data'),
    bytesMax: 2 ** 30,
    deadLettersBytesMax: 2 ** 27,
    quarantineBytesMax: 2 ** 27,
    retentionMs: 168 * 3_600_000,
  })
  t.same([config.shutdownDelayMs, config.shutdownGraceMs, config.telemetry.logLevel], [3000, 10_000, 'info'])
  t.match(exporters, [
    {
      kind: 'otlp_http',
      encoding: 'proto',
      compression: 'gzip',
      headers: {},
      timeoutMs: 30_000,
      tls: { caFile: undefined, certFile: undefined, keyFile: undefined, insecureSkipVerify: false },
      queue: {
        bytesMax: 0.75 * 2 ** 30,
        onFull: 'refuse',
        consumers: 4,
        batch: { bytesMin: 0, bytesMax: 4 * 2 ** 20, flushTimeoutMs: 200 },
      },
      retry: {
        enabled: true,
        initialIntervalMs: 1000,
        maxIntervalMs: 30_000,
        maxElapsedTimeMs: 0,
        multiplier: 1.5,
        randomizationFactor: 0.5,
      },
    },
  ])
  t.match(config.policy, {
    namespace: 'codex_otel',
    match: 'segment',
    unreviewed: 'forward',
    foreign: 'drop',
  })
})

t.test("an endpoint gets the path of each signal, a signal's own endpoint is used as it is", async (t) => {
  const text = `
exporters:
  otlp_http/a: { endpoint: "http://h:1/otlp/?x=1", traces_endpoint: "https://t/own" }
lanes: { log: { exporters: [otlp_http/a] }, trace: { exporters: [otlphttp/a] } }
`
  const { exporters, policy } = load(t, { 'laneway.yaml': text })
  t.match(exporters, [
    {
      urls: {
        logs: 'http://h:1/otlp/v1/logs?x=1',
        traces: 'https://t/own',
        metrics: 'http://h:1/otlp/v1/metrics?x=1',
      },
    },
  ])
  t.same(
    policy.lanes.map(({ exporters: [exporter] }) => exporter?.name),
    ['otlp_http/a', 'otlp_http/a', undefined],
  )
})

t.test('without a file, the built-in one writes each lane to a file under the working folder', async (t) => {
  const { source, exporters, cwd } = load(t, {})
  t.equal(source, 'built-in')
  t.match(
    exporters,
    ['log', 'trace', 'metric'].map((lane) => ({
      kind: 'file',
      path: join(cwd, 'laneway-data', 'lanes', `${lane}.jsonl`),
      fileBytesMax: 100_000_000,
      backupsMax: 3,
    })),
  )
})

t.test('the file is --config, else $LANEWAY_CONFIG, else ./laneway.yaml', async (t) => {
  const files = { 'laneway.yaml': SMALL, 'env.yaml': SMALL, 'given.yaml': SMALL }
  t.equal(load(t, files).source, 'laneway.yaml')
  t.equal(load(t, files, { env: { LANEWAY_CONFIG: 'env.yaml' } }).source, 'env.yaml')
  t.equal(load(t, files, { env: { LANEWAY_CONFIG: 'env.yaml' }, files: ['given.yaml'] }).source, 'given.yaml')
})

t.test('a file that is not there, and a folder, are named', async (t) => {
  t.same(problems(t, {}, { files: ['none.yaml'] }), ['none.yaml:1:1: error: cannot be read: no such file'])
  t.same(problems(t, { 'folder/x': '' }, { files: ['folder'] }), [
    'folder:1:1: error: is a folder; name the file in it',
  ])
})

t.test('further files merge maps and replace lists, and keep their own paths and positions', async (t) => {
  const files = {
    'a.yaml': `${SMALL}storage: { directory: ./a, max_size: 2GiB }`,
    'deep/b.yaml':
      'storage: { directory: ./b }\nexporters: { debug: }\nlanes: { log: { exporters: [debug] } }',
  }
  const { storage, exporters, policy, cwd, source } = load(t, files, { files: ['a.yaml', 'deep/b.yaml'] })
  t.match(storage, { directory: join(cwd, 'deep/b'), bytesMax: 2 ** 31, deadLettersBytesMax: 2 ** 28 })
  t.same(
    exporters.map(({ name }) => name),
    ['otlp_http/logs', 'debug'],
  )
  t.match(policy.lanes[0].exporters, [{ name: 'debug', position: { file: 'deep/b.yaml', line: 3 } }])
  t.equal(source, 'a.yaml, deep/b.yaml')
})

t.test('--set puts a value under any key, and names itself in errors', async (t) => {
  const set = [
    'storage.max_size=2GiB',
    'exporters.debug=',
    'exporters.debug.sending_queue.num_consumers=1',
    'lanes.log.exporters=[debug]',
  ]
  const { storage, exporters, policy } = load(t, { 'laneway.yaml': SMALL }, { set })
  t.equal(storage.bytesMax, 2 ** 31)
  t.equal(exporters[1]?.queue.consumers, 1)
  t.equal(policy.lanes[0].exporters[0].name, 'debug')
  t.same(
    problems(
      t,
      { 'laneway.yaml': SMALL },
      { set: ['storage.max_size=2GiB', 'storage.max_sise=1', 'nothing', 'a..b=1'] },
    ),
    [
      '--set:3:1: error: not a setting: write --set a.b=value, keys joined by single dots',
      '--set:4:1: error: not a setting: write --set a.b=value, keys joined by single dots',
    ],
  )
  t.same(
    problems(t, { 'laneway.yaml': SMALL }, { set: ['storage.max_size=2GiB', 'storage.max_sise=1GiB'] }),
    ['--set:2:1: error: storage.max_sise: unknown key, did you mean `max_size`?'],
  )
})

t.test("under a preset the user's accept lines come first, and each line keeps its file", async (t) => {
  const { policy } = load(t, {
    'laneway.yaml': `${SMALL.replace('{ log: {', '{ log: { accept: [{ events: [foreign] }],')}`,
  })
  const [log] = policy.lanes
  t.same(
    log.accept.map(({ position }) => position.file),
    ['laneway.yaml', 'preset:codex', 'preset:codex'],
  )
  t.same(
    log.accept.map(({ except }) => except),
    [false, true, false],
  )
})

t.test("preset_rules: false drops the preset's lines of that lane, with a warning", async (t) => {
  const text = SMALL.replace('{ log: {', '{ log: { preset_rules: false, accept: [{ events: [any] }],')
  const config = load(t, { 'laneway.yaml': text })
  t.equal(config.policy.lanes[0].accept.length, 1)
  t.equal(config.policy.lanes[1].accept.length, 2)
  t.match(warnings(config)[0], '3:17 lanes.log.preset_rules')
})

t.test('keys of policy override the preset one by one', async (t) => {
  const { policy } = load(t, {
    'laneway.yaml': `${SMALL}policy: { unreviewed: drop, families: { mine: { targets: [codex_otel.mine] } } }`,
  })
  t.match(policy, {
    namespace: 'codex_otel',
    unreviewed: 'drop',
    positions: { unreviewed: { file: 'laneway.yaml' }, foreign: { file: 'preset:codex' } },
  })
  t.ok(policy.families.length > 1 && policy.families.some(({ name }) => name === 'mine'))
})

t.test('references become text of the kind that is due, and never structure', async (t) => {
  const text = `
receivers: { otlp: { protocols: { http: { endpoint: "\${env:HOST:-localhost}:\${env:PORT}" } } } }
exporters:
  debug: { sending_queue: { num_consumers: "\${env:COUNT}", queue_size: "\${file:size.txt}" } }
  otlp_http/a: { endpoint: "http://h/$$\${env:EVIL}", retry_on_failure: { enabled: "\${env:OFF}" } }
lanes: { log: { exporters: [debug, otlp_http/a] } }
`
  const env = { PORT: '9', COUNT: '7', OFF: 'false', EVIL: 'x", admin: { token: y } ${env:PORT}' }
  const { receiver, exporters } = load(t, { 'laneway.yaml': text, 'size.txt': '3MiB\n' }, { env })
  t.same(receiver.endpoint, { kind: 'tcp', host: 'localhost', port: 9 })
  t.match(exporters, [
    { queue: { consumers: 7, bytesMax: 3 * 2 ** 20 } },
    {
      retry: { enabled: false },
      urls: { logs: 'http://h/$x%22,%20admin:%20%7B%20token:%20y%20%7D%20$%7Benv:PORT%7D/v1/logs' },
    },
  ])
})

t.test('a `${file:}` in a header or the token stays a reference; other text joins around it', async (t) => {
  const text = `
admin: { token: "\${file:/no/such}" }
exporters:
  otlp_http/a: { endpoint: "http://h", headers: { Authorization: "Bearer \${env:PRE}\${file:./t}", x: plain } }
lanes: { log: { exporters: [otlp_http/a] } }
`
  const config = load(t, { 'laneway.yaml': text, t: 'secret\n' }, { env: { PRE: 'p-' } })
  t.same(config.admin.token, [{ file: '/no/such' }])
  t.match(config.exporters, [
    { headers: { authorization: ['Bearer p-', { file: join(config.cwd, 't') }], x: ['plain'] } },
  ])
  t.match(warnings(config), [/2:17 admin.token cannot read `\$\{file/])
})

t.test('no value from outside appears in an error', async (t) => {
  const text = `
exporters:
  otlp_http/a: { endpoint: "\${env:S}", compression: "\${env:S}", timeout: "\${env:S}", headers: { "x": "\${env:N}" }, sending_queue: { num_consumers: "\${env:S}" } }
lanes: { log: { signal: "\${env:S}", exporters: ["\${env:S}"] }, trace: { accept: [{ events: ["\${env:S}"] }] } }
policy: { match: "\${env:S}", preset: "\${env:S}" }
telemetry: { logs: { level: "\${file:s}" } }
`
  const found = problems(
    t,
    { 'laneway.yaml': text, s: 'hunter2' },
    { env: { S: 'hunter2', N: 'hunter2\nhunter3' } },
  )
  t.equal(found.length, 11, found.join('\n'))
  t.notMatch(found.join('\n'), /hunter/)
})

t.test('queues that ask for no size share what the others leave', async (t) => {
  const text = `
storage: { max_size: 80MiB }
exporters: { file/a: { path: a, sending_queue: { queue_size: 20MiB } }, file/b: { path: b }, file/c: { path: c } }
lanes: { log: { exporters: [file/a, file/b, file/c] } }
`
  const { exporters } = load(t, { 'laneway.yaml': text })
  t.same(
    exporters.map(({ queue }) => queue.bytesMax / 2 ** 20),
    [20, 20, 20],
  )
})

t.test('anchors and merge keys are followed', async (t) => {
  const text = `
exporters:
  otlp_http/a: &base { endpoint: "http://a", timeout: 5s }
  otlp_http/b: { <<: *base, endpoint: "http://b" }
lanes: { log: { exporters: [otlp_http/a, otlp_http/b] } }
`
  const { exporters } = load(t, { 'laneway.yaml': text })
  t.match(exporters, [
    { timeoutMs: 5000, urls: { logs: 'http://a/v1/logs' } },
    { timeoutMs: 5000, urls: { logs: 'http://b/v1/logs' } },
  ])
})

t.test("field rules are read whole, before the preset's", async (t) => {
  const own = '{ on: log_record, family: [log_only], event_name: "x.*", truncate: [m, "@body"], to: 1KiB }'
  const text = SMALL.replace(
    '{ log: {',
    `{ trace: { fields: [{ keep: [prompt] }] }, log: { fields: [${own}],`,
  )
  const { lanes } = load(t, { 'laneway.yaml': text }).policy
  const [log, trace] = lanes
  t.match(log.fields, [{ verb: 'truncate', bytesMax: 1024, families: ['log_only'], eventNames: ['x.*'] }])
  t.equal(log.fields.length, 1)
  t.match(trace.fields.slice(0, 2), [
    { verb: 'keep', position: { file: 'laneway.yaml' } },
    { verb: 'remove', position: { file: 'preset:codex' } },
  ])
})

t.test('keys and variables may have the names that every object has', async (t) => {
  for (const name of ['toString', 'constructor', '__proto__', 'hasOwnProperty']) {
    const fields = SMALL.replace('{ log: {', `{ trace: { fields: [{ remove: [${name}] }] }, log: {`)
    const [, trace] = load(t, { 'laneway.yaml': fields }).policy.lanes
    t.same(
      trace.fields[0].keys.map(({ key }) => key),
      [name],
    )
    t.match(problems(t, { 'laneway.yaml': `${SMALL}hash_key: "\${env:${name}}"` }), [/is not set/])
  }
})

t.test('rehome is one word for both ways, or a word for each', async (t) => {
  const rehomeOf = (policy: string): unknown =>
    load(t, { 'laneway.yaml': `${SMALL}policy: { ${policy} }` }).policy.rehome
  t.same(rehomeOf('preset: codex'), { toLogs: true, toTraces: true })
  t.same(rehomeOf('preset: codex-strict'), { toLogs: true, toTraces: true })
  t.same(rehomeOf('rehome: false'), { toLogs: false, toTraces: false })
  t.same(rehomeOf('rehome: { to_traces: false }'), { toLogs: true, toTraces: false })
  t.same(rehomeOf('rehome: true'), { toLogs: true, toTraces: true })
})

t.test('hash_key stays a secret: its file may come later, and is read where the key is used', async (t) => {
  const key = 'k'.repeat(32)
  const loaded = (value: string, files = {}): Config & { readonly cwd: string } =>
    load(t, { 'laneway.yaml': `${SMALL}hash_key: "${value}"`, ...files }, { env: { KEY: key } })
  t.equal(load(t, { 'laneway.yaml': SMALL }).hashKey, undefined)
  t.same(loaded(key).hashKey, [key])
  t.same(loaded('${env:KEY}').hashKey, [key])
  const mounted = loaded('${file:./k}', { k: `${key}\n` })
  t.same(mounted.hashKey, [{ file: join(mounted.cwd, 'k') }])
  const later = loaded('${file:./later}')
  t.match(warnings(later)[0], /4:11 hash_key cannot read/)
  t.match(problems(t, { 'laneway.yaml': `${SMALL}hash_key: "\${file:./s}"`, s: 'short' }), [
    /hash_key: is shorter than 32 bytes/,
  ])
})

const DOUBTFUL: Readonly<Record<string, { readonly text: string; readonly warned: readonly RegExp[] }>> = {
  'a lane without accept lines can get nothing': {
    text: 'exporters: { debug: }\npolicy: { preset: none }\nlanes:\n  a: { signal: logs, exporters: [debug] }',
    warned: [/^4:3 lanes.a can get nothing/],
  },
  'a lane without exporters is off': {
    text: 'policy: { preset: none }\nlanes:\n  a: { signal: logs, accept: [{ events: [any] }] }',
    warned: [/^3:3 lanes.a is off/],
  },
  'an exporter that no lane uses': {
    text: 'policy: { preset: none }\nexporters:\n  debug: {}',
    warned: [/^3:3 exporters.debug is used by no lane/],
  },
  "a signal's path in a base URL": {
    text: 'policy: { preset: none }\nexporters:\n  otlp_http/a: { endpoint: "http://h/v1/logs" }\nlanes: { a: { signal: logs, accept: [{ events: [any] }], exporters: [otlp_http/a] } }',
    warned: [/^3:28 exporters.otlp_http\/a.endpoint ends with \/v1\/logs/],
  },
  'a text where it is never found': {
    text: `policy: { preset: none }
exporters: { debug: }
lanes:
  a:
    signal: traces
    accept: [{ spans: [any] }]
    exporters: [debug]
    fields:
      - { on: span, remove: ["@body", "@name"] }
      - { on: [log_record, body], remove: [prompt] }
      - { remove: ["@status.message"] }`,
    warned: [/^9:30 lanes.a.fields `@body` is never there/, /^10:9 lanes.a.fields looks only at log_record/],
  },
  'a line that leaves nothing to the lines after it': {
    text: `policy: { preset: codex }
exporters: { debug: }
lanes:
  log: { exporters: [debug] }
  trace:
    exporters: [debug]
    fields:
      - { on: span, keep: ["*"] }
      - { keep: [a, "*"] }
  metric: { exporters: [debug], fields: [{ on: exemplar, keep: ["*"] }] }`,
    warned: [
      /^8:9 lanes.trace.fields `keep/,
      /^9:9 lanes.trace.fields `keep/,
      /^10:42 lanes.metric.fields `keep/,
    ],
  },
  'two lanes that send one item to the same URL': {
    text: `policy: { preset: none, namespace: app }
exporters: { otlp_http/a: { endpoint: "http://h" }, otlp_http/b: { logs_endpoint: "http://h/v1/logs" } }
lanes:
  a: { signal: logs, accept: [{ events: [{ target: app.x, event_name: "y.*" }] }], exporters: [otlp_http/a] }
  b: { signal: logs, accept: [{ events: ["*"] }], exporters: [otlp_http/b] }`,
    warned: [/^5:63 lanes.b.exporters an item that lanes `a` and `b` both take/],
  },
}

for (const [title, { text, warned }] of Object.entries(DOUBTFUL)) {
  t.test(`${title}: a warning with its line`, async (t) => {
    const found = warnings(load(t, { 'laneway.yaml': text }))
    t.equal(found.length, warned.length, found.join('\n'))
    t.match(found, warned)
  })
}

t.test('two lanes of one backend that share no item are no doubt', async (t) => {
  const text = `policy: { preset: none, namespace: app, families: { x: { targets: [app.x] } } }
exporters: { debug: }
lanes:
  a: { signal: logs, accept: [{ events: [x] }], exporters: [debug] }
  b: { signal: logs, accept: [{ except: { events: [x] } }, { events: ["*"] }], exporters: [debug] }`
  t.same(warnings(load(t, { 'laneway.yaml': text })), [])
})

t.test('the configuration is frozen, all the way down', async (t) => {
  const { policy, exporters } = load(t, { 'laneway.yaml': SMALL })
  t.ok(
    [policy, policy.lanes, policy.lanes[0].accept[0].selectors, exporters[0].queue.batch].every((part) =>
      Object.isFrozen(part),
    ),
  )
})

t.test('whatever a file holds, the answer is a Config or a ConfigError', async (t) => {
  const cwd = t.testdir()
  const texts = [SMALL, ...Object.values(DOUBTFUL).map(({ text }) => text)]
  let refused = 0
  fc.assert(
    fc.property(mutations(texts), (text) => {
      writeFileSync(join(cwd, 'laneway.yaml'), text)
      try {
        loadConfig({ files: [], set: [], env: { X: 'x' }, cwd })
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        refused += 1
      }
    }),
    { numRuns: 300 },
  )
  t.ok(refused > 20, `${refused} of 300 are refused`)
})
