/**
 * What the policy says of the keys of attributes, by the kind of message that they are in: what is read of them beside
 * the key (the target; what an event takes along when it moves), and which of them no lane ever touches.
 */
import type { Signal } from '../otlp/signal.ts'
import type { ByteString } from './family.ts'
import { EVENT_NAME, type KeyTraits, LEVEL, MESSAGE_TEXT, TARGET } from './keys.ts'
import type { PolicyLane } from './lane.ts'
import type { Place } from './place.ts'
import { EVENT_PLAN, LOG_RECORD_PLAN, type Plan, SPAN_PLAN } from './plan.ts'
import type { TargetReader } from './target.ts'

export interface TargetReaders {
  readonly logRecordTarget: TargetReader
  readonly spanEventTarget: TargetReader
  readonly spanTarget: TargetReader
}

/** What may be read of an event's attributes beside its target. */
export type EventRoles = readonly (readonly [ByteString, number])[]

/** Where nobody asks for names. */
export const NO_EVENT_ROLES: EventRoles = []
/** Where rules ask for the event's name. */
export const NAMED_EVENT_ROLES: EventRoles = [['event.name', EVENT_NAME]]
/** Where an event moves to its other carriage. */
export const MOVING_EVENT_ROLES: EventRoles = [
  ...NAMED_EVENT_ROLES,
  ['level', LEVEL],
  ['message', MESSAGE_TEXT],
]

/** The traits of keys in a kind of message, under the field policies of `lanes`. */
export function createKeyTraits(
  readers: TargetReaders,
  lanes: readonly PolicyLane[],
  eventRoles: EventRoles,
): (plan: Plan) => KeyTraits {
  const { logRecordTarget, spanEventTarget, spanTarget } = readers
  const roles = new Map([
    [LOG_RECORD_PLAN, withTargets(eventRoles, logRecordTarget)],
    [EVENT_PLAN, withTargets(eventRoles, spanEventTarget)],
    [SPAN_PLAN, withTargets([], spanTarget)],
  ])
  return (plan) => {
    const editing = lanes.filter(({ fields, signal }) => fields.isActive && isOn(signal, plan.place))
    return {
      roles: roles.get(plan) ?? NO_ROLES,
      isInert: (key) => editing.every(({ fields }) => fields.alwaysKeeps(plan.place, key)),
    }
  }
}

const NO_ROLES: ReadonlyMap<ByteString, number> = new Map()

/** The signal that a place is of; undefined: of all. */
const SIGNALS: Readonly<Record<Place, Signal | undefined>> = {
  resource: undefined,
  scope: undefined,
  span: 'traces',
  span_link: 'traces',
  span_event: 'traces',
  log_record: 'logs',
  body: 'logs',
  data_point: 'metrics',
  exemplar: 'metrics',
}

function isOn(signal: Signal, place: Place): boolean {
  const own = SIGNALS[place]
  return own === undefined || own === signal
}

function withTargets(roles: EventRoles, { ownKeys }: TargetReader): ReadonlyMap<ByteString, number> {
  const all = new Map(roles)
  for (const key of ownKeys) all.set(key, (all.get(key) ?? 0) | TARGET)
  return all
}
