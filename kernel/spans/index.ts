/**
 * The kernel: spans in, what becomes of them out, under a policy that is known by its answers.
 *
 *     spans in the window ─► read ─► judged before? ─► written: a run of bytes, counts, notes of events that move
 *                              └─ odd: the general way   └─ no: the policy is asked
 *
 * It decides nothing. What the policy said of a target, a name, a key is in its tables; what it has not said is asked
 * for; what it could not do alone is left to the general way, `src/policy`, which does the same for every shape of
 * bytes. Compiled to WebAssembly by `npm run kernel`; `src/policy/span-kernel.ts` is its other side.
 */
import { enterScope, judgmentOf, putJudgment, settle } from './judge'
import {
  ACTIONS,
  ASK_SPAN,
  CONTEXTS_MAX,
  COUNTS,
  DONE,
  FIELD_EVENT,
  JUDGED_DROPPED,
  JUDGED_MOVED,
  JUDGED_NATIVE,
  JUDGED_ODD,
  JUDGMENT_SLOTS,
  JUDGMENT_WAYS,
  JUDGMENTS,
  NOTE_BYTES,
  NOTES,
  NOTES_MAX,
  ODD,
  OUT_END,
  RECORDS_END,
  ROW_BYTES,
  ROWS,
  SPAN,
  VERDICTS_MAX,
  WORDS_MAX,
} from './layout'
import { beginRecords, recordsEnd, writeRecord } from './move'
import {
  BEHIND,
  END,
  FIELD,
  JUDGMENT,
  KIND,
  nameOf,
  readSpan,
  rowsEnd,
  spanId,
  TARGET,
  traceId,
} from './read'
import { asked, askedFirst, askedSecond, askedThird, odd, trouble } from './trouble'
import { forgetWords, wordOf } from './words'
import { beginWriting, copied, edited, hashed, out, rewind, undecided, writeSpan } from './write'

export * from './layout'
export { configureReading as configure } from './read'
export { asked, askedFirst, askedSecond, askedThird, copied, edited, hashed, out, putJudgment, undecided, wordOf }

/** How many spans `run` went through, and how many notes it made. */
export let spans: i32 = 0
export let notes: i32 = 0
/** How many more events that stay are to be noted. */
let sightings: i32 = 0

/** Forgets words, and all that is known by their numbers. */
export function forget(): void {
  forgetWords()
  memory.fill(ACTIONS, 0, CONTEXTS_MAX * WORDS_MAX)
  memory.fill(JUDGMENTS, 0, (JUDGMENT_SLOTS + JUDGMENT_WAYS) * 8)
}

/** Goes through the spans in `[start, end)` of the window, whole fields of one scope with the name `scope`. */
export function run(start: i32, end: i32, scope: i32, wanted: i32): i32 {
  enterScope(scope)
  beginWriting()
  beginRecords()
  sightings = wanted
  spans = 0
  notes = 0
  let at = start
  while (at < end) {
    let size = <i32>load<u8>(at + 1)
    let from = at + 2
    if (size >= 0x80) {
      size &= 0x7f
      for (let shift = 7; ; shift += 7) {
        const more = <i32>load<u8>(from++)
        size |= (more & 0x7f) << shift
        if (more < 0x80) break
        if (shift === 14) return ODD
      }
    }
    const stop = from + size
    if (load<u8>(at) !== 0x12 || stop > end) return ODD
    const before = out
    const copiedBefore = copied
    const editedBefore = edited
    const hashedBefore = hashed
    const undecidedBefore = undecided
    if (!takeSpan(at, from, stop)) {
      rewind(before, copiedBefore, editedBefore, hashedBefore, undecidedBefore)
      return trouble
    }
    if (isFull) return spans === 0 ? ODD : DONE
    at = stop
    spans++
  }
  return DONE
}

/** Whether there was no room for what becomes of the span: it is for the next run. */
let isFull: bool = false

function takeSpan(field: i32, start: i32, end: i32): bool {
  isFull = false
  if (!readSpan(start, end) || !settle(SPAN)) return false
  const judgment = judgmentOf(ASK_SPAN, 0)
  if (judgment === 0) return false
  if ((judgment & JUDGED_ODD) !== 0 || (judgment & JUDGED_NATIVE) === 0) return odd()
  let events = 0
  let dropped = 0
  let moving = 0
  for (let row = ROWS; row < rowsEnd; ) {
    if (load<i32>(row, KIND) === FIELD_EVENT) {
      events++
      const event = load<i32>(row, JUDGMENT)
      if ((event & (JUDGED_NATIVE | JUDGED_DROPPED)) === JUDGED_DROPPED) dropped++
      // A record says again what it is called, its level and its message.
      if ((event & JUDGED_MOVED) !== 0) moving += 3 * (load<i32>(row, END) - load<i32>(row, FIELD)) + 512
      row = load<i32>(row, BEHIND)
    } else row += ROW_BYTES
  }
  // Every byte is copied once at most, a name may stand for every name, and each message may grow by its head and counts.
  const most = (copied === 0 ? 0 : start - copied) + 2 * (end - field) + (rowsEnd - ROWS) + 512
  if (out + most > OUT_END || recordsEnd + moving > RECORDS_END || notes + 2 * events > NOTES_MAX) {
    isFull = true
    return true
  }
  if (!writeSpan(field, start, end, judgment, dropped)) return false
  count(judgment)
  for (let row = ROWS; events > 0; ) {
    if (load<i32>(row, KIND) !== FIELD_EVENT) {
      row += ROW_BYTES
      continue
    }
    const event = load<i32>(row, JUDGMENT)
    count(event)
    if ((event & JUDGED_MOVED) !== 0) {
      const from = recordsEnd
      writeRecord(row)
      addNote(row, from, recordsEnd)
    }
    row = load<i32>(row, BEHIND)
    events--
  }
  for (let row = ROWS; row < rowsEnd && sightings > 0; ) {
    if (load<i32>(row, KIND) === FIELD_EVENT) {
      if ((load<i32>(row, JUDGMENT) & JUDGED_NATIVE) === 0) break
      addNote(row, 0, 0)
      sightings--
      row = load<i32>(row, BEHIND)
    } else row += ROW_BYTES
  }
  return true
}

function count(judgment: i32): void {
  const at = COUNTS + (((judgment >> 8) & (VERDICTS_MAX - 1)) << 2)
  store<i32>(at, load<i32>(at) + 1)
}

/** Notes an event: its verdict, target and path, its name, the ids of its span, and its record; none if it stays. */
function addNote(row: i32, recordStart: i32, recordEnd: i32): void {
  const note = NOTES + notes * NOTE_BYTES
  const name = row + nameOf(row)
  notes++
  store<i32>(note, (load<i32>(row, JUDGMENT) >> 8) & (VERDICTS_MAX - 1))
  store<i32>(note, load<i32>(row, TARGET), 4)
  store<i32>(note, load<i32>(name), 8)
  store<i32>(note, load<i32>(name + 4), 12)
  store<i32>(note, traceId, 16)
  store<i32>(note, spanId, 20)
  store<i32>(note, recordStart, 24)
  store<i32>(note, recordEnd, 28)
}
