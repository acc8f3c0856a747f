/**
 * Paths under `policy.target`: where an item's target may be read, in OTTL's spelling.
 *
 * Three are known: `scope.name`, `attributes["key"]` (of the item itself) and `resource.attributes["key"]`.
 */
import type { TargetPathSpec } from '../config/config.ts'
import type { Problem } from '../errors.ts'
import { type ByteString, toByteString } from './family.ts'
import { didYouMean } from './nearest.ts'

/** One place to look, in the order of the configuration. */
export interface TargetPath {
  readonly kind: 'scope_name' | 'attribute' | 'resource_attribute'
  /** The attribute's key; empty for `scope_name`. */
  readonly key: string
  /** The key if it is of the item itself, else empty: what a field policy exempts. */
  readonly ownKey: ByteString
  readonly ownKeyBytes: Uint8Array
  /** How the configuration spells it: what `explain` says of where the target was read. */
  readonly text: string
  /** Values that do not count as present. */
  readonly except: ReadonlySet<string>
}

const attributePattern = /^(resource\.)?attributes\[(?:"([^"\]]+)"|'([^'\]]+)')\]$/

/** Parses one path; an unknown one is added to `problems` and left out. */
export function parseTargetPath(spec: TargetPathSpec, problems: Problem[]): TargetPath | undefined {
  const except = new Set(spec.except)
  if (spec.path === 'scope.name')
    return { kind: 'scope_name', key: '', ownKey: '', ownKeyBytes: new Uint8Array(), text: spec.path, except }
  const match = attributePattern.exec(spec.path)
  if (match !== null) {
    const kind = match[1] === undefined ? 'attribute' : 'resource_attribute'
    const key = match[2] ?? match[3]
    const ownKey = kind === 'attribute' ? toByteString(key) : ''
    return { kind, key, ownKey, ownKeyBytes: Buffer.from(ownKey, 'latin1'), text: spec.path, except }
  }
  problems.push({
    severity: 'error',
    position: spec.position,
    key: 'policy.target',
    message: `\`${spec.path}\` is no path that a target can be read from${didYouMean(spec.path, ['scope.name', 'attributes["target"]', 'resource.attributes["target"]'])} Known are scope.name, attributes["key"] and resource.attributes["key"]`,
  })
  return undefined
}
