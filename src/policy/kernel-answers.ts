/**
 * What the policy says of targets, names and keys, told to the kernel when it asks. The kernel remembers, and decides
 * nothing.
 *
 *     an event of target T by path P, called N?   ─► decision, verdict, contexts ─► judgment
 *     key K in context C?                         ─► action of the field policy  ─► a byte
 *
 * What takes more than to leave, remove or count is odd: the general way does it, for the item that it is about.
 */
import { type Viewed, viewed } from '../otlp/copy.ts'
import { FIXED64, LEN, tagOf } from '../otlp/cursor.ts'
import type { Kernel } from '../otlp/kernel.ts'
import type { Policy } from './compile.ts'
import type { Subject } from './decide.ts'
import { type ByteString, latin1 } from './family.ts'
import { keyOf } from './field-pass.ts'
import type { FieldAction, FieldContext, PlaceContexts } from './fields.ts'
import {
  ACTION_HASH,
  ACTION_LEAVE,
  ACTION_NOTE,
  ACTION_NOTE_REMOVE,
  ACTION_ODD,
  ACTION_REMOVE,
  ACTION_SHORT,
  ASK_ACTION,
  ASK_SPAN,
  CONTEXTS_MAX,
  FIELD_FAR,
  FIELD_LINK,
  FIELD_NAME,
  FIELD_ODD,
  FIELD_SPAN_ID,
  FIELD_STATUS,
  FIELD_TIME,
  FIELD_TRACE_ID,
  JUDGED,
  JUDGED_DROPPED,
  JUDGED_MOVED,
  JUDGED_NATIVE,
  JUDGED_ODD,
  PATH_ATTRIBUTE,
  PATH_SCOPE_NAME,
  PATHS_MAX,
  ROLE_EVENT_NAME,
  ROLE_INERT,
  ROLE_LEVEL,
  ROLE_MESSAGE,
  VERDICTS_MAX,
  WORD_BYTES_MAX,
} from './kernel-numbers.ts'
import { type EventRoles, MOVING_EVENT_ROLES, NAMED_EVENT_ROLES, NO_EVENT_ROLES } from './key-traits.ts'
import { EVENT_NAME, LEVEL, MESSAGE_TEXT } from './keys.ts'
import type { LaneRecord } from './lane-record.ts'
import type { Place } from './place.ts'
import { EVENT_PLAN, LINK_PLAN, MESSAGE, type Plan, SPAN_PLAN, STATUS_PLAN } from './plan.ts'
import { REHOMED, type TextRange } from './rehome/field.ts'
import type { TargetReader } from './target.ts'
import type { Verdict } from './verdict.ts'

/** Longest string that a `truncate` leaves and that fits in an action. */
const shortMax = 255 - ACTION_SHORT

/** The kinds of messages, as the kernel numbers them. */
const PLANS: readonly Plan[] = [SPAN_PLAN, EVENT_PLAN, LINK_PLAN, STATUS_PLAN]

/** The plans that a judgment's contexts are for. */
const SPAN: readonly number[] = [PLANS.indexOf(SPAN_PLAN), PLANS.indexOf(LINK_PLAN)]
const EVENT: readonly number[] = [PLANS.indexOf(EVENT_PLAN)]

/** Of a span, and of an event. */
const TRACE_ID = tagOf(1, LEN)
const SPAN_ID = tagOf(2, LEN)
const TIME = tagOf(1, FIXED64)

/** Wire types that nothing valid has. */
const oddWireTypes: ReadonlySet<number> = new Set([3, 4, 6, 7])

/** Whether the kernel can read targets as `reader` does. */
export function isKnownReader({ paths, usesResource, ownKeys }: TargetReader): boolean {
  const isPlain = paths.every(
    ({ except, ownKeyBytes }) => except.size === 0 && ownKeyBytes.length <= WORD_BYTES_MAX,
  )
  return !usesResource && paths.length <= PATHS_MAX && isPlain && new Set(ownKeys).size === ownKeys.length
}

