import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { LEN, tagOf } from '../../src/otlp/cursor.ts'
import { fromByteString } from '../../src/policy/family.ts'
import { EVENT_NAME, LEVEL, TARGET } from '../../src/policy/keys.ts'
import { EVENT_PLAN, LOG_RECORD_PLAN, type Plan, SPAN_PLAN } from '../../src/policy/plan.ts'
import { Reading, rowsMax } from '../../src/policy/reading.ts'
import { eventsMax } from '../../src/policy/span-events.ts'
import { requestArbitrary } from '../oracle/arbitrary.ts'
import { mutateKeepingMeaning } from '../oracle/mutate.ts'
import { decode, encode, messagesOf, type OracleMessage } from '../oracle/oracle.ts'
import { createReading } from './readings.ts'

type Field = readonly [key: string, text: string | undefined]

const ATTRIBUTE: Readonly<Record<'Span' | 'Span.Event' | 'LogRecord', number>> = {
  Span: tagOf(9, LEN),
  'Span.Event': tagOf(3, LEN),
  LogRecord: tagOf(6, LEN),
}

/** Roles as a policy gives them, for every kind of message; nobody edits what begins with `code.`. */
const roles = new Map([
  ['target', TARGET],
  ['event.name', EVENT_NAME],
  ['level', LEVEL],
])
let keys = 0
const isInert = (key: string): boolean => key.startsWith('code.')
const reading = new Reading(
  () => ({ roles, isInert }),
  () => keys++,
)

/** The attributes of a message in a reading: rows `[first, last)`, messages in it left out. */
function fieldsIn(read: Reading, tag: number, first = 0, last = read.count): readonly Field[] {
  const fields: Field[] = []
  for (let row = first; row < last; row++) {
    if (isMessage(read.tags[row])) row = read.values[row] - 1
    else if (read.tags[row] === tag) fields.push(fieldIn(read, row))
  }
  return fields
}

function isMessage(tag: number): boolean {
  return [11, 13, 15].some((field) => tag === tagOf(field, LEN))
}

function fieldIn(read: Reading, row: number): Field {
  const isText = read.readText(row)
  const text = Buffer.from(read.cursor.bytes.subarray(read.textStart, read.textEnd)).toString()
  return [fromByteString(read.keys[row].text), isText ? text : undefined]
}

function expected(message: OracleMessage): readonly Field[] {
  return messagesOf(message, 'attributes').map(({ key, value }) => [
    typeof key === 'string' ? key : '',
    typeof value === 'object' && 'stringValue' in value ? String(value.stringValue) : undefined,
  ])
}

function itemsOf(request: OracleMessage, path: readonly string[]): readonly OracleMessage[] {
  return path.reduce<readonly OracleMessage[]>(
    (messages, field) => messages.flatMap((message) => messagesOf(message, field)),
    [request],
  )
}

/** The item's bytes, with liberties taken, somewhere inside of other bytes. */
function within(
  message: string,
  item: OracleMessage,
  seed: number,
  rate: number,
): [Uint8Array, number, number] {
  const { bytes } = mutateKeepingMeaning(encode(message, item), message, seed, { rate })
  const request = Buffer.concat([
    Buffer.from([0x0a, 0x09]),
    bytes,
    Buffer.from(seed % 2 ? [] : [0x0a, 0x01, 0x31]),
  ])
  return [request, 2, 2 + bytes.length]
}

const wanted = (field: Field): boolean => roles.has(field[0])

t.test('whatever liberties are taken, the rows of a span are what the oracle decodes', async (t) => {
  const rate = fc.constantFrom(0, 0.05, 0.3)
  fc.assert(
    fc.property(requestArbitrary('traces'), fc.integer({ min: 0 }), rate, (request, seed, rate) => {
      for (const span of itemsOf(request, ['resourceSpans', 'scopeSpans', 'spans'])) {
        const [bytes, start, end] = within('Span', span, seed, rate)
        const oracle = decode('Span', bytes.subarray(start, end))
        const own = expected(oracle)
        const events = messagesOf(oracle, 'events').map(expected)

        reading.begin(bytes, 'all')
        reading.read(SPAN_PLAN, start, end)
        deepStrictEqual(fieldsIn(reading, ATTRIBUTE.Span), own)
        const rows = [...reading.tags.subarray(0, reading.count).keys()]
        const eventRows = rows.filter((row) => reading.tags[row] === tagOf(11, LEN))
        deepStrictEqual(
          eventRows.map((row) => fieldsIn(reading, ATTRIBUTE['Span.Event'], row + 1, reading.values[row])),
          events,
        )

        reading.begin(bytes, 'edits')
        reading.read(SPAN_PLAN, start, end)
        // One in an unusual shape has a row whoever asks: its value may hold more.
        const kept = fieldsIn(reading, ATTRIBUTE.Span)
        const asked = own.filter(([key]) => !isInert(key))
        deepStrictEqual(
          kept.filter(([key]) => !isInert(key)),
          asked,
        )

        reading.begin(bytes, 'roles')
        reading.read(SPAN_PLAN, start, end)
        const { notes, innerNotes } = reading
        const noted = Array.from(notes.rows.subarray(0, notes.count), (row) => fieldIn(reading, row))
        deepStrictEqual(noted, own.filter(wanted))
        deepStrictEqual(
          events.map((_, index) =>
            Array.from(
              innerNotes.rows.subarray(reading.events.firstNotes[index], reading.events.lastNotes[index]),
              (row) => fieldIn(reading, row),
            ),
          ),
          events.map((event) => event.filter(wanted)),
        )
      }
    }),
    { numRuns: 300 },
  )
  t.pass('for every span')
})

