/**
 * Field policies, compiled: for a key in a place, what a lane does with it and which line says so.
 *
 * The lines are walked in order. `keep` and `remove` end the walk at the first that names the key; `only` removes
 * what it does not name; `hash` and `truncate` change the value, and the walk goes on. What no line named is
 * undecided: `unlisted_fields` says what becomes of it.
 *
 * The lines that can apply to an item are known from its place, family and event name; that set is a context.
 * In a context the action on each key is remembered, so the price of a key does not grow with the number of lines.
 * Pure: the same key in the same context has the same action.
 */
import type { FieldRuleSpec } from '../config/config.ts'
import type { Position } from '../errors.ts'
import { type Glob, glob } from './accept.ts'
import { type ByteString, toByteString } from './family.ts'
import type { Key } from './keys.ts'
import { PLACES, type Place } from './place.ts'

/** What changes a value that stays. */
export type Change =
  | { readonly kind: 'hash'; readonly rule: Position }
  | { readonly kind: 'truncate'; readonly bytesMax: number; readonly rule: Position }

export interface FieldAction {
  readonly removes: boolean
  /** In order; empty for a field that leaves as it came. */
  readonly changes: readonly Change[]
  /** Whether some line named the key. */
  readonly isDecided: boolean
  /** Whether nothing is to be done or said: it was decided that the field leaves as it came. */
  readonly isPlain: boolean
  /** The line that removed or kept it, or the last that changed it. */
  readonly rule: Position | undefined
}

/** Attributes of an item that no glob, allow-list or `unlisted_fields` touches: only a line that names them exactly does. */
const exemptKeys: ReadonlySet<ByteString> = new Set(['event.name', 'level'])
const exemptPrefix = 'laneway.'

/** Keys, and paths of nested entries, whose action a context remembers. */
const rememberedKeysMax = 1024

/** Keys whose action is at hand; a power of two. The others are found by their text. */
const atHand = 128

const noAction: FieldAction = {
  removes: true,
  changes: [],
  isDecided: false,
  isPlain: false,
  rule: undefined,
}

interface Rule {
  readonly spec: FieldRuleSpec
  readonly exact: ReadonlySet<ByteString>
  readonly globs: readonly Glob[]
  readonly eventNames: readonly Glob[]
}

/** The lines that apply to items of one kind in one place. Remembers what it decided. */
export class FieldContext {
  readonly #rules: readonly Rule[]
  /** Whether what no line names is removed. */
  readonly removesUnlisted: boolean
  readonly #hasExempt: boolean
  readonly #targetKey: ByteString
  /** By the lower bits of a key's id: a key, and the action on it. Made when the first key is asked for. */
  #keys: (Key | undefined)[] = []
  #actions: FieldAction[] = []
  readonly #flat = new Map<ByteString, FieldAction>()
  readonly #nested = new Map<string, FieldAction>()
  readonly #texts = new Map<string, FieldAction>()
  #name: FieldAction | undefined
  #eventName: FieldAction | undefined

  constructor(rules: readonly Rule[], removesUnlisted: boolean, hasExempt: boolean, targetKey: ByteString) {
    this.#rules = rules
    this.removesUnlisted = removesUnlisted
    this.#hasExempt = hasExempt
    this.#targetKey = targetKey
  }

  /** What becomes of the attribute with this key. */
  attribute(key: Key): FieldAction {
    const slot = key.id & (atHand - 1)
    return this.#keys[slot] === key ? this.#actions[slot] : this.#recall(key, slot)
  }

