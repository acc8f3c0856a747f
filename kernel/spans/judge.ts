/**
 * The target of the item in hand, and the judgment that the policy gave on such items before.
 *
 * A judgment depends on the carriage, the target, the path that gave it and, where rules ask for it, the name of the
 * event. Nothing is decided here: what was not judged before is asked for.
 */
import {
  JUDGMENT_SLOTS,
  JUDGMENT_WAYS,
  JUDGMENTS,
  PATH_ATTRIBUTE,
  PATH_SCOPE_NAME,
  PATHS,
  PATHS_MAX,
  SLOTS,
  WORD_BITS,
  WORD_BYTES_MAX,
} from './layout'
import { ask, full, odd } from './trouble'
import { targetBy } from './words'

/** The word of the current scope's name; 0 if it has none. */
export let scope: i32 = 0
/** After `settle`: the word of the target, and the path that gave it, or -1. */
export let target: i32 = 0
export let path: i32 = -1

export function enterScope(word: i32): void {
  scope = word
}

export function clearTarget(plan: i32): void {
  memory.fill(SLOTS + plan * PATHS_MAX * 8, 0, PATHS_MAX * 8)
}

/** The attribute that `path` reads is the string in `[start, end)`. A second one is odd. */
export function noteTarget(plan: i32, path: i32, start: i32, end: i32): bool {
  const slot = SLOTS + ((plan * PATHS_MAX + path) << 3)
  if (start < 0 || load<i32>(slot + 4) !== 0) return odd()
  store<i32>(slot, start)
  store<i32>(slot + 4, end)
  return true
}

/** Finds the target of the item of `plan` that was read: the first path that is present. */
export function settle(plan: i32): bool {
  target = 0
  path = -1
  for (let index = 0; index < PATHS_MAX; index++) {
    const kind = <i32>load<u8>(PATHS + plan * PATHS_MAX + index)
    if (kind === PATH_SCOPE_NAME) {
      if (scope === 0) continue
      target = scope
    } else if (kind === PATH_ATTRIBUTE) {
      const slot = SLOTS + ((plan * PATHS_MAX + index) << 3)
      const end = load<i32>(slot + 4)
      if (end === 0) continue
      const start = load<i32>(slot)
      if (end - start > WORD_BYTES_MAX) return odd()
      target = targetBy(plan, index, start, end - start)
      if (target < 0) return full()
    } else break
    path = index
    return true
  }
  return true
}

/** What was judged of such an item; 0 if it is asked for. */
export function judgmentOf(what: i32, name: i32): i32 {
  const key = keyOf(what, target, path, name)
  const slot = slotOf(key)
  for (let way = 0; way < JUDGMENT_WAYS; way++) {
    const at = JUDGMENTS + ((slot + way) << 3)
    if (load<u32>(at) === key) return load<i32>(at + 4)
  }
  ask(what, target, path, name)
  return 0
}

/** Remembers a judgment: in the first free way, or else in the place of the one that stands at its slot. */
export function putJudgment(what: i32, target: i32, path: i32, name: i32, judgment: i32): void {
  const key = keyOf(what, target, path, name)
  const slot = slotOf(key)
  let way = 0
  while (way < JUDGMENT_WAYS && load<u32>(JUDGMENTS + ((slot + way) << 3)) !== 0) way++
  if (way === JUDGMENT_WAYS) way = 0
  const at = JUDGMENTS + ((slot + way) << 3)
  store<u32>(at, key)
  store<i32>(at + 4, judgment)
}

/** Never 0. */
// @ts-ignore: decorator
@inline
function keyOf(what: i32, target: i32, path: i32, name: i32): u32 {
  return <u32>((((((1 << 1) | what) << 4) | (path + 1)) << (2 * WORD_BITS)) | (target << WORD_BITS) | name)
}

// @ts-ignore: decorator
@inline
function slotOf(key: u32): i32 {
  return <i32>((key * 0x9e3779b1) >> 22) & (JUDGMENT_SLOTS - 1)
}
