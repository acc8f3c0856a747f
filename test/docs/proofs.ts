/**
 * What a preset makes of one field, text or item, in the words of docs/presets.md: an item is made that holds it, is
 * sent through `route`, and what leaves is decoded by the oracle.
 */

import { SIGNAL_TRAITS, type Signal } from '../../src/otlp/signal.ts'
import type { Outcome } from '../../src/telemetry/tally.ts'
import { encode, messageOf, messagesOf, type OracleMessage } from '../oracle/oracle.ts'
import { attribute, logRequest, spanRequest } from '../policy/fates.ts'
import { type Preset, type Sent, send } from './preset-run.ts'

const MARK = 'CANARY'
const TARGET = 'codex_core::tasks'
const IDS = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }

/** Where items of a target go: `log lane`, `log lane, moved`, `quarantined`, `dropped as foreign`, with `, finding` behind. */
export function whereTo(preset: Preset, target: string, carriage: string): string {
  const named = [attribute('target', target), attribute('event.name', 'codex.user_prompt')]
  const { items, findings } =
    carriage === 'log record'
      ? send(preset, 'logs', logRequest(target, { ...IDS, attributes: named.slice(1) }))
      : carriage === 'span'
        ? send(preset, 'traces', spanRequest({ attributes: named.slice(0, 1) }))
        : send(preset, 'traces', eventRequest(named))
  const { verdict } = items[items.length - 1]
  const isFound = findings.some(({ kind }) => kind !== 'undecided_field')
  const moved = verdict.outcome === 'rehomed' ? ', moved' : ''
  const fates: Readonly<Partial<Record<Outcome, string>>> = {
    dropped: `dropped as \`${verdict.reason}\``,
    quarantined: 'quarantined',
  }
  const fate = fates[verdict.outcome] ?? `${verdict.lane} lane${moved}`
  return isFound ? `${fate}, finding` : fate
}

function eventRequest(attributes: readonly OracleMessage[]): Uint8Array {
  return spanRequest({ attributes: [attribute('target', TARGET)], events: [{ attributes: [...attributes] }] })
}

/** What becomes of a resource attribute. */
export function resourceField(preset: Preset, signal: Signal, key: string): string {
  const resource = { attributes: [attribute(key, MARK)] }
  const [bytes, top] =
    signal === 'traces'
      ? [spanRequest({ attributes: [attribute('target', TARGET)] }, 'tracer', resource), 'resourceSpans']
      : [metricRequest({ resource }), 'resourceMetrics']
  const sent = send(preset, signal, bytes)
  const [envelope] = messagesOf(sent.leaves(signal), top)
  return verdictOn(key, MARK, messageOf(envelope, 'resource'), sent)
}

/** What becomes of a span's attribute. */
export function spanField(preset: Preset, key: string): string {
  const value = key === 'target' ? TARGET : MARK
  const others = key === 'target' ? [] : [attribute('target', TARGET)]
  const sent = send(preset, 'traces', spanRequest({ attributes: [...others, attribute(key, value)] }))
  return verdictOn(key, value, spanOf(sent), sent)
}

/** What becomes of an attribute of trace-safe events of these names; all must agree. */
export function eventField(preset: Preset, key: string, eventNames: readonly string[]): string {
  const words = eventNames.map((eventName) => {
    const own = { target: 'codex_otel.trace_safe', level: 'INFO', 'event.name': eventName }
    const attributes = Object.entries({ [key]: MARK, ...own })
    const sent = send(
      preset,
      'traces',
      eventRequest(attributes.map(([name, value]) => attribute(name, value))),
    )
    const [event = {}] = messagesOf(spanOf(sent), 'events')
    return verdictOn(key, Object.fromEntries(attributes)[key], event, sent)
  })
  return [...new Set(words)].join(' / ')
}

