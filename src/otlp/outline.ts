/**
 * An outline of a request for a person: by item, which keys it has and how large each is; values only if asked for.
 *
 * In: the bytes of one Export*ServiceRequest. Out: plain data, bounded in items. `@` names what is no attribute, as in
 * field rules. Sizes are those of the value's OTLP/JSON. Throws `MalformedRequest`.
 */
import { protobufToJson } from './protobuf-to-json.ts'
import { SIGNAL_TRAITS, type Signal } from './signal.ts'

export interface OutlinedField {
  /** `resource`, `scope`, `log_record`, `span`, `events[0]`, … */
  readonly place: string
  readonly key: string
  readonly bytes: number
  /** OTLP/JSON text, only if values were asked for. */
  readonly value?: string
}

export interface OutlinedItem {
  readonly fields: readonly OutlinedField[]
}

export interface Outline {
  readonly items: readonly OutlinedItem[]
  /** How many items more there are than are shown. */
  readonly more: number
}

/** What one look can take in; a log record may have hundreds of fields. */
export const OUTLINED_ITEMS_MAX = 100

const SHAPES: Readonly<
  Record<Signal, { readonly scopes: string; readonly items: string; readonly place: string }>
> = {
  logs: { scopes: 'scopeLogs', items: 'logRecords', place: 'log_record' },
  traces: { scopes: 'scopeSpans', items: 'spans', place: 'span' },
  metrics: { scopes: 'scopeMetrics', items: 'metrics', place: 'metric' },
}

export function outlineRequest(
  bytes: Uint8Array,
  signal: Signal,
  { values }: { readonly values: boolean },
): Outline {
  const { resourcesKey, requestMessage } = SIGNAL_TRAITS[signal]
  const { scopes, items, place } = SHAPES[signal]
  const request: unknown = JSON.parse(protobufToJson([bytes], requestMessage))
  const outlined: OutlinedItem[] = []
  let more = 0
  for (const resource of listAt(request, resourcesKey)) {
    for (const scope of listAt(resource, scopes)) {
      for (const item of listAt(scope, items)) {
        if (outlined.length >= OUTLINED_ITEMS_MAX) {
          more++
          continue
        }
        const fields: OutlinedField[] = []
        walk(place, item, { fields, values })
        walk('scope', valueAt(scope, 'scope'), { fields, values })
        walk('resource', valueAt(resource, 'resource'), { fields, values })
        outlined.push({ fields })
      }
    }
  }
  return { items: outlined, more }
}

interface Walk {
  readonly fields: OutlinedField[]
  readonly values: boolean
}

/** Lists of messages, and a metric's data, are entered; all else is a field with a size. */
function walk(place: string, message: unknown, to: Walk): void {
  for (const [key, value] of entriesOf(message)) {
    if (key === 'attributes' && Array.isArray(value)) {
      for (const attribute of value) {
        add(place, String(valueAt(attribute, 'key') ?? ''), valueAt(attribute, 'value'), to)
      }
    } else if (Array.isArray(value) && value.some(isMessage)) {
      value.forEach((one, index) => {
        walk(`${place}.${key}[${index}]`, one, to)
      })
    } else if (isMessage(value) && listAt(value, 'dataPoints').length > 0) walk(key, value, to)
    else add(place, `@${key}`, value, to)
  }
}

function add(place: string, key: string, value: unknown, { fields, values }: Walk): void {
  const text = JSON.stringify(value) ?? ''
  const bytes = Buffer.byteLength(text)
  fields.push(values ? { place, key, bytes, value: text } : { place, key, bytes })
}

function isMessage(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return isMessage(value) ? Object.entries(value) : []
}

function valueAt(value: unknown, key: string): unknown {
  return entriesOf(value).find(([name]) => name === key)?.[1]
}

function listAt(value: unknown, key: string): readonly unknown[] {
  const found = valueAt(value, key)
  return Array.isArray(found) ? found : []
}
