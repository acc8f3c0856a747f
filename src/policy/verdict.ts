/**
 * Verdicts: for one item, the lanes that take it, or why none does.
 *
 * A verdict is made once for each combination that occurs and then shared: the hot path only counts how often
 * each was given. Lanes are bits of a number, in the order of the configuration, so that sets of lanes are
 * compared and intersected by one operation.
 */
import type { Position } from '../errors.ts'
import type { Carriage, Signal } from '../otlp/signal.ts'
import type { Outcome, Reason } from '../telemetry/tally.ts'

/** A policy has at most so many lanes: the bits of a small integer. */
export const lanesMax = 30

export interface Verdict {
  /** Index in the policy's list of verdicts. */
  readonly id: number
  readonly carriage: Carriage
  /** Family as the ledger names it. */
  readonly family: string
  /** Lanes of the item's own signal that take it, as bits. */
  readonly native: number
  /** Lanes of the other carriage's signal that take it rehomed, as bits. */
  readonly rehomed: number
  /** Traces lanes that take a span event but not its span: it rides there on a carrier span. As bits. */
  readonly carried: number
  readonly outcome: Outcome
  readonly reason: Reason | ''
  /** Name of the lane concerned, or empty. */
  readonly lane: string
  /** Where the configuration says so, for `lane`; undefined where nothing does (`no_lane`). */
  readonly rule: Position | undefined
  /** By lane: the line that takes the item there. Another of them speaks if the first lane does not get it after all. */
  readonly rules: readonly (Position | undefined)[]
}

/** Why an item that no lane takes goes where it goes. */
export interface Fallback {
  readonly outcome: 'dropped' | 'quarantined'
  readonly reason: Reason
  readonly lane: string
  readonly rule: Position | undefined
}

export interface LaneTraits {
  readonly name: string
  readonly signal: Signal
  /** False for a lane without exporters. */
  readonly isOn: boolean
}

/** The signal on which an item arrives natively, and the one that a rehomed event leaves on. */
const HOMES: Readonly<Record<Carriage, { readonly native: Signal; readonly other: Signal | undefined }>> = {
  log_record: { native: 'logs', other: 'traces' },
  span_event: { native: 'traces', other: 'logs' },
  span: { native: 'traces', other: undefined },
  data_point: { native: 'metrics', other: undefined },
}

export interface Rehome {
  readonly toLogs: boolean
  readonly toTraces: boolean
}

/** Makes and remembers verdicts. */
export class Verdicts {
  readonly list: Verdict[] = []
  readonly #byKey = new Map<string, Verdict>()
  readonly #lanes: readonly LaneTraits[]
  readonly #rehome: Rehome
  readonly #rehomePosition: Position
  #spanThatLeft: Verdict | undefined

  constructor(lanes: readonly LaneTraits[], rehome: Rehome, rehomePosition: Position) {
    this.#lanes = lanes
    this.#rehome = rehome
    this.#rehomePosition = rehomePosition
  }

  /** The lanes of a signal, as bits. */
  lanesOf(signal: Signal): number {
    return this.#bits((lane) => lane.signal === signal)
  }

