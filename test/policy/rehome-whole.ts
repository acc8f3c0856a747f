/**
 * Rehomes a whole request, as a lane would that takes the items that `choose` gives a target: by the builders of
 * bytes on one side, by the reference on the other. Not a test itself.
 */
import { viewed } from '../../src/otlp/copy.ts'
import { Cursor, LEN, tagOf } from '../../src/otlp/cursor.ts'
import { Scan } from '../../src/otlp/scan.ts'
import { toByteString } from '../../src/policy/family.ts'
import { EVENT_PLAN, LOG_RECORD_PLAN, SPAN_FACTS_PLAN } from '../../src/policy/plan.ts'
import { addCarriedEvent } from '../../src/policy/rehome/carrier.ts'
import { RehomedEvent } from '../../src/policy/rehome/event.ts'
import type { TextRange } from '../../src/policy/rehome/field.ts'
import { RehomedRecord } from '../../src/policy/rehome/record.ts'
import { RehomedRequest } from '../../src/policy/rehome/request.ts'
import { SpanContext } from '../../src/policy/rehome/span.ts'
import { decode, messagesOf, type OracleMessage } from '../oracle/oracle.ts'
import { read } from './readings.ts'
import { carrierOfEvent, carrierOfRecord, hasSpan, recordOfEvent } from './rehome-reference.ts'

/** The target that item number `index` is rehomed under; undefined for one that is not. */
export type Choose = (index: number) => string | undefined
export type Way = 'events_to_logs' | 'events_to_carriers' | 'records_to_traces'

const EVENT = tagOf(11, LEN)
/** Made once, as a lane has it: what one request leaves behind must not show in the next. */
const out = new RehomedRequest()
const event = new RehomedEvent()
const record = new RehomedRecord()
const span = new SpanContext()

export interface Rehomed {
  /** The whole request, and the items in it; undefined if there are none. */
  readonly result: { readonly bytes: Uint8Array; readonly items: number } | undefined
  /** Payload of every item that could be rehomed, in the order of the document. */
  readonly payloads: readonly Uint8Array[]
}

export function rehome(request: Uint8Array, way: Way, choose: Choose, targetKey?: string): Rehomed {
  const scan = new Scan()
  scan.walk(request)
  out.begin(request)
  const payloads: Uint8Array[] = []
  const key = targetKey === undefined ? undefined : toByteString(targetKey)
  const take = (start: number, end: number): TextRange | undefined => {
    const target = choose(payloads.length)
    payloads.push(request.subarray(start, end))
    if (target === undefined) return undefined
    // Somewhere inside of other bytes, as in a request.
    const bytes = Buffer.from(`<${target}>`)
    return { source: viewed(bytes), start: 1, end: bytes.length - 1 }
  }
  const { resources, scopes, items, firstScope, firstItem } = scan
  for (let resource = 0; resource < resources.count; resource++) {
    out.resource(resources.starts[resource], resources.ends[resource])
    for (let scope = firstScope[resource]; scope < firstScope[resource + 1]; scope++) {
      out.scope(scopes.starts[scope], scopes.ends[scope])
      for (let item = firstItem[scope]; item < firstItem[scope + 1]; item++) {
        const [start, end] = [items.starts[item], items.ends[item]]
        if (way === 'records_to_traces') {
          const target = take(start, end)
          record.read(read(LOG_RECORD_PLAN, request, start, end), start, end)
          if (target !== undefined && record.hasSpan) record.addCarrierSpan(out, target)
          continue
        }
        span.read(read(SPAN_FACTS_PLAN, request, start, end))
        for (const [eventStart, eventEnd] of eventsOf(request, start, end)) {
          const target = take(eventStart, eventEnd)
          if (target === undefined) continue
          event.read(read(EVENT_PLAN, request, eventStart, eventEnd), eventStart, eventEnd, key)
          if (way === 'events_to_logs') event.addLogRecord(out, span, target)
          else addCarriedEvent(out, event, span)
        }
      }
    }
  }
  const taken = out.take()
  const result = taken && { bytes: taken.content.toBytes(), items: taken.items }
  taken?.content.release()
  return { result, payloads }
}

