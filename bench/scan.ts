/**
 * What the decision alone costs: `route`, and `route` with the parcels written, without a network.
 *
 * In: the bench's uncompressed protobuf bodies, and modes: what of the policy is on, or how many rules that do not
 * apply are on top of it. Out: a line for each body and mode on stdout.
 * `node bench/scan.ts [--modes plain,codex,rules1000] [body …]`
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadConfig } from '../src/config/load.ts'
import { compilePolicy, type Policy } from '../src/policy/compile.ts'
import { route } from '../src/policy/route.ts'
import { type Body, createBodies, readCorpusBodies } from './bodies.ts'
import { GROWTH_COUNTS, GROWTHS } from './growth.ts'
import { median } from './report.ts'
import { LANEWAY_CONFIGS, portEnvironment } from './subjects.ts'

const WARM_UP_MS = 500
const ROUND_MS = 150
const ROUNDS = 9
/** More than any body comes to. */
const PARCEL_BYTES_MAX = 8 * 1024 * 1024

interface Mode {
  readonly name: string
  readonly files: readonly string[]
  /** As after `--set`. */
  readonly set: readonly string[]
}

const directory = mkdtempSync(join(tmpdir(), 'laneway-bench-scan-'))

const MODES: readonly Mode[] = [
  { name: 'plain', files: LANEWAY_CONFIGS['laneway-plain'], set: [] },
  { name: 'rehome', files: LANEWAY_CONFIGS['laneway-plain'], set: ['policy.rehome=true'] },
  { name: 'fields', files: LANEWAY_CONFIGS.laneway, set: ['policy.rehome=false'] },
  { name: 'codex', files: LANEWAY_CONFIGS.laneway, set: [] },
  { name: 'strict', files: LANEWAY_CONFIGS['laneway-strict'], set: [] },
  ...GROWTH_COUNTS.map((count) => ({ name: `rules${count}`, files: withRules(count), set: [] })),
]

const { values: options, positionals: names } = parseArgs({
  options: { modes: { type: 'string', default: MODES.map(({ name }) => name).join() } },
  allowPositionals: true,
})
const corpus = process.env.BENCH_CORPUS
const bodies = [...createBodies(), ...(corpus === undefined ? [] : readCorpusBodies(corpus))]
const modes = MODES.filter(({ name }) => options.modes.split(',').includes(name))
const target = new Uint8Array(PARCEL_BYTES_MAX)

console.log('body              mode       route ns/item     MB/s   with parcels written ns/item     MB/s')
for (const body of bodies) {
  const isRoutable = body.contentEncoding === 'identity' && body.contentType === 'application/x-protobuf'
  if (!isRoutable || (names.length > 0 && !names.includes(body.name))) continue
  for (const mode of modes) console.log(line(body, mode))
}
rmSync(directory, { recursive: true })

function withRules(count: number): readonly string[] {
  const file = join(directory, `${count}.yaml`)
  writeFileSync(file, GROWTHS.rules.yaml(count))
  return [...LANEWAY_CONFIGS.laneway, file]
}

function loadPolicy({ files, set }: Mode): Policy {
  // Nothing listens and nothing is sent: the configuration only has to be whole.
  const env = portEnvironment({ listen: 1, sink: 2, admin: 3 }, '/nonexistent')
  return compilePolicy(loadConfig({ files, set, env, cwd: import.meta.dirname }).policy).policy
}

function line(body: Body, mode: Mode): string {
  const policy = loadPolicy(mode)
  const request = new Uint8Array(body.bytes)
  const routed = nanosPerCall(() => {
    route(request, body.signal, policy)
  })
  const written = nanosPerCall(() => {
    for (const { content } of route(request, body.signal, policy).parcels) {
      if (content !== undefined && !(content instanceof Uint8Array)) {
        content.write(target, 0)
        content.release()
      }
    }
  })
  const label = `${body.name.padEnd(18)}${mode.name.padEnd(10)}`
  return [label, figures(routed, body), '               ', figures(written, body)].join('')
}

function figures(nanos: number, body: Body): string {
  const nanosPerItem = (nanos / body.items).toFixed(1)
  const megabytesPerSecond = ((body.bytes.length / nanos) * 1000).toFixed(0)
  return `${nanosPerItem.padStart(14)}${megabytesPerSecond.padStart(9)}`
}

function nanosPerCall(work: () => void): number {
  timeCalls(work, WARM_UP_MS)
  return median(Array.from({ length: ROUNDS }, () => timeCalls(work, ROUND_MS)))
}

function timeCalls(work: () => void, durationMs: number): number {
  const until = performance.now() + durationMs
  const before = process.cpuUsage()
  let calls = 0
  do {
    work()
    calls += 1
  } while (performance.now() < until)
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1000) / calls
}