/** What becomes of an event's attribute on the log lane, as a log record and moved there from a span. */
export function logField(preset: Preset, key: string): string {
  const own = [attribute('event.name', 'codex.user_prompt')].filter(() => key !== 'event.name')
  const record = { attributes: [attribute(key, MARK), ...own] }
  const native = send(preset, 'logs', logRequest('codex_otel.log_only', record))
  // An event's target is its scope in a record, and its level the severity.
  const isMoved = key !== 'target' && key !== 'level'
  const target = attribute('target', 'codex_otel.log_only')
  const moved = send(preset, 'traces', eventRequest([target, ...record.attributes]))
  const words = [native, ...(isMoved ? [moved] : [])].map((sent) => {
    const [envelope = {}] = messagesOf(sent.leaves('logs'), 'resourceLogs')
    const [scope = {}] = messagesOf(envelope, 'scopeLogs')
    const [left = {}] = messagesOf(scope, 'logRecords')
    return verdictOn(key, MARK, left, sent)
  })
  return [...new Set(words)].join(' / ')
}

/** What becomes of something on the metric lane; `where` is resource, data point, exemplar or text. */
export function metricField(preset: Preset, where: string, what: string): string {
  if (where === 'resource') return resourceField(preset, 'metrics', what)
  if (where === 'text') return metricText(preset, what)
  const attributes = [attribute(what, MARK)]
  const point = where === 'exemplar' ? { exemplars: [{ filteredAttributes: attributes }] } : { attributes }
  const sent = send(preset, 'metrics', metricRequest({ point }))
  const [left = {}] = messagesOf(messageOf(metricOf(sent), 'gauge'), 'dataPoints')
  if (where !== 'exemplar') return verdictOn(what, MARK, left, sent)
  const [exemplar = {}] = messagesOf(left, 'exemplars')
  return verdictOn(what, MARK, { attributes: messagesOf(exemplar, 'filteredAttributes') }, sent)
}

interface MetricParts {
  readonly resource?: OracleMessage
  readonly schemaUrl?: string
  readonly scope?: OracleMessage
  readonly metric?: OracleMessage
  readonly point?: OracleMessage
}

function metricRequest({
  resource = {},
  schemaUrl,
  scope = {},
  metric = {},
  point = {},
}: MetricParts): Uint8Array {
  const gauge = { dataPoints: [{ asInt: 1n, ...point }] }
  const scopeMetrics = [{ scope, metrics: [{ name: 'codex.turn.count', ...metric, gauge }] }]
  const urls = schemaUrl === undefined ? {} : { schemaUrl }
  return encode(SIGNAL_TRAITS.metrics.requestMessage, {
    resourceMetrics: [{ resource, scopeMetrics, ...urls }],
  })
}

function metricOf(sent: Sent): OracleMessage {
  const [envelope = {}] = messagesOf(sent.leaves('metrics'), 'resourceMetrics')
  const [scope = {}] = messagesOf(envelope, 'scopeMetrics')
  return messagesOf(scope, 'metrics')[0] ?? {}
}

const METRIC_TEXTS: Readonly<Record<string, MetricParts>> = {
  "the metric's name": { metric: { name: MARK } },
  "the metric's description": { metric: { description: MARK } },
  "the metric's unit": { metric: { unit: MARK } },
  "the scope's name": { scope: { name: MARK } },
  "the scope's version": { scope: { version: MARK } },
  "the resource's schema URL": { schemaUrl: MARK },
}

function metricText(preset: Preset, what: string): string {
  return holds(send(preset, 'metrics', metricRequest(METRIC_TEXTS[what])), 'metrics') ? 'stays' : 'removed'
}

