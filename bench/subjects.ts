/**
 * The programs that the bench compares, and how each is started and stopped.
 *
 * In: the environment (where peers are installed). Out: the subjects that can run here. Each listens on
 * BENCH_LISTEN_PORT and forwards to BENCH_SINK_PORT on loopback, pinned to one core.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Comparison } from './bodies.ts'
import { freePort, SUBJECT_CORE } from './machine.ts'

export interface Subject {
  readonly name: string
  /** What it is and does, for the report. */
  readonly description: string
  /** It meets the bodies that share one of these. */
  readonly comparisons: readonly Comparison[]
  readonly command: readonly string[]
  /** Further environment; ports are added at start. */
  readonly environment: (ports: Ports) => Readonly<Record<string, string>>
}

export type LanewayVariant = 'laneway' | 'laneway-plain' | 'laneway-strict'

export interface Ports {
  readonly listen: number
  readonly sink: number
  readonly admin: number
}

export interface RunningSubject {
  readonly subject: Subject
  readonly processId: number
  readonly port: number
  readonly stop: () => Promise<void>
}

const START_TIMEOUT_MS = 15_000
const STOP_TIMEOUT_MS = 15_000
const SAID_CHARACTERS_MAX = 2000
const HERE = import.meta.dirname
const LANEWAY_CONFIG = join(HERE, 'laneway.yaml')
/** Laneway's variants: configuration files, each on top of the one before. */
export const LANEWAY_CONFIGS: Readonly<Record<LanewayVariant, readonly string[]>> = {
  laneway: [LANEWAY_CONFIG],
  'laneway-plain': [LANEWAY_CONFIG, join(HERE, 'laneway-plain.yaml')],
  'laneway-strict': [LANEWAY_CONFIG, join(HERE, 'laneway-strict.yaml')],
}
const EVERYWHERE: readonly Comparison[] = ['peers', 'policy', 'variants']
const noEnvironment = (): Readonly<Record<string, string>> => ({})

/** Laneway from this checkout, with further Node options and configuration files. */
export function lanewayCommand(
  configs: readonly string[],
  nodeOptions: readonly string[] = [],
): readonly string[] {
  const main = join(HERE, '..', 'src', 'main.ts')
  return [process.execPath, ...nodeOptions, main, 'run', ...configs.flatMap((file) => ['--config', file])]
}

/** Laneway in its package form: an installed command, or a .js file for this Node. */
export function packageCommand(packaged: string): readonly string[] {
  const isScript = /\.[cm]?js$/.test(packaged)
  return [...(isScript ? [process.execPath] : []), packaged, 'run', '--config', LANEWAY_CONFIG]
}

/** All subjects that can run here, in the order of the report; `missing` says what was not found. */
export function findSubjects(environment: NodeJS.ProcessEnv): {
  subjects: readonly Subject[]
  missing: readonly string[]
} {
  const collector = environment.BENCH_COLLECTOR ?? which('otelcol')
  const rotel = environment.BENCH_ROTEL ?? which('rotel-agent')
  const otelArrow = environment.BENCH_OTEL_ARROW
  const packaged = environment.BENCH_PACKAGE
  const subjects: Subject[] = [
    lanewaySubject(
      'laneway',
      'Laneway from the checkout, preset codex, memory queues; answers before the backend',
      EVERYWHERE,
    ),
    lanewaySubject('laneway-plain', 'the same lanes without field policy and rehoming', EVERYWHERE),
    lanewaySubject('laneway-strict', 'the same with preset codex-strict', ['policy', 'variants']),
    {
      name: 'blind',
      description: 'blind fastify + undici proxy; answers after the backend',
      comparisons: EVERYWHERE,
      command: [process.execPath, join(HERE, 'blind-proxy.ts')],
      environment: noEnvironment,
    },
  ]
  const missing: string[] = []
  if (packaged !== undefined) {
    subjects.splice(1, 0, {
      name: 'package',
      description: 'Laneway in its package form, otherwise as `laneway`',
      comparisons: ['peers'],
      command: packageCommand(packaged),
      environment: noEnvironment,
    })
  }
  if (collector === undefined)
    missing.push('the OpenTelemetry Collector (BENCH_COLLECTOR, or otelcol on PATH)')
  else subjects.push(...collectorSubjects(collector))
  if (rotel === undefined) missing.push('rotel (BENCH_ROTEL, or rotel-agent on PATH)')
  else subjects.push(rotelSubject(rotel))
  if (otelArrow === undefined) missing.push("otel-arrow's engine (BENCH_OTEL_ARROW)")
  else {
    subjects.push({
      name: 'otel-arrow',
      description: 'a command that reads the BENCH_*_PORT variables and runs the engine of otel-arrow',
      comparisons: ['peers'],
      command: [otelArrow],
      environment: noEnvironment,
    })
  }
  return { subjects, missing }
}

