/**
 * Laneway as a process of its own, as users run it: started, spoken to over real sockets, stopped by a signal.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** The program as the checkout runs it. */
export const checkoutMain: string = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  /** `http://127.0.0.1:port` of the receiver and of the admin port. */
  readonly receiver: string
  readonly admin: string
  /** Sends a signal and waits for nothing. */
  signal(name: NodeJS.Signals): void
  readonly finished: Promise<Finished>
  /** Sends SIGTERM and waits for the end. */
  stop(): Promise<Finished>
}

export interface Program {
  /** The Node that runs it; this one if not given. */
  readonly node?: string
  readonly main: string
  readonly cwd: string
}

/** Runs one command to its end. */
export async function runToEnd(program: Program, args: readonly string[]): Promise<Finished> {
  return collect(start(program, args)).finished
}

/** Starts a sidecar and resolves when it says that it is ready. */
export async function startSidecar(program: Program, args: readonly string[]): Promise<Running> {
  const child = start(program, args)
  const output = collect(child)
  const ready = /laneway ready: OTLP on (http:\S+?)[,;].*admin on (http:\S+?)[,;]/
  const line = await new Promise<RegExpExecArray>((resolve, reject) => {
    child.stderr?.on('data', () => {
      const found = ready.exec(output.stderr())
      if (found !== null) resolve(found)
    })
    output.finished.then(
      ({ code, stderr }) => reject(new Error(`ended with ${code} before ready: ${stderr}`)),
      reject,
    )
  })
  return {
    receiver: line[1],
    admin: line[2],
    signal: (name) => {
      child.kill(name)
    },
    finished: output.finished,
    stop: () => {
      child.kill('SIGTERM')
      return output.finished
    },
  }
}

function start({ node = process.execPath, main, cwd }: Program, args: readonly string[]): ChildProcess {
  return spawn(node, [main, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'], env: cleanEnvironment() })
}

/** Without what the test runner and npm put there: a user's shell has none of it. */
function cleanEnvironment(): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(?:NODE_|TAP|_TAPJS|npm_|LANEWAY_)/.test(name)),
  )
}

function collect(child: ChildProcess): {
  readonly stderr: () => string
  readonly finished: Promise<Finished>
} {
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const finished = once(child, 'close').then(() => ({ code: child.exitCode, stdout, stderr }))
  return { stderr: () => stderr, finished }
}
