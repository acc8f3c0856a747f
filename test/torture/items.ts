/**
 * Requests whose items can be told apart: every item carries a number, and it is known which exporters must get it.
 *
 * In: the next free number and a source of chance. Out: an OTLP body, and the numbers by exporter. They come in the
 * shapes that cross lanes: records and spans alone, both in one request, and items that are rehomed.
 */
import { gzipSync } from 'node:zlib'
import { encode, type OracleMessage } from '../oracle/oracle.ts'

/** The exporters of the torture's configuration: two on the log lane, which share bytes, and one on the trace lane. */
export const EXPORTERS = ['otlp_http/a', 'otlp_http/b', 'otlp_http/t'] as const
export type ExporterName = (typeof EXPORTERS)[number]

const LOG_EXPORTERS: readonly ExporterName[] = ['otlp_http/a', 'otlp_http/b']
const TRACE_EXPORTERS: readonly ExporterName[] = ['otlp_http/t']

export interface NumberedItem {
  readonly id: number
  readonly exporters: readonly ExporterName[]
}

export interface NumberedRequest {
  readonly path: '/v1/logs' | '/v1/traces'
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly items: readonly NumberedItem[]
}

/** A text that `idsIn` finds. */
export function textOf(id: number): string {
  return `<item ${String(id).padStart(9, '0')}>`
}

/** The numbers in a body, in order. */
export function idsIn(body: Buffer): readonly number[] {
  return [...body.toString('latin1').matchAll(/<item (\d{9})>/g)].map(([, digits]) => Number(digits))
}

const SHAPES = ['logs', 'spans', 'misplaced records', 'misplaced events'] as const
const LARGE_SHARE = 0.03
const LARGE_CHARACTERS = 100_000
const ITEMS_MAX = 5

/** A request with up to ten items, numbered from `firstId`. */
export function numberedRequest(firstId: number, random: () => number): NumberedRequest {
  const shape = SHAPES[Math.floor(random() * SHAPES.length)]
  const count = 1 + Math.floor(random() * ITEMS_MAX)
  const padding = random() < LARGE_SHARE ? 'x'.repeat(LARGE_CHARACTERS) : ''
  const ids = Array.from({ length: count }, (_, index) => firstId + index)
  const { path, bytes, items } = requestOf(shape, ids, padding)
  const isCompressed = random() < 0.3
  return {
    path,
    headers: {
      'content-type': 'application/x-protobuf',
      // A tracer sees them here also where the body is compressed.
      'x-items': items.map(({ id }) => textOf(id)).join(','),
      ...(isCompressed ? { 'content-encoding': 'gzip' } : {}),
    },
    body: isCompressed ? gzipSync(bytes, { level: 1 }) : bytes,
    items,
  }
}

interface Shaped {
  readonly path: NumberedRequest['path']
  readonly bytes: Uint8Array
  readonly items: readonly NumberedItem[]
}

function requestOf(shape: (typeof SHAPES)[number], ids: readonly number[], padding: string): Shaped {
  switch (shape) {
    case 'logs':
      return {
        path: '/v1/logs',
        bytes: logs([scopeLogs('codex_otel.log_only', ids, padding)]),
        items: ids.map((id) => ({ id, exporters: LOG_EXPORTERS })),
      }
    case 'spans':
      return {
        path: '/v1/traces',
        bytes: traces(ids.map((id, index) => span(id, index === 0 ? padding : '', []))),
        items: ids.map((id) => ({ id, exporters: TRACE_EXPORTERS })),
      }
    case 'misplaced records': {
      const misplaced = ids.map((id) => id + ITEMS_MAX)
      return {
        path: '/v1/logs',
        bytes: logs([
          scopeLogs('codex_otel.log_only', ids, padding),
          scopeLogs('codex_otel.trace_safe', misplaced, ''),
        ]),
        items: [
          ...ids.map((id) => ({ id, exporters: LOG_EXPORTERS })),
          ...misplaced.map((id) => ({ id, exporters: TRACE_EXPORTERS })),
        ],
      }
    }
    case 'misplaced events': {
      const misplaced = ids.map((id) => id + ITEMS_MAX)
      return {
        path: '/v1/traces',
        bytes: traces(ids.map((id, index) => span(id, index === 0 ? padding : '', [misplaced[index]]))),
        items: [
          ...ids.map((id) => ({ id, exporters: TRACE_EXPORTERS })),
          ...misplaced.map((id) => ({ id, exporters: LOG_EXPORTERS })),
        ],
      }
    }
  }
}

/** How many numbers a request may use. */
export const IDS_PER_REQUEST: number = 2 * ITEMS_MAX

const TRACE_ID = '0b'.repeat(16)

function logs(scopes: OracleMessage[]): Uint8Array {
  return encode('ExportLogsServiceRequest', { resourceLogs: [{ scopeLogs: scopes }] })
}

function scopeLogs(name: string, ids: readonly number[], padding: string): OracleMessage {
  const logRecords = ids.map((id, index) => ({
    timeUnixNano: 1_700_000_000_000_000_000n,
    body: { stringValue: textOf(id) + (index === 0 ? padding : '') },
    traceId: TRACE_ID,
    spanId: '0c'.repeat(8),
  }))
  return { scope: { name }, logRecords }
}

function traces(spans: OracleMessage[]): Uint8Array {
  return encode('ExportTraceServiceRequest', { resourceSpans: [{ scopeSpans: [{ spans }] }] })
}

function span(id: number, padding: string, events: readonly number[]): OracleMessage {
  return {
    traceId: TRACE_ID,
    spanId: id.toString(16).padStart(16, '1'),
    name: textOf(id) + padding,
    events: events.map((event) => ({
      timeUnixNano: 1_700_000_000_000_000_000n,
      name: 'event',
      attributes: [
        { key: 'target', value: { stringValue: 'codex_otel.log_only' } },
        { key: 'item', value: { stringValue: textOf(event) } },
      ],
    })),
  }
}