function lanewaySubject(
  name: LanewayVariant,
  description: string,
  comparisons: readonly Comparison[],
): Subject {
  const command = lanewayCommand(LANEWAY_CONFIGS[name])
  return { name, description, comparisons, command, environment: noEnvironment }
}

function collectorSubjects(binary: string): readonly Subject[] {
  const version = collectorVersion(binary)
  const variant = (name: string, description: string, ...overlays: readonly string[]): Subject => ({
    name,
    description: `OpenTelemetry Collector${version}, ${description}`,
    comparisons: name === 'collector-filters' ? ['peers'] : ['peers', 'policy'],
    command: [binary, ...['collector.yaml', ...overlays].flatMap((file) => ['--config', join(HERE, file)])],
    environment: noEnvironment,
  })
  return [
    variant('collector', 'filters, two fields deleted on traces; answers after the backend'),
    variant('collector-filters', 'filters only; answers after the backend', 'collector-filters.yaml'),
    variant(
      'collector-queue',
      'filters, two fields deleted, memory queue; answers before the backend',
      'collector-queue.yaml',
    ),
  ]
}

/** The version is what Go recorded of the OTLP receiver: a built Collector names itself as its builder liked. */
function collectorVersion(binary: string): string {
  try {
    const modules = execFileSync('go', ['version', '-m', binary], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return ` ${/receiver\/otlpreceiver\s+v([\d.]+)/.exec(modules)?.[1] ?? ''}`.trimEnd()
  } catch {
    return ''
  }
}

function rotelSubject(binary: string): Subject {
  return {
    name: 'rotel',
    description: `rotel ${versionOf(binary)}, no filter possible; answers before the backend`,
    comparisons: ['peers'],
    command: [
      binary,
      'start',
      '--exporter',
      'otlp',
      '--otlp-exporter-protocol',
      'http',
      '--otlp-exporter-compression',
      'none',
    ],
    environment: (ports) => ({
      ROTEL_OTLP_HTTP_ENDPOINT: `127.0.0.1:${ports.listen}`,
      ROTEL_OTLP_GRPC_ENDPOINT: `127.0.0.1:${ports.admin}`,
      ROTEL_OTLP_EXPORTER_ENDPOINT: `http://127.0.0.1:${ports.sink}`,
    }),
  }
}

function versionOf(binary: string): string {
  try {
    const output = execFileSync(binary, ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return output.trim().split(/\s+/).at(-1) ?? ''
  } catch {
    return ''
  }
}

function which(name: string): string | undefined {
  try {
    return execFileSync('which', [name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}

/** Spawns on the cores given; the process id is the subject's own, because taskset execs it. */
export function spawnPinned(
  command: readonly string[],
  cores: string,
  environment: Readonly<Record<string, string>>,
): ChildProcess {
  return spawn('taskset', ['-c', cores, ...command], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

export function portEnvironment(ports: Ports, dataDirectory: string): Readonly<Record<string, string>> {
  return {
    BENCH_LISTEN_PORT: String(ports.listen),
    BENCH_SINK_PORT: String(ports.sink),
    BENCH_ADMIN_PORT: String(ports.admin),
    BENCH_DATA_DIRECTORY: dataDirectory,
  }
}

/** Starts a subject and answers when it takes connections. */
export async function startSubject(subject: Subject, sinkPort: number): Promise<RunningSubject> {
  const ports = { listen: await freePort(), sink: sinkPort, admin: await freePort() }
  const dataDirectory = mkdtempSync(join(tmpdir(), 'laneway-bench-'))
  const environment = { ...portEnvironment(ports, dataDirectory), ...subject.environment(ports) }
  const child = spawnPinned(subject.command, SUBJECT_CORE, environment)
  // Some subjects complain on stdout; and a pipe that nobody reads would stop them.
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-SAID_CHARACTERS_MAX)
    })
  }
  const stop = async (): Promise<void> => {
    await stopProcess(child)
    rmSync(dataDirectory, { recursive: true, force: true })
  }
  try {
    await waitForPort(ports.listen, child)
  } catch (cause) {
    await stop()
    throw new Error(`${subject.name} did not start: ${said}`, { cause })
  }
  return { subject, processId: child.pid ?? 0, port: ports.listen, stop }
}

export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  await exited
  clearTimeout(timer)
}

async function waitForPort(port: number, child: ChildProcess): Promise<void> {
  const end = Date.now() + START_TIMEOUT_MS
  while (Date.now() < end) {
    if (child.exitCode !== null) throw new Error(`it exited with code ${child.exitCode}`)
    if (await isListening(port)) return
    await sleep(20)
  }
  throw new Error('it took no connection in time')
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
