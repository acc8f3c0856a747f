/**
 * Small requests made by the oracle: log records, spans and points whose texts tell them apart.
 */
import { decode, encode, messageOf, messagesOf, type OracleMessage } from '../oracle/oracle.ts'

export interface Emitted {
  readonly target: string
  readonly texts: readonly string[]
  /** Resource attributes. */
  readonly resource?: Readonly<Record<string, string>>
  readonly eventName?: string
}

export function attributesOf(values: Readonly<Record<string, string>>): OracleMessage[] {
  return Object.entries(values).map(([key, stringValue]) => ({ key, value: { stringValue } }))
}

/** One log record a text, which is its body; each target in a scope of its own. */
export function logsOf(...emitted: readonly Emitted[]): Uint8Array {
  return encode('ExportLogsServiceRequest', {
    resourceLogs: emitted.map(({ target, texts, resource = {}, eventName }) => ({
      resource: { attributes: attributesOf(resource) },
      scopeLogs: [
        {
          scope: { name: target },
          logRecords: texts.map((stringValue) => ({
            body: { stringValue },
            ...(eventName === undefined ? {} : { attributes: attributesOf({ 'event.name': eventName }) }),
          })),
        },
      ],
    })),
  })
}

/** One span a text, which is its name. */
export function spansOf(...emitted: readonly Emitted[]): Uint8Array {
  return encode('ExportTraceServiceRequest', {
    resourceSpans: emitted.map(({ target, texts, resource = {} }) => ({
      resource: { attributes: attributesOf(resource) },
      scopeSpans: [
        {
          scope: { name: target },
          spans: texts.map((name) => ({ traceId: '0b'.repeat(16), spanId: '0c'.repeat(8), name })),
        },
      ],
    })),
  })
}

/** The bodies of the records in joined logs requests, in order. */
export function bodiesIn(bytes: Uint8Array): readonly string[] {
  return recordsIn(bytes).map((record) => String(messageOf(record, 'body').stringValue ?? ''))
}

export function recordsIn(bytes: Uint8Array): readonly OracleMessage[] {
  return itemsIn('ExportLogsServiceRequest', bytes, ['resourceLogs', 'scopeLogs', 'logRecords'])
}

/** The names of the scopes of joined logs requests. */
export function scopesIn(bytes: Uint8Array): readonly string[] {
  return itemsIn('ExportLogsServiceRequest', bytes, ['resourceLogs', 'scopeLogs']).map((one) =>
    String(messageOf(one, 'scope').name ?? ''),
  )
}

/** The string value of an attribute; of several of one key, the first. */
export function attributeOf(item: OracleMessage, key: string): string {
  const attribute = messagesOf(item, 'attributes').find((one) => one.key === key)
  return attribute === undefined ? '' : String(messageOf(attribute, 'value').stringValue ?? '')
}

/** The names of the spans in joined traces requests, in order. */
export function spanNamesIn(bytes: Uint8Array): readonly string[] {
  return spansIn(bytes).map(({ name }) => String(name))
}

export function spansIn(bytes: Uint8Array): readonly OracleMessage[] {
  return itemsIn('ExportTraceServiceRequest', bytes, ['resourceSpans', 'scopeSpans', 'spans'])
}

export function metricsIn(bytes: Uint8Array): readonly OracleMessage[] {
  return itemsIn('ExportMetricsServiceRequest', bytes, ['resourceMetrics', 'scopeMetrics', 'metrics'])
}

function itemsIn(message: string, bytes: Uint8Array, path: readonly string[]): readonly OracleMessage[] {
  let items: readonly OracleMessage[] = [decode(message, bytes)]
  for (const field of path) items = items.flatMap((item) => messagesOf(item, field))
  return items
}
