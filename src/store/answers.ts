/**
 * Questions of the caller's side, answered from the open store.
 */
import { loadParcels } from './load.ts'
import type { Answer, Question } from './messages.ts'
import type { Shelf } from './shelf.ts'

export type OpenQuestion = Exclude<Question, { readonly type: 'close' }>

/** Throws what SQLite or the file system throws. */
export function answerFrom(shelf: Shelf, question: OpenQuestion): Answer {
  const { tables, pending } = shelf
  const { queues, deadLetters, quarantine } = tables
  switch (question.type) {
    case 'open':
      return { type: 'opened', accounts: queues.accounts(), lastId: tables.journalState().lastId }
    case 'load':
      return { type: 'parcels', parcels: loadParcels(shelf, question) }
    case 'list':
      return { type: 'letters', letters: deadLetters.list(question.after, question.countMax) }
    case 'read': {
      const parcel = deadLetters.read(question.id)
      return { type: 'parcels', parcels: parcel === undefined ? [] : [parcel] }
    }
    case 'replay': {
      const { ids, firstId } = question
      const replayed = shelf.transact(() => ids.map((id, index) => deadLetters.replay(id, firstId + index)))
      return { type: 'replayed', replayed: replayed.filter((one) => one !== undefined) }
    }
    case 'drop': {
      const dropped = shelf.transact(() => question.ids.filter((id) => deadLetters.drop(id)))
      return { type: 'dropped', count: dropped.length }
    }
    case 'list_held':
      shelf.foldHeld()
      return { type: 'held_targets', targets: quarantine.list(question.after, question.targetsMax) }
    case 'held_of':
      shelf.foldHeld()
      return { type: 'held_targets', targets: quarantine.of(question.target) }
    case 'load_held':
      shelf.foldHeld()
      return { type: 'held_chunk', chunk: quarantine.load(question) }
    case 'discard_held':
      return {
        type: 'held_counts',
        counts: shelf.transact(() => quarantine.discard(question, question.rowsMax)),
      }
    case 'remove_held':
      return { type: 'held_counts', counts: shelf.transact(() => quarantine.remove(question.ids)) }
    case 'count_held':
      shelf.foldHeld()
      return { type: 'held_counts', counts: quarantine.counts() }
    case 'space': {
      const space = tables.space()
      return { type: 'space', space: { ...space, usedBytes: space.usedBytes + pending.bytes } }
    }
  }
}
