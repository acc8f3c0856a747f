/**
 * Where `laneway dead-letters` finds them: at the admin port of a running sidecar, or in the files of one that is not.
 *
 * Both are asked in the same words. Whether a sidecar runs is not guessed: if nothing listens the store is opened, and
 * its lock says so if somebody has it.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { AdminConfig, Config } from '../config/config.ts'
import { CommandError, StorageError } from '../errors.ts'
import {
  createDeadLetterApi,
  type DeadLetterPage,
  type DeadLetterRow,
  type ShownDeadLetter,
} from '../lane/dead-letters.ts'
import { createDeadLetterDesk, type Handled } from '../store/dead-letter-desk.ts'
import { STORE_FILE } from '../store/directory.ts'
import { createStore } from '../store/store.ts'
import { createAdminClient } from './admin-client.ts'

export interface DeadLetterSource {
  list(exporter: string | undefined): Promise<readonly DeadLetterRow[]>
  show(id: number, values: boolean): Promise<ShownDeadLetter>
  handle(verb: 'replay' | 'drop', selection: object): Promise<Handled>
  close(): Promise<void>
}

const PATH = '/api/v1/dead-letters'

export function askSidecar(
  admin: string | AdminConfig,
): DeadLetterSource & { readonly answers: () => Promise<boolean> } {
  const { ask, answers } = createAdminClient(admin)
  return {
    list: (exporter) => everyPage((after) => ask<DeadLetterPage>('GET', `${PATH}?after=${after}`), exporter),
    show: (id, values) => ask('GET', `${PATH}/show?id=${id}${values ? '&values' : ''}`),
    handle: (verb, selection) => ask('POST', `${PATH}/${verb}`, selection),
    answers,
    async close() {},
  }
}

/** Throws CommandError if there is no store, or it cannot be used. */
export async function askFiles({ storage, exporters }: Config): Promise<DeadLetterSource> {
  const { directory } = storage
  if (!existsSync(join(directory, STORE_FILE))) {
    throw new CommandError(
      `no sidecar answers, and there is no store in ${directory}; name the configuration by --config`,
    )
  }
  const store = createStore({ directory, limits: storage, exporters: [], onEvent: () => {} })
  try {
    await store.open()
  } catch (error) {
    await store.close()
    if (error instanceof StorageError) throw new CommandError(error.message)
    throw error
  }
  const queues = new Map(
    exporters.map(({ name, queue }) => [name, { isDurable: queue.storage === 'disk', live: undefined }]),
  )
  // Whoever may read the files may see what is in them.
  const api = createDeadLetterApi(createDeadLetterDesk(store, queues), { mayShowValues: true })
  return {
    list: (exporter) => everyPage((after) => api.list(new URLSearchParams({ after: `${after}` })), exporter),
    show: (id, values) => api.show(new URLSearchParams({ id: `${id}`, ...(values && { values: '' }) })),
    handle: (verb, selection) => api[verb](selection),
    close: () => store.close(),
  }
}

async function everyPage(
  read: (after: number) => Promise<DeadLetterPage>,
  exporter: string | undefined,
): Promise<readonly DeadLetterRow[]> {
  const rows: DeadLetterRow[] = []
  for (let after: number | undefined = 0; after !== undefined; ) {
    const page: DeadLetterPage = await read(after)
    rows.push(...page.dead_letters)
    after = page.after
  }
  return exporter === undefined ? rows : rows.filter((row) => row.exporter === exporter)
}
