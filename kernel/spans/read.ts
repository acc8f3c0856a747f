/**
 * Reads a span into rows, as `src/policy/reading.ts` does, where it is in the shape that SDKs write; every other shape
 * is odd, and the general way's to read. A row of a message is followed by the rows of what is in it.
 */
import { clearTarget, judgmentOf, noteTarget, path, settle, target } from './judge'
import {
  ACTION_LEAVE,
  ASK_EVENT,
  EVENT,
  FIELD_ATTRIBUTE,
  FIELD_COUNT,
  FIELD_EVENT,
  FIELD_EVENT_COUNT,
  FIELD_FAR,
  FIELD_LINK,
  FIELD_NAME,
  FIELD_ODD,
  FIELD_SPAN_ID,
  FIELD_STATUS,
  FIELD_TEXT,
  FIELD_TIME,
  FIELD_TRACE_ID,
  JUDGED_MOVED,
  JUDGED_ODD,
  LINK,
  PLANS,
  ROLE_EVENT_NAME,
  ROLE_INERT,
  ROLE_LENGTHS,
  ROLE_LEVEL,
  ROLE_MESSAGE,
  ROLE_PATH,
  ROLES,
  ROW_BYTES,
  ROWS,
  ROWS_MAX,
  SPAN,
  STATUS,
  WORD_BITS,
  WORD_BYTES_MAX,
} from './layout'
import { full, odd } from './trouble'
import { keyBehind, wordOf } from './words'

// A row: numbers. What the field is, where it stands, and
export const KIND: i32 = 0
export const TAG: i32 = 4
export const FIELD: i32 = 8
export const START: i32 = 12
export const END: i32 = 16
// of an attribute: the word of its key, where its string starts or NOT_TEXT, and what becomes of it;
export const WORD: i32 = 20
export const VALUE: i32 = 24
export const ACTION: i32 = 28
// of a message: the row behind what is in it;
export const BEHIND: i32 = 20
// of an event: its judgment, the word of its target and the path to it, its `event.name` with the word of that key,
// the name beside its attributes, its level, the value of its `message`, its attributes, and where its time stands;
export const JUDGMENT: i32 = 24
export const TARGET: i32 = 28
export const TARGET_PATH: i32 = 32
export const NAME_START: i32 = 36
export const NAME_END: i32 = 40
export const NAME_KEY: i32 = 44
export const OWN_NAME_START: i32 = 48
export const OWN_NAME_END: i32 = 52
export const LEVEL_START: i32 = 56
export const LEVEL_END: i32 = 60
export const MESSAGE_START: i32 = 64
export const MESSAGE_END: i32 = 68
export const TIME: i32 = 72
export const ATTRIBUTES_START: i32 = 76
export const ATTRIBUTES_END: i32 = 80
// of a count: the number.
export const NUMBER: i32 = 20

/** The two bytes of the tag of a span's flags: field 16, four bytes. */
const FLAGS_LOW: i32 = 0x85
const FLAGS_HIGH: i32 = 1

const NOT_TEXT: i32 = -1
const ANY_SHAPE: i32 = -2

/** The rows of the span in hand end here. */
export let rowsEnd: i32 = 0
/** Whether the lane edits fields: else no attribute is looked at but those that have a role. */
export let isEditing: bool = true
/** Whether rules ask what an event is called. */
let asksNames: bool = false
/** Whether the span in hand came with a number of dropped events. */
let isEventCounted: bool = false

/** Of the event in hand, as in its row. */
let nameStart: i32 = 0
let nameEnd: i32 = 0
let nameKey: i32 = 0
let ownNameStart: i32 = 0
let ownNameEnd: i32 = 0
let hasLevel: bool = false
let levelStart: i32 = 0
let levelEnd: i32 = 0
let messageStart: i32 = 0
let messageEnd: i32 = 0
let time: i32 = 0
let attributesStart: i32 = 0
let attributesEnd: i32 = 0
let isScattered: bool = false

/** Of the span in hand: where its ids stand, or 0, and its flags. */
export let traceId: i32 = 0
export let spanId: i32 = 0
export let flags: i32 = 0

/** `editing`: whether the lane has a field policy; `names`: whether rules ask what an event is called. */
export function configureReading(editing: bool, names: bool): void {
  isEditing = editing
  asksNames = names
}

/** Reads the span in `[start, end)` and its events, and finds the judgments on them. */
export function readSpan(start: i32, end: i32): bool {
  rowsEnd = ROWS
  isEventCounted = false
  traceId = 0
  spanId = 0
  flags = 0
  clearTarget(SPAN)
  return readMessage(SPAN, start, end)
}