  #recall(key: Key, slot: number): FieldAction {
    if (this.#keys.length === 0) {
      this.#keys = new Array<Key | undefined>(atHand).fill(undefined)
      this.#actions = new Array<FieldAction>(atHand).fill(noAction)
    }
    const action = this.named(key.text)
    this.#keys[slot] = key
    this.#actions[slot] = action
    return action
  }

  /** What becomes of the attribute with the key `key`. */
  named(key: ByteString): FieldAction {
    let action = this.#flat.get(key)
    if (action === undefined) {
      if (this.#flat.size >= rememberedKeysMax) this.#flat.clear()
      action = this.#decide([key], this.#isExempt(key))
      this.#flat.set(key, action)
    }
    return action
  }

  /** What becomes of text `@name`: asked for every span and event. */
  get name(): FieldAction {
    this.#name ??= this.#decideText('@name')
    return this.#name
  }

  /** What becomes of attribute `event.name`. */
  get eventName(): FieldAction {
    this.#eventName ??= this.#decide(['event.name'], true)
    return this.#eventName
  }

  /** What becomes of an entry inside a kvlist; `path` holds the keys from the attribute down to the entry. */
  nested(path: readonly ByteString[]): FieldAction {
    // A key may hold any character, so no separator would do: `a`, `b` must not be taken for a key `a.b` of another shape.
    const key = JSON.stringify(path)
    let action = this.#nested.get(key)
    if (action === undefined) {
      if (this.#nested.size >= rememberedKeysMax) this.#nested.clear()
      action = this.#decide(path, false)
      this.#nested.set(key, action)
    }
    return action
  }

  /** What becomes of a text outside attributes, such as `@name`. */
  text(name: string): FieldAction {
    if (name === '@name') return this.name
    let action = this.#texts.get(name)
    if (action === undefined) {
      action = this.#decideText(name)
      this.#texts.set(name, action)
    }
    return action
  }

  #isExempt(key: ByteString): boolean {
    if (!this.#hasExempt) return false
    return isExemptKey(key) || (key === this.#targetKey && key !== '')
  }

  #decide(path: readonly ByteString[], isExempt: boolean): FieldAction {
    // A flat key is matched whole, a nested one by any tail of its path.
    const tails = path.map((_, index) => path.slice(index).join('.'))
    const names = (rule: Rule): boolean =>
      tails.some((tail) => rule.exact.has(tail) || (!isExempt && rule.globs.some((matches) => matches(tail))))
    const changes: Change[] = []
    let rule: Position | undefined
    for (const candidate of this.#rules) {
      const { verb, position } = candidate.spec
      const isNamed = names(candidate)
      if (verb === 'only') {
        if (!isNamed && !isExempt) return removed(position)
        if (isNamed) rule ??= position
      } else if (isNamed) {
        if (verb === 'remove') return removed(position)
        rule = position
        if (verb === 'keep') break
        changes.push(changeOf(candidate.spec))
      }
    }
    if (rule === undefined && this.removesUnlisted && !isExempt) {
      return { removes: true, changes: [], isDecided: false, isPlain: false, rule: undefined }
    }
    const isDecided = rule !== undefined || isExempt
    return { removes: false, changes, isDecided, isPlain: isDecided && changes.length === 0, rule }
  }

  #decideText(name: string): FieldAction {
    const changes: Change[] = []
    let rule: Position | undefined
    for (const { spec, exact } of this.#rules) {
      if (!exact.has(name)) continue
      if (spec.verb === 'remove') return removed(spec.position)
      if (spec.verb === 'only') {
        rule ??= spec.position
        continue
      }
      rule = spec.position
      if (spec.verb === 'keep') break
      changes.push(changeOf(spec))
    }
    const removes = rule === undefined && this.removesUnlisted
    const kept = removes ? [] : changes
    return {
      removes,
      changes: kept,
      isDecided: rule !== undefined,
      isPlain: !removes && kept.length === 0,
      rule,
    }
  }
}

/** The contexts of one item, one for each place, in the order of `PLACES`. */
export type PlaceContexts = Readonly<Record<Place, FieldContext>>

/** How many sets of contexts, and of event names, a lane remembers; beyond it they are made anew. */
const rememberedMax = 4096

/** Which lines a set of event names lets through: one object for each distinct set. */
interface NameSet {
  readonly id: number
  /** By line. Undefined: the item cannot say, and every line applies. */
  readonly passes: readonly boolean[] | undefined
}

const anyName: NameSet = { id: 0, passes: undefined }

interface LastAsked {
  readonly targetKey: ByteString
  readonly family: string | undefined
  readonly eventNames: readonly ByteString[]
  readonly contexts: PlaceContexts | undefined
}

/** A lane's field policy. */
export class FieldPolicy {
  /** False where the lane lets every field pass: its items need not be entered. */
  readonly isActive: boolean
  /** Whether some line asks for the event's name. */
  readonly asksEventName: boolean
  /** Whether attributes that no line names are removed. */
  readonly removesUnlisted: boolean
  readonly #asksFamily: boolean
  readonly #rules: readonly Rule[]
  /** By attribute of the target, then family, then set of event names. */
  readonly #contexts = new Map<ByteString, Map<string | undefined, Map<number, PlaceContexts>>>()
  #contextsCount = 0
  /** What was asked for last: items of one kind follow each other. */
  #last: LastAsked = { targetKey: '', family: undefined, eventNames: [], contexts: undefined }
  readonly #setsByName = new Map<ByteString, NameSet>()
  readonly #setsByLines = new Map<string, NameSet>()

  constructor(specs: readonly FieldRuleSpec[], unlisted: 'keep' | 'remove') {
    this.#rules = specs.map(compileRule)
    this.removesUnlisted = unlisted === 'remove'
    this.isActive = specs.length > 0 || this.removesUnlisted
    this.asksEventName = specs.some(({ eventNames }) => eventNames.length > 0)
    this.#asksFamily = specs.some(({ families }) => families.length > 0)
  }

  /**
   * The contexts of an item. `family` is undefined, and `eventNames` empty, where the item cannot say: then every
   * line that asks for it applies. `targetKey` is the attribute that gave the target, or empty.
   */
  contexts(
    family: string | undefined,
    eventNames: readonly ByteString[],
    targetKey: ByteString,
  ): PlaceContexts {
    const asked = this.#asksFamily ? family : undefined
    const last = this.#last
    const isLast = last.targetKey === targetKey && last.family === asked && last.eventNames === eventNames
    if (isLast && last.contexts !== undefined) return last.contexts
    const names = this.asksEventName && eventNames.length > 0 ? this.#namesSet(eventNames) : anyName
    const known = this.#contexts.get(targetKey)?.get(asked)?.get(names.id)
    const contexts = known ?? this.#remember(asked, names, targetKey)
    this.#last = { targetKey, family: asked, eventNames, contexts }
    return contexts
  }

