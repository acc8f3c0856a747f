/**
 * Counts the fields of one request that no rule decided, by who has them and by key.
 *
 * Where nothing was reviewed this is asked for every attribute, so it counts by the action, of which a context has
 * one for each key; names are made only when a field is met first. Scratch: `drain` hands the counts on.
 */

import type { FieldAction } from './fields.ts'
import { type FindingSink, findingsMax } from './finding.ts'
import type { Place } from './place.ts'

/** Counts of one owner, by action. */
export type UndecidedKeys = Map<FieldAction, { readonly key: string; count: number }>

/** Counts one field. `key` is asked where the field is new; further ones than a request may report are left out. */
export function countKey(keys: UndecidedKeys, action: FieldAction, key: () => string): void {
  const known = keys.get(action)
  if (known !== undefined) known.count++
  else if (keys.size < findingsMax) keys.set(action, { key: key(), count: 1 })
}

interface Owner {
  readonly family: string
  readonly eventName: string
  readonly place: Place
}

export class UndecidedFields {
  readonly #owners = new Map<string, { readonly owner: Owner; readonly keys: UndecidedKeys }>()

  /** The counts of a family's fields in a place, and of one event name if it is an event's. */
  keysOf(family: string, eventName: string, place: Place): UndecidedKeys {
    const name = `${place}\n${family}\n${eventName}`
    let known = this.#owners.get(name)
    if (known === undefined) {
      known = { owner: { family, eventName, place }, keys: new Map() }
      if (this.#owners.size < findingsMax) this.#owners.set(name, known)
    }
    return known.keys
  }

  /** Hands all counts to `findings` and forgets them. */
  drain(findings: FindingSink): void {
    if (this.#owners.size === 0) return
    for (const { owner, keys } of this.#owners.values()) {
      for (const { key, count } of keys.values()) {
        findings.add({ kind: 'undecided_field', target: '', ...owner }, () => [key], count)
      }
    }
    this.#owners.clear()
  }
}