function readMessage(plan: i32, start: i32, end: i32): bool {
  const kinds = PLANS + (plan << 8)
  const attributeTag = plan === SPAN ? 0x4a : plan === EVENT ? 0x1a : plan === LINK ? 0x22 : 0
  const roles = ROLES + (plan << WORD_BITS)
  const isEditingFields = isEditing
  let isNamed = false
  let isCounted = false
  let firstAttribute = 0
  let lastEnd = 0
  let hasGap = false
  let previous = 0
  let at = start
  while (at < end) {
    const head = load<u32>(at)
    const tag = <i32>(head & 0xff)
    if (tag === attributeTag) {
      // Tag, length of one byte, then the key: its tag, its length.
      let from = at + 2
      let size = <i32>((head >> 8) & 0xff)
      let length = <i32>(head >> 24)
      if ((head & 0x80ff8000) !== 0x000a0000) {
        const high = <i32>load<u8>(from++)
        if (size < 0x80 || high >= 0x80 || load<u8>(from) !== 0x0a) return odd()
        size = (size & 0x7f) | (high << 7)
        length = <i32>load<u8>(from + 1)
        if (length >= 0x80) return odd()
      }
      const stop = from + size
      const keyEnd = from + 2 + length
      if (keyEnd + 4 > stop || stop > end) return odd()
      if (lastEnd === 0) firstAttribute = at
      else if (lastEnd !== at) hasGap = true
      lastEnd = stop
      if (isEditingFields || load<u8>(ROLE_LENGTHS + (plan << 7) + length) !== 0) {
        const value = valueOf(keyEnd, stop)
        if (value === ANY_SHAPE) return odd()
        const word = keyBehind(plan, previous, from + 2, length)
        if (word < 0) return full()
        previous = word
        const role = <i32>load<u8>(roles + word)
        if (role !== ROLE_INERT) {
          if (role !== 0 && !noteRole(plan, role, word, keyEnd, value, stop)) return false
          if (isEditingFields || role !== 0) {
            const row = addRow(FIELD_ATTRIBUTE, tag, at, from, stop)
            if (row === 0) return false
            store<i32>(row, word, WORD)
            store<i32>(row, value, VALUE)
            store<i32>(row, ACTION_LEAVE, ACTION)
          }
        }
      } else if (!isEndedByValue(keyEnd, stop)) return odd()
      at = stop
      continue
    }
    const kind = <i32>load<u8>(kinds + tag)
    if (kind === FIELD_ODD) return odd()
    const wire = tag & 7
    let from = at + 1
    if (kind === FIELD_FAR) {
      const high = load<u8>(from++)
      if (high === 0 || high >= 0x80) return odd()
    }
    if (wire === 2) {
      let size = <i32>load<u8>(from++)
      if (size >= 0x80) {
        let more = <i32>load<u8>(from++)
        size = (size & 0x7f) | ((more & 0x7f) << 7)
        if (more >= 0x80) {
          more = <i32>load<u8>(from++)
          if (more >= 0x80) return odd()
          size |= more << 14
        }
      }
      const stop = from + size
      if (stop > end) return odd()
      if (kind === FIELD_EVENT) {
        if (!readEvent(tag, at, from, stop)) return false
      } else if (kind === FIELD_NAME) {
        if (isNamed) return odd()
        isNamed = true
        ownNameStart = from
        ownNameEnd = stop
        if (isEditing && addRow(kind, tag, at, from, stop) === 0) return false
      } else if (kind === FIELD_TRACE_ID) {
        traceId = idAt(from, size, 16)
      } else if (kind === FIELD_SPAN_ID) {
        spanId = idAt(from, size, 8)
      } else if (isEditing && kind === FIELD_TEXT) {
        if (addRow(kind, tag, at, from, stop) === 0) return false
      } else if (isEditing && (kind === FIELD_LINK || kind === FIELD_STATUS)) {
        const row = addRow(kind, tag, at, from, stop)
        if (row === 0 || !readMessage(kind === FIELD_LINK ? LINK : STATUS, from, stop)) return false
        store<i32>(row, rowsEnd, BEHIND)
      }
      at = stop
      continue
    }
    let stop = from
    let number: u64 = 0
    if (wire === 0) {
      let shift: u64 = 0
      while (true) {
        const byte = <u64>load<u8>(stop++)
        number |= (byte & 0x7f) << shift
        if (byte < 0x80) break
        shift += 7
        if (shift > 63) return odd()
      }
    } else stop += wire === 1 ? 8 : 4
    if (stop > end) return odd()
    if (kind === FIELD_TIME) time = load<u64>(from) === 0 ? 0 : from
    else if (tag === FLAGS_LOW && load<u8>(from - 1) === FLAGS_HIGH && plan === SPAN) flags = <i32>load<u8>(from)
    if (kind === FIELD_COUNT || kind === FIELD_EVENT_COUNT) {
      if (number > 0xffffffff || (kind === FIELD_COUNT ? isCounted : isEventCounted)) return odd()
      if (kind === FIELD_COUNT) isCounted = true
      else isEventCounted = true
      const row = addRow(kind, tag, at, from, stop)
      if (row === 0) return false
      store<i32>(row, <i32>number, NUMBER)
    }
    at = stop
  }
  if (plan === EVENT) {
    attributesStart = firstAttribute
    attributesEnd = lastEnd
    isScattered = hasGap
  }
  return at === end || odd()
}

