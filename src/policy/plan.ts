/**
 * What a field policy can touch, message by message: a table by tag instead of a walk for each signal.
 *
 * Every field that can be edited has a number below 16, so its tag is one byte; what is not named here is stepped over.
 * Source: opentelemetry-proto 1.11, {common,resource,trace,logs,metrics}/v1.
 */

import { FIXED32, FIXED64, LEN, tagOf, VARINT } from '../otlp/cursor.ts'
import type { Place } from './place.ts'

export const SKIP = 0
/** A KeyValue. */
export const ATTRIBUTE = 1
/** A message with a plan of its own. */
export const MESSAGE = 2
/** A string that rules name by `@…`. */
export const TEXT = 3
/** `dropped_attributes_count`. */
export const COUNT = 4
/** A log record's body: text or kvlist. */
export const BODY = 5
/** An EntityRef, which names keys of the resource. */
export const ENTITY = 6
/** A span event: judged before, so the walk asks for its verdict. */
export const EVENT = 7
/** `dropped_events_count`. */
export const EVENT_COUNT = 8
/** An id, a time or flags: no rule names it, but an item that moves takes it along. */
export const FACT = 9

export interface Plan {
  readonly place: Place
  /** Tag of its attributes, or 0. */
  readonly attributeTag: number
  /** Kind of the field by its tag. */
  readonly kinds: Uint8Array
  /** Plans of the fields that are messages, by tag. */
  readonly children: readonly (Plan | undefined)[]
  /** `@…` names of the fields that are texts, by tag. */
  readonly texts: readonly string[]
  /** What a removed `@name` becomes; undefined where it becomes absent. */
  readonly fallbackName: 'event' | 'span' | undefined
  /** Tag of the field that is `@name`, or 0. */
  readonly nameTag: number
  /** Tag of the field that an event is called by where it has no `event.name`, or 0. */
  readonly eventNameTag: number
  /** Tag of `dropped_attributes_count`, or 0. */
  readonly countTag: number
}

interface PlanSpec {
  readonly attributes?: number
  readonly count?: number
  readonly texts?: Readonly<Record<number, string>>
  readonly messages?: Readonly<Record<number, Plan>>
  readonly others?: Readonly<Record<number, number>>
  readonly facts?: readonly number[]
  readonly fallbackName?: 'event' | 'span'
  readonly eventName?: number
}

function plan(place: Place, spec: PlanSpec): Plan {
  const kinds = new Uint8Array(256)
  const children = new Array<Plan | undefined>(128).fill(undefined)
  const texts = new Array<string>(128).fill('')
  const countTag = spec.count === undefined ? 0 : tagOf(spec.count, VARINT)
  if (spec.attributes !== undefined) kinds[tagOf(spec.attributes, LEN)] = ATTRIBUTE
  if (countTag !== 0) kinds[countTag] = COUNT
  for (const [field, name] of Object.entries(spec.texts ?? {})) {
    kinds[tagOf(Number(field), LEN)] = TEXT
    texts[tagOf(Number(field), LEN)] = name
  }
  for (const [field, child] of Object.entries(spec.messages ?? {})) {
    kinds[tagOf(Number(field), LEN)] = MESSAGE
    children[tagOf(Number(field), LEN)] = child
  }
  // After the messages: an event is one, and more.
  for (const [tag, kind] of Object.entries(spec.others ?? {})) kinds[Number(tag)] = kind
  for (const tag of spec.facts ?? []) kinds[tag] = FACT
  const nameTag = Math.max(0, texts.indexOf('@name'))
  const attributeTag = spec.attributes === undefined ? 0 : tagOf(spec.attributes, LEN)
  const eventNameTag = spec.eventName === undefined ? 0 : tagOf(spec.eventName, LEN)
  const { fallbackName } = spec
  return { place, attributeTag, kinds, children, texts, fallbackName, nameTag, eventNameTag, countTag }
}

export const RESOURCE_PLAN: Plan = plan('resource', {
  attributes: 1,
  count: 2,
  others: { [tagOf(3, LEN)]: ENTITY },
})

export const SCOPE_PLAN: Plan = plan('scope', {
  attributes: 3,
  count: 4,
  texts: { 1: '@scope.name', 2: '@scope.version' },
})

export const LOG_RECORD_PLAN: Plan = plan('log_record', {
  attributes: 6,
  count: 7,
  texts: { 3: '@severity_text', 12: '@event_name' },
  others: { [tagOf(5, LEN)]: BODY },
  facts: [tagOf(1, FIXED64), tagOf(8, FIXED32), tagOf(9, LEN), tagOf(10, LEN), tagOf(11, FIXED64)],
  eventName: 12,
})

export const EVENT_PLAN: Plan = plan('span_event', {
  attributes: 3,
  count: 4,
  texts: { 2: '@name' },
  facts: [tagOf(1, FIXED64)],
  eventName: 2,
  fallbackName: 'event',
})

export const LINK_PLAN: Plan = plan('span_link', { attributes: 4, count: 5, texts: { 3: '@trace_state' } })
export const STATUS_PLAN: Plan = plan('span', { texts: { 2: '@status.message' } })

export const SPAN_PLAN: Plan = plan('span', {
  attributes: 9,
  count: 10,
  texts: { 3: '@trace_state', 5: '@name' },
  messages: { 11: EVENT_PLAN, 13: LINK_PLAN, 15: STATUS_PLAN },
  others: { [tagOf(11, LEN)]: EVENT, [tagOf(12, VARINT)]: EVENT_COUNT },
  fallbackName: 'span',
})

/** What a span's events take along when they leave it. */
export const SPAN_FACTS_PLAN: Plan = plan('span', {
  facts: [tagOf(1, LEN), tagOf(2, LEN), tagOf(4, LEN), tagOf(16, FIXED32)],
})

const EXEMPLAR_PLAN = plan('exemplar', { attributes: 7 })
const NUMBER_PLAN = plan('data_point', { attributes: 7, messages: { 5: EXEMPLAR_PLAN } })
const HISTOGRAM_PLAN = plan('data_point', { attributes: 9, messages: { 8: EXEMPLAR_PLAN } })
const EXPONENTIAL_PLAN = plan('data_point', { attributes: 1, messages: { 11: EXEMPLAR_PLAN } })
const SUMMARY_PLAN = plan('data_point', { attributes: 7 })

function points(point: Plan): Plan {
  return plan('data_point', { messages: { 1: point } })
}

export const METRIC_PLAN: Plan = plan('data_point', {
  attributes: 12,
  texts: { 1: '@metric.name', 2: '@metric.description' },
  messages: {
    5: points(NUMBER_PLAN),
    7: points(NUMBER_PLAN),
    9: points(HISTOGRAM_PLAN),
    10: points(EXPONENTIAL_PLAN),
    11: points(SUMMARY_PLAN),
  },
})
