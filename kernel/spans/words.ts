/**
 * Words: texts by number. Telemetry says the same again and again, so behind a key mostly comes the one that came
 * behind it the last time; that guess is compared before anything is hashed.
 */
import {
  FOLLOWERS,
  HASH_SLOTS,
  HASHES,
  LAST_TARGETS,
  LOW_BYTES,
  PATHS_MAX,
  PLAN_COUNT,
  ROLES,
  WORD_BITS,
  WORD_BYTES,
  WORD_LENGTHS,
  WORDS_MAX,
} from './layout'

let count: i32 = 1

export function forgetWords(): void {
  for (let length = 0; length < 16; length++) {
    for (let byte = 0; byte < 16; byte++)
      store<u8>(LOW_BYTES + (length << 4) + byte, byte < length ? 0xff : 0)
  }
  memory.fill(LAST_TARGETS, 0, PLAN_COUNT * PATHS_MAX * 4)
  memory.fill(HASHES, 0, HASH_SLOTS * 2)
  memory.fill(FOLLOWERS, 0, PLAN_COUNT * WORDS_MAX * 4)
  memory.fill(ROLES, 0, PLAN_COUNT * WORDS_MAX)
  memory.fill(WORD_BYTES, 0, 128)
  store<u8>(WORD_LENGTHS, 0)
  count = 1
}

/** The key of `length` bytes at `start`, behind word `previous` in a message of `plan`; -1 if there is no room for it. */
// @ts-ignore: decorator
@inline
export function keyBehind(plan: i32, previous: i32, start: i32, length: i32): i32 {
  return guessed(FOLLOWERS + (((plan << WORD_BITS) | previous) << 2), start, length)
}

/** The target in `[start, start + length)` that `path` gave in an item of `plan`; -1 if there is no room for it. */
export function targetBy(plan: i32, path: i32, start: i32, length: i32): i32 {
  return guessed(LAST_TARGETS + ((plan * PATHS_MAX + path) << 2), start, length)
}

/** The word of a text: the one that was found the last time, which stands at `at` with its length, or another. */
// @ts-ignore: decorator
@inline
function guessed(at: i32, start: i32, length: i32): i32 {
  const guess = load<i32>(at)
  if ((guess & 0xff) === length && isSame(guess >> 8, start, length)) return guess >> 8
  const word = wordOf(start, length)
  if (word >= 0) store<i32>(at, (word << 8) | length)
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
  return <i32>load<u8>(WORD_LENGTHS + word) === length && isSame(word, start, length)
}

/** The same where the word has that length. Compared sixteen bytes at a time; the last ones overlap those before. */
// @ts-ignore: decorator
@inline
function isSame(word: i32, start: i32, length: i32): bool {
  const bytes = WORD_BYTES + (word << 7)
  const differing = v128.xor(v128.load(start), v128.load(bytes))
  if (length < 16) return !v128.any_true(v128.and(differing, v128.load(LOW_BYTES + (length << 4))))
  if (v128.any_true(differing)) return false
  const last = length - 16
  for (let at = 16; at < last; at += 16)
    if (v128.any_true(v128.xor(v128.load(start + at), v128.load(bytes + at)))) return false
  return !v128.any_true(v128.xor(v128.load(start + last), v128.load(bytes + last)))
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
