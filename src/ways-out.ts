/**
 * What is in force: a policy, and the ways out of its lanes. Made of a configuration, and swapped whole when another is
 * taken up.
 *
 *     config ─► policy ─┐
 *          └─► exporters ─► admission ─┴─► in force: what one request begins and ends with
 *
 * An exporter that stays keeps its queue, under other settings; what waits in it is judged again before it leaves. One
 * that is gone delivers what it holds for a while, by the policy that it was gone with; what is left then is lost, or
 * stays on the disk. Source: contract section 3; decision 0013.
 */
import type { Config, ExporterConfig } from './config/config.ts'
import { type Admit, createAdmission } from './lane/admission.ts'
import type { Commit } from './lane/commit.ts'
import { createExporter, type Exporter, type ExporterDeps } from './lane/exporter.ts'
import type { Review } from './lane/review.ts'
import { compilePolicy, type Policy } from './policy/compile.ts'
import { createRejudge } from './policy/rejudge.ts'
import type { ExporterAccount } from './store/messages.ts'

export interface InForce {
  readonly config: Config
  readonly policy: Policy
  readonly admit: Admit
  /** Those that some lane uses, by name. */
  readonly exporters: ReadonlyMap<string, Exporter>
}

export interface WaysOut {
  inForce(): InForce
  /** Takes over what an earlier run left in the queues; returns what belongs to none of them. */
  resume(accounts: readonly ExporterAccount[]): readonly ExporterAccount[]
  takeUp(config: Config): void
  /** How much an exporter that is gone still holds: items. */
  leftOf(exporter: string): number
  /** Delivers what is queued; what is left after `graceMs` is lost, and counted, or stays on the disk. */
  close(graceMs: number): Promise<void>
}

export interface WaysOutDeps extends Omit<ExporterDeps, 'store' | 'review'> {
  readonly store: ExporterDeps['store']
  readonly commit: Commit | undefined
  /** The key of the `hash` verb under a configuration. */
  readonly hashKeyOf: (config: Config) => Uint8Array | undefined
}

/** An exporter, what it was made of, and the policy that what waits in it is judged by. */
interface Live {
  readonly exporter: Exporter
  config: ExporterConfig
  review: Review
}

export function createWaysOut(config: Config, deps: WaysOutDeps): WaysOut {
  const { store, commit, hashKeyOf, ...others } = deps
  const live = new Map<string, Live>()
  const gone = new Map<string, Exporter>()
  const going = new Set<Promise<void>>()
  /** Stored queues that no exporter has taken over. */
  const left = new Map<string, ExporterAccount>()
  let current = make(config)

  function make(next: Config): InForce {
    const hashKey = hashKeyOf(next)
    const { policy } = compilePolicy(next.policy, hashKey)
    const review = { policy: policy.digest, rejudge: createRejudge(next.policy, hashKey) }
    const used = new Set(next.policy.lanes.flatMap((lane) => lane.exporters.map(({ name }) => name)))
    const wanted = next.exporters.filter(({ name }) => used.has(name))
    for (const [name, { exporter }] of live) {
      if (wanted.some((one) => one.name === name)) continue
      live.delete(name)
      retire(exporter, next.shutdownGraceMs)
    }
    for (const exporter of wanted) open(exporter, review)
    const exporters = new Map([...live].map(([name, { exporter }]) => [name, exporter]))
    const queues = new Map(
      next.policy.lanes.map((lane) => [
        lane.name,
        lane.exporters.map(({ name }) => exporters.get(name)?.queue).filter((queue) => queue !== undefined),
      ]),
    )
    return { config: next, policy, admit: createAdmission(queues, commit), exporters }
  }

  function open(next: ExporterConfig, review: Review): void {
    const known = live.get(next.name)
    if (known !== undefined) {
      known.review = review
      if (isSame(known.config, next)) return
      known.config = next
      known.exporter.configure(next)
      return
    }
    const isDurable = next.queue.storage === 'disk'
    const entry: Live = {
      exporter: createExporter(next, {
        ...others,
        store: isDurable ? store : undefined,
        review: () => entry.review,
      }),
      config: next,
      review,
    }
    live.set(next.name, entry)
    gone.delete(next.name)
    const account = left.get(next.name)
    if (account === undefined || !isDurable) return
    left.delete(next.name)
    entry.exporter.queue.resume(account)
  }

  function retire(exporter: Exporter, graceMs: number): void {
    gone.set(exporter.name, exporter)
    const closing = exporter.close(graceMs).finally(() => going.delete(closing))
    going.add(closing)
  }

  return {
    inForce: () => current,
    resume(accounts) {
      for (const account of accounts) {
        const queue = live.get(account.exporter)?.exporter.queue
        if (queue?.isDurable === true) queue.resume(account)
        else if (account.parcels > 0) left.set(account.exporter, account)
      }
      return [...left.values()]
    },
    takeUp(next) {
      current = make(next)
    },
    leftOf: (exporter) => gone.get(exporter)?.queue.queuedItems ?? 0,
    async close(graceMs) {
      await Promise.all([...live.values()].map(({ exporter }) => exporter.close(graceMs)))
      await Promise.all(going)
    },
  }
}

/** Where in a file it stands does not matter. */
function isSame(one: ExporterConfig, other: ExporterConfig): boolean {
  return JSON.stringify({ ...one, position: undefined }) === JSON.stringify({ ...other, position: undefined })
}
