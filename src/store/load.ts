/**
 * Parcels of a queue as they come back, oldest first: those in the tables and those in the journal are one queue.
 */
import type { Journal } from './journal.ts'
import type { LoadRange, StoredParcel } from './messages.ts'
import type { Pending } from './pending.ts'
import type { QueueTables } from './queue-tables.ts'

interface Source {
  readonly tables: { readonly queues: QueueTables }
  readonly pending: Pending
  readonly journal: Pick<Journal, 'read'>
}

interface Loadable {
  readonly id: number
  readonly byteLength: number
  read(): StoredParcel | undefined
}

export function loadParcels(
  source: Source,
  { exporter, after, through, bytesMax }: LoadRange,
): readonly StoredParcel[] {
  const parcels: StoredParcel[] = []
  let bytes = 0
  const stored = storedIn(source, exporter, { after, through })
  for (const { byteLength, read } of inOrder(stored, pendingIn(source, exporter, { after, through }))) {
    bytes += byteLength
    if (parcels.length > 0 && bytes > bytesMax) break
    const parcel = read()
    if (parcel !== undefined) parcels.push(parcel)
  }
  return parcels
}

type Ids = Pick<LoadRange, 'after' | 'through'>

function* storedIn({ tables: { queues }, pending }: Source, exporter: string, ids: Ids): Generator<Loadable> {
  for (const { id, queued } of queues.inQueue(exporter, ids.after, ids.through)) {
    if (pending.isGone(exporter, id)) continue
    yield { id, byteLength: queued.bytes, read: () => queues.read(id, queued) }
  }
}

function pendingIn({ pending, journal }: Source, exporter: string, ids: Ids): readonly Loadable[] {
  return pending.inQueue(exporter, ids.after, ids.through).map((parcel) => {
    const { id, signal, lane, items, policy, admittedMs, byteLength, place } = parcel
    const head = { id, signal, lane, items, policy, admittedMs, queued: { items, bytes: byteLength } }
    return { id, byteLength, read: () => ({ ...head, bytes: journal.read(place, byteLength) }) }
  })
}

/** Both are in the order of their ids already. */
function* inOrder(stored: Iterable<Loadable>, pending: readonly Loadable[]): Generator<Loadable> {
  let next = 0
  for (const one of stored) {
    while (next < pending.length && pending[next].id < one.id) yield pending[next++]
    yield one
  }
  yield* pending.slice(next)
}
