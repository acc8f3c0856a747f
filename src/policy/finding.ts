/**
 * Findings: what a person should review. Made by `route`, counted and listed elsewhere.
 *
 * A finding names targets, event names, families, places and keys; never a value. One request gives a bounded
 * number of them, so a flood of invented names costs a bounded amount.
 */
import type { Finding, FindingKind } from '../telemetry/finding.ts'
import type { ByteString, TargetClass } from './family.ts'

export type { Finding, FindingKind }

/** Distinct findings that one request may give; further ones are left out of it. */
export const findingsMax = 256

/** Names are cut to so many characters before they are kept. */
const nameCharactersMax = 256

/** Collects the findings of one request. Scratch: `drain` hands them out and forgets them. */
export class FindingSink {
  readonly #byKey = new Map<string, { finding: Omit<Finding, 'count'>; count: number }>()

  /** `keys` is asked where the finding is new; `count` is how often it was seen. */
  add(finding: Omit<Finding, 'count' | 'keys'>, keys: () => readonly string[], count = 1): void {
    const { kind, target, family, eventName, place, lane = '' } = finding
    const listed = kind === 'undecided_field' ? keys() : []
    const key = `${kind}\n${target}\n${family}\n${eventName}\n${place ?? ''}\n${lane}\n${listed.join('\n')}`
    const known = this.#byKey.get(key)
    if (known !== undefined) {
      known.count += count
    } else if (this.#byKey.size < findingsMax) {
      const names = kind === 'undecided_field' ? listed : keys()
      const cut = {
        ...finding,
        target: cutName(target),
        eventName: cutName(eventName),
        keys: names.map(cutName),
      }
      this.#byKey.set(key, { finding: cut, count })
    }
  }

  /** So many fields that no decoder reads were removed on a lane. */
  addCanonicalised(lane: string, removed: number): void {
    const finding = {
      kind: 'canonicalised',
      target: '',
      family: '',
      eventName: '',
      place: undefined,
    } as const
    this.add({ ...finding, lane }, () => [], removed)
  }

  drain(): readonly Finding[] {
    if (this.#byKey.size === 0) return none
    const findings = [...this.#byKey.values()].map(({ finding, count }) => ({ ...finding, count }))
    this.#byKey.clear()
    return findings
  }
}

const none: readonly Finding[] = Object.freeze([])

function cutName(name: string): string {
  return name.length > nameCharactersMax ? `${name.slice(0, nameCharactersMax)}…` : name
}

/**
 * Whether a target looks like one of the policy's and is none: the namespace misspelt, or run together with what
 * follows it; a family's target run together with what follows, or with an empty segment.
 */
export function isNearMissOf(
  text: ByteString,
  target: TargetClass,
  namespace: string,
  familyTargets: readonly ByteString[],
): boolean {
  if (namespace === '' || text === '' || target.family !== undefined) return false
  if (!target.inNamespace) return bare(text).startsWith(bare(namespace))
  return familyTargets.some((familyTarget) => text.startsWith(familyTarget)) || text.split('.').includes('')
}

/** A name without what people vary: case, blanks and separators. */
function bare(name: string): string {
  return name.toLowerCase().replace(/[\s._:/-]+/g, '')
}