/** What decides on the fields of items of a family, in messages of a plan. */
export interface NumberedContext {
  readonly context: FieldContext
  readonly family: string
  readonly place: Place
  /** The plan's number. */
  readonly plan: number
}

export class KernelAnswers {
  readonly #kernel: Kernel
  readonly #policy: Policy
  readonly #record: LaneRecord
  /** By plan; links and the status have no target. */
  readonly #readers: readonly TargetReader[]
  readonly #asksNames: boolean
  readonly #eventRoles: EventRoles
  readonly #forget: () => void
  readonly #wordOf: (start: number, length: number) => number
  readonly #putJudgment: (...values: readonly number[]) => number
  readonly #tables: Readonly<
    Record<'roles' | 'roleLengths' | 'actions' | 'texts' | 'words' | 'lengths', number>
  >
  readonly #scratch: number
  readonly #wordBits: number
  /** By word, of those that were asked for. */
  readonly #texts: (ByteString | undefined)[] = []
  /** By number. A span's is followed by that of its links. */
  readonly contexts: NumberedContext[] = []
  /** The verdicts that the kernel may have counted. */
  readonly verdicts: Verdict[] = []

  readonly #viewed: Viewed

  constructor(kernel: Kernel, policy: Policy, record: LaneRecord, asksNames: boolean) {
    this.#kernel = kernel
    this.#viewed = viewed(kernel.bytes)
    this.#policy = policy
    this.#record = record
    this.#readers = [policy.spanTarget, policy.spanEventTarget]
    this.#asksNames = asksNames
    this.#forget = kernel.call('forget')
    this.#wordOf = kernel.call('wordOf')
    this.#putJudgment = kernel.call('putJudgment')
    this.#tables = {
      roles: kernel.constant('ROLES'),
      roleLengths: kernel.constant('ROLE_LENGTHS'),
      actions: kernel.constant('ACTIONS'),
      texts: kernel.constant('TEXTS'),
      words: kernel.constant('WORD_BYTES'),
      lengths: kernel.constant('WORD_LENGTHS'),
    }
    this.#scratch = kernel.constant('OUT')
    this.#wordBits = kernel.constant('WORD_BITS')
    this.#putPlans()
    const { rehomes } = policy
    this.#eventRoles = rehomes
      ? MOVING_EVENT_ROLES
      : policy.readsEventNames
        ? NAMED_EVENT_ROLES
        : NO_EVENT_ROLES
    kernel.call('configure')(record.editsFields ? 1 : 0, asksNames ? 1 : 0)
    const marker = kernel.constant('MARKER')
    kernel.bytes[marker] = REHOMED.span_event.bytes.length
    kernel.bytes.set(REHOMED.span_event.bytes, marker + 1)
    this.forget()
  }

  /** Starts anew: no word is known but those that have a role. */
  forget(): void {
    this.#forget()
    this.contexts.length = 0
    this.#texts.length = 0
    const { bytes } = this.#kernel
    const { roles, roleLengths } = this.#tables
    this.#readers.forEach(({ paths }, plan) => {
      const put = (key: Uint8Array, role: number): void => {
        const at = roles + ((plan << this.#wordBits) | this.word(key, 0, key.length))
        bytes[at] |= role
        bytes[roleLengths + plan * 128 + key.length] = 1
      }
      paths.forEach(({ kind, ownKeyBytes }, index) => {
        if (kind === 'attribute') put(ownKeyBytes, index + 1)
      })
      if (PLANS[plan] === EVENT_PLAN)
        for (const [key, role] of this.#eventRoles) put(Buffer.from(key, 'latin1'), kernelRole(role))
    })
  }

  /** The word of a text in `[start, end)`, up to WORD_BYTES_MAX bytes; below 0 if there is no room for it. Between runs only. */
  word(bytes: Uint8Array, start: number, end: number): number {
    this.#kernel.bytes.set(bytes.subarray(start, end), this.#scratch)
    return this.#wordOf(this.#scratch, end - start)
  }

  /** Answers what the kernel asks; false if it cannot be told: the item is odd. */
  answer(asked: number, first: number, second: number, third: number): boolean {
    if (asked === ASK_ACTION) {
      this.#putAction(first, second)
      return true
    }
    const judgment =
      asked === ASK_SPAN ? this.#judgeSpan(first, second) : this.#judgeEvent(first, second, third)
    if (judgment === undefined) return false
    this.#putJudgment(asked, first, second, third, judgment | JUDGED)
    return true
  }

  #putAction(number: number, word: number): void {
    const { bytes } = this.#kernel
    const { actions, roles } = this.#tables
    const { context, plan } = this.contexts[number]
    const key = this.text(word)
    bytes[actions + ((number << this.#wordBits) | word)] = codeOf(context.named(key))
    const role = roles + ((plan << this.#wordBits) | word)
    const { lane } = this.#record
    if (bytes[role] === 0 && lane.fields.alwaysKeeps(PLANS[plan].place, key)) bytes[role] = ROLE_INERT
  }

  #judgeSpan(target: number, path: number): number | undefined {
    const { decider, spanTarget } = this.#policy
    const { verdict } = decider.decide(this.#subject(target), 'span')
    if (verdict === undefined || (verdict.native & this.#record.bit) === 0) return JUDGED_ODD
    const contexts = this.#contextsOf(verdict.family, [], keyOf(spanTarget, path))
    return this.#judgment(verdict, [contexts.span, contexts.span_link], SPAN)
  }

  #judgeEvent(target: number, path: number, name: number): number | undefined {
    const { decider, spanEventTarget } = this.#policy
    const subject = this.#subject(target)
    const names = name === 0 ? [] : [this.text(name)]
    let isSettled = subject.findings.length === 0
    const decision = decider.decide(subject, 'span_event')
    const verdict =
      decision.verdict ??
      decision.ask({
        eventNames: () => names,
        resourceValues: () => {
          isSettled = false
          return []
        },
      })
    if (verdict.outcome === 'quarantined' || verdict.carried !== 0 || !isSettled) return JUDGED_ODD
    const context = this.#contextsOf(verdict.family, names, keyOf(spanEventTarget, path)).span_event
    const isRenamed = context.name.removes && context.eventName.changes.length > 0
    return isRenamed ? JUDGED_ODD : this.#judgment(verdict, [context], EVENT)
  }

  #judgment(
    verdict: Verdict,
    contexts: readonly FieldContext[],
    plans: readonly number[],
  ): number | undefined {
    if (verdict.id >= VERDICTS_MAX) return JUDGED_ODD
    const context = this.#record.editsFields ? this.#number(verdict.family, contexts, plans) : 0
    if (context === undefined) return undefined
    if (!this.verdicts.includes(verdict)) this.verdicts.push(verdict)
    const isNative = (verdict.native & this.#record.bit) !== 0
    const flags =
      (isNative ? JUDGED_NATIVE : 0) |
      (verdict.outcome === 'dropped' ? JUDGED_DROPPED : 0) |
      (verdict.rehomed === 0 ? 0 : JUDGED_MOVED)
    return flags | (verdict.id << 8) | context
  }

  /** The number of the first of the contexts of an item; undefined if there is no room for them, and all are forgotten. */
  #number(family: string, contexts: readonly FieldContext[], plans: readonly number[]): number | undefined {
    const known = this.contexts.findIndex((one) => one.context === contexts[0] && one.family === family)
    if (known >= 0) return known
    const first = this.contexts.length
    if (first + contexts.length > CONTEXTS_MAX) {
      this.forget()
      return undefined
    }
    contexts.forEach((context, index) => {
      const number =
        this.contexts.push({ context, family, plan: plans[index], place: PLANS[plans[index]].place }) - 1
      this.#putTexts(number, context, PLANS[plans[index]].place)
    })
    return first
  }

  #putTexts(number: number, context: FieldContext, of: Place): void {
    for (const { texts, place } of PLANS) {
      if (place !== of) continue
      texts.forEach((name, tag) => {
        if (name !== '')
          this.#kernel.bytes[this.#tables.texts + number * 16 + (tag >> 3)] = textCodeOf(context.text(name))
      })
    }
  }

  #putPlans(): void {
    const { bytes } = this.#kernel
    const kinds = this.#kernel.constant('PLANS')
    const kindsOfPaths = this.#kernel.constant('PATHS')
    PLANS.forEach((plan, number) => {
      for (let tag = 0; tag < 256; tag++) bytes[kinds + number * 256 + tag] = kindOf(plan, tag)
    })
    this.#readers.forEach(({ paths }, plan) => {
      paths.forEach(({ kind }, index) => {
        bytes[kindsOfPaths + plan * PATHS_MAX + index] =
          kind === 'attribute' ? PATH_ATTRIBUTE : PATH_SCOPE_NAME
      })
    })
  }

  #contextsOf(family: string, names: readonly ByteString[], targetKey: ByteString): PlaceContexts {
    return this.#record.lane.fields.contexts(family, this.#asksNames ? names : [], targetKey)
  }

  #subject(target: number): Subject {
    return this.#policy.decider.subject(this.text(target))
  }

  /** Where a word stands in the kernel's memory. */
  rangeOf(word: number): TextRange {
    const { words, lengths } = this.#tables
    const start = words + word * 128
    return { source: this.#viewed, start, end: start + this.#kernel.bytes[lengths + word] }
  }

  /** The text of a word. */
  text(word: number): ByteString {
    let text = this.#texts[word]
    if (text === undefined) {
      const { source, start, end } = this.rangeOf(word)
      text = latin1(source.bytes, start, end)
      this.#texts[word] = text
    }
    return text
  }
}

