/**
 * Words: texts by number. Telemetry says the same again and again, so behind a key mostly comes the one that came
 * behind it the last time; that guess is compared eight bytes at a time before anything is hashed.
 */
import {
  FOLLOWERS,
  HASH_SLOTS,
  HASHES,
  PLAN_COUNT,
  ROLES,
  WORD_BITS,
  WORD_BYTES,
  WORD_LENGTHS,
  WORDS_MAX,
} from './layout'

let count: i32 = 1

export function forgetWords(): void {
  memory.fill(HASHES, 0, HASH_SLOTS * 2)
  memory.fill(FOLLOWERS, 0, PLAN_COUNT * WORDS_MAX * 2)
  memory.fill(ROLES, 0, PLAN_COUNT * WORDS_MAX)
  memory.fill(WORD_BYTES, 0, 128)
  store<u8>(WORD_LENGTHS, 0)
  count = 1
}

/** The key of `length` bytes at `start`, behind word `previous` in a message of `plan`; -1 if there is no room for it. */
// @ts-ignore: decorator
@inline
export function keyBehind(plan: i32, previous: i32, start: i32, length: i32): i32 {
  const follower = FOLLOWERS + (((plan << WORD_BITS) | previous) << 1)
  const guess = <i32>load<u16>(follower)
  if (isWord(guess, start, length)) return guess
  const word = wordOf(start, length)
  if (word >= 0) store<u16>(follower, <u16>word)
  return word
}

/** The word of the text of `length` bytes, at most WORD_BYTES_MAX, at `start`; -1 if there is no room for another. */
export function wordOf(start: i32, length: i32): i32 {
  if (length === 0) return 0
  let slot = hashOf(start, length)
  while (true) {
    const word = <i32>load<u16>(HASHES + (slot << 1))
    if (word === 0) break
    if (isWord(word, start, length)) return word
    slot = (slot + 1) & (HASH_SLOTS - 1)
  }
  if (count === WORDS_MAX) return -1
  const word = count++
  const bytes = WORD_BYTES + (word << 7)
  memory.fill(bytes, 0, 128)
  memory.copy(bytes, start, length)
  store<u8>(WORD_LENGTHS + word, <u8>length)
  store<u16>(HASHES + (slot << 1), <u16>word)
  return word
}

/** Whether the text at `start` is `word`. */
// @ts-ignore: decorator
@inline
function isWord(word: i32, start: i32, length: i32): bool {
  if (<i32>load<u8>(WORD_LENGTHS + word) !== length) return false
  const bytes = WORD_BYTES + (word << 7)
  if (length < 8) return (load<u64>(start) & lowBytes(length)) === load<u64>(bytes)
  const last = length - 8
  for (let at = 0; at < last; at += 8) if (load<u64>(start + at) !== load<u64>(bytes + at)) return false
  return load<u64>(start + last) === load<u64>(bytes + last)
}

function hashOf(start: i32, length: i32): i32 {
  let hash: u64 = <u64>length * 0x9e3779b97f4a7c15
  if (length < 8) hash = mixed(hash, load<u64>(start) & lowBytes(length))
  else {
    const last = length - 8
    for (let at = 0; at < last; at += 8) hash = mixed(hash, load<u64>(start + at))
    hash = mixed(hash, load<u64>(start + last))
  }
  return <i32>(hash >> 40) & (HASH_SLOTS - 1)
}

// @ts-ignore: decorator
@inline
function mixed(hash: u64, bytes: u64): u64 {
  const product = (hash ^ bytes) * 0x9e3779b97f4a7c15
  return product ^ (product >> 29)
}

/** A mask of the low `length` bytes, below eight. */
// @ts-ignore: decorator
@inline
function lowBytes(length: i32): u64 {
  return (<u64>1 << (<u64>length << 3)) - 1
}
