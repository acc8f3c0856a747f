/**
 * One life of a sidecar: a real process from its start to its SIGKILL.
 *
 * Each life has a number, which its requests to backends carry, so that it can be told which of them delivered what.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { LedgerSnapshot } from '../../src/telemetry/ledger.ts'
import { checkoutMain } from '../cli/process.ts'
import { assertBalanced } from '../flow/flow.ts'

export interface Life {
  /** `http://127.0.0.1:port` of the receiver and of the admin port, once it is ready. */
  readonly ready: Promise<{ readonly receiver: string; readonly admin: string }>
  readonly child: ChildProcess
  readonly closed: Promise<unknown>
  stderr(): string
  /** Sends the signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

export interface LifeOptions {
  readonly cwd: string
  readonly life: number
  /** Put before Node, such as a tracer. */
  readonly wrap?: readonly string[]
  /** A file other than the checkout's main, such as the package form's. */
  readonly main?: string
}

export function startLife({ cwd, life, wrap = [], main = checkoutMain }: LifeOptions): Life {
  const [command, ...args] = [...wrap, process.execPath, main, '--config', 'laneway.yaml']
  const child = spawn(command, args, {
    cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TORTURE_LIFE: String(life) },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const closed = once(child, 'close')
  let said = ''
  const ready = new Promise<{ readonly receiver: string; readonly admin: string }>((resolve, reject) => {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text
      const found = /laneway ready: OTLP on (http:\S+?)[,;].*admin on (http:\S+?)[,;]/.exec(said)
      if (found !== null) resolve({ receiver: found[1], admin: found[2] })
    })
    closed.then(() => reject(new Error(`life ${life} ended with ${child.exitCode} before ready: ${said}`)))
  })
  // A life that is killed early never is ready, and nobody minds.
  ready.catch(() => {})
  return {
    ready,
    child,
    closed,
    stderr: () => said,
    async end(signal) {
      child.kill(signal)
      await closed
      return child.exitCode
    },
  }
}

/** Throws unless it balances. */
export async function readLedger(admin: string): Promise<LedgerSnapshot> {
  const response = await fetch(`${admin}/api/v1/ledger`)
  const snapshot: LedgerSnapshot = JSON.parse(await response.text())
  assertBalanced(snapshot)
  return snapshot
}
