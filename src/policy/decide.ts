/**
 * From a target to a verdict: DESIGN's rules 1, 3, 5 and 6, on data from the configuration.
 *
 * A subject is a target as the policy sees it; its decisions are made when first asked for and kept with it.
 * A decision is a verdict, or, where accept lines have conditions, a function of the item's facts.
 */
import type { Disposal, PolicySpec } from '../config/config.ts'
import type { Position } from '../errors.ts'
import type { Carriage, Signal } from '../otlp/signal.ts'
import { type AcceptLine, type Facts, holds, isNamedBy, type Step, stepsFor } from './accept.ts'
import { type ByteString, type Classify, noTarget, type TargetClass, toByteString } from './family.ts'
import { type FindingKind, isNearMissOf } from './finding.ts'
import type { Fallback, Verdict, Verdicts } from './verdict.ts'

export interface Decision {
  /** Set where the target alone decides. */
  readonly verdict: Verdict | undefined
  /** Decides with the item's facts. */
  readonly ask: (facts: Facts) => Verdict
}

/** A target and what is decided of it so far. */
export interface Subject {
  readonly text: ByteString
  readonly target: TargetClass
  /** What a person should review about its events. */
  readonly findings: readonly FindingKind[]
  /** Whether some traces lane takes events of this target: what a doubtful target must never be. */
  readonly isTraceSafe: boolean
  readonly decisions: Partial<Record<Carriage, Decision>>
  /** Decisions on events whose target is in doubt and stands for this one. */
  readonly doubtful: Partial<Record<Carriage, Decision>>
  /** The judgments on items that are beyond doubt. */
  readonly judged: Partial<Record<Carriage, Judged>>
}

/** What is known of an item when its target is. */
export interface Judged {
  readonly decision: Decision
  /** The target that stands for one in doubt (empty if none can); undefined where there is no doubt. */
  readonly standIn: ByteString | undefined
  readonly findings: readonly FindingKind[]
  /** The target that the findings are about. */
  readonly about: ByteString
}

export interface DecidedLane {
  readonly name: string
  readonly signal: Signal
  readonly accept: readonly AcceptLine[]
}

/** How many lists of event names a decision remembers. */
const namesMax = 1024

type DeciderSpec = Pick<PolicySpec, 'namespace' | 'families' | 'unreviewed' | 'foreign' | 'positions'>

export class Decider {
  readonly #spec: DeciderSpec
  readonly #lanes: readonly DecidedLane[]
  readonly #verdicts: Verdicts
  readonly #classify: Classify
  readonly #familiesInEvents: ReadonlySet<string>
  readonly #familyTargets: readonly ByteString[]
  /** The subject of items without a target. */
  readonly none: Subject
  /** The subject of spans whose target is in doubt: no family, no namespace. */
  readonly #doubtfulSpan: Subject

