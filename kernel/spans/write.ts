/**
 * Writes what becomes of a span that was read and judged, as `src/policy/edit.ts` does: into OUT, from the first edit
 * of a run on. Only the messages around an edit get a new head; what is between edits is copied as it stands.
 */
import { path, target } from './judge'
import {
  ACTION_HASH,
  ACTION_LEAVE,
  ACTION_NOTE,
  ACTION_NOTE_REMOVE,
  ACTION_REMOVE,
  ACTION_SHORT,
  ACTION_UNKNOWN,
  ACTIONS,
  ASK_ACTION,
  EVENT,
  FIELD_ATTRIBUTE,
  FIELD_COUNT,
  FIELD_EVENT,
  FIELD_EVENT_COUNT,
  FIELD_LINK,
  FIELD_NAME,
  FIELD_STATUS,
  FIELD_TEXT,
  FRAME_BYTES,
  FRAMES,
  HASHED,
  HASHED_BYTES,
  HASHED_MAX,
  JUDGED_NATIVE,
  LINK,
  OUT,
  ROW_BYTES,
  ROWS,
  SPAN,
  STATUS,
  TEXTS,
  UNDECIDED,
  UNDECIDED_BYTES,
  UNDECIDED_MAX,
  WORD_BITS,
  WORD_BYTES,
  WORD_LENGTHS,
} from './layout'
import {
  ACTION,
  BEHIND,
  END,
  FIELD,
  isEditing,
  JUDGMENT,
  KIND,
  NAME_END,
  NAME_KEY,
  NAME_START,
  nameOf,
  NUMBER,
  rowsEnd,
  START,
  TAG,
  VALUE,
  WORD,
} from './read'
import { ask, odd } from './trouble'

const ITEM_TAG: i32 = 0x12
const DROPPED_EVENTS_TAG: i32 = 0x60

/** `hmac:` and 32 hex digits. */
const HASH_BYTES: i32 = 37

// A frame: field, start and end of a message, its tag, and where its head was written, or 0.
const FRAME_FIELD: i32 = 0
const FRAME_START: i32 = 4
const FRAME_END: i32 = 8
const FRAME_TAG: i32 = 12
const FRAME_HEAD: i32 = 16

/** How many hashes are to be filled in. */
export let hashed: i32 = 0
/** How many attributes were noted that no rule decided. */
export let undecided: i32 = 0
/** Where what was written ends, where in the window it stands for ends, and where that starts; 0 if nothing was. */
export let out: i32 = OUT
export let copied: i32 = 0
export let edited: i32 = 0

export function beginWriting(): void {
  rewind(OUT, 0, 0, 0, 0)
}

/** Takes back what was written since these were as given. */
export function rewind(toOut: i32, toCopied: i32, toEdited: i32, toHashed: i32, toUndecided: i32): void {
  undecided = toUndecided
  hashed = toHashed
  out = toOut
  copied = toCopied
  edited = toEdited
}

/** Writes the span in hand, whose target was settled last, and of whose events `dropped` are lost. */
export function writeSpan(field: i32, start: i32, end: i32, judgment: i32, dropped: i32): bool {
  enter(0, field, start, end, ITEM_TAG)
  const context = judgment & 0xff
  if (!writeMessage(SPAN, ROWS, rowsEnd, end, context, 0, dropped)) return false
  leave(0)
  return true
}

/** `owner`: the row of an event whose message this is. */
function writeMessage(
  plan: i32,
  first: i32,
  last: i32,
  end: i32,
  context: i32,
  owner: i32,
  dropped: i32,
): bool {
  const depth = plan === SPAN ? 0 : 1
  const removed = isEditing ? decide(first, last, context, owner) : 0
  if (removed < 0) return false
  const texts = TEXTS + (context << 4)
  let isNamed = !isEditing || plan > EVENT
  let attributes: u64 = 0
  let events: u64 = 0
  for (let row = first; row < last; ) {
    const kind = load<i32>(row, KIND)
    if (kind === FIELD_ATTRIBUTE) {
      const action = load<i32>(row, ACTION)
      if (action === ACTION_REMOVE) cut(depth, row)
      else if (action === ACTION_HASH && !putHash(depth, row)) return false
    } else if (kind === FIELD_EVENT) {
      const judgment = load<i32>(row, JUDGMENT)
      if ((judgment & JUDGED_NATIVE) === 0) cut(depth, row)
      else if (isEditing && !writeChild(EVENT, row, judgment & 0xff)) return false
      row = load<i32>(row, BEHIND)
      continue
    } else if (kind === FIELD_NAME) {
      isNamed = true
      const action = textAction(texts, row)
      if (action === ACTION_REMOVE) {
        putName(plan, context, owner, load<i32>(row, FIELD), load<i32>(row, END))
      } else if (action !== ACTION_LEAVE) return odd()
    } else if (kind === FIELD_TEXT) {
      const action = textAction(texts, row)
      if (action === ACTION_REMOVE) cut(depth, row)
      else if (action !== ACTION_LEAVE) return odd()
    } else if (kind === FIELD_COUNT) {
      attributes = <u64>load<u32>(row, NUMBER)
      if (removed > 0) cut(depth, row)
    } else if (kind === FIELD_EVENT_COUNT) {
      events = <u64>load<u32>(row, NUMBER)
      if (dropped > 0) cut(depth, row)
    } else {
      const isLink = kind === FIELD_LINK
      if (!writeChild(isLink ? LINK : STATUS, row, isLink ? context + 1 : context)) return false
      row = load<i32>(row, BEHIND)
      continue
    }
    row += ROW_BYTES
  }
  if (!isNamed && load<u8>(texts + nameField(plan)) === ACTION_REMOVE) putName(plan, context, owner, end, end)
  if (removed > 0) putNumber(depth, end, countTag(plan), attributes + removed)
  if (dropped > 0) putNumber(depth, end, DROPPED_EVENTS_TAG, events + dropped)
  return true
}