function holds(sent: Sent, signal: Signal): boolean {
  return JSON.stringify(sent.leaves(signal), (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  ).includes(MARK)
}

/** A field number that no message of OTLP has, with a text in it. */
const UNKNOWN = Buffer.concat([Buffer.from([0xfa, 0x3f, MARK.length]), Buffer.from(MARK)])

interface TextProof {
  readonly span?: OracleMessage
  readonly event?: OracleMessage
  readonly scope?: OracleMessage
  readonly schemaUrls?: { readonly resource?: string; readonly scope?: string }
  /** Where a name is looked for that takes the place of a removed one. */
  readonly name?: 'span' | 'event'
  readonly hasTarget?: false
  readonly hasEventName?: false
}

const nested = (key: string): OracleMessage =>
  attribute('turn.id', { kvlistValue: { values: [attribute(key, MARK)] } })

const TEXTS: Readonly<Record<string, TextProof>> = {
  "a span's name": { span: { name: MARK }, name: 'span' },
  "a span's name, where it has no target": { span: { name: MARK }, name: 'span', hasTarget: false },
  "a span event's name": { event: { name: MARK }, name: 'event' },
  "a span event's name, where it has no `event.name`": {
    event: { name: 'codex.user_prompt' },
    name: 'event',
    hasEventName: false,
  },
  "a span's status message": { span: { status: { message: MARK, code: 2 } } },
  "a span's trace state": { span: { traceState: MARK } },
  "a link's trace state": { span: { links: [{ ...IDS, traceState: MARK }] } },
  "a link's attributes": { span: { links: [{ ...IDS, attributes: [attribute('x', MARK)] }] } },
  "a scope's name": { scope: { name: MARK } },
  "a scope's version": { scope: { version: MARK } },
  "a scope's attributes": { scope: { attributes: [attribute('x', MARK)] } },
  "a resource's schema URL": { schemaUrls: { resource: MARK } },
  "a scope's schema URL": { schemaUrls: { scope: MARK } },
  "an entry `prompt` nested in a span's attribute `turn.id`": { span: { attributes: [nested('prompt')] } },
  "an entry `x` nested in a span's attribute `turn.id`": { span: { attributes: [nested('x')] } },
}

/** What becomes of a text that is no attribute, or of a place, on the trace lane. */
export function textOrPlace(preset: Preset, what: string): string {
  if (what === 'a field that the protocol does not know') {
    const request = Buffer.concat([spanRequest({ attributes: [attribute('target', TARGET)] }), UNKNOWN])
    const leaves = sendRaw(preset, request)
    return leaves.includes(MARK) ? 'stays' : 'removed'
  }
  const proof = TEXTS[what]
  const sent = send(preset, 'traces', textRequest(proof))
  if (holds(sent, 'traces')) return sent.findings.length > 0 ? 'stays, finding' : 'stays'
  if (proof.name === undefined) return sent.findings.length > 0 ? 'removed, finding' : 'removed'
  const span = spanOf(sent)
  const named = proof.name === 'span' ? span : (messagesOf(span, 'events')[0] ?? {})
  return NAMES[String(named.name)] ?? String(named.name)
}

const NAMES: Readonly<Record<string, string>> = {
  [TARGET]: 'becomes its target',
  'codex.user_prompt': 'becomes its `event.name`',
  span: 'becomes `span`',
  event: 'becomes `event`',
}

function textRequest({
  span = {},
  event,
  scope,
  schemaUrls = {},
  hasTarget,
  hasEventName,
}: TextProof): Uint8Array {
  const own = hasTarget === false ? [] : [attribute('target', TARGET)]
  const eventAttributes = [
    attribute('target', 'codex_otel.trace_safe'),
    ...(hasEventName === false ? [] : [attribute('event.name', 'codex.user_prompt')]),
  ]
  const made = {
    ...span,
    attributes: [...own, ...messagesOf(span, 'attributes')],
    events: event === undefined ? [] : [{ ...event, attributes: eventAttributes }],
  }
  const scopeSpans = [
    { scope: scope ?? { name: 'tracer' }, spans: [made], schemaUrl: schemaUrls.scope ?? '' },
  ]
  return encode(SIGNAL_TRAITS.traces.requestMessage, {
    resourceSpans: [{ resource: {}, scopeSpans, schemaUrl: schemaUrls.resource ?? '' }],
  })
}

function sendRaw(preset: Preset, request: Uint8Array): string {
  return Buffer.from(send(preset, 'traces', request).bytes('traces')).toString('latin1')
}

function spanOf(sent: Sent): OracleMessage {
  const [envelope = {}] = messagesOf(sent.leaves('traces'), 'resourceSpans')
  const [scope = {}] = messagesOf(envelope, 'scopeSpans')
  return messagesOf(scope, 'spans')[0] ?? {}
}

/** What became of the attribute `key` with `value`, judged by what is left of its message. */
function verdictOn(key: string, value: string, left: OracleMessage, { findings }: Sent): string {
  const found = messagesOf(left, 'attributes').find((one) => one.key === key)
  const text = found === undefined ? undefined : messageOf(found, 'value').stringValue
  const isFinding = findings.some(({ kind, keys }) => kind === 'undecided_field' && keys.includes(key))
  const fate =
    found === undefined
      ? 'removed'
      : text === value
        ? 'stays'
        : /^hmac:[0-9a-f]{32}$/.test(String(text))
          ? 'hashed'
          : 'changed'
  return isFinding ? `${fate}, finding` : fate
}
