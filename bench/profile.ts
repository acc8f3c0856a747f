/**
 * Where Laneway spends its time on one body: a CPU profile, and the functions with the most time of their own.
 *
 * In: a body, and the configuration. Out: the path of a .cpuprofile (for a browser's developer tools) and its heaviest functions.
 */
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Body } from './bodies.ts'
import { runLoad } from './loader.ts'
import type { Plan } from './measure.ts'
import { startSink } from './sink.ts'
import { lanewayCommand, startSubject } from './subjects.ts'

interface Profile {
  readonly file: string
  /** Heaviest first: `ms  function file:line`. */
  readonly heaviest: readonly string[]
}

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
}

const HEAVIEST_COUNT = 25

export async function profileBody(body: Body, plan: Plan, configs: readonly string[]): Promise<Profile> {
  const directory = mkdtempSync(join(tmpdir(), 'laneway-bench-profile-'))
  const sink = await startSink()
  const command = lanewayCommand(configs, ['--cpu-prof', `--cpu-prof-dir=${directory}`])
  const subject = {
    name: 'laneway',
    description: 'Laneway, profiled',
    comparisons: [],
    command,
    environment: () => ({}),
  }
  const { port, stop } = await startSubject(subject, sink.port)
  const { connections, closedLoopMs } = plan
  await runLoad({ port, body, connections, durationMs: closedLoopMs * 2, ratePerSecond: undefined })
  await stop()
  sink.close()
  const name = readdirSync(directory).find((file) => file.endsWith('.cpuprofile'))
  if (name === undefined) throw new Error('no profile was written: Laneway did not end by itself')
  const file = join(directory, name)
  return { file, heaviest: heaviestFunctions(file) }
}

function heaviestFunctions(file: string): readonly string[] {
  const profile: {
    nodes: readonly ProfileNode[]
    samples: readonly number[]
    timeDeltas: readonly number[]
  } = JSON.parse(readFileSync(file, 'utf8'))
  const places = new Map(
    profile.nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [
      id,
      `${functionName || '(anonymous)'} ${url.split('/').slice(-3).join('/')}:${lineNumber + 1}`,
    ]),
  )
  const selfMicros = new Map<string, number>()
  for (const [index, id] of profile.samples.entries()) {
    const place = places.get(id) ?? '?'
    selfMicros.set(place, (selfMicros.get(place) ?? 0) + profile.timeDeltas[index])
  }
  return [...selfMicros]
    .sort(([, left], [, right]) => right - left)
    .slice(0, HEAVIEST_COUNT)
    .map(([place, micros]) => `${(micros / 1000).toFixed(0).padStart(7)} ms  ${place}`)
}