  /**
   * The verdict on an item that the lanes `taken` accept, each by its own of `rules`; `fallback` says what
   * becomes of it if there are none.
   */
  settle(item: {
    readonly carriage: Carriage
    readonly family: string
    readonly taken: number
    readonly rules: readonly (Position | undefined)[]
    readonly fallback: Fallback
  }): Verdict {
    const { carriage, family, taken, rules, fallback } = item
    const home = HOMES[carriage]
    const on = this.#bits((lane) => lane.isOn)
    const nativeLanes = taken & this.lanesOf(home.native)
    const otherLanes = home.other === undefined ? 0 : taken & this.lanesOf(home.other)
    const mayRehome = home.other === 'logs' ? this.#rehome.toLogs : this.#rehome.toTraces
    const native = nativeLanes & on
    const rehomed = mayRehome ? otherLanes & on : 0
    const none = { carriage, family, native, rehomed, carried: 0, rules }
    if (native !== 0) {
      return this.#intern({ ...none, outcome: 'forwarded', reason: '', ...this.#by(native, rules) })
    }
    if (rehomed !== 0) {
      return this.#intern({ ...none, outcome: 'rehomed', reason: '', ...this.#by(rehomed, rules) })
    }
    if (nativeLanes !== 0 || (otherLanes !== 0 && mayRehome)) {
      const lanes = nativeLanes === 0 ? otherLanes : nativeLanes
      return this.#intern({ ...none, outcome: 'dropped', reason: 'no_exporter', ...this.#by(lanes, rules) })
    }
    if (otherLanes !== 0) {
      const { lane } = this.#by(otherLanes, rules)
      const rule = this.#rehomePosition
      return this.#intern({ ...none, outcome: 'dropped', reason: 'wrong_carriage', lane, rule })
    }
    return this.#intern({ ...none, ...fallback })
  }

  /** The verdict on a span event whose span is taken by the lanes `span` only: elsewhere it rides a carrier span. */
  withinSpan(verdict: Verdict, span: number): Verdict {
    const native = verdict.native & span
    if (native === verdict.native) return verdict
    const carried = this.#rehome.toTraces ? verdict.native & ~span : 0
    const { rehomed, rules } = verdict
    if ((native | carried) !== 0) {
      return this.#intern({
        ...verdict,
        native,
        carried,
        ...this.#by(native === 0 ? carried : native, rules),
      })
    }
    if (rehomed !== 0) {
      return this.#intern({ ...verdict, native, outcome: 'rehomed', ...this.#by(rehomed, rules) })
    }
    return this.#intern({ ...verdict, native, outcome: 'dropped', reason: 'no_span' })
  }

  /** What is left of a span when its events were held: no item, and on no lane. */
  spanThatLeft(): Verdict {
    if (this.#spanThatLeft === undefined) {
      const fallback: Fallback = { outcome: 'dropped', reason: 'no_lane', lane: '', rule: undefined }
      this.#spanThatLeft = this.settle({ carriage: 'span', family: '', taken: 0, rules: [], fallback })
    }
    return this.#spanThatLeft
  }

  /** The verdict on an event that has no span to ride on: no traces lane can take it rehomed. */
  withoutSpan(verdict: Verdict): Verdict {
    const rehomed = verdict.rehomed & ~this.lanesOf('traces')
    if (rehomed === verdict.rehomed) return verdict
    if (verdict.native !== 0) return this.#intern({ ...verdict, rehomed })
    return this.#intern({ ...verdict, rehomed, outcome: 'dropped', reason: 'no_span' })
  }

  /** Names of the lanes of a set, in the order of the configuration. */
  names(lanes: number): readonly string[] {
    return this.#lanes.filter((_, index) => (lanes & (1 << index)) !== 0).map((lane) => lane.name)
  }

  #bits(wanted: (lane: LaneTraits) => boolean): number {
    return this.#lanes.reduce((bits, lane, index) => (wanted(lane) ? bits | (1 << index) : bits), 0)
  }

  /** The first of the lanes in the set, and its rule. */
  #by(
    lanes: number,
    rules: readonly (Position | undefined)[],
  ): { readonly lane: string; readonly rule: Position | undefined } {
    const index = this.#lanes.findIndex((_, lane) => (lanes & (1 << lane)) !== 0)
    return { lane: this.#lanes[index].name, rule: rules[index] }
  }

  #intern(parts: Omit<Verdict, 'id'>): Verdict {
    const { carriage, family, native, rehomed, carried, outcome, reason, lane, rule, rules } = parts
    const places = [rule, ...rules].map((one) =>
      one === undefined ? '' : `${one.file}:${one.line}:${one.column}`,
    )
    const key = [carriage, family, native, rehomed, carried, outcome, reason, lane, ...places].join('|')
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const verdict = { ...parts, id: this.list.length }
    this.list.push(verdict)
    this.#byKey.set(key, verdict)
    return verdict
  }
}
