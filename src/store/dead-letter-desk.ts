/**
 * What a person may do with dead letters: list, look at, replay, drop. The same with and without a running sidecar.
 *
 * In: the store, and what is known of the exporters' queues. A replay puts the letters back into the queue of their
 * exporter in one transaction; what was `dead` is `queued` again. A dropped one stays counted as `dead`. Bytes are given
 * out as they are: who may see them is for the caller to decide.
 *
 * Source: contract section 3, `laneway dead-letters`.
 */
import { CommandError } from '../errors.ts'
import type { Amount, DeadLetter, Replayed, StoredParcel } from './messages.ts'
import type { Store } from './store.ts'

/** What a replay needs of a running queue. */
export interface LiveQueue {
  /** Whether so much more fits its bound. */
  hasRoomFor(amount: Amount & { readonly parcels: number }): boolean
  readmit(replayed: Replayed): void
  /** Takes back a parcel of a queue in memory. */
  readmitStored(parcel: StoredParcel): void
}

export interface DeskQueue {
  readonly isDurable: boolean
  /** Undefined: no sidecar runs; what is durable will be found at the next start. */
  readonly live: LiveQueue | undefined
}

export interface Selection {
  readonly ids: readonly number[] | 'all'
  /** Undefined: of any exporter. */
  readonly exporter: string | undefined
}

export interface Handled extends Amount {
  readonly dead_letters: number
}

export interface DeadLetterDesk {
  /** Up to `countMax` of those with ids greater than `after`, in the order that they died in. */
  list(after: number, countMax: number): Promise<readonly DeadLetter[]>
  /** Throws CommandError if it is not there. */
  show(id: number): Promise<{ readonly letter: DeadLetter; readonly parcel: StoredParcel }>
  replay(selection: Selection): Promise<Handled>
  drop(selection: Selection): Promise<Handled>
}

/** `queues` holds the exporters of the configuration. */
export function createDeadLetterDesk(
  { deadLetters, settle }: Pick<Store, 'deadLetters' | 'settle'>,
  queues: Pick<ReadonlyMap<string, DeskQueue>, 'get'>,
): DeadLetterDesk {
  async function find({ ids, exporter }: Selection): Promise<readonly DeadLetter[]> {
    const wanted = ids === 'all' ? undefined : new Set(ids)
    const found: DeadLetter[] = []
    for (let after = 0; ; ) {
      const page = await deadLetters.list(after, PAGE_LETTERS)
      for (const letter of page) {
        if (wanted?.has(letter.id) === false) continue
        if (exporter === undefined || letter.exporter === exporter) found.push(letter)
      }
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE_LETTERS) break
      after = last.id
    }
    const missing = [...(wanted ?? [])].filter((id) => !found.some((letter) => letter.id === id))
    if (missing.length > 0) {
      const of = exporter === undefined ? '' : ` of exporter ${exporter}`
      throw new CommandError(
        `there is no dead letter ${missing.join(', ')}${of}; \`list\` shows which there are`,
      )
    }
    return found
  }

  async function replay(selection: Selection): Promise<Handled> {
    const letters = await find(selection)
    const byExporter = Map.groupBy(letters, ({ exporter }) => exporter)
    for (const [exporter, own] of byExporter) assertRoom(exporter, own)
    const isDurable = ({ exporter }: DeadLetter): boolean => queues.get(exporter)?.isDurable === true
    const replayed = await deadLetters.replay(letters.filter(isDurable).map(({ id }) => id))
    for (const one of replayed) queues.get(one.exporter)?.live?.readmit(one)
    const inMemory: DeadLetter[] = []
    for (const letter of letters.filter((letter) => !isDurable(letter))) {
      const parcel = await deadLetters.read(letter.id)
      if (parcel === undefined || (await deadLetters.drop([letter.id])) === 0) continue
      const undone = { outcome: 'dead', items: -letter.items, bytes: -letter.bytes } as const
      settle({ exporter: letter.exporter, ids: [], amounts: [undone], death: undefined })
      queues.get(letter.exporter)?.live?.readmitStored(parcel)
      inMemory.push(letter)
    }
    return handled([...replayed, ...inMemory])
  }

  /** All or none: whoever asks hears why before anything has moved. */
  function assertRoom(exporter: string, letters: readonly DeadLetter[]): void {
    const queue = queues.get(exporter)
    if (queue === undefined) {
      throw new CommandError(
        `no lane of the configuration uses exporter ${exporter}; bring it back, or drop its dead letters`,
      )
    }
    if (queue.live === undefined) {
      if (queue.isDurable) return
      throw new CommandError(`exporter ${exporter} keeps its queue in memory: start the sidecar to replay`)
    }
    const { items, bytes } = handled(letters)
    if (queue.live.hasRoomFor({ parcels: letters.length, items, bytes })) return
    throw new CommandError(
      `exporter ${exporter}: its queue has no room for ${bytes} bytes; replay fewer at a time, or raise sending_queue.queue_size`,
    )
  }

  return {
    list: (after, countMax) => deadLetters.list(after, countMax),
    async show(id) {
      const [letter] = await deadLetters.list(id - 1, 1)
      const parcel = await deadLetters.read(id)
      if (letter?.id === id && parcel !== undefined) return { letter, parcel }
      throw new CommandError(`there is no dead letter ${id}; \`list\` shows which there are`)
    },
    replay,
    async drop(selection) {
      const letters = await find(selection)
      await deadLetters.drop(letters.map(({ id }) => id))
      return handled(letters)
    },
  }
}

const PAGE_LETTERS = 1000

function handled(amounts: readonly Amount[]): Handled {
  return {
    dead_letters: amounts.length,
    items: amounts.reduce((sum, { items }) => sum + items, 0),
    bytes: amounts.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}