function readEvent(tag: i32, field: i32, start: i32, end: i32): bool {
  const row = addRow(FIELD_EVENT, tag, field, start, end)
  if (row === 0) return false
  clearTarget(EVENT)
  nameStart = 0
  nameEnd = 0
  ownNameStart = 0
  ownNameEnd = 0
  hasLevel = false
  levelStart = 0
  levelEnd = 0
  messageStart = 0
  messageEnd = 0
  time = 0
  if (!readMessage(EVENT, start, end) || !settle(EVENT)) return false
  const name = asksNames ? nameWord() : 0
  if (name < 0) return false
  const judgment = judgmentOf(ASK_EVENT, name)
  if (judgment === 0) return false
  if ((judgment & JUDGED_ODD) !== 0 || ((judgment & JUDGED_MOVED) !== 0 && isScattered)) return odd()
  store<i32>(row, rowsEnd, BEHIND)
  store<i32>(row, judgment, JUDGMENT)
  store<i32>(row, target, TARGET)
  store<i32>(row, path, TARGET_PATH)
  store<i32>(row, nameStart, NAME_START)
  store<i32>(row, nameEnd, NAME_END)
  store<i32>(row, nameKey, NAME_KEY)
  store<i32>(row, ownNameStart, OWN_NAME_START)
  store<i32>(row, ownNameEnd, OWN_NAME_END)
  store<i32>(row, levelStart, LEVEL_START)
  store<i32>(row, levelEnd, LEVEL_END)
  store<i32>(row, messageStart, MESSAGE_START)
  store<i32>(row, messageEnd, MESSAGE_END)
  store<i32>(row, time, TIME)
  store<i32>(row, attributesStart, ATTRIBUTES_START)
  store<i32>(row, attributesEnd, ATTRIBUTES_END)
  return true
}

/** The word that the event in hand is called by: 0 if it has no name, below if there is none for it. */
function nameWord(): i32 {
  const isNamed = nameStart < nameEnd
  const start = isNamed ? nameStart : ownNameStart
  const length = (isNamed ? nameEnd : ownNameEnd) - start
  if (length > WORD_BYTES_MAX) {
    odd()
    return -1
  }
  const word = wordOf(start, length)
  if (word < 0) full()
  return word
}

/** Where in the row the range of the name is that the event is called by: `event.name`, else its own. */
export function nameOf(event: i32): i32 {
  return load<i32>(event, NAME_START) < load<i32>(event, NAME_END) ? NAME_START : OWN_NAME_START
}

/** An attribute that is more than a field: the target, or what an event is called, or takes along when it moves. */
function noteRole(plan: i32, role: i32, word: i32, keyEnd: i32, value: i32, end: i32): bool {
  if ((role & ROLE_PATH) !== 0 && !noteTarget(plan, (role & ROLE_PATH) - 1, value, end)) return false
  if ((role & ROLE_EVENT_NAME) !== 0) {
    if (value < 0 || nameEnd !== 0) return odd()
    nameStart = value
    nameEnd = end
    nameKey = word
  }
  if ((role & ROLE_LEVEL) !== 0 && !hasLevel) {
    hasLevel = true
    if (value > 0) {
      levelStart = value
      levelEnd = end
    }
  }
  if ((role & ROLE_MESSAGE) !== 0 && messageEnd === 0) {
    // Behind the tag and the length of the value, which the shape has shown to be whole.
    messageStart = keyEnd + (load<u8>(keyEnd + 1) < 0x80 ? 2 : 3)
    messageEnd = end
  }
  return true
}

