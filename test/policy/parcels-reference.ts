/**
 * What one lane gets, on decoded objects: the items that it takes, those that are rehomed to it, each under its field
 * policy. In: the request and each item's fate. Out: the parcel, or undefined.
 */
import type { LaneSpec } from '../../src/config/config.ts'
import type { Signal } from '../../src/otlp/signal.ts'
import { messageOf, messagesOf, type OracleMessage, type OracleValue } from '../oracle/oracle.ts'
import { FieldsReference, type ItemFacts } from './fields-reference.ts'
import type { Fate } from './reference.ts'
import { carrierOfEvent, carrierOfRecord, recordOfEvent } from './rehome-reference.ts'

/** Where a request's resources, scopes and items are. */
export const KEYS = {
  logs: { resources: 'resourceLogs', scopes: 'scopeLogs', items: 'logRecords' },
  traces: { resources: 'resourceSpans', scopes: 'scopeSpans', items: 'spans' },
  metrics: { resources: 'resourceMetrics', scopes: 'scopeMetrics', items: 'metrics' },
} as const

/** What is known of an item beside its fields. */
export interface Home {
  /** What a rehomed item is called after. */
  readonly target: string
  /** Key of the attribute that gave it, which a rehomed record loses. */
  readonly targetKey: string | undefined
  readonly facts: ItemFacts
}

export interface ReferenceParcel {
  readonly lane: string
  readonly signal: Signal
  readonly items: number
  readonly request: OracleMessage
}

export interface ParcelCase {
  readonly request: OracleMessage
  readonly signal: Signal
  readonly lane: LaneSpec
  readonly fates: ReadonlyMap<OracleMessage, Fate>
  readonly payloads: ReadonlyMap<OracleMessage, Uint8Array>
  readonly hashKey: Uint8Array
  /** What is known of an item that was built, read anew where it stands. */
  readonly readAnew: ReadAnew
}

export type ReadAnew = (
  carriage: 'log_record' | 'span' | 'span_event',
  item: OracleMessage,
  envelope: { readonly resource: OracleMessage; readonly scope: OracleMessage },
) => ItemFacts

const uint32Max = 2 ** 32 - 1

export function parcelsOf(parts: ParcelCase): ReferenceParcel | undefined {
  const { request, signal, lane } = parts
  const walk = new LaneWalk(parts)
  const from = messagesOf(request, KEYS[signal].resources)
  const resources = [
    ...(lane.signal === signal ? walk.native(from) : []),
    ...(signal === 'logs' && lane.signal === 'traces' ? walk.carriersOfRecords(from) : []),
    ...(signal === 'traces' && lane.signal === 'traces' ? walk.carriersOfEvents(from) : []),
    ...(signal === 'traces' && lane.signal === 'logs' ? walk.recordsOfEvents(from) : []),
  ]
  if (resources.length === 0) return undefined
  const edited = { ...(lane.signal === signal ? request : {}), [KEYS[lane.signal].resources]: resources }
  const whole = lane.wire === 'canonical' ? canonical(edited) : edited
  return { lane: lane.name, signal: lane.signal, items: walk.items, request: whole }
}

class LaneWalk {
  items = 0
  readonly #parts: ParcelCase
  readonly #fields: FieldsReference

  constructor(parts: ParcelCase) {
    this.#parts = parts
    this.#fields = new FieldsReference(parts.lane, parts.hashKey)
  }

