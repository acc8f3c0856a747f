/**
 * Where `laneway review` finds what is in quarantine: at the admin port of a running sidecar, or in the files of one that
 * is not. Both are asked in the same words, and a release goes the same way.
 *
 * Without a sidecar what is released waits in the durable queues for its start; a queue in memory cannot take anything.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { AdminConfig, Config } from '../config/config.ts'
import { CommandError, StorageError } from '../errors.ts'
import { createCommit } from '../lane/commit.ts'
import { createFileAdmission } from '../lane/file-admission.ts'
import {
  createQuarantineApi,
  type HeldTargetPage,
  type HeldTargetRow,
  type Released,
} from '../lane/quarantine.ts'
import { compilePolicy, type Policy } from '../policy/compile.ts'
import { releaseHeld } from '../policy/release.ts'
import { hashKeyOf } from '../sidecar.ts'
import { STORE_FILE } from '../store/directory.ts'
import { createStore } from '../store/store.ts'
import { createAdminClient } from './admin-client.ts'

export interface QuarantineSource {
  /** By target, in their order. */
  list(): Promise<readonly HeldTargetRow[]>
  /** To its end, or to where it cannot go on: `message` says why. */
  handle(verb: 'release' | 'discard', target: string): Promise<Released>
  close(): Promise<void>
}

const PATH = '/api/v1/quarantine'

export function askQuarantineOfSidecar(
  admin: string | AdminConfig,
): QuarantineSource & { answers(): Promise<boolean> } {
  const { ask, answers } = createAdminClient(admin)
  return {
    list: () => everyPage((after) => ask<HeldTargetPage>('GET', `${PATH}${queryOf(after)}`)),
    handle: (verb, target) => toItsEnd(() => ask<Released>('POST', `${PATH}/${verb}`, { target })),
    answers,
    async close() {},
  }
}

/** Throws CommandError if there is no store, or it cannot be used. */
export async function askQuarantineOfFiles(config: Config): Promise<QuarantineSource> {
  const { storage, exporters, policy } = config
  const { directory } = storage
  if (!existsSync(join(directory, STORE_FILE))) {
    throw new CommandError(
      `no sidecar answers, and there is no store in ${directory}; name the configuration by --config`,
    )
  }
  const store = createStore({ directory, limits: storage, exporters: [], onEvent: () => {} })
  try {
    const accounts = await store.open()
    let compiled: Policy | undefined
    const inForce = (): Policy => {
      compiled ??= compilePolicy(policy, hashKeyOf(config)).policy
      return compiled
    }
    const api = createQuarantineApi({
      quarantine: store.quarantine,
      judge: (bytes, carriage) => releaseHeld(bytes, carriage, inForce()),
      policy: () => inForce().digest,
      admit: createFileAdmission({
        lanes: policy.lanes,
        exporters,
        accounts,
        commit: createCommit(store, Date.now),
      }),
      emit: () => {},
      clock: Date.now,
      roomWaitMs: 0,
    })
    return {
      list: () => everyPage((after) => api.list(new URLSearchParams(after === undefined ? {} : { after }))),
      handle: (verb, target) => toItsEnd(() => api[verb]({ target })),
      close: () => store.close(),
    }
  } catch (error) {
    await store.close()
    if (error instanceof StorageError) throw new CommandError(error.message)
    throw error
  }
}

function queryOf(after: string | undefined): string {
  return after === undefined ? '' : `?${new URLSearchParams({ after })}`
}

async function everyPage(
  read: (after: string | undefined) => Promise<HeldTargetPage>,
): Promise<readonly HeldTargetRow[]> {
  const rows: HeldTargetRow[] = []
  for (let after: string | undefined; ; ) {
    const page: HeldTargetPage = await read(after)
    rows.push(...page.targets)
    if (page.after === undefined) return rows
    after = page.after
  }
}

async function toItsEnd(ask: () => Promise<Released>): Promise<Released> {
  for (;;) {
    const released = await ask()
    if (released.done) return released
  }
}
