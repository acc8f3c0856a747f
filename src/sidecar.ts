/**
 * The composition root: from a configuration to a running sidecar, and back to nothing in order.
 *
 *     config ─► policy ─► exporters ─► admission ─► pipeline ─► receiver
 *                                         └─► telemetry ─► admin
 *
 * Start opens the store and the exporters first and the receiver last, so that whatever arrives has a way out. Stop goes the
 * other way round: requests are taken until the application has fallen silent, then the queues are drained.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Config, HASH_KEY_BYTES_MIN } from './config/config.ts'
import type { Loaded } from './config/load.ts'
import { formatProblem, type Problem, StorageError } from './errors.ts'
import { createFindingsKeeper } from './findings-keeper.ts'
import { createCommit } from './lane/commit.ts'
import { createDeadLetterApi } from './lane/dead-letters.ts'
import type { Exporter } from './lane/exporter.ts'
import { dropped, resumed, vanished } from './lane/held.ts'
import { createQuarantineApi, type QuarantineApi } from './lane/quarantine.ts'
import { ROOM_WAIT_MS } from './lane/release.ts'
import { summariseLanes } from './lane/summary.ts'
import { createPipeline, type PipelineParts } from './pipeline.ts'
import { releaseHeld } from './policy/release.ts'
import { isReviewed, type Reviewable } from './policy/reviews.ts'
import { createReload, type ReloadOutcome, refusalAt } from './reload.ts'
import type { Action } from './server/actions.ts'
import { type AdminHandlers, createAdmin } from './server/admin.ts'
import { describeFault } from './server/fault.ts'
import { createReceiver } from './server/receiver.ts'
import { createSlabPool, heapPin, SLAB_BYTES_MIN, SLAB_IDLE_BYTES_MAX } from './server/slabs.ts'
import { createDeadLetterDesk } from './store/dead-letter-desk.ts'
import { STORE_FILE } from './store/directory.ts'
import { createFindingsFile } from './store/findings-file.ts'
import { readHashKey } from './store/hash-key.ts'
import type { StoreEvent } from './store/messages.ts'
import { createStore, type Store } from './store/store.ts'
import type { TelemetryEvent } from './telemetry/events.ts'
import { createTelemetry } from './telemetry/telemetry.ts'
import { createWaysOut, type WaysOut } from './ways-out.ts'

export interface Surroundings {
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** In [0, 1). */
  readonly random: () => number
  readonly stderr: (text: string) => void
  /** Reads the configuration again. Throws ConfigError. */
  readonly load: () => Promise<Loaded>
}

export interface Sidecar {
  /** Resolves when requests are taken: the addresses of the receiver and of the admin port. */
  start(): Promise<{ readonly receiver: readonly string[]; readonly admin: readonly string[] }>
  /** Reads the files again, and takes up what has changed. What is wrong with them is told, not thrown. */
  reload(): void
  /** Takes requests until none comes, drains the queues, closes all. Counted from the call. */
  stop(): Promise<void>
}

/** How long no request must have come before a stopping receiver closes. */
const silenceMs = 1000
const silenceCheckMs = 50

