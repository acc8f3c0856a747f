/**
 * Rehoming as the contract's table tells it, on decoded objects: what the builders of bytes are compared with.
 *
 * Written from the table, one item after the other; no bytes but those that a carrier's id is the hash of.
 */
import { createHash } from 'node:crypto'
import { messagesOf, type OracleMessage, type OracleValue } from '../oracle/oracle.ts'

/** Leaves out what a decoder would not report. */
function present(fields: Readonly<Record<string, OracleValue | undefined>>): OracleMessage {
  const message: OracleMessage = {}
  for (const [key, value] of Object.entries(fields)) {
    const isNothing = value === undefined || value === '' || value === 0n || value === 0
    if (!isNothing && !(Array.isArray(value) && value.length === 0)) message[key] = value
  }
  return message
}

function keyOf(attribute: OracleMessage): OracleValue {
  return attribute.key ?? ''
}

function stringOf(attribute: OracleMessage | undefined): string | undefined {
  const value = attribute?.value
  if (typeof value !== 'object' || Array.isArray(value)) return undefined
  return typeof value.stringValue === 'string' ? value.stringValue : undefined
}

export function stringAttribute(key: string, value: string): OracleMessage {
  return present({ key, value: { stringValue: value } })
}

function eventNameOf(attributes: readonly OracleMessage[]): string {
  const names = attributes.filter((one) => one.key === 'event.name').map(stringOf)
  return names.find((name) => name !== undefined && name !== '') ?? ''
}

function validId(id: OracleValue | undefined, digits: number): string | undefined {
  return typeof id === 'string' && id.length === digits && !/^0*$/.test(id) ? id : undefined
}

const SEVERITIES: Readonly<Record<string, number>> = {
  trace: 1,
  debug: 5,
  info: 9,
  warn: 13,
  warning: 13,
  error: 17,
  fatal: 21,
}

/** The log record of an event whose target was given by the attribute `targetKey`, if one did. */
export function recordOfEvent(
  event: OracleMessage,
  span: OracleMessage,
  targetKey: string | undefined,
): OracleMessage {
  const attributes = messagesOf(event, 'attributes')
  const level = stringOf(attributes.find((one) => one.key === 'level')) ?? ''
  const message = attributes.find((one) => one.key === 'message')
  const eventName = eventNameOf(attributes)
  const name = typeof event.name === 'string' ? event.name : ''
  let body: OracleValue | undefined
  if (message !== undefined) body = message.value
  else if (eventName !== '' && name !== '' && !/^event .+:[0-9]+$/s.test(name)) body = { stringValue: name }
  const rest = attributes.filter(
    (one) => one.key !== 'level' && (targetKey === undefined || keyOf(one) !== targetKey),
  )
  return present({
    timeUnixNano: event.timeUnixNano,
    observedTimeUnixNano: event.timeUnixNano,
    severityNumber: Object.hasOwn(SEVERITIES, level.toLowerCase()) ? SEVERITIES[level.toLowerCase()] : 0,
    severityText: level,
    body,
    attributes: [...rest, stringAttribute('laneway.rehomed', 'span_event')],
    droppedAttributesCount: event.droppedAttributesCount,
    flags: Number(span.flags ?? 0) & 0xff,
    traceId: validId(span.traceId, 32),
    spanId: validId(span.spanId, 16),
    eventName: eventName === '' ? name : eventName,
  })
}

export function hasSpan(record: OracleMessage): boolean {
  return validId(record.traceId, 32) !== undefined && validId(record.spanId, 16) !== undefined
}

/** The carrier of a record; `payload` is the record as it came. */
export function carrierOfRecord(record: OracleMessage, payload: Uint8Array, target: string): OracleMessage {
  const attributes = messagesOf(record, 'attributes')
  const severityText = typeof record.severityText === 'string' ? record.severityText : ''
  const added: OracleMessage[] = []
  const { body } = record
  if (typeof body === 'object' && !Array.isArray(body) && Object.keys(body).length > 0) {
    const isMessage = typeof body.stringValue === 'string' && !attributes.some((one) => one.key === 'message')
    added.push({ key: isMessage ? 'message' : 'body', value: body })
  }
  const eventName = eventNameOf(attributes)
  const name = eventName === '' ? record.eventName : eventName
  const time = record.timeUnixNano ?? record.observedTimeUnixNano
  const event = present({
    timeUnixNano: time,
    name,
    attributes: [
      stringAttribute('target', target),
      ...(severityText === '' ? [] : [stringAttribute('level', severityText)]),
      ...attributes.filter((one) => one.key !== 'target' && one.key !== 'level'),
      ...added,
    ],
    droppedAttributesCount: record.droppedAttributesCount,
  })
  const { traceId, spanId, flags } = record
  return carrier({ event, traceId, parentSpanId: spanId, flags, payload, rehomed: 'log_record' })
}

/** The carrier of an event whose own span stays behind; `payload` is the event as it came. */
export function carrierOfEvent(
  event: OracleMessage,
  span: OracleMessage,
  payload: Uint8Array,
): OracleMessage {
  const { traceId, parentSpanId, flags } = span
  return carrier({ event, traceId, parentSpanId, flags, payload, rehomed: 'span_event' })
}

function carrier(parts: {
  readonly event: OracleMessage
  readonly traceId: OracleValue | undefined
  readonly parentSpanId: OracleValue | undefined
  readonly flags: OracleValue | undefined
  readonly payload: Uint8Array
  readonly rehomed: string
}): OracleMessage {
  const { event, payload, rehomed } = parts
  const hash = createHash('sha256').update(payload).digest('hex').slice(0, 16)
  return present({
    traceId: validId(parts.traceId, 32),
    spanId: hash === '0'.repeat(16) ? `${'0'.repeat(15)}1` : hash,
    parentSpanId: validId(parts.parentSpanId, 16),
    name: event.name,
    kind: 1,
    flags: Number(parts.flags ?? 0) & 0xff,
    startTimeUnixNano: event.timeUnixNano,
    endTimeUnixNano: event.timeUnixNano,
    attributes: [stringAttribute('laneway.rehomed', rehomed)],
    events: [event],
  })
}
