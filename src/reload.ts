/**
 * Another configuration for a sidecar that runs: read, compared with the one in force, taken up whole or not at all.
 *
 * In: how to load it, and who takes it up. It is asked for, by a person or a signal, and looks by itself whether the files
 * have other content: not other times, so that a link that is swapped counts and a file that is touched does not. What
 * cannot be read, or cannot change while it runs, leaves what is in force as it is, and is told once a content. Reading
 * takes a while, beside the requests; taking up is one step.
 *
 * Source: contract section 3; decision 0013.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Config } from './config/config.ts'
import type { Loaded } from './config/load.ts'
import { type Node, nodeAt } from './config/tree.ts'
import { CommandError, ConfigError, formatProblem, type Problem } from './errors.ts'

/** How often the files are looked at. */
const LOOK_INTERVAL_MS = 2000

export interface Reload {
  /** What has changed, by its keys. Throws CommandError that says why nothing was taken up. */
  reload(): Promise<readonly string[]>
  /** The same where nobody waits for the answer: it is told. */
  ask(): void
  /** Why the last one was refused; undefined if it was not. */
  refusal(): readonly Problem[] | undefined
  /** Looks at the files from now on. */
  start(): void
  /** Nothing is taken up any more. */
  stop(): void
}

export interface ReloadOptions {
  /** Throws ConfigError. */
  readonly load: () => Promise<Loaded>
  readonly inForce: () => Config
  /** What cannot be for a reason of the moment. */
  readonly refuse: (next: Config) => readonly Problem[]
  readonly takeUp: (next: Config) => void
  /** Hears of every change, and of a refusal once a content. */
  readonly tell: (outcome: ReloadOutcome) => void
  /** Hears of what nobody expected and nobody waits for. */
  readonly fail: (error: unknown) => void
}

export type ReloadOutcome =
  | { readonly changed: readonly string[]; readonly warnings: readonly Problem[] }
  | { readonly problems: readonly Problem[] }

type Part = readonly [key: string, of: (config: Config) => unknown]

/** What is bound to the process: sockets, files and threads that are open. */
const FIXED: readonly Part[] = [
  ['receivers.otlp.protocols.http.endpoint', ({ receiver }) => receiver.endpoint],
  ['storage', ({ storage }) => storage],
  ['admin', ({ admin }) => admin],
  ['hash_key', ({ hashKey }) => hashKey],
  ['telemetry', ({ telemetry }) => telemetry],
]

const LIVE: readonly Part[] = [
  ['policy', ({ policy }) => ({ ...policy, lanes: [] })],
  ['lanes', ({ policy }) => policy.lanes],
  ['reviews', ({ reviews }) => reviews],
  ['exporters', ({ exporters }) => exporters],
  ['receivers', ({ receiver }) => receiver],
  ['shutdown_delay', ({ shutdownDelayMs }) => shutdownDelayMs],
  ['shutdown_grace', ({ shutdownGraceMs }) => shutdownGraceMs],
]

export function createReload({ load, inForce, refuse, takeUp, tell, fail }: ReloadOptions): Reload {
  /** What was there before the last reading began, so that what is written meanwhile is read again. */
  let seen = contentOf(inForce().files)
  let refused: readonly Problem[] | undefined
  let timer: NodeJS.Timeout | undefined
  let isStopped = false
  let underWay: Promise<unknown> = Promise.resolve()
  /** Has not begun to read yet, so it serves all who ask. */
  let next: Promise<readonly string[]> | undefined

  function reload(): Promise<readonly string[]> {
    next ??= underWay.then(() => {
      next = undefined
      const current = readAgain()
      underWay = current.catch(() => {})
      return current
    })
    return next
  }

  async function readAgain(): Promise<readonly string[]> {
    const { files } = inForce()
    seen = contentOf(files)
    try {
      const { config, tree } = await load()
      if (isStopped) throw new CommandError('the sidecar is stopping')
      const problems = [...fixedIn(inForce(), config, tree.root), ...refuse(config)]
      if (problems.length > 0) throw new ConfigError(problems)
      const changed = changedIn(inForce(), config)
      if (changed.length > 0) takeUp(config)
      refused = undefined
      // Of files that are new to it nothing was seen before they were read.
      if (!isEqual(config.files, files)) seen = UNSEEN
      tell({ changed, warnings: config.warnings })
      return changed
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      const isKnown = refused !== undefined && sameTexts(refused, error.problems)
      refused = error.problems.filter(({ severity }) => severity === 'error')
      if (!isKnown) tell({ problems: refused })
      throw new CommandError(refused.map(formatProblem).join('\n'))
    }
  }

  async function ask(): Promise<void> {
    try {
      await reload()
    } catch (error) {
      // The others were told already.
      if (!(error instanceof CommandError)) fail(error)
    }
  }

  function look(): void {
    if (contentOf(inForce().files) !== seen) void ask()
  }

  return {
    reload,
    ask: () => void ask(),
    refusal: () => refused,
    start() {
      timer = setInterval(look, LOOK_INTERVAL_MS)
      timer.unref()
    },
    stop() {
      isStopped = true
      clearInterval(timer)
    },
  }
}

/** No digest, so it differs from any. */
const UNSEEN = ''

function sameTexts(one: readonly Problem[], other: readonly Problem[]): boolean {
  const text = (problems: readonly Problem[]): string => problems.map(formatProblem).join('\n')
  return text(one) === text(other.filter(({ severity }) => severity === 'error'))
}

/** Of all the files together; a file that cannot be read is told from an empty one. */
function contentOf(files: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of files) {
    try {
      const bytes = readFileSync(file)
      hash.update(`${bytes.length}\n`).update(bytes)
    } catch {
      hash.update('none\n')
    }
  }
  return hash.digest('hex')
}

/** What of the next configuration cannot be taken up by a process that runs. */
function fixedIn(old: Config, next: Config, root: Node): readonly Problem[] {
  const fixed = FIXED.filter(([, of]) => !isEqual(of(old), of(next))).map(([key]) =>
    refusalAt(positionIn(root, key), key, 'cannot change while the sidecar runs; restart it'),
  )
  const storages = new Map(old.exporters.map(({ name, queue }) => [name, queue.storage]))
  const moved = next.exporters
    .filter(({ name, queue }) => (storages.get(name) ?? queue.storage) !== queue.storage)
    .map(({ name, position }) =>
      refusalAt(
        position,
        `exporters.${name}.sending_queue.storage`,
        'cannot change while the sidecar runs; restart it, or give the exporter another name',
      ),
    )
  return [...fixed, ...moved]
}

export function refusalAt(position: Problem['position'], key: string, message: string): Problem {
  return { severity: 'error', position, key, message }
}

/** The nearest place in the file that speaks of it. */
function positionIn(root: Node, key: string): Problem['position'] {
  const steps = key.split('.')
  for (let length = steps.length; length > 0; length--) {
    const found = nodeAt(root, ...steps.slice(0, length))
    if (found !== undefined) return found.position
  }
  return root.position
}

function changedIn(old: Config, next: Config): readonly string[] {
  return LIVE.filter(([, of]) => !isEqual(of(old), of(next))).map(([key]) => key)
}

/** Where something stands in a file is a change, too: `explain` and the ledger's rules name lines. */
function isEqual(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