export function createSidecar(config: Config, { clock, random, stderr, load }: Surroundings): Sidecar {
  const telemetry = createTelemetry({
    config: config.telemetry,
    exporters: config.exporters.map(({ name }) => name),
    clock,
    destination: { write: stderr },
  })
  const { emit } = telemetry
  const store = storeOf(config, (event) => {
    for (const said of telemetryOf(event)) emit(said)
    if (event.type === 'set_aside') void countHeldAgain()
  })
  const ways = createWaysOut(config, {
    emit,
    clock,
    random,
    stderr,
    store,
    deadLetters: store,
    commit: store && createCommit(store, clock),
    hashKeyOf,
  })
  const receiver = createReceiver({
    config: config.receiver,
    handle: createPipeline({ inForce: ways.inForce, allocate: createAllocator(), emit }),
    emit,
    clock,
  })
  const letters = store && deadLetterHandlers(config, store, ways)
  const quarantine =
    store &&
    quarantineHandlers(
      createQuarantineApi({
        quarantine: store.quarantine,
        judge: (bytes, carriage) => releaseHeld(bytes, carriage, ways.inForce().policy),
        policy: () => ways.inForce().policy.digest,
        admit: (...request) => ways.inForce().admit(...request),
        emit,
        clock,
        roomWaitMs: ROOM_WAIT_MS,
      }),
    )
  const reloading = createReload({
    load,
    inForce: () => ways.inForce().config,
    refuse: refusedNow,
    takeUp(next) {
      ways.takeUp(next)
      receiver.configure(next.receiver)
    },
    tell: tellReload,
    fail: (error) => emit({ type: 'fault', place: 'reload', detail: describeFault(error) }),
  })
  const keeper = createFindingsKeeper(
    telemetry.findings,
    createFindingsFile(config.storage.directory),
    (error) => telemetry.log.warn('findings cannot be kept over a restart', { detail: nameOf(error) }),
  )
  let phase: 'starting' | 'running' | 'stopping' = 'starting'
  const admin = createAdmin({
    config: config.admin,
    emit,
    handlers: {
      ready: () => ({
        ready: phase === 'running',
        details: {
          phase,
          storage: store?.refusal()?.message ?? 'takes',
          configuration: reloading.refusal()?.map(formatProblem) ?? 'in force',
          backends: exportersNow().map((exporter) => ({
            exporter: exporter.name,
            down: exporter.stats().down,
          })),
        },
      }),
      metrics: () =>
        telemetry.metricsText({
          queueOldestMs: exportersNow().map((exporter) => ({
            exporter: exporter.name,
            ageMs: exporter.stats().oldestMs,
          })),
          isStorageRefusing: store?.refusal() !== undefined,
        }),
      ledger: () => telemetry.ledger.snapshot(),
      findings: () => telemetry.findings.snapshot(isClosed),
      lanes: () => summariseLanes(ways.inForce().config.policy.lanes, ways.inForce().exporters),
      pages: new Map([...(letters?.pages ?? []), ...(quarantine?.pages ?? NO_QUARANTINE)]),
      actions: new Map<string, Action>([
        ['/api/v1/reload', async () => ({ reloaded: true, changed: await reloading.reload() })],
        ...(letters?.actions ?? []),
        ...(quarantine?.actions ?? []),
      ]),
    },
  })

  function exportersNow(): readonly Exporter[] {
    return [...ways.inForce().exporters.values()]
  }

  function isClosed(finding: Reviewable): boolean {
    if (finding.kind === 'refused_reload') return reloading.refusal() === undefined
    return isReviewed(ways.inForce().config.reviews, finding)
  }

  /** What a sidecar of this start cannot do, or cannot do yet. */
  function refusedNow(next: Config): readonly Problem[] {
    const position = { file: next.source, line: 1, column: 1 }
    if (store === undefined && needsStore(next)) {
      return [refusalAt(position, 'storage', 'nothing was to be stored when the sidecar started; restart it')]
    }
    const known = ways.inForce().exporters
    return next.exporters
      .filter(({ name }) => !known.has(name) && ways.leftOf(name) > 0)
      .map(({ name, position }) => {
        const message = `was removed and still holds ${ways.leftOf(name)} items; wait until it has delivered them, or restart`
        return refusalAt(position, `exporters.${name}`, message)
      })
  }

  function tellReload(outcome: ReloadOutcome): void {
    if ('changed' in outcome) {
      telemetry.log.info('configuration read again', { changed: outcome.changed.join(' ') || 'nothing' })
      tellWarnings(outcome.warnings)
      return
    }
    for (const { position, key, message } of outcome.problems) {
      const { file, line } = position
      telemetry.log.error('configuration not taken up, the one before stays in force', {
        key,
        file,
        line,
        message,
      })
    }
    const [{ position }] = outcome.problems
    const about = { target: position.file, family: '', eventName: '', place: undefined, keys: [] }
    emit({ type: 'findings_noted', findings: [{ kind: 'refused_reload', ...about, count: 1 }] })
  }

  function tellWarnings(warnings: readonly Problem[]): void {
    for (const { position, key, message } of warnings) {
      telemetry.log.warn(message, { key, file: position.file, line: position.line })
    }
  }

  /** The store began anew: what it held is gone. */
  async function countHeldAgain(): Promise<void> {
    try {
      const counts = (await store?.quarantine.counts()) ?? []
      const gone = vanished(telemetry.ledger.snapshot().rows, counts)
      for (const change of dropped(gone, 'discarded')) emit({ type: 'quarantine_changed', ...change })
    } catch (error) {
      // The store says by itself what is wrong with it.
      if (!(error instanceof StorageError)) throw error
    }
  }

  async function start(): Promise<{
    readonly receiver: readonly string[]
    readonly admin: readonly string[]
  }> {
    tellWarnings(config.warnings)
    keeper.start()
    try {
      for (const { exporter, queued } of ways.resume((await store?.open()) ?? [])) {
        telemetry.log.warn(
          'a stored queue belongs to no exporter that keeps its queue on disk: bring it back',
          {
            exporter,
            items: queued.items,
          },
        )
      }
      for (const change of resumed((await store?.quarantine.counts()) ?? []))
        emit({ type: 'quarantine_changed', ...change })
      const adminAddresses = await admin.listen()
      const receiverAddresses = await receiver.listen()
      phase = 'running'
      reloading.start()
      return { receiver: receiverAddresses, admin: adminAddresses }
    } catch (error) {
      // Its thread and its listeners would keep the process alive, and its lock the next one out.
      await store?.close()
      await admin.close()
      throw error
    }
  }

  async function stop(): Promise<void> {
    const askedAtMs = clock()
    phase = 'stopping'
    reloading.stop()
    const { shutdownDelayMs, shutdownGraceMs } = ways.inForce().config
    while (clock() - askedAtMs < shutdownDelayMs) {
      if (clock() - Math.max(askedAtMs, receiver.lastRequestAtMs()) >= silenceMs) break
      await new Promise((resolve) => setTimeout(resolve, silenceCheckMs))
    }
    const closed = receiver.close()
    // Requests in hand that wait for a backend's answer end when the queues do.
    if (!exportersNow().some(({ queue }) => queue.waitsForResult)) await closed
    await ways.close(Math.max(0, shutdownGraceMs - (clock() - askedAtMs)))
    await closed
    await store?.close()
    await keeper.stop()
    await admin.close()
  }

  return { start, reload: reloading.ask, stop }
}

