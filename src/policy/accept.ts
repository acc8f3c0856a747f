/**
 * Accept lines, compiled: which lanes take an item of a given class, decided by the first line that names it.
 *
 * What depends on the target alone is decided once a class. Only lines with a condition (an event name, a
 * resource attribute) are asked again for each item, and only where no earlier line has decided.
 */
import type { AcceptLineSpec, SelectorSpec } from '../config/config.ts'
import type { Position } from '../errors.ts'
import { type ByteString, type TargetClass, toByteString } from './family.ts'

/** What conditions ask of an item. Lists, because an attribute may occur twice. */
export interface Facts {
  /** Values of the event's name, in the order of occurrence. */
  eventNames(): readonly ByteString[]
  resourceValues(key: ByteString): readonly ByteString[]
}

export type Glob = (text: ByteString) => boolean

/** All parts must hold. */
export interface Condition {
  readonly eventNames: readonly Glob[]
  readonly resource: readonly { readonly key: ByteString; readonly globs: readonly Glob[] }[]
}

/** What a compiled selector asks of the target; `any` asks nothing. */
type Subject =
  | { readonly kind: 'any' | 'foreign' | 'namespace' }
  | { readonly kind: 'family' | 'target'; readonly name: string }

export interface Selector {
  readonly subject: Subject
  readonly condition: Condition | undefined
}

export interface AcceptLine {
  readonly takes: boolean
  readonly items: AcceptLineSpec['items']
  readonly selectors: readonly Selector[]
  readonly position: Position
}

/** One question left when the target is known: if `condition` holds (none: always), the line decides. */
export interface Step {
  readonly takes: boolean
  readonly condition: Condition | undefined
  readonly rule: Position
}

export function compileSelector(spec: SelectorSpec, families: ReadonlySet<string>): Selector {
  const conditions: Condition = {
    eventNames: spec.eventNames.map(glob),
    resource: Object.entries(spec.resource).map(([key, globs]) => ({
      key: toByteString(key),
      globs: globs.map(glob),
    })),
  }
  const isConditional = conditions.eventNames.length + conditions.resource.length > 0
  return { subject: subjectOf(spec, families), condition: isConditional ? conditions : undefined }
}

/** The word that names the selector's subject; undefined for a map that names neither family nor target. */
export function selectorWord(spec: SelectorSpec): string | undefined {
  return spec.word ?? spec.family ?? spec.target
}

function subjectOf(spec: SelectorSpec, families: ReadonlySet<string>): Subject {
  const word = selectorWord(spec)
  if (word === undefined || word === 'any') return { kind: 'any' }
  if (word === 'foreign') return { kind: 'foreign' }
  if (word === '*') return { kind: 'namespace' }
  if (spec.target === undefined && families.has(word)) return { kind: 'family', name: word }
  return { kind: 'target', name: word }
}

/**
 * Whether a selector names the target by itself. `isAdmitted`: the policy lets `*` speak for this foreign
 * target too (`foreign: forward`). `sense` is the family as the rules see it.
 */
function names(subject: Subject, target: TargetClass, isAdmitted: boolean): boolean {
  switch (subject.kind) {
    case 'any':
      return true
    case 'foreign':
      return target.isForeign
    case 'namespace':
      return target.inNamespace || isAdmitted
    case 'family':
      return target.family === subject.name
    case 'target':
      return target.named.has(subject.name)
  }
}

/** Whether a line speaks of this very target, rather than of all that is in the namespace. */
export function isNamedBy(lines: readonly AcceptLine[], target: TargetClass): boolean {
  return lines.some(
    (line) =>
      line.items === 'events' &&
      line.selectors.some(
        ({ subject, condition }) =>
          condition === undefined && subject.kind !== 'namespace' && names(subject, target, false),
      ),
  )
}

/** The steps of a lane for a class, ending with the first that decides for certain. `onlyNamed` leaves out `*`. */
export function stepsFor(
  lines: readonly AcceptLine[],
  items: AcceptLineSpec['items'],
  target: TargetClass,
  scope: { readonly onlyNamed: boolean; readonly isAdmitted: boolean },
): readonly Step[] {
  const steps: Step[] = []
  for (const line of lines) {
    if (line.items !== items) continue
    for (const { subject, condition } of line.selectors) {
      if (scope.onlyNamed && subject.kind === 'namespace') continue
      if (!names(subject, target, scope.isAdmitted)) continue
      steps.push({ takes: line.takes, condition, rule: line.position })
      if (condition === undefined) return steps
    }
  }
  return steps
}

/**
 * Whether a condition holds. Where an attribute was given twice with different values the strict reading
 * wins: to be taken all values must match, to be excepted one is enough.
 */
export function holds(condition: Condition, facts: Facts, takes: boolean): boolean {
  const matches = (values: readonly ByteString[], globs: readonly Glob[]): boolean => {
    const isMatch = (value: ByteString): boolean => globs.some((matchesGlob) => matchesGlob(value))
    return takes ? values.length > 0 && values.every(isMatch) : values.some(isMatch)
  }
  if (condition.eventNames.length > 0 && !matches(facts.eventNames(), condition.eventNames)) return false
  return condition.resource.every(({ key, globs }) => matches(facts.resourceValues(key), globs))
}

/** A glob over byte strings: `*` stands for any text, dots included; everything else for itself. */
export function glob(pattern: string): Glob {
  const bytes = toByteString(pattern)
  if (!bytes.includes('*')) return (text) => text === bytes
  const [first, ...middle] = bytes.split('*')
  const last = middle.pop() ?? ''
  // Leftmost matches, one after the other: a regular expression would try again for every `*`, and a long text hang.
  return (text) => {
    const end = text.length - last.length
    if (end < first.length || !text.startsWith(first) || !text.endsWith(last)) return false
    let at = first.length
    for (const part of middle) {
      const found = text.indexOf(part, at)
      if (found < 0) return false
      at = found + part.length
    }
    return at <= end
  }
}