  /**
   * Whether an attribute `key` in `place` leaves as it came whatever item it is of, its target's attribute apart: so
   * say the lines that ask nothing of the item, and none of those that do would touch it.
   */
  alwaysKeeps(place: Place, key: ByteString): boolean {
    const isExempt = hasOwnAttributes(place) && isExemptKey(key)
    for (const { spec, exact, globs } of this.#rules) {
      if (spec.on.length > 0 && !spec.on.includes(place)) continue
      if (spec.verb === 'only') return false
      if (!exact.has(key) && (isExempt || !globs.some((matches) => matches(key)))) continue
      if (spec.verb !== 'keep') return false
      if (spec.families.length === 0 && spec.eventNames.length === 0) return true
    }
    return isExempt
  }

  #remember(family: string | undefined, names: NameSet, targetKey: ByteString): PlaceContexts {
    if (this.#contextsCount >= rememberedMax) {
      this.#contexts.clear()
      this.#contextsCount = 0
    }
    const byFamily =
      this.#contexts.get(targetKey) ?? new Map<string | undefined, Map<number, PlaceContexts>>()
    const byNames = byFamily.get(family) ?? new Map<number, PlaceContexts>()
    const contexts = this.#makeContexts(family, names, targetKey)
    this.#contexts.set(targetKey, byFamily)
    byFamily.set(family, byNames)
    byNames.set(names.id, contexts)
    this.#contextsCount++
    return contexts
  }

  #namesSet(eventNames: readonly ByteString[]): NameSet {
    if (eventNames.length > 1) return this.#lineSet(eventNames)
    const [name] = eventNames
    let set = this.#setsByName.get(name)
    if (set === undefined) {
      if (this.#setsByName.size >= rememberedMax) this.#setsByName.clear()
      set = this.#lineSet(eventNames)
      this.#setsByName.set(name, set)
    }
    return set
  }

  /** Of several names the strict reading holds: a line that keeps must pass all of them, any other line one. */
  #lineSet(eventNames: readonly ByteString[]): NameSet {
    const passes = this.#rules.map(({ spec, eventNames: globs }) => {
      const isMatch = (name: ByteString): boolean => globs.some((matches) => matches(name))
      if (globs.length === 0) return true
      return spec.verb === 'keep' ? eventNames.every(isMatch) : eventNames.some(isMatch)
    })
    const key = passes.map(Number).join('')
    const known = this.#setsByLines.get(key)
    if (known !== undefined) return known
    const set = { id: this.#setsByLines.size + 1, passes }
    this.#setsByLines.set(key, set)
    return set
  }

  #makeContexts(family: string | undefined, names: NameSet, targetKey: ByteString): PlaceContexts {
    const contextOf = (place: Place): FieldContext => {
      const isShared = place === 'resource' || place === 'scope'
      const hasEventName = place === 'span_event' || place === 'log_record' || place === 'body'
      const rules = this.#rules.filter(({ spec }, index) => {
        if (spec.on.length > 0 && !spec.on.includes(place)) return false
        if (!isShared && family !== undefined && spec.families.length > 0 && !spec.families.includes(family))
          return false
        return !hasEventName || names.passes === undefined || names.passes[index]
      })
      return new FieldContext(rules, this.removesUnlisted, hasOwnAttributes(place), targetKey)
    }
    const [resource, scope, span, spanLink, spanEvent, logRecord, body, dataPoint, exemplar] =
      PLACES.map(contextOf)
    return {
      resource,
      scope,
      span,
      span_link: spanLink,
      span_event: spanEvent,
      log_record: logRecord,
      body,
      data_point: dataPoint,
      exemplar,
    }
  }
}

/** Places whose attributes are an item's own, not those of what is around it or linked from it. */
function hasOwnAttributes(place: Place): boolean {
  return place === 'span' || place === 'span_event' || place === 'log_record' || place === 'data_point'
}

function isExemptKey(key: ByteString): boolean {
  return exemptKeys.has(key) || key.startsWith(exemptPrefix)
}

function compileRule(spec: FieldRuleSpec): Rule {
  const keys = spec.keys.map(({ key }) => key)
  return {
    spec,
    exact: new Set(keys.map(toByteString)),
    globs: keys.filter((key) => key.includes('*') && !key.startsWith('@')).map(glob),
    eventNames: spec.eventNames.map(glob),
  }
}

function removed(rule: Position): FieldAction {
  return { removes: true, changes: [], isDecided: true, isPlain: false, rule }
}

function changeOf(spec: FieldRuleSpec): Change {
  return spec.verb === 'hash'
    ? { kind: 'hash', rule: spec.position }
    : { kind: 'truncate', bytesMax: spec.bytesMax ?? 0, rule: spec.position }
}
