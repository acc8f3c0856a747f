/**
 * What the decision alone costs: `route`, and `route` with the parcels written, without a network.
 *
 * In: the bench's uncompressed protobuf bodies. Out: a line for each on stdout. `node bench/scan.ts [body …]`
 */
import { join } from 'node:path'
import { loadConfig } from '../src/config/load.ts'
import { Splice } from '../src/otlp/splice.ts'
import { compilePolicy, type Policy } from '../src/policy/compile.ts'
import { route } from '../src/policy/route.ts'
import { type Body, createBodies, readCorpusBodies } from './bodies.ts'
import { median } from './report.ts'
import { portEnvironment } from './subjects.ts'

const WARM_UP_MS = 700
const ROUND_MS = 300
const ROUNDS = 7

const names = process.argv.slice(2)
const corpus = process.env.BENCH_CORPUS
const bodies = [...createBodies(), ...(corpus === undefined ? [] : readCorpusBodies(corpus))]
const policy = loadPolicy()

console.log('body            route ns/item     MB/s   with parcels written ns/item     MB/s')
for (const body of bodies) {
  const isRoutable = body.contentEncoding === 'identity' && body.contentType === 'application/x-protobuf'
  if (isRoutable && (names.length === 0 || names.includes(body.name))) console.log(line(body))
}

function loadPolicy(): Policy {
  // Nothing listens and nothing is sent: the configuration only has to be whole.
  const env = portEnvironment({ listen: 1, sink: 2, admin: 3 }, '/nonexistent')
  const files = [join(import.meta.dirname, 'laneway.yaml')]
  return compilePolicy(loadConfig({ files, set: [], env, cwd: import.meta.dirname }).policy).policy
}

function line(body: Body): string {
  const request = new Uint8Array(body.bytes)
  const target = new Uint8Array(body.bytes.length * 2)
  const routed = nanosPerCall(() => {
    route(request, body.signal, policy)
  })
  const written = nanosPerCall(() => {
    for (const { content } of route(request, body.signal, policy).parcels) {
      if (content instanceof Splice) content.write(target, 0)
    }
  })
  return [body.name.padEnd(15), figures(routed, body), '               ', figures(written, body)].join('')
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
