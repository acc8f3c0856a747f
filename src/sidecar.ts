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
import { StorageError } from './errors.ts'
import { type Admit, createAdmission } from './lane/admission.ts'
import { type Commit, createCommit } from './lane/commit.ts'
import { createDeadLetterApi } from './lane/dead-letters.ts'
import { createExporter, type Exporter } from './lane/exporter.ts'
import { dropped, resumed, vanished } from './lane/held.ts'
import { createQuarantineApi, type QuarantineApi } from './lane/quarantine.ts'
import { ROOM_WAIT_MS } from './lane/release.ts'
import { summariseLanes } from './lane/summary.ts'
import { createPipeline, type PipelineParts } from './pipeline.ts'
import { compilePolicy } from './policy/compile.ts'
import { createRejudge } from './policy/rejudge.ts'
import { releaseHeld } from './policy/release.ts'
import { isReviewed } from './policy/reviews.ts'
import { type AdminHandlers, createAdmin } from './server/admin.ts'
import { createReceiver } from './server/receiver.ts'
import { createSlabPool, heapPin, SLAB_BYTES_MIN, SLAB_IDLE_BYTES_MAX } from './server/slabs.ts'
import { createDeadLetterDesk } from './store/dead-letter-desk.ts'
import { STORE_FILE } from './store/directory.ts'
import { readHashKey } from './store/hash-key.ts'
import type { StoreEvent } from './store/messages.ts'
import { createStore, type Store } from './store/store.ts'
import type { TelemetryEvent } from './telemetry/events.ts'
import { createTelemetry } from './telemetry/telemetry.ts'

export interface Surroundings {
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** In [0, 1). */
  readonly random: () => number
  readonly stderr: (text: string) => void
}

export interface Sidecar {
  /** Resolves when requests are taken: the addresses of the receiver and of the admin port. */
  start(): Promise<{ readonly receiver: readonly string[]; readonly admin: readonly string[] }>
  /** Takes requests until none comes, drains the queues, closes all. Counted from the call. */
  stop(): Promise<void>
}

/** How long no request must have come before a stopping receiver closes. */
const silenceMs = 1000
const silenceCheckMs = 50

export function createSidecar(config: Config, { clock, random, stderr }: Surroundings): Sidecar {
  const telemetry = createTelemetry({
    config: config.telemetry,
    exporters: config.exporters.map(({ name }) => name),
    clock,
    destination: { write: stderr },
  })
  const { emit } = telemetry
  const hashKey = hashKeyOf(config)
  const { policy } = compilePolicy(config.policy, hashKey)
  const review = { policy: policy.digest, rejudge: createRejudge(config.policy, hashKey) }
  const used = new Set(config.policy.lanes.flatMap((lane) => lane.exporters.map(({ name }) => name)))
  const store = storeOf(config, used, (event) => {
    for (const said of telemetryOf(event)) emit(said)
    if (event.type === 'set_aside') void countHeldAgain()
  })
  const exporters = new Map(
    config.exporters
      .filter(({ name }) => used.has(name))
      .map((exporter) => {
        const durable = exporter.queue.storage === 'disk' ? store : undefined
        const deps = { emit, clock, random, stderr, store: durable, deadLetters: store, review }
        return [exporter.name, createExporter(exporter, deps)]
      }),
  )
  const admit = admissionOf(config, exporters, store && createCommit(store, clock))
  const receiver = createReceiver({
    config: config.receiver,
    handle: createPipeline({
      policy: () => policy,
      admit,
      allocate: createAllocator(),
      emit,
    }),
    emit,
    clock,
  })
  const letters = store && deadLetterHandlers(config, store, exporters)
  const quarantine =
    store &&
    quarantineHandlers(
      createQuarantineApi({
        quarantine: store.quarantine,
        judge: (bytes, carriage) => releaseHeld(bytes, carriage, policy),
        policy: () => policy.digest,
        admit,
        emit,
        clock,
        roomWaitMs: ROOM_WAIT_MS,
      }),
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
          backends: [...exporters.values()].map((exporter) => ({
            exporter: exporter.name,
            down: exporter.stats().down,
          })),
        },
      }),
      metrics: () =>
        telemetry.metricsText({
          queueOldestMs: [...exporters.values()].map((exporter) => ({
            exporter: exporter.name,
            ageMs: exporter.stats().oldestMs,
          })),
          isStorageRefusing: store?.refusal() !== undefined,
        }),
      ledger: () => telemetry.ledger.snapshot(),
      findings: () => telemetry.findings.snapshot((row) => isReviewed(config.reviews, row)),
      lanes: () => summariseLanes(config.policy.lanes, exporters),
      pages: new Map([...(letters?.pages ?? []), ...(quarantine?.pages ?? [])]),
      actions: new Map([...(letters?.actions ?? []), ...(quarantine?.actions ?? [])]),
    },
  })

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
    for (const { position, key, message } of config.warnings) {
      telemetry.log.warn(message, { key, file: position.file, line: position.line })
    }
    try {
      for (const account of (await store?.open()) ?? [])
        exporters.get(account.exporter)?.queue.resume(account)
      for (const change of resumed((await store?.quarantine.counts()) ?? []))
        emit({ type: 'quarantine_changed', ...change })
      const adminAddresses = await admin.listen()
      const receiverAddresses = await receiver.listen()
      phase = 'running'
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
    while (clock() - askedAtMs < config.shutdownDelayMs) {
      if (clock() - Math.max(askedAtMs, receiver.lastRequestAtMs()) >= silenceMs) break
      await new Promise((resolve) => setTimeout(resolve, silenceCheckMs))
    }
    const closed = receiver.close()
    // Requests in hand that wait for a backend's answer end when the queues do.
    if (![...exporters.values()].some(({ queue }) => queue.waitsForResult)) await closed
    const graceMs = Math.max(0, config.shutdownGraceMs - (clock() - askedAtMs))
    await Promise.all([...exporters.values()].map((exporter) => exporter.close(graceMs)))
    await closed
    await store?.close()
    await admin.close()
  }

  return { start, stop }
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
function storeOf(
  { exporters, storage, policy }: Config,
  used: ReadonlySet<string>,
  onEvent: (event: StoreEvent) => void,
): Store | undefined {
  const durable = exporters.filter(({ name, queue }) => used.has(name) && queue.storage === 'disk')
  const quarantines = policy.unreviewed === 'quarantine' || policy.foreign === 'quarantine'
  // What was held under another policy is still there, and somebody has to be able to release it.
  const isThere = existsSync(join(storage.directory, STORE_FILE))
  if (durable.length === 0 && !quarantines && !isThere) return undefined
  return createStore({
    directory: storage.directory,
    limits: storage,
    exporters: durable.map(({ name }) => name),
    onEvent,
  })
}

/** Dead letters at the admin port: values only for whoever has a token, or may open the socket. */
function deadLetterHandlers(
  { admin }: Config,
  store: Store,
  exporters: ReadonlyMap<string, Exporter>,
): Required<Pick<AdminHandlers, 'pages' | 'actions'>> {
  const queues = new Map([...exporters].map(([name, { queue }]) => [name, queue]))
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

function admissionOf(
  config: Config,
  exporters: ReadonlyMap<string, Exporter>,
  commit: Commit | undefined,
): Admit {
  const queuesByLane = new Map(
    config.policy.lanes.map((lane) => [
      lane.name,
      lane.exporters.map(({ name }) => exporters.get(name)?.queue).filter((queue) => queue !== undefined),
    ]),
  )
  return createAdmission(queuesByLane, commit)
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
