/**
 * The quarantine as the rest of the program sees it: what is held is listed, loaded, discarded. Held parcels enter and
 * are released by `append`, in one transaction with what the queues get.
 */
import { QUARANTINE_ROWS_MAX } from './limits.ts'
import type { Answer, HeldChunk, HeldCount, HeldRange, HeldTarget, Question } from './messages.ts'
import { unasked } from './unasked.ts'

export interface Quarantine {
  /** By target, in their order, those behind `after`; undefined: from the first on. */
  list(after: string | undefined, targetsMax: number): Promise<readonly HeldTarget[]>
  /** What is held of one target. */
  of(target: string): Promise<readonly HeldTarget[]>
  /** No id that was given so far is larger. */
  lastId(): number
  /** The oldest of a range, up to `bytesMax` and `itemsMax` but at least one parcel; undefined if it is empty. */
  load(
    range: HeldRange & { readonly bytesMax: number; readonly itemsMax: number },
  ): Promise<HeldChunk | undefined>
  /** Deletes the oldest of a range, a bounded number in one transaction; returns what they count as. */
  discard(range: HeldRange): Promise<readonly HeldCount[]>
  /** Takes back what was just held. */
  remove(ids: readonly number[]): Promise<void>
  /** All that is held, by what it counts as. */
  counts(): Promise<readonly HeldCount[]>
}

export function createQuarantine(
  ask: (question: Question) => Promise<Answer>,
  lastId: () => number,
): Quarantine {
  return {
    async list(after, targetsMax) {
      const answer = await ask({ type: 'list_held', after, targetsMax })
      if (answer.type !== 'held_targets') throw unasked()
      return answer.targets
    },
    async of(target) {
      const answer = await ask({ type: 'held_of', target })
      if (answer.type !== 'held_targets') throw unasked()
      return answer.targets
    },
    lastId,
    async load(range) {
      const answer = await ask({ type: 'load_held', ...range })
      if (answer.type !== 'held_chunk') throw unasked()
      return answer.chunk
    },
    discard: (range) => askCounts({ type: 'discard_held', ...range, rowsMax: QUARANTINE_ROWS_MAX }),
    async remove(ids) {
      await askCounts({ type: 'remove_held', ids })
    },
    counts: () => askCounts({ type: 'count_held' }),
  }

  async function askCounts(question: Question): Promise<readonly HeldCount[]> {
    const answer = await ask(question)
    if (answer.type !== 'held_counts') throw unasked()
    return answer.counts
  }
}
