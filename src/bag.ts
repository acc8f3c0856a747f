/**
 * Members that come and go by the thousand a second, in no order.
 *
 * V8's Set makes a new table after every few deletions. The old one points at the new one, and at whatever was in it; once
 * one of them has reached the old space, all that come after it are kept alive until a full collection, with the requests
 * in them. Here a member knows its place in one array, and leaves nothing behind. Source: decision 0017.
 */

export interface Placed {
  /** Where it is in its bag; -1 while it is in none. The bag's to change; a member is in one bag at most. */
  at: number
}

export class Bag<Member extends Placed> {
  readonly #members: Member[] = []

  get size(): number {
    return this.#members.length
  }

  add(member: Member): void {
    member.at = this.#members.length
    this.#members.push(member)
  }

  /** False: it is in none. */
  delete(member: Member): boolean {
    const { at } = member
    if (at < 0) return false
    member.at = -1
    const last = this.#members.pop()
    if (last === undefined || last === member) return true
    this.#members[at] = last
    last.at = at
    return true
  }

  /** Those that are in it now, whatever is done to it meanwhile. */
  [Symbol.iterator](): Iterator<Member> {
    return [...this.#members].values()
  }
}
