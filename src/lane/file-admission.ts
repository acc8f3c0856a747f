/**
 * Admission while no sidecar runs: parcels enter durable queues in the store, and the next start finds them there.
 *
 * Each queue's own bound holds here too. What would have to wait in memory cannot be taken: whoever asks hears it before
 * anything has moved.
 */
import { CommandError } from '../errors.ts'
import type { Parcel } from '../otlp/parcel.ts'
import type { ExporterAccount } from '../store/messages.ts'
import { type Admit, RETRY_AFTER_SECONDS } from './admission.ts'
import { ENTRY_OVERHEAD_BYTES } from './charge.ts'
import type { Commit } from './commit.ts'

export interface FileAdmissionOptions {
  readonly lanes: readonly {
    readonly name: string
    readonly exporters: readonly { readonly name: string }[]
  }[]
  readonly exporters: readonly {
    readonly name: string
    readonly queue: { readonly storage: 'disk' | 'memory'; readonly bytesMax: number }
  }[]
  /** What each queue holds already. */
  readonly accounts: readonly ExporterAccount[]
  readonly commit: Commit
}

export function createFileAdmission({ lanes, exporters, accounts, commit }: FileAdmissionOptions): Admit {
  const queues = new Map(exporters.map(({ name, queue }) => [name, queue]))
  const namesByLane = new Map(lanes.map((lane) => [lane.name, lane.exporters.map(({ name }) => name)]))
  const usedBytes = new Map(
    accounts.map(({ exporter, parcels, queued }) => [
      exporter,
      queued.bytes + parcels * ENTRY_OVERHEAD_BYTES,
    ]),
  )

  /** What the parcels need of each queue. Throws CommandError where one is in memory. */
  function neededBy(parcels: readonly Parcel[]): ReadonlyMap<string, number> {
    const needed = new Map<string, number>()
    for (const { lane, byteLength } of parcels) {
      for (const name of namesByLane.get(lane) ?? []) {
        if (queues.get(name)?.storage !== 'disk') {
          throw new CommandError(
            `exporter ${name} of lane ${lane} keeps its queue in memory: start the sidecar to release`,
          )
        }
        needed.set(name, (needed.get(name) ?? 0) + byteLength + ENTRY_OVERHEAD_BYTES)
      }
    }
    return needed
  }

  return async (parcels, policy = '', quarantine = { held: [] }) => {
    const needed = neededBy(parcels)
    for (const [name, bytes] of needed) {
      const { bytesMax = 0 } = queues.get(name) ?? {}
      if ((usedBytes.get(name) ?? 0) + bytes <= bytesMax) continue
      const message = `exporter ${name}: its queue has no room for ${bytes} bytes more; start the sidecar so that it drains, or raise sending_queue.queue_size`
      return { admitted: false, reason: 'queue_full', message, retryAfterSeconds: RETRY_AFTER_SECONDS }
    }
    const durable = parcels
      .map((parcel) => ({ parcel, exporters: namesByLane.get(parcel.lane) ?? [] }))
      .filter((one) => one.exporters.length > 0)
    const committed = await commit(durable, policy, quarantine)
    if ('refusal' in committed) return committed.refusal
    for (const [name, bytes] of needed) usedBytes.set(name, (usedBytes.get(name) ?? 0) + bytes)
    return { admitted: true }
  }
}
