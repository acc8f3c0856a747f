/**
 * Writes an event of a span as the log record that it becomes, as `src/policy/rehome/event.ts` does: into RECORDS, one
 * behind the other, each as a whole field.
 */
import {
  EVENT,
  FIELD_ATTRIBUTE,
  FIELD_COUNT,
  MARKER,
  RECORDS,
  ROLE_LEVEL,
  ROLE_PATH,
  ROLES,
  ROW_BYTES,
  WORD_BITS,
} from './layout'
import {
  ATTRIBUTES_END,
  ATTRIBUTES_START,
  BEHIND,
  END,
  FIELD,
  flags,
  KIND,
  LEVEL_END,
  LEVEL_START,
  MESSAGE_END,
  MESSAGE_START,
  NAME_START,
  nameOf,
  NUMBER,
  OWN_NAME_END,
  OWN_NAME_START,
  spanId,
  TARGET_PATH,
  TIME,
  traceId,
  WORD,
} from './read'
import { copyBytes, numberSize, putVarint } from './write'

const ITEM_TAG: u8 = 0x12
const TIME_TAG: u8 = 0x09
const SEVERITY_NUMBER_TAG: u8 = 0x10
const SEVERITY_TEXT_TAG: u8 = 0x1a
const BODY_TAG: u8 = 0x2a
const ATTRIBUTE_TAG: u8 = 0x32
const DROPPED_TAG: u8 = 0x38
const FLAGS_TAG: u8 = 0x45
const TRACE_ID_TAG: u8 = 0x4a
const SPAN_ID_TAG: u8 = 0x52
const OBSERVED_TIME_TAG: u8 = 0x59
const EVENT_NAME_TAG: u8 = 0x62
const STRING_TAG: u8 = 0x0a

/** The length of most records takes so many bytes: they need not be moved. */
const lengthBytes: i32 = 2

/** Where the last record ends. */
export let recordsEnd: i32 = RECORDS

let at: i32 = 0

export function beginRecords(): void {
  recordsEnd = RECORDS
}

/** Writes the event in `event`, of the span in hand. */
export function writeRecord(event: i32): void {
  const payload = recordsEnd + 1 + lengthBytes
  at = payload
  const time = load<i32>(event, TIME)
  const levelStart = load<i32>(event, LEVEL_START)
  const levelSize = load<i32>(event, LEVEL_END) - levelStart
  if (time !== 0) putFixed(TIME_TAG, time)
  const severity = severityOf(levelStart, levelSize)
  if (severity !== 0) {
    putByte(SEVERITY_NUMBER_TAG)
    putByte(<u8>severity)
  }
  putText(SEVERITY_TEXT_TAG, levelStart, levelSize)
  putBody(event)
  const dropped = putAttributes(event)
  putByte(ATTRIBUTE_TAG)
  putRange(MARKER + 1, <i32>load<u8>(MARKER))
  if (dropped !== 0) {
    putByte(DROPPED_TAG)
    at = putVarint(at, <u64>dropped)
  }
  if (flags !== 0) {
    putByte(FLAGS_TAG)
    store<u32>(at, flags)
    at += 4
  }
  if (traceId !== 0) putText(TRACE_ID_TAG, traceId, 16)
  if (spanId !== 0) putText(SPAN_ID_TAG, spanId, 8)
  if (time !== 0) putFixed(OBSERVED_TIME_TAG, time)
  const name = event + nameOf(event)
  putText(EVENT_NAME_TAG, load<i32>(name), load<i32>(name + 4) - load<i32>(name))
  close(payload)
}

/** The attribute `message`; else the event's name, where `event.name` says what it is called and the name is more than a call site. */
function putBody(event: i32): void {
  const messageEnd = load<i32>(event, MESSAGE_END)
  if (messageEnd !== 0) {
    const start = load<i32>(event, MESSAGE_START)
    putByte(BODY_TAG)
    putRange(start, messageEnd - start)
    return
  }
  const start = load<i32>(event, OWN_NAME_START)
  const end = load<i32>(event, OWN_NAME_END)
  if (nameOf(event) !== NAME_START || start >= end || isCallSite(start, end)) return
  const size = end - start
  putByte(BODY_TAG)
  at = putVarint(at, 1 + numberSize(size) + size)
  putText(STRING_TAG, start, size)
}