  constructor(spec: DeciderSpec, lanes: readonly DecidedLane[], verdicts: Verdicts, classify: Classify) {
    this.#spec = spec
    this.#lanes = lanes
    this.#verdicts = verdicts
    this.#classify = classify
    this.#familiesInEvents = familiesNamed(lanes)
    this.#familyTargets = spec.families.flatMap(({ targets }) =>
      targets.map(({ target }) => toByteString(target)),
    )
    this.none = this.#subject('', noTarget)
    this.#doubtfulSpan = this.#subject('', { ...noTarget, isForeign: false })
  }

  subject(target: ByteString): Subject {
    return target === '' ? this.none : this.#subject(target, this.#classify(target))
  }

  decide(subject: Subject, carriage: Carriage): Decision {
    let decision = subject.decisions[carriage]
    if (decision === undefined) {
      const { target } = subject
      decision =
        carriage === 'span' || carriage === 'data_point'
          ? this.#decideNative(target, carriage, this.#nativeFamily(target))
          : this.#decideEvent(this.#asEvent(target), carriage, undefined)
      subject.decisions[carriage] = decision
    }
    return decision
  }

  /**
   * Rule 6: the target is no string, or was given with different values. A span belongs to no family. An
   * event goes by the first of its `values` that is in the namespace and not trace-safe, else by the
   * namespace itself, and to log lanes only; with no value in the namespace it is dropped.
   */
  decideDoubtful(
    values: readonly ByteString[],
    carriage: Carriage,
  ): { readonly decision: Decision; readonly target: ByteString } {
    if (carriage === 'span' || carriage === 'data_point') {
      const span = this.#doubtfulSpan
      span.decisions[carriage] ??= this.#decideNative(span.target, carriage, 'ambiguous')
      return { decision: span.decisions[carriage], target: '' }
    }
    const ours = values.filter((value) => this.subject(value).target.inNamespace)
    const fallback: Fallback = { outcome: 'dropped', reason: 'ambiguous_target', lane: '', rule: undefined }
    if (ours.length === 0) {
      const none = { carriage, family: 'ambiguous', taken: 0, rules: [], fallback }
      const verdict = this.#verdicts.settle(none)
      return { decision: { verdict, ask: () => verdict }, target: '' }
    }
    const target =
      ours.find((value) => !this.subject(value).isTraceSafe) ?? toByteString(this.#spec.namespace)
    const subject = this.subject(target)
    subject.doubtful[carriage] ??= this.#decideEvent(this.#asEvent(subject.target), carriage, fallback)
    return { decision: subject.doubtful[carriage], target }
  }

  #subject(text: ByteString, target: TargetClass): Subject {
    const event = this.#asEvent(target)
    const traces = this.#verdicts.lanesOf('traces')
    const isTraceSafe = this.#eventSteps(event).some(
      (steps, lane) => (traces & (1 << lane)) !== 0 && steps.some((step) => step.takes),
    )
    const isUnreviewed =
      event.inNamespace && event.family === undefined && this.#disposal(event) !== undefined
    const isNearMiss = isNearMissOf(text, target, this.#spec.namespace, this.#familyTargets)
    const findings: FindingKind[] = []
    if (isUnreviewed) findings.push('unreviewed_subsystem')
    if (isNearMiss) findings.push('near_miss')
    return { text, target, isTraceSafe, findings, decisions: {}, doubtful: {}, judged: {} }
  }

  /** Events of a family outside the namespace are foreign unless a lane names the family. */
  #asEvent(target: TargetClass): TargetClass {
    const { family, inNamespace } = target
    if (inNamespace || family === undefined || this.#familiesInEvents.has(family)) return target
    return { ...target, family: undefined }
  }

  #nativeFamily({ family, inNamespace }: TargetClass): string {
    return family ?? (inNamespace ? 'unreviewed' : 'foreign')
  }

  #decideNative(target: TargetClass, carriage: 'span' | 'data_point', family: string): Decision {
    const items = carriage === 'span' ? 'spans' : 'points'
    const steps = this.#lanes.map((lane) =>
      stepsFor(lane.accept, items, target, { onlyNamed: false, isAdmitted: false }),
    )
    return this.#decision({ steps, carriage, family, lanes: -1, fallback: undefined })
  }

  #decideEvent(target: TargetClass, carriage: Carriage, doubt: Fallback | undefined): Decision {
    const family = doubt === undefined ? this.#nativeFamily(target) : 'ambiguous'
    const { rejection } = target
    if (rejection !== undefined) {
      const fallback: Fallback = { outcome: 'dropped', reason: 'rejected', lane: '', rule: rejection }
      return this.#decision({ steps: this.#eventSteps(target), carriage, family, lanes: 0, fallback })
    }
    const disposal = this.#disposal(target)
    const disposed: Fallback | undefined =
      disposal === undefined || disposal.how === 'forward'
        ? undefined
        : {
            outcome: disposal.how === 'drop' ? 'dropped' : 'quarantined',
            reason: target.inNamespace ? 'unreviewed' : 'foreign',
            lane: '',
            rule: disposal.position,
          }
    const lanes = doubt === undefined ? -1 : this.#verdicts.lanesOf('logs')
    return this.#decision({
      steps: this.#eventSteps(target),
      carriage,
      family,
      lanes,
      fallback: disposed ?? doubt,
    })
  }

  #eventSteps(target: TargetClass): readonly (readonly Step[])[] {
    if (target.rejection !== undefined) return this.#lanes.map(() => [])
    const disposal = this.#disposal(target)
    const scope = {
      onlyNamed: disposal !== undefined && disposal.how !== 'forward',
      isAdmitted: disposal?.how === 'forward',
    }
    return this.#lanes.map((lane) => stepsFor(lane.accept, 'events', target, scope))
  }

  /** What `unreviewed` or `foreign` says of a target that is of no family and that no lane names. */
  #disposal(target: TargetClass): { readonly how: Disposal; readonly position: Position } | undefined {
    if (target.family !== undefined || target.rejection !== undefined) return undefined
    if (this.#lanes.some((lane) => isNamedBy(lane.accept, target))) return undefined
    const { unreviewed, foreign, positions } = this.#spec
    return target.inNamespace
      ? { how: unreviewed, position: positions.unreviewed }
      : { how: foreign, position: positions.foreign }
  }

  #decision(question: {
    readonly steps: readonly (readonly Step[])[]
    readonly carriage: Carriage
    readonly family: string
    /** The lanes that may take the item, as bits. */
    readonly lanes: number
    readonly fallback: Fallback | undefined
  }): Decision {
    // One verdict for each choice of steps, made once: items that conditions tell apart come by the thousand.
    const verdicts = new Map<string, Verdict>()
    const choose = (facts: Facts | undefined): Verdict => {
      const chosen = question.steps.map((steps, lane) =>
        (question.lanes & (1 << lane)) === 0
          ? -1
          : steps.findIndex(
              ({ condition, takes }) =>
                condition === undefined || (facts !== undefined && holds(condition, facts, takes)),
            ),
      )
      const key = chosen.join()
      const known = verdicts.get(key)
      if (known !== undefined) return known
      const verdict = verdictOn(chosen)
      verdicts.set(key, verdict)
      return verdict
    }
    const conditions = question.steps.flatMap((steps) => steps.flatMap(({ condition }) => condition ?? []))
    const asksNamesOnly = conditions.every(({ resource }) => resource.length === 0)
    const byNames = new Map<readonly ByteString[], Verdict>()
    const ask = (facts: Facts | undefined): Verdict => {
      if (facts === undefined || !asksNamesOnly) return choose(facts)
      // The same names come as the same list, mostly: the look-up saves the questions.
      const names = facts.eventNames()
      const known = byNames.get(names)
      if (known !== undefined) return known
      if (byNames.size >= namesMax) byNames.clear()
      const verdict = choose(facts)
      byNames.set(names, verdict)
      return verdict
    }
    const verdictOn = (chosen: readonly number[]): Verdict => {
      let taken = 0
      const rules: (Position | undefined)[] = []
      let refusal: Fallback | undefined
      chosen.forEach((index, lane) => {
        if (index < 0) return
        const step = question.steps[lane][index]
        if (step.takes) {
          taken |= 1 << lane
          rules[lane] = step.rule
        } else {
          refusal ??= {
            outcome: 'dropped',
            reason: 'lane_rule',
            lane: this.#lanes[lane].name,
            rule: step.rule,
          }
        }
      })
      const fallback = question.fallback ??
        refusal ?? { outcome: 'dropped', reason: 'no_lane', lane: '', rule: undefined }
      return this.#verdicts.settle({
        carriage: question.carriage,
        family: question.family,
        taken,
        rules,
        fallback,
      })
    }
    const isConditional = conditions.length > 0
    return { verdict: isConditional ? undefined : ask(undefined), ask }
  }
}

/** The families that accept lines name for events. */
function familiesNamed(lanes: readonly DecidedLane[]): ReadonlySet<string> {
  const families = new Set<string>()
  for (const lane of lanes) {
    for (const line of lane.accept) {
      if (line.items !== 'events') continue
      for (const { subject } of line.selectors) if (subject.kind === 'family') families.add(subject.name)
    }
  }
  return families
}
