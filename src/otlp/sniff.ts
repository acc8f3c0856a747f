/**
 * Which signal a request carries, where its path does not say: for a POST to `/`.
 *
 * JSON tells by its top key. Protobuf does not: all three requests are alike down to the item, so the wire
 * types of the first item that decides are the evidence. Nothing is converted.
 * Source: the contract, section 2, "Input"; field numbers of opentelemetry-proto 1.11.
 */
import { MalformedRequest } from '../errors.ts'
import { Cursor, FIXED32, FIXED64, LEN, tagOf, VARINT } from './cursor.ts'
import { JsonCursor, NESTING_MAX } from './json-cursor.ts'
import { SIGNAL_TRAITS, SIGNALS, type Signal } from './signal.ts'

/** `empty`: there is no item. Throws `MalformedRequest` if the bytes cannot be read, or fit no signal for certain. */
export function sniffSignal(body: Uint8Array, encoding: 'proto' | 'json'): Signal | 'empty' {
  if (body.length === 0) return 'empty'
  return encoding === 'json' ? sniffJson(body) : sniffProtobuf(body)
}

const SIGNAL_BY_KEY: ReadonlyMap<string, Signal> = new Map(
  SIGNALS.map((signal) => [SIGNAL_TRAITS[signal].resourcesKey, signal]),
)

function sniffJson(body: Uint8Array): Signal | 'empty' {
  const json = new JsonCursor(body)
  let found: Signal | undefined
  json.take(0x7b, 'expected an object')
  if (json.peek() === 0x7d) {
    json.at++
  } else {
    const keys = new Set<string>()
    do {
      json.string('expected a key')
      json.rememberKey(keys)
      const signal = SIGNAL_BY_KEY.get(json.text.toString('latin1', json.textStart, json.textEnd))
      json.take(0x3a, 'expected a colon')
      // A message of OTLP takes up to two levels of JSON: its own limit comes later.
      json.skipValue(-NESTING_MAX)
      if (signal === undefined) continue
      if (found !== undefined) json.fail('more than one signal in a request')
      found = signal
    } while (json.another(0x7d))
  }
  if (json.peek() !== -1) json.fail('something behind the request')
  return found ?? 'empty'
}

function sniffProtobuf(body: Uint8Array): Signal | 'empty' {
  const cursor = new Cursor()
  cursor.reset(body, 0)
  let items = 0
  // Field 1 of the request are the resources, field 2 of those the scopes, field 2 of those the items.
  for (const resource of fields(cursor, 0, body.length)) {
    if (resource.tag !== tagOf(1, LEN)) continue
    for (const scope of fields(cursor, resource.start, resource.end)) {
      if (scope.tag !== tagOf(2, LEN)) continue
      for (const item of fields(cursor, scope.start, scope.end)) {
        if (item.tag !== tagOf(2, LEN)) continue
        items++
        const signal = judge([...fields(cursor, item.start, item.end)], cursor)
        if (signal !== undefined) return signal
      }
    }
  }
  if (items === 0) return 'empty'
  throw new MalformedRequest('items of no certain signal; post to /v1/logs, /v1/traces or /v1/metrics', {
    offset: 0,
  })
}

interface FoundField {
  readonly tag: number
  /** Range of the value: of a LEN field without its length. */
  readonly start: number
  readonly end: number
}

/** The fields of the message in `[start, end)`; the cursor may be used elsewhere between two of them. */
function* fields(cursor: Cursor, start: number, end: number): Generator<FoundField> {
  let at = start
  while (at < end) {
    cursor.at = at
    const tag = cursor.tag(end)
    const valueStart = cursor.at
    cursor.skip(tag, end)
    at = cursor.at
    if ((tag & 7) === LEN) {
      cursor.at = valueStart
      cursor.payloadEnd(end)
      yield { tag, start: cursor.at, end: at }
    } else {
      yield { tag, start: valueStart, end: at }
    }
  }
}

const LOG_RECORD_TAGS = [tagOf(1, FIXED64), tagOf(11, FIXED64), tagOf(2, VARINT)]
/** Times, kind, flags and counts of a span: a metric has no number of its own. */
const SPAN_TAGS = [
  tagOf(7, FIXED64),
  tagOf(8, FIXED64),
  tagOf(6, VARINT),
  tagOf(10, VARINT),
  tagOf(12, VARINT),
  tagOf(14, VARINT),
  tagOf(16, FIXED32),
]
/** Sum, exponential histogram and metadata: a span has numbers there. */
const METRIC_TAGS = [tagOf(7, LEN), tagOf(10, LEN), tagOf(12, LEN)]
/** Gauge, histogram and summary: a span has its name, attributes and events there. */
const SHARED_DATA_TAGS = [tagOf(5, LEN), tagOf(9, LEN), tagOf(11, LEN)]
const traceIdBytes = 16

/** Undefined if the item does not decide. */
function judge(item: readonly FoundField[], cursor: Cursor): Signal | undefined {
  const has = (tags: readonly number[]): boolean => item.some((field) => tags.includes(field.tag))
  if (has(LOG_RECORD_TAGS)) return 'logs'
  const first = item.findLast((field) => field.tag === tagOf(1, LEN))
  if (first === undefined) return undefined
  if (first.end - first.start !== traceIdBytes) {
    if (has(SPAN_TAGS)) return 'traces'
    return has(METRIC_TAGS) || has(SHARED_DATA_TAGS) ? 'metrics' : undefined
  }
  // The name of a metric may have 16 bytes too: `codex.turn.count`.
  if (has(SPAN_TAGS)) return 'traces'
  if (has(METRIC_TAGS)) return 'metrics'
  const shared = item.filter((field) => SHARED_DATA_TAGS.includes(field.tag))
  return shared.length === 1 && isDataOfMetric(cursor, shared[0]) ? 'metrics' : 'traces'
}

/** True if the bytes are a message with nothing but data points in field 1 and numbers in fields 2 and 3. */
function isDataOfMetric(cursor: Cursor, field: FoundField): boolean {
  try {
    let points = 0
    for (const { tag } of fields(cursor, field.start, field.end)) {
      if (tag === tagOf(1, LEN)) points++
      else if (tag !== tagOf(2, VARINT) && tag !== tagOf(3, VARINT)) return false
    }
    return points > 0
  } catch (error) {
    if (error instanceof MalformedRequest) return false
    throw error
  }
}