/** What the file system calls it; a message would name paths, too. */
function nameOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}

/** The key of the `hash` verb; undefined, and no file made, where no lane that is on hashes. */
export function hashKeyOf({ policy, hashKey, storage }: Config): Uint8Array | undefined {
  const hashes = policy.lanes.some(
    (lane) => lane.exporters.length > 0 && lane.fields.some(({ verb }) => verb === 'hash'),
  )
  if (!hashes) return undefined
  return readHashKey({ given: hashKey, directory: storage.directory, bytesMin: HASH_KEY_BYTES_MIN })
}

/** The store, where something is to survive. Its thread starts at once, beside the rest of the start. */
function storeOf(config: Config, onEvent: (event: StoreEvent) => void): Store | undefined {
  const { storage } = config
  // What was held under another policy is still there, and somebody has to be able to release it.
  const isThere = existsSync(join(storage.directory, STORE_FILE))
  if (!needsStore(config) && !isThere) return undefined
  const exporters = durableOf(config)
  return createStore({ directory: storage.directory, limits: storage, exporters, onEvent })
}

function needsStore(config: Config): boolean {
  const { unreviewed, foreign } = config.policy
  return durableOf(config).length > 0 || unreviewed === 'quarantine' || foreign === 'quarantine'
}

/** The exporters that some lane uses and whose queues are durable. */
function durableOf({ exporters, policy }: Config): readonly string[] {
  const used = new Set(policy.lanes.flatMap((lane) => lane.exporters.map(({ name }) => name)))
  return exporters
    .filter(({ name, queue }) => used.has(name) && queue.storage === 'disk')
    .map(({ name }) => name)
}

/** Dead letters at the admin port: values only for whoever has a token, or may open the socket. */
function deadLetterHandlers(
  { admin }: Config,
  store: Store,
  ways: WaysOut,
): Required<Pick<AdminHandlers, 'pages' | 'actions'>> {
  const queues = { get: (name: string) => ways.inForce().exporters.get(name)?.queue }
  const mayShowValues = admin.token !== undefined || admin.endpoint.kind === 'unix'
  const api = createDeadLetterApi(createDeadLetterDesk(store, queues), { mayShowValues })
  return {
    pages: new Map<string, (query: URLSearchParams) => Promise<object>>([
      [DEAD_LETTERS, api.list],
      [`${DEAD_LETTERS}/show`, api.show],
    ]),
    actions: new Map([
      [`${DEAD_LETTERS}/replay`, api.replay],
      [`${DEAD_LETTERS}/drop`, api.drop],
    ]),
  }
}

const DEAD_LETTERS = '/api/v1/dead-letters'

function quarantineHandlers(api: QuarantineApi): Required<Pick<AdminHandlers, 'pages' | 'actions'>> {
  return {
    pages: new Map([[QUARANTINE, api.list]]),
    actions: new Map([
      [`${QUARANTINE}/release`, api.release],
      [`${QUARANTINE}/discard`, api.discard],
    ]),
  }
}

const QUARANTINE = '/api/v1/quarantine'

/** Where nothing is stored nothing is held. */
const NO_QUARANTINE: Required<AdminHandlers>['pages'] = new Map([[QUARANTINE, async () => ({ targets: [] })]])

function telemetryOf(event: StoreEvent): readonly TelemetryEvent[] {
  switch (event.type) {
    case 'refusing': {
      const { fault, message } = event.failure
      return [{ type: 'storage_refusing', fault, detail: message }]
    }
    case 'recovered':
      return [{ type: 'storage_recovered' }]
    case 'set_aside':
      return [{ type: 'storage_replaced', cause: 'damaged', path: event.path }]
    case 'rebuilt':
      return [{ type: 'storage_replaced', cause: 'removed', path: event.path }]
    case 'dead_letters_gone':
      return [event]
    case 'held_expired': {
      const items = event.counts.reduce((sum, count) => sum + count.items, 0)
      return [
        ...dropped(event.counts, 'discarded').map(
          (change) => ({ type: 'quarantine_changed', ...change }) as const,
        ),
        { type: 'held_dropped', items, reason: 'retention' },
      ]
    }
    case 'thread_failed':
      return [{ type: 'fault', place: 'store', detail: event.detail }]
  }
}

/** Memory for spliced parcels: large ones in slabs that are reused, small ones from the heap. */
function createAllocator(): PipelineParts['allocate'] {
  const slabs = createSlabPool({ idleBytesMax: SLAB_IDLE_BYTES_MAX })
  return (bytes) => {
    if (bytes * 2 >= SLAB_BYTES_MIN) {
      const slab = slabs.take(bytes)
      return { buffer: slab.buffer, pin: slab }
    }
    return { buffer: Buffer.allocUnsafeSlow(bytes), pin: heapPin(bytes) }
  }
}
