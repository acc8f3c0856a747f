/**
 * What is held of a request, on decoded objects: for each target the items that wait, with all that is around them.
 *
 * In: the request and each item's fate. Out: the parcels in an order of their own. A held event keeps of its span what
 * a carrier, or a log record, will say of it.
 */
import type { Signal } from '../../src/otlp/signal.ts'
import { messagesOf, type OracleMessage } from '../oracle/oracle.ts'
import { KEYS } from './parcels-reference.ts'
import type { Fate } from './reference.ts'

export interface ReferenceHeld {
  readonly target: string
  readonly carriage: string
  readonly family: string
  readonly reason: string
  readonly items: number
  readonly request: OracleMessage
}

const KEPT_OF_SPAN = ['traceId', 'spanId', 'traceState', 'parentSpanId', 'flags']

export function heldOf(
  request: OracleMessage,
  signal: Signal,
  fates: ReadonlyMap<OracleMessage, Fate>,
): readonly ReferenceHeld[] {
  const waiting = [...fates].filter(([, { outcome }]) => outcome === 'quarantined')
  const groups = Map.groupBy(waiting, ([, fate]) => keyOf(fate))
  const held = [...groups].map(([, members]) => {
    const [[, { carriage, family, reason, home }]] = members
    const items = new Set(members.map(([item]) => item))
    const { target } = home
    return { target, carriage, family, reason, items: items.size, request: only(request, signal, items) }
  })
  return held.toSorted((one, other) => (orderOf(one) < orderOf(other) ? -1 : 1))
}

export function orderOf({
  family,
  reason,
  target,
}: Pick<ReferenceHeld, 'family' | 'reason' | 'target'>): string {
  return [family, reason, target].join('|')
}

function keyOf({ family, reason, home }: Fate): string {
  return orderOf({ family, reason, target: home.target })
}

/** The request with nothing but those items in it. */
function only(request: OracleMessage, signal: Signal, wanted: ReadonlySet<OracleMessage>): OracleMessage {
  const { resources, scopes, items } = KEYS[signal]
  const kept = messagesOf(request, resources).flatMap((resource) => {
    const inside = messagesOf(resource, scopes).flatMap((scope) => {
      const members = messagesOf(scope, items).flatMap((item) =>
        signal === 'traces' ? holder(item, wanted) : wanted.has(item) ? [item] : [],
      )
      return members.length === 0 ? [] : [{ ...scope, [items]: members }]
    })
    return inside.length === 0 ? [] : [{ ...resource, [scopes]: inside }]
  })
  return { [resources]: kept }
}

function holder(span: OracleMessage, wanted: ReadonlySet<OracleMessage>): readonly OracleMessage[] {
  const events = messagesOf(span, 'events').filter((event) => wanted.has(event))
  if (events.length === 0) return []
  const kept = Object.entries(span).filter(([key]) => KEPT_OF_SPAN.includes(key))
  return [{ ...Object.fromEntries(kept), events }]
}
