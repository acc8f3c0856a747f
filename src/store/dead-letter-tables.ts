/**
 * The statements on dead letters: what a backend refused for good, kept for a person to look at.
 *
 * A dead letter holds the parcel that it was, so its bytes are not written again. They are bounded: the oldest makes
 * room for a newer one, and each goes when it is older than the retention. Each runs inside a transaction of its
 * caller.
 */
import type { DatabaseSync } from 'node:sqlite'
import { DEAD_LETTER_MESSAGE_MAX } from './limits.ts'
import type { DeadLetter, Replayed, Settled, StoredParcel } from './messages.ts'
import type { QueueTables } from './queue-tables.ts'
import { bytesAt, numberAt, type Row, textAt } from './row.ts'

export interface DeadLetterTables {
  count(): { readonly deadLetters: number; readonly deadLettersBytes: number }
  /** The parcel moves from its queue to the dead letters. */
  bury(letter: {
    readonly exporter: number
    readonly id: number
    readonly death: NonNullable<Settled['death']>
    readonly nowMs: number
  }): void
  /** Drops the oldest until all together are within `bytesMax`. Returns how many went. */
  trim(bytesMax: number): number
  /** Drops those that died before. Returns how many went. */
  expire(beforeMs: number): number
  list(after: number, countMax: number): readonly DeadLetter[]
  read(id: number): StoredParcel | undefined
  drop(id: number): boolean
  /** A transaction was rolled back: what is known between transactions may be wrong. */
  forget(): void
  /** Gives the parcel a new id, so that it comes last in its queue again. */
  replay(id: number, newId: number): Replayed | undefined
}

export function createDeadLetterTables(database: DatabaseSync, queues: QueueTables): DeadLetterTables {
  const totals = database.prepare(
    'SELECT count(*) AS count, coalesce(sum(bytes), 0) AS bytes FROM dead_letters',
  )
  const insert = database.prepare(`
    INSERT INTO dead_letters (exporter, parcel, items, bytes, status, message, died_ms)
    SELECT ?, parcel, items, bytes, ?, ?, ? FROM queue WHERE exporter = ? AND parcel = ?
    RETURNING bytes`)
  const oldest = database.prepare('SELECT id FROM dead_letters ORDER BY id LIMIT 1')
  const expired = database.prepare('SELECT id FROM dead_letters WHERE died_ms < ?')
  const remove = database.prepare('DELETE FROM dead_letters WHERE id = ? RETURNING parcel, bytes')
  const selectOne = database.prepare(`
    SELECT p.*, d.items AS letter_items, d.bytes AS letter_bytes FROM dead_letters d JOIN parcels p ON p.id = d.parcel WHERE d.id = ?`)
  const selectMany = database.prepare(`
    SELECT d.*, e.name AS exporter_name, p.signal, p.lane, p.policy, p.admitted_ms
    FROM dead_letters d JOIN exporters e ON e.id = d.exporter JOIN parcels p ON p.id = d.parcel
    WHERE d.id > ? ORDER BY d.id LIMIT ?`)
  const copyParcel = database.prepare(`
    INSERT INTO parcels SELECT ?, signal, lane, items, policy, admitted_ms, 0, bytes FROM parcels WHERE id = ?`)
  const selectHead = database.prepare(`
    SELECT d.*, e.name AS exporter_name, p.admitted_ms FROM dead_letters d
    JOIN exporters e ON e.id = d.exporter JOIN parcels p ON p.id = d.parcel WHERE d.id = ?`)
  /** Kept between changes, so that a thousand refusals do not each add up all that came before. */
  let knownBytes: number | undefined

  function count(): { readonly deadLetters: number; readonly deadLettersBytes: number } {
    const row = totals.get()
    return { deadLetters: numberAt(row, 'count'), deadLettersBytes: numberAt(row, 'bytes') }
  }

  function drop(id: number): boolean {
    const row = remove.get(id)
    if (row === undefined) return false
    queues.release(numberAt(row, 'parcel'))
    if (knownBytes !== undefined) knownBytes -= numberAt(row, 'bytes')
    return true
  }

  function trim(bytesMax: number): number {
    let gone = 0
    knownBytes ??= count().deadLettersBytes
    while (knownBytes > bytesMax) {
      const row = oldest.get()
      if (row === undefined) break
      drop(numberAt(row, 'id'))
      gone++
    }
    return gone
  }

  return {
    count,
    bury({ exporter, id, death, nowMs }) {
      const message = death.message.slice(0, DEAD_LETTER_MESSAGE_MAX)
      const row = insert.get(exporter, death.status, message, nowMs, exporter, id)
      if (row === undefined) return
      if (knownBytes !== undefined) knownBytes += numberAt(row, 'bytes')
      queues.dequeue(exporter, id)
    },
    trim,
    expire: (beforeMs) => expired.all(beforeMs).filter((row) => drop(numberAt(row, 'id'))).length,
    list: (after, countMax) => selectMany.all(after, countMax).map(letterOf),
    read(id) {
      const row = selectOne.get(id)
      if (row === undefined) return undefined
      return {
        id: numberAt(row, 'id'),
        signal: textAt(row, 'signal'),
        lane: textAt(row, 'lane'),
        items: numberAt(row, 'items'),
        policy: textAt(row, 'policy'),
        admittedMs: numberAt(row, 'admitted_ms'),
        queued: { items: numberAt(row, 'letter_items'), bytes: numberAt(row, 'letter_bytes') },
        bytes: bytesAt(row, 'bytes'),
      }
    },
    drop,
    forget() {
      knownBytes = undefined
    },
    replay(id, newId) {
      const row = selectHead.get(id)
      if (row === undefined) return undefined
      const amount = { items: numberAt(row, 'items'), bytes: numberAt(row, 'bytes') }
      const exporter = textAt(row, 'exporter_name')
      copyParcel.run(newId, numberAt(row, 'parcel'))
      queues.enqueue({ id: newId, exporter: numberAt(row, 'exporter'), ...amount })
      drop(id)
      const undone = { outcome: 'dead', items: -amount.items, bytes: -amount.bytes } as const
      queues.count({ exporter, ids: [], amounts: [undone] })
      return { deadLetter: id, exporter, id: newId, admittedMs: numberAt(row, 'admitted_ms'), ...amount }
    },
  }
}

function letterOf(row: Row): DeadLetter {
  return {
    id: numberAt(row, 'id'),
    exporter: textAt(row, 'exporter_name'),
    signal: textAt(row, 'signal'),
    lane: textAt(row, 'lane'),
    policy: textAt(row, 'policy'),
    items: numberAt(row, 'items'),
    bytes: numberAt(row, 'bytes'),
    admittedMs: numberAt(row, 'admitted_ms'),
    status: numberAt(row, 'status'),
    message: textAt(row, 'message'),
    diedMs: numberAt(row, 'died_ms'),
  }
}
