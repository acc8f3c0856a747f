/**
 * Dead letters as the admin port and the command line speak of them: JSON in, JSON out.
 *
 * In: queries and bodies of whoever asks, which are checked; the desk that does the work. A backend's message is shown,
 * as is how large each field is; values only where they may be seen. Source: contract section 3.
 */
import { CommandError, MalformedRequest } from '../errors.ts'
import { type Outline, outlineRequest } from '../otlp/outline.ts'
import { SIGNALS } from '../otlp/signal.ts'
import type { DeadLetterDesk, Handled, Selection } from '../store/dead-letter-desk.ts'
import type { DeadLetter, StoredParcel } from '../store/messages.ts'

export interface DeadLetterRow {
  readonly id: number
  /** ISO 8601. */
  readonly when: string
  readonly admitted: string
  readonly exporter: string
  readonly lane: string
  readonly signal: string
  readonly items: number
  readonly bytes: number
  /** The HTTP status; 0 where none was received. */
  readonly status: number
  readonly message: string
}

export interface DeadLetterPage {
  readonly dead_letters: readonly DeadLetterRow[]
  /** Where the next page begins; absent on the last. */
  readonly after?: number
}

export interface ShownDeadLetter extends DeadLetterRow {
  readonly content: Outline
}

export interface DeadLetterApi {
  /** `after`: the id behind which the page begins. */
  list(query: URLSearchParams): Promise<DeadLetterPage>
  /** `id`; with `values` also what is in the fields. */
  show(query: URLSearchParams): Promise<ShownDeadLetter>
  /** `{"ids": [1, 2]}` or `{"all": true}`, each with `"exporter"` if only of one. */
  replay(body: unknown): Promise<Handled>
  drop(body: unknown): Promise<Handled>
}

/** With messages of a thousand characters a page stays within a few megabytes. */
export const PAGE_ROWS = 1000

export function createDeadLetterApi(
  desk: DeadLetterDesk,
  { mayShowValues }: { readonly mayShowValues: boolean },
): DeadLetterApi {
  return {
    async list(query) {
      const letters = await desk.list(numberIn(query, 'after') ?? 0, PAGE_ROWS)
      const last = letters.at(-1)
      const rows = letters.map(rowOf)
      return letters.length < PAGE_ROWS || last === undefined
        ? { dead_letters: rows }
        : { dead_letters: rows, after: last.id }
    },
    async show(query) {
      const id = numberIn(query, 'id')
      if (id === undefined) throw new CommandError('say which: ?id=1', 2)
      const values = query.has('values')
      if (values && !mayShowValues) throw new CommandError(VALUES_ARE_CLOSED)
      const { letter, parcel } = await desk.show(id)
      return { ...rowOf(letter), content: outlineOf(parcel, values) }
    },
    replay: (body) => desk.replay(selectionOf(body)),
    drop: (body) => desk.drop(selectionOf(body)),
  }
}

/** Whoever reaches loopback reaches the admin port, and is not therefore somebody who may read prompts. */
const VALUES_ARE_CLOSED =
  'values are shown only where `admin.token` is set or the admin endpoint is a unix socket, or with no sidecar running'

function rowOf(letter: DeadLetter): DeadLetterRow {
  const { id, exporter, lane, signal, items, bytes, status, message } = letter
  const when = new Date(letter.diedMs).toISOString()
  const admitted = new Date(letter.admittedMs).toISOString()
  return { id, when, admitted, exporter, lane, signal, items, bytes, status, message }
}

function outlineOf({ signal, bytes }: StoredParcel, values: boolean): Outline {
  const known = SIGNALS.find((one) => one === signal)
  try {
    if (known !== undefined) return outlineRequest(bytes, known, { values })
  } catch (error) {
    if (!(error instanceof MalformedRequest)) throw error
  }
  throw new CommandError('its bytes cannot be read, which may be why it was refused; only `drop` helps')
}

function selectionOf(body: unknown): Selection {
  const exporter = propertyOf(body, 'exporter')
  const all = propertyOf(body, 'all')
  const ids = propertyOf(body, 'ids')
  if (exporter !== undefined && typeof exporter !== 'string') throw new CommandError(BODY_WORDS, 2)
  if (all === true && ids === undefined) return { ids: 'all', exporter }
  if (all !== undefined || !Array.isArray(ids) || !ids.every(Number.isSafeInteger)) {
    throw new CommandError(BODY_WORDS, 2)
  }
  return { ids: ids.map(Number), exporter }
}

const BODY_WORDS = 'write {"ids": [1, 2]} or {"all": true}, and "exporter" if only those of one are meant'

function propertyOf(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.entries(value).find(([name]) => name === key)?.[1]
}

function numberIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (!/^\d{1,15}$/.test(text)) throw new CommandError(`\`${name}\` is a number`, 2)
  return Number(text)
}