function writeChild(plan: i32, row: i32, context: i32): bool {
  const end = load<i32>(row, END)
  enter(1, load<i32>(row, FIELD), load<i32>(row, START), end, load<i32>(row, TAG))
  if (!writeMessage(plan, row + ROW_BYTES, load<i32>(row, BEHIND), end, context, row, 0)) return false
  leave(1)
  return true
}

/** No rule decided on an attribute; `owner` is the row of the event that has it, if one has. */
function noteUndecided(context: i32, word: i32, owner: i32): bool {
  if (undecided === UNDECIDED_MAX) return odd()
  const note = UNDECIDED + undecided * UNDECIDED_BYTES
  const isEvent = owner !== 0 && load<i32>(owner, KIND) === FIELD_EVENT
  const name = isEvent ? owner + nameOf(owner) : 0
  store<i32>(note, context)
  store<i32>(note, word, 4)
  store<i32>(note, isEvent ? load<i32>(name) : 0, 8)
  store<i32>(note, isEvent ? load<i32>(name + 4) : 0, 12)
  undecided++
  return true
}

/** Notes in each row of an attribute what becomes of it: how many go, or -1 if there is trouble. */
function decide(first: i32, last: i32, context: i32, owner: i32): i32 {
  let removed = 0
  for (let row = first; row < last; ) {
    const kind = load<i32>(row, KIND)
    if (kind === FIELD_ATTRIBUTE) {
      const word = load<i32>(row, WORD)
      let action = <i32>load<u8>(ACTIONS + ((context << WORD_BITS) | word))
      if (action !== ACTION_LEAVE) {
        if (action === ACTION_UNKNOWN) {
          ask(ASK_ACTION, context, word, 0)
          return -1
        }
        if (action === ACTION_NOTE || action === ACTION_NOTE_REMOVE) {
          if (!noteUndecided(context, word, owner)) return -1
          action = action === ACTION_NOTE ? ACTION_LEAVE : ACTION_REMOVE
          if (action === ACTION_REMOVE) removed++
        } else if (action === ACTION_REMOVE) removed++
        else {
          const value = load<i32>(row, VALUE)
          const isShort = action >= ACTION_SHORT && load<i32>(row, END) - value <= action - ACTION_SHORT
          if (value < 0 || (action !== ACTION_HASH && !isShort)) {
            odd()
            return -1
          }
          if (isShort) action = ACTION_LEAVE
        }
      }
      store<i32>(row, action, ACTION)
    } else if (kind === FIELD_EVENT || kind === FIELD_LINK || kind === FIELD_STATUS) {
      row = load<i32>(row, BEHIND)
      continue
    }
    row += ROW_BYTES
  }
  return removed
}

// @ts-ignore: decorator
@inline
function textAction(texts: i32, row: i32): i32 {
  return <i32>load<u8>(texts + (load<i32>(row, TAG) >> 3))
}

// @ts-ignore: decorator
@inline
function nameField(plan: i32): i32 {
  return plan === SPAN ? 5 : 2
}

// @ts-ignore: decorator
@inline
function countTag(plan: i32): i32 {
  return plan === SPAN ? 0x50 : plan === EVENT ? 0x20 : 0x28
}

/** Puts what a removed name falls back to where `[from, to)` was: a name that is safe. */
function putName(plan: i32, context: i32, owner: i32, from: i32, to: i32): void {
  if (plan === EVENT) {
    const start = load<i32>(owner, NAME_START)
    const end = load<i32>(owner, NAME_END)
    const action = <i32>load<u8>(ACTIONS + ((context << WORD_BITS) | load<i32>(owner, NAME_KEY)))
    if (start < end && action !== ACTION_REMOVE) {
      putText(1, from, to, 0x12, start, end - start)
    } else {
      const at = putHead(1, from, to, 0x12, 5)
      store<u32>(at, 0x6e657665) // even
      store<u8>(at + 4, 0x74) // t
    }
  } else if (target !== 0 && path >= 0) {
    putText(0, from, to, 0x2a, WORD_BYTES + (target << 7), <i32>load<u8>(WORD_LENGTHS + target))
  } else {
    store<u32>(putHead(0, from, to, 0x2a, 4), 0x6e617073) // span
  }
}

