/**
 * Reviews: what a person decided of a new subsystem or a field, by name and with a reason; and what it makes of a policy.
 *
 * In: a policy as its configuration says, and decisions. Out: the policy with them. An accepted target is of its family
 * from then on; a rejected one is dropped. A field decided on is a `keep` or `remove` line behind all others of every
 * traces lane: it speaks where no line of the policy does, and never overrides one. Pure.
 *
 * Source: contract section 3, `laneway review`; decision 0012.
 */
import type { FieldRuleSpec, PolicySpec } from '../config/config.ts'
import type { Position, Problem } from '../errors.ts'
import { createClassifier, toByteString } from './family.ts'
import { didYouMean } from './nearest.ts'
import type { Place } from './place.ts'

export type Decision = 'accept' | 'reject'

/** Who decided, when (ISO 8601), and why; and where that is written. */
export interface Decided {
  readonly by: string
  readonly at: string
  readonly reason: string
  readonly position: Position
}

export interface TargetReview extends Decided {
  readonly target: string
  readonly decision: Decision
  /** Of an accepted target. */
  readonly family: string | undefined
  /** Whether the review makes the family. */
  readonly newFamily: boolean
}

export interface FieldReview extends Decided {
  readonly key: string
  readonly place: Place
  /** Undefined: of any family. */
  readonly family: string | undefined
  readonly decision: Decision
}

/** A finding that was looked at, and about which there is nothing to be done. */
export interface DismissedFinding extends Decided {
  readonly id: string
}

export interface Reviews {
  readonly targets: readonly TargetReview[]
  readonly fields: readonly FieldReview[]
  readonly dismissed: readonly DismissedFinding[]
}

export const NO_REVIEWS: Reviews = Object.freeze({ targets: [], fields: [], dismissed: [] })

/** The ledger's words for items of no family, which a field's review may name. */
const FAMILIES_OF_NONE: readonly string[] = ['foreign', 'unreviewed']

/** The policy with the reviews that can be taken up; `problems` says which cannot, and why. */
export function applyReviews(
  spec: PolicySpec,
  reviews: Reviews,
): { readonly spec: PolicySpec; readonly problems: readonly Problem[] } {
  const problems: Problem[] = []
  const targets = reviews.targets.filter((review) => {
    const problem = problemOf(spec, reviews, review)
    if (problem !== undefined) problems.push(problem)
    return problem === undefined
  })
  const families = withAccepted(spec.families, targets)
  const known = [...families.map(({ name }) => name), ...FAMILIES_OF_NONE]
  for (const { family, key, position } of reviews.fields) {
    if (family === undefined || known.includes(family)) continue
    problems.push({ severity: 'error', position, key: `fields.${key}`, message: noFamily(family, known) })
  }
  const rejected = targets
    .filter(({ decision }) => decision === 'reject')
    .map(({ target, position }) => ({ target, position }))
  const lines = reviews.fields.map(lineOf)
  const lanes = spec.lanes.map((lane) =>
    lane.signal === 'traces' && lines.length > 0 ? { ...lane, fields: [...lane.fields, ...lines] } : lane,
  )
  return { spec: { ...spec, families, rejected, lanes }, problems }
}

/** Why the review of a target cannot be taken up; a target that the policy names by now is only a warning. */
function problemOf(spec: PolicySpec, reviews: Reviews, review: TargetReview): Problem | undefined {
  const { target, position } = review
  const fail = (severity: Problem['severity'], message: string): Problem => {
    return { severity, position, key: `targets.${target}`, message }
  }
  const fault = faultOf(spec, target)
  if (fault !== undefined) return fail(fault.isOwned ? 'warning' : 'error', fault.message)
  if (review.decision === 'reject') return undefined
  const made = reviews.targets.filter(({ newFamily }) => newFamily).flatMap(({ family }) => family ?? [])
  const families = [...spec.families.map(({ name }) => name), ...made]
  if (review.family !== undefined && families.includes(review.family)) return undefined
  return fail('error', noFamily(review.family ?? '', families))
}

/** Why a target is none that can be reviewed; `isOwned`: `policy.families` has decided on it. */
export function faultOf(
  spec: PolicySpec,
  target: string,
): { readonly message: string; readonly isOwned: boolean } | undefined {
  const { inNamespace, family } = createClassifier(spec, [])(toByteString(target))
  if (family !== undefined) {
    const message = `policy.families has it in \`${family}\`, and a review never overrides that: change policy.families, or take the review out`
    return { message, isOwned: true }
  }
  if (!inNamespace) {
    const message = `is outside the namespace \`${spec.namespace}\`, so it is no subsystem to review; name it in a family of policy.families instead`
    return { message, isOwned: false }
  }
  if (target === spec.namespace || target.split('.').includes('')) {
    const message = `is no whole target of the namespace \`${spec.namespace}\`; write one such as \`${spec.namespace}.name\``
    return { message, isOwned: false }
  }
  return undefined
}

/** What reviews ask of a finding. */
export interface Reviewable {
  readonly id: string
  readonly kind: string
  readonly target: string | null
  readonly family: string | null
  readonly place: Place | null
  readonly key: string | null
}

/**
 * Whether a review has decided on a finding: on its target, or on a target whose segments own it; on its field; or on the
 * finding itself, which was dismissed.
 */
export function isReviewed({ targets, fields, dismissed }: Reviews, finding: Reviewable): boolean {
  if (dismissed.some(({ id }) => id === finding.id)) return true
  const { kind, target, key } = finding
  if (kind === 'unreviewed_subsystem' && target !== null) {
    return targets.some((review) => target === review.target || target.startsWith(`${review.target}.`))
  }
  if (kind !== 'undecided_field' || key === null) return false
  return fields.some((review) => {
    const isOfFamily = review.family === undefined || review.family === finding.family
    return review.key === key && review.place === finding.place && isOfFamily
  })
}

function noFamily(family: string, families: readonly string[]): string {
  const guess = didYouMean(family, families)
  return `there is no family \`${family}\`${guess || '.'} Name one of policy.families, or write \`new_family: true\` to make it`
}

function withAccepted(
  families: PolicySpec['families'],
  targets: readonly TargetReview[],
): PolicySpec['families'] {
  const accepted = Map.groupBy(
    targets.filter(({ decision }) => decision === 'accept'),
    ({ family = '' }) => family,
  )
  const added = (name: string): { readonly target: string; readonly position: Position }[] =>
    (accepted.get(name) ?? []).map(({ target, position }) => ({ target, position }))
  const grown = families.map((family) => {
    const more = added(family.name)
    return more.length === 0 ? family : { ...family, targets: [...family.targets, ...more] }
  })
  const known = new Set(families.map(({ name }) => name))
  const made = [...accepted.keys()].filter((name) => !known.has(name))
  return [
    ...grown,
    ...made.map((name) => {
      const own = added(name)
      return { name, targets: own, owner: undefined, position: own[0].position }
    }),
  ]
}

function lineOf({ key, place, family, decision, position }: FieldReview): FieldRuleSpec {
  return {
    verb: decision === 'accept' ? 'keep' : 'remove',
    keys: [{ key, position }],
    bytesMax: undefined,
    on: [place],
    families: family === undefined ? [] : [family],
    eventNames: [],
    position,
  }
}