/** A role of `keys.ts`, as the kernel has it: beside the number of a path. */
function kernelRole(role: number): number {
  const isOf = (one: number, other: number): number => ((role & one) === 0 ? 0 : other)
  return isOf(EVENT_NAME, ROLE_EVENT_NAME) | isOf(LEVEL, ROLE_LEVEL) | isOf(MESSAGE_TEXT, ROLE_MESSAGE)
}

function kindOf(plan: Plan, tag: number): number {
  if (tag < 8 || oddWireTypes.has(tag & 7)) return FIELD_ODD
  if (tag >= 0x80) return FIELD_FAR
  const kind = plan.kinds[tag]
  if (plan === SPAN_PLAN && tag === TRACE_ID) return FIELD_TRACE_ID
  if (plan === SPAN_PLAN && tag === SPAN_ID) return FIELD_SPAN_ID
  if (plan === EVENT_PLAN && tag === TIME) return FIELD_TIME
  if (tag === plan.nameTag) return FIELD_NAME
  if (kind !== MESSAGE) return kind
  return plan.children[tag] === LINK_PLAN ? FIELD_LINK : FIELD_STATUS
}

function codeOf({ removes, changes, isDecided }: FieldAction): number {
  if (!isDecided) return removes ? ACTION_NOTE_REMOVE : ACTION_NOTE
  if (removes) return ACTION_REMOVE
  if (changes.length === 0) return ACTION_LEAVE
  if (changes.length === 1 && changes[0].kind === 'hash') return ACTION_HASH
  let bytesMax = shortMax
  for (const change of changes) {
    if (change.kind !== 'truncate' || change.bytesMax > shortMax) return ACTION_ODD
    bytesMax = Math.min(bytesMax, change.bytesMax)
  }
  return ACTION_SHORT + bytesMax
}

function textCodeOf({ removes, changes }: FieldAction): number {
  if (removes) return ACTION_REMOVE
  return changes.length === 0 ? ACTION_LEAVE : ACTION_ODD
}