/** Puts a hash, which the sidecar fills in, in the place of the string of the attribute in `row`. */
function putHash(depth: i32, row: i32): bool {
  if (hashed === HASHED_MAX) return odd()
  const start = load<i32>(row, START)
  const keySize = 2 + <i32>load<u8>(start + 1)
  let at = putHead(depth, load<i32>(row, FIELD), load<i32>(row, END), load<i32>(row, TAG), keySize + 4 + HASH_BYTES)
  copyBytes(at, start, keySize)
  at += keySize
  // The value, and the string in it.
  store<u8>(at, 0x12)
  store<u8>(at, 2 + HASH_BYTES, 1)
  store<u8>(at, 0x0a, 2)
  store<u8>(at, HASH_BYTES, 3)
  // Until it is filled in, what stands there says nothing: never what the memory held before.
  memory.fill(at + 4, 0x30, HASH_BYTES)
  const note = HASHED + hashed * HASHED_BYTES
  store<i32>(note, at + 4)
  store<i32>(note, load<i32>(row, VALUE), 4)
  store<i32>(note, load<i32>(row, END), 8)
  hashed++
  return true
}

function enter(depth: i32, field: i32, start: i32, end: i32, tag: i32): void {
  const frame = FRAMES + depth * FRAME_BYTES
  store<i32>(frame, field, FRAME_FIELD)
  store<i32>(frame, start, FRAME_START)
  store<i32>(frame, end, FRAME_END)
  store<i32>(frame, tag, FRAME_TAG)
  store<i32>(frame, 0, FRAME_HEAD)
}

/** The message gets a head of its own: an edit falls into it. */
function open(depth: i32): void {
  const frame = FRAMES + depth * FRAME_BYTES
  if (load<i32>(frame, FRAME_HEAD) !== 0) return
  if (depth > 0) open(depth - 1)
  const field = load<i32>(frame, FRAME_FIELD)
  const start = load<i32>(frame, FRAME_START)
  if (edited === 0) {
    edited = field
    copied = field
  }
  copyUntil(field)
  store<i32>(frame, out, FRAME_HEAD)
  store<u8>(out, <u8>load<i32>(frame, FRAME_TAG))
  out += start - field
  copied = start
}

function leave(depth: i32): void {
  const frame = FRAMES + depth * FRAME_BYTES
  const head = load<i32>(frame, FRAME_HEAD)
  if (head === 0) return
  copyUntil(load<i32>(frame, FRAME_END))
  const room = load<i32>(frame, FRAME_START) - load<i32>(frame, FRAME_FIELD) - 1
  const from = head + 1 + room
  const size = out - from
  const needed = numberSize(size)
  if (needed !== room) {
    memory.copy(head + 1 + needed, from, size)
    out += needed - room
    for (let note = HASHED + (hashed - 1) * HASHED_BYTES; note >= HASHED && load<i32>(note) >= from; note -= HASHED_BYTES)
      store<i32>(note, load<i32>(note) + needed - room)
  }
  putVarint(head + 1, size)
}

function cut(depth: i32, row: i32): void {
  open(depth)
  copyUntil(load<i32>(row, FIELD))
  copied = load<i32>(row, END)
}

function putNumber(depth: i32, position: i32, tag: i32, number: u64): void {
  open(depth)
  copyUntil(position)
  store<u8>(out, <u8>tag)
  out = putVarint(out + 1, number > 0xffffffff ? 0xffffffff : number)
}

function putText(depth: i32, from: i32, to: i32, tag: i32, start: i32, length: i32): void {
  copyBytes(putHead(depth, from, to, tag, length), start, length)
}

/** Makes room for a text of `length` bytes where `[from, to)` was, and returns where it goes. */
function putHead(depth: i32, from: i32, to: i32, tag: i32, length: i32): i32 {
  open(depth)
  copyUntil(from)
  copied = to
  store<u8>(out, <u8>tag)
  const at = putVarint(out + 1, length)
  out = at + length
  return at
}

function copyUntil(offset: i32): void {
  const size = offset - copied
  copyBytes(out, copied, size)
  out += size
  copied = offset
}

/** What is written beyond the end is written again, or never looked at. */
// @ts-ignore: decorator
@inline
export function copyBytes(to: i32, from: i32, size: i32): void {
  if (size > 256) memory.copy(to, from, size)
  else for (let at = 0; at < size; at += 16) v128.store(to + at, v128.load(from + at))
}

export function numberSize(number: u64): i32 {
  let size = 1
  for (let rest = number >> 7; rest !== 0; rest >>= 7) size++
  return size
}

export function putVarint(to: i32, number: u64): i32 {
  let at = to
  let rest = number
  while (rest >= 0x80) {
    store<u8>(at++, <u8>rest | 0x80)
    rest >>= 7
  }
  store<u8>(at++, <u8>rest)
  return at
}
