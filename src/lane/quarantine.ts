/**
 * The quarantine as the admin port and the command line speak of it: list by target, release, discard. JSON in, JSON out.
 *
 * One release or discard runs at a time, and goes on whether or not somebody waits for it. Whoever asks hears how far it
 * has come after a while at the latest (`done` is false then) and asks again: so an answer is never long in coming.
 * The same with and without a running sidecar. Source: contract section 3.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { CommandError } from '../errors.ts'
import type { HeldTarget } from '../store/messages.ts'
import { createProgress, discard, type Progress, type ReleaseParts, release } from './release.ts'

export interface HeldTargetRow {
  /** Empty: the items have none. `*`: of many targets that one request named. */
  readonly target: string
  readonly family: string
  readonly carriage: string
  readonly items: number
  readonly bytes: number
  /** When the oldest came, ISO 8601. */
  readonly oldest: string
}

export interface HeldTargetPage {
  readonly targets: readonly HeldTargetRow[]
  /** Where the next page begins; absent on the last. */
  readonly after?: string
}

export interface HeldOutcome {
  readonly carriage: string
  readonly family: string
  readonly lane: string
  readonly outcome: string
  readonly reason: string
  readonly items: number
}

export interface Released {
  readonly target: string
  /** How many have left the quarantine. */
  readonly items: number
  /** How many the policy still quarantines. */
  readonly kept: number
  /** How many are still to be looked at. */
  readonly left: number
  readonly outcomes: readonly HeldOutcome[]
  /** False: it goes on; ask again. */
  readonly done: boolean
  /** Why it stopped before its end; releasing again goes on from there. */
  readonly message?: string
}

export interface QuarantineApi {
  /** `after`: the target behind which the page begins. */
  list(query: URLSearchParams): Promise<HeldTargetPage>
  /** `{"target": "app.name"}`. */
  release(body: unknown): Promise<Released>
  discard(body: unknown): Promise<Released>
}

/** Targets of one page: with long names, well under a megabyte. */
export const PAGE_TARGETS = 500

/** How long an answer may wait for the end of a release. */
const TURN_MS = 3000

interface Run {
  readonly progress: Progress
  isDone: boolean
  readonly ended: Promise<void>
}

type Verb = (target: string, progress: Progress, parts: ReleaseParts) => Promise<void>

export function createQuarantineApi(parts: ReleaseParts): QuarantineApi {
  const { quarantine } = parts
  /** By verb and target: what runs, or has ended and was not told yet. */
  const runs = new Map<string, Run>()
  let last: Promise<void> = Promise.resolve()

  function start(verb: Verb, target: string, told: Progress | undefined): Run {
    const progress = told ?? createProgress()
    const previous = last
    const work = async (): Promise<void> => {
      await previous
      progress.kept = 0
      progress.message = undefined
      progress.left = sumOf(await quarantine.of(target))
      await verb(target, progress, parts)
    }
    const ended = work().finally(() => {
      run.isDone = true
    })
    const run: Run = { progress, isDone: false, ended }
    // Whoever waits hears of a failure; the next in line does not suffer for it.
    last = ended.catch(() => {})
    return run
  }

  async function ask(name: string, verb: Verb, body: unknown): Promise<Released> {
    const target = targetOf(body)
    const key = `${name} ${target}`
    const known = runs.get(key)
    if (known === undefined && (await quarantine.of(target)).length === 0) {
      throw new CommandError(
        `nothing of target \`${target}\` is in quarantine; \`review list\` shows what is`,
      )
    }
    const run = known === undefined || known.isDone ? start(verb, target, known?.progress) : known
    runs.set(key, run)
    try {
      await Promise.race([run.ended, delay(TURN_MS, undefined, { ref: false })])
    } catch (error) {
      runs.delete(key)
      throw error
    }
    if (run.isDone) runs.delete(key)
    return releasedOf(target, run)
  }

  return {
    async list(query) {
      const after = query.get('after') ?? undefined
      const targets = await quarantine.list(after, PAGE_TARGETS)
      const rows = targets.map(rowOf)
      const names = new Set(rows.map(({ target }) => target))
      const end = rows.at(-1)?.target
      return names.size < PAGE_TARGETS || end === undefined
        ? { targets: rows }
        : { targets: rows, after: end }
    },
    release: (body) => ask('release', release, body),
    discard: (body) => ask('discard', discard, body),
  }
}

function releasedOf(target: string, { progress, isDone }: Run): Released {
  const { items, kept, left, rows, message } = progress
  const outcomes = [...rows.values()].map((row) => ({ ...row }))
  const said = { target, items, kept, left: Math.max(0, left), outcomes, done: isDone }
  return message === undefined ? said : { ...said, message }
}

function rowOf({ target, family, carriage, items, bytes, oldestMs }: HeldTarget): HeldTargetRow {
  return { target, family, carriage, items, bytes, oldest: new Date(oldestMs).toISOString() }
}

function sumOf(targets: readonly HeldTarget[]): number {
  return targets.reduce((sum, { items }) => sum + items, 0)
}

function targetOf(body: unknown): string {
  if (typeof body === 'object' && body !== null && 'target' in body && typeof body.target === 'string')
    return body.target
  throw new CommandError('write {"target": "app.name"}; an empty one means items without a target', 2)
}
