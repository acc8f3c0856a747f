/** One item at a time through `route`: what a table of the policy asks. */
import type { PolicySpec } from '../../src/config/config.ts'
import { SIGNAL_TRAITS, type Signal } from '../../src/otlp/signal.ts'
import { route, type WitnessedItem } from '../../src/policy/route.ts'
import { encode, type OracleMessage } from '../oracle/oracle.ts'
import { compile } from './agree.ts'
import { createSpec, type PolicyText } from './spec.ts'

/** An attribute; a string value is written as such. */
export function attribute(key: string, value: string | OracleMessage): OracleMessage {
  return { key, value: typeof value === 'string' ? { stringValue: value } : value }
}

/** A request with one log record in a scope of that name. */
export function logRequest(
  scopeName: string,
  record: OracleMessage = {},
  resource: OracleMessage = {},
): Uint8Array {
  const scopeLogs = [{ scope: { name: scopeName }, logRecords: [record] }]
  return encode(SIGNAL_TRAITS.logs.requestMessage, { resourceLogs: [{ resource, scopeLogs }] })
}

/** A request with one span. */
export function spanRequest(
  span: OracleMessage,
  scopeName = 'tracer',
  resource: OracleMessage = {},
): Uint8Array {
  const scopeSpans = [{ scope: { name: scopeName }, spans: [span] }]
  return encode(SIGNAL_TRAITS.traces.requestMessage, { resourceSpans: [{ resource, scopeSpans }] })
}

/** A request with one span that holds one event. */
export function eventRequest(...attributes: OracleMessage[]): Uint8Array {
  return spanRequest({ events: [{ attributes }] })
}

export function witness(bytes: Uint8Array, signal: Signal, spec: PolicySpec): readonly WitnessedItem[] {
  const heard: WitnessedItem[] = []
  route(bytes, signal, compile(spec), { item: (item) => heard.push(item) })
  return heard
}

/** Of the last item in the request: `family outcome lane` or `family reason lane`. */
export function fateOf(bytes: Uint8Array, signal: Signal, text: PolicyText = {}): string {
  const item = witness(bytes, signal, createSpec(text)).findLast(
    ({ carriage }) => signal !== 'traces' || carriage === 'span_event' || !hasEvents(bytes, text),
  )
  if (item === undefined) return 'nothing'
  const { family, outcome, reason, lane } = item.verdict
  return [family, reason === '' ? outcome : reason, lane].filter((word) => word !== '').join(' ')
}

function hasEvents(bytes: Uint8Array, text: PolicyText): boolean {
  return witness(bytes, 'traces', createSpec(text)).some(({ carriage }) => carriage === 'span_event')
}
