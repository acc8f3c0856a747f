/**
 * What `route` decides of each item of a request, in the form that `explain` shows.
 *
 * It runs `route` itself with a witness, so what it says is what a sidecar does. Out: for each item its target,
 * family, fate and the line that says so, and for each field what becomes of it on each lane. Keys only, no values.
 */
import type { LaneSpec, Place, PolicySpec } from '../config/config.ts'
import { MalformedRequest, type Position } from '../errors.ts'
import type { Carriage } from '../otlp/signal.ts'
import { compilePolicy, type Policy } from '../policy/compile.ts'
import type { FieldAction } from '../policy/fields.ts'
import { route, type WitnessedItem } from '../policy/route.ts'
import type { Outcome, Reason } from '../telemetry/tally.ts'
import type { CapturedRequest } from './explain-input.ts'

/** A lane that takes an item. */
export interface Way {
  readonly lane: string
  /** `carried`: a span event whose span does not go to the lane rides there on a span made for it. */
  readonly how: 'native' | 'rehomed' | 'carried'
  /** The accept line. */
  readonly rule: Position | undefined
}

export interface ExplainedField {
  readonly lane: string
  readonly place: Place
  /** An attribute's key, the path of a nested entry, or a text's name. */
  readonly key: string
  readonly action: 'keep' | 'remove' | 'hash' | 'truncate'
  /** False where no line names the key. */
  readonly isDecided: boolean
  readonly rule: Position | undefined
}

export interface ExplainedItem {
  readonly carriage: Carriage
  /** Undefined if there is none, or none beyond doubt. */
  readonly target: string | undefined
  /** The path that gave it; a path without a target is a target in doubt. */
  readonly targetFrom: string | undefined
  readonly family: string
  /** In the order of the configuration, but that the one of the ledger's row stands first. */
  readonly ways: readonly Way[]
  /** The lane of the ledger's row, or empty. */
  readonly lane: string
  readonly outcome: Outcome
  readonly reason: Reason | ''
  readonly rule: Position | undefined
  readonly fields: readonly ExplainedField[]
}

/** Throws `MalformedRequest` where a sidecar would answer 400, and `TooLarge`. */
export function explainItems(request: CapturedRequest, spec: PolicySpec): readonly ExplainedItem[] {
  try {
    return listen(request, compilePolicy({ ...spec, lanes: spec.lanes.map(looking) }).policy)
  } catch (error) {
    if (!(error instanceof MalformedRequest)) throw error
    // A lane that looks at no field may pass what another reader stumbles over: then its fields stay unlisted.
    return listen(request, compilePolicy(spec).policy)
  }
}

/** A lane without field rules does not enter its items. A rule that names nothing changes nothing, and shows the keys. */
function looking(lane: LaneSpec): LaneSpec {
  if (hasFieldPolicy(lane)) return lane
  const { position } = lane
  const rule = { verb: 'keep', keys: [], bytesMax: undefined, on: [], families: [], eventNames: [] } as const
  return { ...lane, fields: [{ ...rule, position }] }
}

export function hasFieldPolicy({ fields, unlistedFields }: LaneSpec): boolean {
  return fields.length > 0 || unlistedFields === 'remove'
}

function listen({ bytes, signal }: CapturedRequest, policy: Policy): readonly ExplainedItem[] {
  const items: ExplainedItem[] = []
  let before: WitnessedItem | undefined
  route(bytes, signal, policy, {
    item(witnessed) {
      // The points of a metric are one and the same to the witness.
      items.push(witnessed === before ? items[items.length - 1] : explain(witnessed, policy))
      before = witnessed
    },
  })
  return items
}

function explain(witnessed: WitnessedItem, policy: Policy): ExplainedItem {
  const { carriage, target, targetFrom, verdict } = witnessed
  const { family, lane, outcome, reason, rule } = verdict
  const ways = waysOf(witnessed, policy)
  return {
    carriage,
    target: target === undefined ? undefined : Buffer.from(target, 'latin1').toString('utf8'),
    targetFrom,
    family,
    ways,
    lane,
    outcome,
    reason,
    rule,
    fields: fieldsOf(witnessed, new Set(ways.map((way) => way.lane))),
  }
}

function waysOf({ verdict }: WitnessedItem, { lanes }: Policy): readonly Way[] {
  const { native, rehomed, carried, rules } = verdict
  const sets = [
    ['native', native],
    ['rehomed', rehomed],
    ['carried', carried],
  ] as const
  const ways = lanes.flatMap(({ name }, index) => {
    const [how] = sets.find(([, bits]) => (bits & (1 << index)) !== 0) ?? []
    return how === undefined ? [] : [{ lane: name, how, rule: rules[index] }]
  })
  return ways.toSorted((one, other) => rank(one, verdict.lane) - rank(other, verdict.lane))
}

function rank(way: Way, first: string): number {
  return way.lane === first ? 0 : 1
}

/** Each once: an attribute that is given twice, or a resource in two pieces, meets the same rules each time. */
function fieldsOf({ fields }: WitnessedItem, lanes: ReadonlySet<string>): readonly ExplainedField[] {
  const explained = new Map<string, ExplainedField>()
  for (const { lane, place, key, action } of fields) {
    if (!lanes.has(lane)) continue
    const identity = `${lane}\n${place}\n${key}`
    if (!explained.has(identity)) explained.set(identity, { lane, place, key, ...actionOf(action) })
  }
  return [...explained.values()]
}

function actionOf({
  removes,
  changes,
  isDecided,
  rule,
}: FieldAction): Pick<ExplainedField, 'action' | 'isDecided' | 'rule'> {
  if (removes) return { action: 'remove', isDecided, rule }
  const last = changes.at(-1)
  if (last === undefined) return { action: 'keep', isDecided, rule }
  return { action: last.kind, isDecided, rule: last.rule }
}
