/**
 * Why the kernel stops at a span: it is odd, there is no room for another word, or the policy must be asked first.
 *
 * Each of these answers false, for the caller to pass on.
 */
import { ASKS, FULL, ODD } from './layout'

export let trouble: i32 = 0
/** With ASKS: what about, and its particulars. */
export let asked: i32 = 0
export let askedFirst: i32 = 0
export let askedSecond: i32 = 0
export let askedThird: i32 = 0

export function odd(): bool {
  trouble = ODD
  return false
}

export function full(): bool {
  trouble = FULL
  return false
}

export function ask(what: i32, first: i32, second: i32, third: i32): bool {
  trouble = ASKS
  asked = what
  askedFirst = first
  askedSecond = second
  askedThird = third
  return false
}