function eventsOf(request: Uint8Array, start: number, end: number): readonly (readonly [number, number])[] {
  const cursor = new Cursor()
  cursor.reset(request, start)
  const ranges: (readonly [number, number])[] = []
  while (cursor.at < end) {
    const tag = cursor.tag(end)
    if (tag === EVENT) {
      const eventEnd = cursor.payloadEnd(end)
      ranges.push([cursor.at, eventEnd])
      cursor.at = eventEnd
    } else {
      cursor.skip(tag, end)
    }
  }
  return ranges
}

/** What `rehome` should give, as an object; undefined if nothing is rehomed. */
export function rehomeReference(
  request: Uint8Array,
  way: Way,
  choose: Choose,
  payloads: readonly Uint8Array[],
  targetKey?: string,
): OracleMessage | undefined {
  const [resourcesKey, scopesKey, itemsKey, message] =
    way === 'records_to_traces'
      ? (['resourceLogs', 'scopeLogs', 'logRecords', 'ExportLogsServiceRequest'] as const)
      : (['resourceSpans', 'scopeSpans', 'spans', 'ExportTraceServiceRequest'] as const)
  const isToLogs = way === 'events_to_logs'
  let index = 0
  const resources: OracleMessage[] = []
  for (const resource of messagesOf(decode(message, request), resourcesKey)) {
    const byTarget = new Map<string, OracleMessage[]>()
    const scopes: OracleMessage[] = []
    for (const scope of messagesOf(resource, scopesKey)) {
      const spans: OracleMessage[] = []
      const each = (make: (target: string, payload: Uint8Array) => void): void => {
        const target = choose(index)
        const payload = payloads[index++]
        if (target !== undefined) make(target, payload)
      }
      for (const item of messagesOf(scope, itemsKey)) {
        if (way === 'records_to_traces') {
          each((target, payload) => {
            if (hasSpan(item)) spans.push(carrierOfRecord(item, payload, target))
          })
          continue
        }
        for (const one of messagesOf(item, 'events')) {
          each((target, payload) => {
            if (!isToLogs) spans.push(carrierOfEvent(one, item, payload))
            else byTarget.set(target, [...(byTarget.get(target) ?? []), recordOfEvent(one, item, targetKey)])
          })
        }
      }
      if (spans.length > 0) scopes.push({ ...pick(scope, ['scope', 'schemaUrl']), spans })
    }
    for (const [target, logRecords] of byTarget) {
      scopes.push({ scope: target === '' ? {} : { name: target }, logRecords })
    }
    if (scopes.length === 0) continue
    resources.push({
      ...pick(resource, ['resource', 'schemaUrl']),
      [isToLogs ? 'scopeLogs' : 'scopeSpans']: scopes,
    })
  }
  if (resources.length === 0) return undefined
  return { [isToLogs ? 'resourceLogs' : 'resourceSpans']: resources }
}

function pick(message: OracleMessage, keys: readonly string[]): OracleMessage {
  return Object.fromEntries(Object.entries(message).filter(([key]) => keys.includes(key)))
}

export function requestMessageOf(way: Way): {
  readonly signal: 'logs' | 'traces'
  readonly from: string
  readonly to: string
} {
  const [logs, traces] = ['ExportLogsServiceRequest', 'ExportTraceServiceRequest']
  if (way === 'records_to_traces') return { signal: 'logs', from: logs, to: traces }
  return { signal: 'traces', from: traces, to: way === 'events_to_logs' ? logs : traces }
}

/** How many items are in a request of log records, or of spans. */
export function itemsIn(request: OracleMessage): number {
  const nested = (messages: readonly OracleMessage[], keys: readonly string[]): readonly OracleMessage[] =>
    messages.flatMap((message) => keys.flatMap((key) => messagesOf(message, key)))
  const scopes = nested(nested([request], ['resourceLogs', 'resourceSpans']), ['scopeLogs', 'scopeSpans'])
  return nested(scopes, ['logRecords', 'spans']).length
}