/** Where an id of `wanted` bytes stands; 0 if it is of another size, or all zero: then it is no link. */
function idAt(start: i32, size: i32, wanted: i32): i32 {
  if (size !== wanted) return 0
  const rest = wanted === 16 ? load<u64>(start + 8) : 0
  return (load<u64>(start) | rest) === 0 ? 0 : start
}

/** The new row; 0 if there is no room for it. */
// @ts-ignore: decorator
@inline
function addRow(kind: i32, tag: i32, field: i32, start: i32, end: i32): i32 {
  const row = rowsEnd
  if (row === ROWS + ROWS_MAX * ROW_BYTES) {
    odd()
    return 0
  }
  store<i32>(row, kind, KIND)
  store<i32>(row, tag, TAG)
  store<i32>(row, field, FIELD)
  store<i32>(row, start, START)
  store<i32>(row, end, END)
  rowsEnd = row + ROW_BYTES
  return row
}

/**
 * The value of an attribute whose key ends at `at` and which ends at `end`, at least four bytes on: where its string
 * starts, NOT_TEXT for another scalar or an array of them, ANY_SHAPE for all else.
 */
// @ts-ignore: decorator
@inline
function valueOf(at: i32, end: i32): i32 {
  const head = load<u32>(at)
  if ((head & 0x80ff80ff) === 0x000a0012) {
    const length = <i32>(head >> 24)
    return at + 4 + length === end && <i32>((head >> 8) & 0x7f) === length + 2 ? at + 4 : ANY_SHAPE
  }
  return longValueOf(at, end)
}

/** Whether the value of an attribute whose key ends at `at` is the last thing in it, which ends at `end`. */
// @ts-ignore: decorator
@inline
function isEndedByValue(at: i32, end: i32): bool {
  const size = <i32>load<u8>(at + 1)
  if (load<u8>(at) !== 0x12) return false
  if (size < 0x80) return at + 2 + size === end
  const high = <i32>load<u8>(at + 2)
  return high < 0x80 && at + 3 + ((size & 0x7f) | (high << 7)) === end
}

function longValueOf(at: i32, end: i32): i32 {
  if (load<u8>(at) !== 0x12) return ANY_SHAPE
  let size = <i32>load<u8>(at + 1)
  let start = at + 2
  if (size >= 0x80) {
    const high = <i32>load<u8>(start++)
    if (high >= 0x80) return ANY_SHAPE
    size = (size & 0x7f) | (high << 7)
  }
  if (start + size !== end || size < 2) return ANY_SHAPE
  return load<u8>(start) === 0x2a ? arrayOf(start, end) : memberOf(start, end)
}

/** The AnyValue in `[start, end)`, at least two bytes, if it is one scalar. */
function memberOf(start: i32, end: i32): i32 {
  const member = load<u8>(start)
  if (member === 0x0a || member === 0x3a) {
    let length = <i32>load<u8>(start + 1)
    let from = start + 2
    if (length >= 0x80) {
      const high = <i32>load<u8>(from++)
      if (high >= 0x80) return ANY_SHAPE
      length = (length & 0x7f) | (high << 7)
    }
    if (from + length !== end) return ANY_SHAPE
    return member === 0x0a ? from : NOT_TEXT
  }
  if (member === 0x10 || member === 0x18) {
    for (let byte = start + 1; byte < end; byte++)
      if (load<u8>(byte) < 0x80) return byte + 1 === end ? NOT_TEXT : ANY_SHAPE
    return ANY_SHAPE
  }
  return member === 0x21 && end - start === 9 ? NOT_TEXT : ANY_SHAPE
}

/** The AnyValue in `[start, end)` if it is an array of short scalars: there is no key in it. */
function arrayOf(start: i32, end: i32): i32 {
  let size = <i32>load<u8>(start + 1)
  let at = start + 2
  if (size >= 0x80) {
    const high = <i32>load<u8>(at++)
    if (high >= 0x80) return ANY_SHAPE
    size = (size & 0x7f) | (high << 7)
  }
  if (at + size !== end) return ANY_SHAPE
  while (at < end) {
    const length = <i32>load<u8>(at + 1)
    const stop = at + 2 + length
    if (load<u8>(at) !== 0x0a || length < 2 || length >= 0x80 || stop > end) return ANY_SHAPE
    if (memberOf(at + 2, stop) === ANY_SHAPE) return ANY_SHAPE
    at = stop
  }
  return NOT_TEXT
}