t.test('so are those of a log record, and its event name is the last that it was given', async (t) => {
  fc.assert(
    fc.property(
      requestArbitrary('logs'),
      fc.integer({ min: 0 }),
      fc.constantFrom(0, 0.2),
      (request, seed, rate) => {
        for (const record of itemsOf(request, ['resourceLogs', 'scopeLogs', 'logRecords'])) {
          const [bytes, start, end] = within('LogRecord', record, seed, rate)
          const oracle = decode('LogRecord', bytes.subarray(start, end))
          reading.begin(bytes, 'all')
          reading.read(LOG_RECORD_PLAN, start, end)
          deepStrictEqual(fieldsIn(reading, ATTRIBUTE.LogRecord), expected(oracle))
          const name = Buffer.from(bytes.subarray(reading.nameStart, reading.nameEnd)).toString()
          deepStrictEqual(name, oracle.eventName ?? '')
        }
      },
    ),
    { numRuns: 300 },
  )
  t.pass('for every record')
})

t.test('a key is told from others of its length, whatever came before', async (t) => {
  const names = [
    'a',
    'ab',
    'abc',
    'abcd',
    'abXd',
    'abcde',
    'abcdefgh',
    'abcdXfgh',
    '',
    'k'.repeat(127),
    'k'.repeat(128),
  ]
  const attributes = [...names, ...names.toReversed(), ...names].map((key) => ({
    key,
    value: { boolValue: true },
  }))
  const bytes = encode('Span.Event', { attributes })
  const read = createReading()
  for (let round = 0; round < 3; round++) {
    read.begin(bytes, 'all')
    read.read(EVENT_PLAN, 0, bytes.length)
    t.strictSame(
      read.keys.slice(0, read.count).map(({ text }) => text),
      attributes.map(({ key }) => key),
    )
  }
})

t.test('a flood of invented keys is told apart, and does not grow what is remembered', async (t) => {
  const read = createReading()
  for (let round = 0; round < 2; round++) {
    const attributes = Array.from({ length: 20_000 }, (_, index) => ({
      key: `k${index}`,
      value: { boolValue: true },
    }))
    const bytes = encode('Span.Event', { attributes })
    read.begin(bytes, 'all')
    read.read(EVENT_PLAN, 0, bytes.length)
    t.equal(read.count, attributes.length)
    t.ok(attributes.every(({ key }, row) => read.keys[row].text === key))
  }
  const small = encode('Span.Event', { name: 'x' })
  read.begin(small, 'all')
  read.read(EVENT_PLAN, 0, small.length)
  t.ok(read.fields.length < 1000, 'one large item does not keep its memory')
})

t.test('an item with more rows than the limit is refused, one with as many is not', async (t) => {
  const read = createReading()
  const attempt = (plan: Plan, tag: number, count: number) => () => {
    const bytes = new Uint8Array(count * 2)
    for (let at = 0; at < bytes.length; at += 2) bytes[at] = tag
    read.begin(bytes, 'all')
    read.read(plan, 0, bytes.length)
  }
  t.doesNotThrow(attempt(EVENT_PLAN, ATTRIBUTE['Span.Event'], rowsMax))
  t.throws(attempt(EVENT_PLAN, ATTRIBUTE['Span.Event'], rowsMax + 1), { code: 'too_large' })
  const events = (count: number) => () => {
    const bytes = new Uint8Array(count * 2)
    for (let at = 0; at < bytes.length; at += 2) bytes[at] = tagOf(11, LEN)
    read.begin(bytes, 'roles')
    read.read(SPAN_PLAN, 0, bytes.length)
  }
  t.doesNotThrow(events(eventsMax))
  t.throws(events(eventsMax + 1), { code: 'too_large' })
})

t.test('bytes that end too soon are malformed, wherever they are cut', async (t) => {
  const attributes = [
    { key: 'target', value: { stringValue: 'codex_otel.trace_safe' } },
    { key: 'long', value: { stringValue: 'x'.repeat(300) } },
    { key: 'number', value: { intValue: 7n } },
  ]
  const whole = encode('Span', { name: 'n', attributes, events: [{ name: 'e', attributes }] })
  const boundaries = new Set<number>()
  for (let end = 0; end < whole.length; end++) {
    const bytes = whole.slice(0, end)
    try {
      decode('Span', bytes)
      boundaries.add(end)
    } catch {
      // Cut inside a field.
    }
    reading.begin(bytes, 'all')
    const read = (): void => reading.read(SPAN_PLAN, 0, end)
    if (boundaries.has(end)) t.doesNotThrow(read, `${end}`)
    else t.throws(read, { code: 'malformed' }, `${end}`)
  }
})
