/**
 * Which family a target is in, by whole segments or by raw prefix; and which targets the accept lines name.
 *
 * Inside the namespace only `.` ends a segment; outside it `.` and `::` both do. The longest matching target
 * wins. The namespace alone, and a target with an empty segment, are in the namespace and in no family that
 * a longer name would give. Targets are compared as bytes (held in latin1 strings), so text that is not
 * UTF-8 matches nothing by accident.
 */
import type { PolicySpec } from '../config/config.ts'
import type { Position } from '../errors.ts'

/** A text's UTF-8 bytes as a string of that many characters: the form in which targets are compared. */
export type ByteString = string

/** All that rules can ask of a target. One object for each distinct target, while it is remembered. */
export interface TargetClass {
  readonly inNamespace: boolean
  /** Outside the namespace, or no target. A span whose target is in doubt is neither in it nor foreign. */
  readonly isForeign: boolean
  /** The family that owns the target, or undefined. */
  readonly family: string | undefined
  /** The review that rejects events of the target. */
  readonly rejection: Position | undefined
  /** Targets in accept lines that own this one. */
  readonly named: ReadonlySet<string>
}

export type Classify = (target: ByteString) => TargetClass

/** The class of an item without a target. */
export const noTarget: TargetClass = {
  inNamespace: false,
  isForeign: true,
  family: undefined,
  rejection: undefined,
  named: new Set(),
}

export function toByteString(text: string): ByteString {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** Makes the classifier of a policy. `selectorTargets` are the targets that its accept lines name. */
export function createClassifier(
  spec: Pick<PolicySpec, 'namespace' | 'match' | 'families' | 'rejected'>,
  selectorTargets: Iterable<string>,
): Classify {
  const namespace = toByteString(spec.namespace)
  const owners = new Map<ByteString, Pick<TargetClass, 'family' | 'rejection'>>()
  for (const { target, position } of spec.rejected) {
    owners.set(toByteString(target), { family: undefined, rejection: position })
  }
  for (const { name, targets } of spec.families) {
    for (const { target } of targets) owners.set(toByteString(target), { family: name, rejection: undefined })
  }
  const selectors = new Map<ByteString, string>()
  for (const target of selectorTargets) selectors.set(toByteString(target), target)
  const ownerLengths = lengthsOf(owners)
  const selectorLengths = lengthsOf(selectors)

  const owns = (owner: ByteString, target: ByteString): boolean => {
    if (spec.match === 'prefix') return target.startsWith(owner)
    if (target === owner) return true
    if (!target.startsWith(owner)) return false
    if (target[owner.length] === '.') return true
    return !inNamespace(owner) && target.startsWith('::', owner.length)
  }
  const inNamespace = (target: ByteString): boolean => {
    if (namespace === '') return false
    if (spec.match === 'prefix') return target.startsWith(namespace)
    return target === namespace || target.startsWith(`${namespace}.`)
  }

  return (target) => {
    if (target === '') return noTarget
    const isOurs = inNamespace(target)
    const isBroken = spec.match === 'segment' && isOurs && target.split('.').includes('')
    let owned = NOBODYS
    for (const length of isBroken ? [] : ownerLengths) {
      const owner = target.slice(0, length)
      const candidate = owners.get(owner)
      if (candidate !== undefined && owns(owner, target)) {
        owned = candidate
        break
      }
    }
    const named = new Set<string>()
    for (const length of selectorLengths) {
      const owner = target.slice(0, length)
      const selector = selectors.get(owner)
      if (selector !== undefined && (isBroken ? owner === target : owns(owner, target))) named.add(selector)
    }
    return { inNamespace: isOurs, isForeign: !isOurs, ...owned, named }
  }
}

const NOBODYS: Pick<TargetClass, 'family' | 'rejection'> = { family: undefined, rejection: undefined }

/** The distinct lengths of the keys, longest first: a look-up tries each once, however many keys there are. */
function lengthsOf(targets: ReadonlyMap<ByteString, unknown>): readonly number[] {
  return [...new Set([...targets.keys()].map((target) => target.length))].sort((one, other) => other - one)
}

/** The bytes of `[start, end)` as a byte string. */
export function latin1(bytes: Uint8Array, start: number, end: number): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
}

/** The bytes of `[start, end)` as people read them. */
export function textAt(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8')
}

/** The text whose UTF-8 bytes a byte string holds. */
export function fromByteString(text: ByteString): string {
  return Buffer.from(text, 'latin1').toString('utf8')
}