/** All attributes but the target's and `level`; returns how many the event says were dropped. */
function putAttributes(event: i32): u32 {
  const last = load<i32>(event, BEHIND)
  let from = load<i32>(event, ATTRIBUTES_START)
  let dropped: u32 = 0
  for (let row = event + ROW_BYTES; row < last; row += ROW_BYTES) {
    const kind = load<i32>(row, KIND)
    if (kind === FIELD_COUNT) dropped = load<u32>(row, NUMBER)
    if (kind !== FIELD_ATTRIBUTE || !isReplaced(event, row)) continue
    putRun(from, load<i32>(row, FIELD))
    from = load<i32>(row, END)
  }
  putRun(from, load<i32>(event, ATTRIBUTES_END))
  return dropped
}

/** Whether the record has elsewhere what the attribute in `row` says. */
function isReplaced(event: i32, row: i32): bool {
  const role = <i32>load<u8>(ROLES + ((EVENT << WORD_BITS) | load<i32>(row, WORD)))
  const target = load<i32>(event, TARGET_PATH) + 1
  return (role & ROLE_LEVEL) !== 0 || (target > 0 && (role & ROLE_PATH) === target)
}

/** The attributes in `[start, end)`, one behind the other: all of each but its tag, as it stands. */
function putRun(start: i32, end: i32): void {
  if (start >= end) return
  const shift = at - start
  copyBytes(at, start, end - start)
  at += end - start
  // Their lengths take one byte or two: they were read before.
  for (let field = start; field < end; ) {
    store<u8>(field + shift, ATTRIBUTE_TAG)
    const size = <i32>load<u8>(field + 1)
    field += size < 0x80 ? 2 + size : 3 + ((size & 0x7f) | (<i32>load<u8>(field + 2) << 7))
  }
}

/** Writes the head of the record whose payload starts at `payload` and ends here. */
function close(payload: i32): void {
  const size = at - payload
  const needed = numberSize(size)
  const from = recordsEnd + 1 + needed
  if (needed !== lengthBytes) memory.copy(from, payload, size)
  store<u8>(recordsEnd, ITEM_TAG)
  putVarint(recordsEnd + 1, size)
  recordsEnd = from + size
}

/** The number of a level in any case; 0 for a word that is none. As `src/policy/rehome/severity.ts` has it. */
function severityOf(start: i32, size: i32): i32 {
  if (size < 4 || size > 7) return 0
  const word = load<u64>(start) & 0x00dfdfdfdfdfdfdf & ((<u64>1 << (<u64>size << 3)) - 1)
  if (word === 0x4543415254) return 1 // TRACE
  if (word === 0x4755424544) return 5 // DEBUG
  if (word === 0x4f464e49) return 9 // INFO
  if (word === 0x4e524157) return 13 // WARN
  if (word === 0x474e494e524157) return 13 // WARNING
  if (word === 0x524f525245) return 17 // ERROR
  if (word === 0x4c41544146) return 21 // FATAL
  return 0
}

/** Whether a name is `event <file>:<line>`, as Rust calls an event that has no message. */
function isCallSite(start: i32, end: i32): bool {
  const file = start + 6
  if (file >= end || (load<u64>(start) & 0xffffffffffff) !== 0x20746e657665) return false
  let digits = end
  while (digits > file && load<u8>(digits - 1) >= 0x30 && load<u8>(digits - 1) <= 0x39) digits--
  return digits < end && digits - 1 > file && load<u8>(digits - 1) === 0x3a
}

// @ts-ignore: decorator
@inline
function putByte(byte: u8): void {
  store<u8>(at++, byte)
}

/** Eight bytes that stand at `from`. */
// @ts-ignore: decorator
@inline
function putFixed(tag: u8, from: i32): void {
  store<u8>(at, tag)
  store<u64>(at, load<u64>(from), 1)
  at += 9
}

/** A text; nothing if it is empty. */
function putText(tag: u8, start: i32, size: i32): void {
  if (size <= 0) return
  putByte(tag)
  putRange(start, size)
}

/** A length and as many bytes. */
function putRange(start: i32, size: i32): void {
  at = putVarint(at, size)
  copyBytes(at, start, size)
  at += size
}
