/** The shipped presets over captured requests: what they know is no finding, and what must not ride on a trace does not. */
import t from 'tap'
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts'
import { type Preset, presets, send } from '../docs/preset-run.ts'
import { readCorpus } from '../oracle/corpus.ts'

const requests = readCorpus().map((request) => ({
  ...request,
  bytes: request.encoding === 'proto' ? request.body : jsonToProtobuf(request.body, request.signal),
}))

/** Marks of planted texts that are found on the trace lane, over the whole corpus. */
function marksOnTraces(preset: Preset): readonly string[] {
  const marks = requests.flatMap(({ signal, bytes }) => {
    const leaves = Buffer.from(send(preset, signal, bytes).bytes('traces')).toString('latin1')
    return [...leaves.matchAll(/CANARY[-_A-Z]*/g)].map(([mark]) => mark)
  })
  return [...new Set(marks)]
}

const [codex, strict] = presets

t.test('codex: no content, account, place, error text or link text rides on a trace', async (t) => {
  const allowed = marksOnTraces(codex).filter((mark) => !/^CANARY-(?:PROBE|MESSAGE|NESTED)/.test(mark))
  t.same(allowed, [])
})

t.test('codex-strict: no planted text at all rides on a trace', async (t) => {
  t.same(marksOnTraces(strict), [])
})

for (const preset of presets) {
  const sessions = requests.filter(
    ({ client, scenario }) => client.startsWith('rust') && scenario.startsWith('session'),
  )
  t.test(`${preset.name}: a session of each Rust client leaves nothing to review`, async (t) => {
    t.ok(sessions.length > 5)
    for (const { file, signal, bytes } of sessions) t.same(send(preset, signal, bytes).findings, [], file)
  })

  t.test(`${preset.name}: fields that nobody has named are listed by place, family and event`, async (t) => {
    const appServer = requests.find(({ file }) => file === 'rust/18-traces-app-server.pb')
    const { findings } = send(preset, 'traces', appServer?.bytes ?? new Uint8Array(0))
    const ring = findings.filter(({ keys }) => keys.includes('deployment.ring'))
    t.ok(ring.length > 0)
    t.ok(ring.every(({ kind, place }) => kind === 'undecided_field' && place === 'span'))
  })
}

t.test('both presets decide where events go by the same lines, but for names and dependencies', async (t) => {
  const words = ({ spec }: Preset): unknown =>
    JSON.parse(
      JSON.stringify({ families: spec.families, log: spec.lanes[0] }, (key, value) =>
        key === 'position' ? undefined : value,
      ),
    )
  t.same(words(strict), words(codex))
})