  #fate(item: OracleMessage): Fate {
    const fate = this.#parts.fates.get(item)
    if (fate === undefined) throw new Error('an item without a fate')
    return fate
  }

  native(resources: readonly OracleMessage[]): readonly OracleMessage[] {
    const { signal, lane } = this.#parts
    const { scopes, items } = KEYS[signal]
    return resources.flatMap((resource) => {
      const kept = messagesOf(resource, scopes).flatMap((scope) => {
        const taken = messagesOf(scope, items).filter((item) => this.#fate(item).lanes.includes(lane.name))
        if (taken.length === 0) return []
        for (const item of taken) this.items += this.#fate(item).items
        return [{ ...this.#fields.envelope('scope', scope), [items]: taken.map((item) => this.#item(item)) }]
      })
      return kept.length === 0 ? [] : [{ ...this.#fields.envelope('resource', resource), [scopes]: kept }]
    })
  }

  #item(item: OracleMessage): OracleMessage {
    const { facts } = this.#fate(item).home
    const { signal, lane } = this.#parts
    if (signal === 'logs') return this.#fields.record(item, facts)
    if (signal === 'metrics') return this.#fields.metric(item)
    const events = messagesOf(item, 'events')
    const kept = events.filter((event) => this.#fate(event).lanes.includes(lane.name))
    const lost = events.filter((event) => this.#fate(event).outcome === 'dropped').length
    const { events: _, ...rest } = this.#fields.span(item, facts)
    const dropped = Math.min(Number(item.droppedEventsCount ?? 0) + lost, uint32Max)
    return {
      ...rest,
      ...(dropped === 0 ? {} : { droppedEventsCount: dropped }),
      ...(kept.length === 0
        ? {}
        : { events: kept.map((event) => this.#fields.event(event, this.#fate(event).home.facts)) }),
    }
  }

  #payload(item: OracleMessage): Uint8Array {
    return this.#parts.payloads.get(item) ?? new Uint8Array()
  }

  /** A carrier under the lane's policy. It is called as its event is, if spans may be called anything. */
  #carrier(carrier: OracleMessage, envelope: Parameters<ReadAnew>[2]): OracleMessage {
    this.items++
    const { readAnew } = this.#parts
    const [event] = messagesOf(carrier, 'events')
    const edited = this.#fields.event(event, readAnew('span_event', event, envelope))
    const { name: _, ...rest } = carrier
    const named = edited.name === undefined ? rest : { ...rest, name: edited.name }
    return { ...this.#fields.span(named, readAnew('span', carrier, envelope)), events: [edited] }
  }

  carriersOfRecords(resources: readonly OracleMessage[]): readonly OracleMessage[] {
    return this.#spans(resources, 'logs', (record, envelope) => {
      const { rehomed, home } = this.#fate(record)
      if (!rehomed.includes(this.#parts.lane.name)) return []
      const carrier = carrierOfRecord(record, this.#payload(record), home.target)
      return [this.#carrier(carrier, envelope)]
    })
  }

  carriersOfEvents(resources: readonly OracleMessage[]): readonly OracleMessage[] {
    return this.#spans(resources, 'traces', (span, envelope) =>
      messagesOf(span, 'events').flatMap((event) => {
        const { carried } = this.#fate(event)
        if (!carried.includes(this.#parts.lane.name)) return []
        return [this.#carrier(carrierOfEvent(event, span, this.#payload(event)), envelope)]
      }),
    )
  }

  #spans(
    resources: readonly OracleMessage[],
    from: 'logs' | 'traces',
    make: (item: OracleMessage, envelope: Parameters<ReadAnew>[2]) => readonly OracleMessage[],
  ): readonly OracleMessage[] {
    const keys = KEYS[from]
    return resources.flatMap((resource) => {
      const scopeSpans = messagesOf(resource, keys.scopes).flatMap((scope) => {
        const spans = messagesOf(scope, keys.items).flatMap((item) =>
          make(item, { resource: messageOf(resource, 'resource'), scope }),
        )
        const envelope = this.#fields.envelope('scope', pick(scope, ['scope', 'schemaUrl']))
        return spans.length === 0 ? [] : [{ ...envelope, spans }]
      })
      if (scopeSpans.length === 0) return []
      const envelope = this.#fields.envelope('resource', pick(resource, ['resource', 'schemaUrl']))
      return [{ ...envelope, scopeSpans }]
    })
  }

  recordsOfEvents(resources: readonly OracleMessage[]): readonly OracleMessage[] {
    const { lane, readAnew } = this.#parts
    return resources.flatMap((resource) => {
      const byTarget = new Map<string, OracleMessage[]>()
      for (const scope of messagesOf(resource, 'scopeSpans')) {
        for (const span of messagesOf(scope, 'spans')) {
          for (const event of messagesOf(span, 'events')) {
            const { rehomed, home } = this.#fate(event)
            if (!rehomed.includes(lane.name)) continue
            const record = recordOfEvent(event, span, home.targetKey)
            const list = byTarget.get(home.target) ?? []
            const envelope = {
              resource: messageOf(resource, 'resource'),
              scope: { scope: home.target === '' ? {} : { name: home.target } },
            }
            list.push(this.#fields.record(record, readAnew('log_record', record, envelope)))
            byTarget.set(home.target, list)
            this.items++
          }
        }
      }
      if (byTarget.size === 0) return []
      const scopeLogs = [...byTarget].map(([target, logRecords]) => ({
        ...this.#fields.envelope('scope', { scope: target === '' ? {} : { name: target } }),
        logRecords,
      }))
      const envelope = this.#fields.envelope('resource', pick(resource, ['resource', 'schemaUrl']))
      return [{ ...envelope, scopeLogs }]
    })
  }
}

function pick(message: OracleMessage, keys: readonly string[]): OracleMessage {
  return Object.fromEntries(Object.entries(message).filter(([key]) => keys.includes(key)))
}

const ID_DIGITS: Readonly<Record<string, number>> = { traceId: 32, spanId: 16, parentSpanId: 16 }

/** Without ids of a wrong length, and what only profiles have. */
function canonical(message: OracleMessage): OracleMessage {
  const read = (value: OracleValue): OracleValue =>
    Array.isArray(value) ? value.map(read) : typeof value === 'object' ? canonical(value) : value
  return Object.fromEntries(
    Object.entries(message)
      .filter(([key, value]) => {
        if (key === 'keyStrindex' || key === 'stringValueStrindex') return false
        return ID_DIGITS[key] === undefined || String(value).length === ID_DIGITS[key]
      })
      .map(([key, value]) => [key, read(value)]),
  )
}
