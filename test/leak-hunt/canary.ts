/**
 * Canaries: texts that are like nothing else, each with a note of where it was put and what may become of it.
 *
 * Classes, in the text itself, so that one search in the bytes of a lane finds any that broke out:
 *
 * | class | what it stands for | preset `codex` | preset `codex-strict` |
 * |---|---|---|---|
 * | `R` | a field, text or event that preset `codex` names as removed, hashed or not for traces | never | never |
 * | `F` | free text anywhere else | may leave, and is a finding | never |
 * | `U` | bytes that no decoder reads: unknown fields, overridden occurrences | may leave | never |
| `X` | what the contract exempts from field policies: see generate.ts | may leave | may leave |
 */
export type CanaryClass = 'R' | 'F' | 'X' | 'U'

/** What every canary starts with, its class behind it. */
export const PREFIX = 'CANARY-'

/** Makes the canaries of one request. */
export class Mint {
  readonly #notes: string[] = []

  /** A new canary. `where` is for the report of a leak. */
  make(kind: 'R' | 'F' | 'X', where: string): string {
    this.#notes.push(where)
    return `${PREFIX}${kind}${String(this.#notes.length).padStart(3, '0')}`
  }

  get count(): number {
    return this.#notes.length
  }

  /** Where a canary found in text was put. */
  whereOf(text: string): string {
    const number = /^CANARY-[RFX](\d{3})/.exec(text)?.[1]
    return number === undefined
      ? 'overridden or unknown to decoders'
      : (this.#notes[Number(number) - 1] ?? '?')
  }
}
