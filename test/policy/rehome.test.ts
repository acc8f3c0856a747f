/** Each row of the contract's table of rehomed items, and each "else" in it, by example; then the envelopes. */
import { createHash } from 'node:crypto'
import t from 'tap'
import { viewed } from '../../src/otlp/copy.ts'
import { EVENT_PLAN, LOG_RECORD_PLAN, SPAN_FACTS_PLAN } from '../../src/policy/plan.ts'
import { addCarriedEvent } from '../../src/policy/rehome/carrier.ts'
import { RehomedEvent } from '../../src/policy/rehome/event.ts'
import { RehomedRecord } from '../../src/policy/rehome/record.ts'
import { RehomedRequest } from '../../src/policy/rehome/request.ts'
import { SpanContext } from '../../src/policy/rehome/span.ts'
import { decode, encode, messagesOf, type OracleMessage } from '../oracle/oracle.ts'
import { read } from './readings.ts'
import { stringAttribute } from './rehome-reference.ts'
import { rehome } from './rehome-whole.ts'

const TIME = 1_795_395_159_000_000_123n
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const SPAN_ID = 'b7ad6b7169203331'
const PARENT_ID = '00f067aa0ba902b7'
const TARGET = 'codex_otel.log_only'

const text = stringAttribute
const kvlist: OracleMessage = { kvlistValue: { values: [text('a', 'b')] } }
const mark = (how: string): OracleMessage => text('laneway.rehomed', how)

/** The log record made of one event in one span. */
function recordOf(event: OracleMessage, span: OracleMessage = {}, targetKey = 'target'): OracleMessage {
  const request = { resourceSpans: [{ scopeSpans: [{ spans: [{ ...span, events: [event] }] }] }] }
  const bytes = encode('ExportTraceServiceRequest', request)
  return firstItem(rehomed(bytes, 'events_to_logs', targetKey))
}

/** The carrier span made of one log record that has a span. */
function carrierOf(record: OracleMessage): OracleMessage {
  const logRecords = [{ traceId: TRACE_ID, spanId: SPAN_ID, ...record }]
  const bytes = encode('ExportLogsServiceRequest', { resourceLogs: [{ scopeLogs: [{ logRecords }] }] })
  return firstItem(rehomed(bytes, 'records_to_traces'))
}

const eventOf = (record: OracleMessage): OracleMessage => messagesOf(carrierOf(record), 'events')[0]

function rehomed(
  bytes: Uint8Array,
  way: 'events_to_logs' | 'events_to_carriers' | 'records_to_traces',
  targetKey = 'target',
): OracleMessage {
  const { result } = rehome(bytes, way, () => TARGET, targetKey)
  const message = way === 'events_to_logs' ? 'ExportLogsServiceRequest' : 'ExportTraceServiceRequest'
  return result === undefined ? {} : decode(message, result.bytes, { keepUnknown: true })
}

function firstItem(request: OracleMessage): OracleMessage {
  const [resource] = [...messagesOf(request, 'resourceLogs'), ...messagesOf(request, 'resourceSpans')]
  const [scope] = [...messagesOf(resource, 'scopeLogs'), ...messagesOf(resource, 'scopeSpans')]
  return [...messagesOf(scope, 'logRecords'), ...messagesOf(scope, 'spans')][0]
}

t.test('a span event becomes a log record of its span, with all that it carries', async (t) => {
  const event = {
    timeUnixNano: TIME,
    name: 'event otel/src/events.rs:42',
    attributes: [
      text('level', 'INFO'),
      text('target', TARGET),
      text('event.name', 'codex.user_prompt'),
      { key: 'payload', value: kvlist },
      { key: 'prompt_length', value: { intValue: -5n } },
      { key: 'nothing' },
    ],
    droppedAttributesCount: 3,
  }
  const span = { traceId: TRACE_ID, spanId: SPAN_ID, parentSpanId: PARENT_ID, name: 'turn', flags: 0x301 }
  t.strictSame(recordOf(event, span), {
    timeUnixNano: TIME,
    severityNumber: 9,
    severityText: 'INFO',
    attributes: [...event.attributes.slice(2), mark('span_event')],
    droppedAttributesCount: 3,
    flags: 1,
    traceId: TRACE_ID,
    spanId: SPAN_ID,
    observedTimeUnixNano: TIME,
    eventName: 'codex.user_prompt',
  })
  t.strictSame(recordOf({}), { attributes: [mark('span_event')] }, 'of nothing comes nothing but the mark')
})

t.test('a level gives the severity, in any case', async (t) => {
  const rows: readonly (readonly [OracleMessage | undefined, number | undefined, string | undefined])[] = [
    [{ stringValue: 'TRACE' }, 1, 'TRACE'],
    [{ stringValue: 'debug' }, 5, 'debug'],
    [{ stringValue: 'Info' }, 9, 'Info'],
    [{ stringValue: 'WARN' }, 13, 'WARN'],
    [{ stringValue: 'warning' }, 13, 'warning'],
    [{ stringValue: 'ERROR' }, 17, 'ERROR'],
    [{ stringValue: 'FATAL' }, 21, 'FATAL'],
    [{ stringValue: 'NOTICE' }, undefined, 'NOTICE'],
    [{ stringValue: 'INF\u000f' }, undefined, 'INF\u000f'],
    [{ stringValue: '' }, undefined, undefined],
    [{ intValue: 9n }, undefined, undefined],
    [{}, undefined, undefined],
    [undefined, undefined, undefined],
  ]
  for (const [value, severityNumber, severityText] of rows) {
    const level: OracleMessage = value === undefined ? { key: 'level' } : { key: 'level', value }
    const record = recordOf({ attributes: [level] })
    t.equal(record.severityNumber, severityNumber, String(value?.stringValue))
    t.equal(record.severityText, severityText)
    t.strictSame(record.attributes, [mark('span_event')], 'and is an attribute no more')
  }
  const twice = recordOf({ attributes: [text('level', 'INFO'), text('level', 'ERROR')] })
  t.strictSame(twice, {
    severityNumber: 9,
    severityText: 'INFO',
    attributes: [mark('span_event')],
  })
})

t.test('the name and the body of a record, by what the event says', async (t) => {
  const named = text('event.name', 'codex.x')
  const string = (stringValue: string): OracleMessage => ({ stringValue })
  const rows: readonly (readonly [string, string, OracleMessage[], string | undefined, OracleMessage?])[] = [
    ['the name is the message', 'agent communication', [named], 'codex.x', string('agent communication')],
    ['a call site is no message', 'event a/b.rs:12', [named], 'codex.x'],
    ['a file may hold blanks and colons', 'event C:\\a b.rs:1', [named], 'codex.x'],
    ['no line', 'event a/b.rs:', [named], 'codex.x', string('event a/b.rs:')],
    ['a line that is no number', 'event a.rs:1x', [named], 'codex.x', string('event a.rs:1x')],
    ['no colon', 'event 12', [named], 'codex.x', string('event 12')],
    ['no file', 'event :12', [named], 'codex.x', string('event :12')],
    ['another word', 'Event a.rs:12', [named], 'codex.x', string('Event a.rs:12')],
    ['no name at all', '', [named], 'codex.x'],
    ['without event.name the name is the name', 'exception', [], 'exception'],
    ['even a call site', 'event a.rs:12', [], 'event a.rs:12'],
    ['an empty event.name is none', 'exception', [text('event.name', '')], 'exception'],
    ['nor is one that is no string', 'x', [{ key: 'event.name', value: { intValue: 1n } }], 'x'],
    [
      'the first that is one counts',
      'x',
      [text('event.name', ''), named, text('event.name', 'y')],
      'codex.x',
      string('x'),
    ],
    ['message comes first', 'x', [named, text('message', 'hello')], 'codex.x', string('hello')],
    ['without event.name too', 'x', [text('message', 'hello')], 'x', string('hello')],
    ['of any kind', 'x', [{ key: 'message', value: kvlist }], 'x', kvlist],
    ['even an empty value', 'x', [named, { key: 'message', value: {} }], 'codex.x', {}],
    ['or none', 'x', [named, { key: 'message' }], 'codex.x'],
    ['the first of two', 'x', [text('message', 'one'), text('message', 'two')], 'x', string('one')],
  ]
  for (const [title, name, attributes, eventName, body] of rows) {
    const record = recordOf({ name, attributes })
    t.equal(record.eventName, eventName, title)
    t.strictSame(record.body, body, title)
    t.strictSame(record.attributes, [...attributes, mark('span_event')], 'all of them stay attributes')
  }
})

t.test('a message in pieces becomes a body of all its pieces', async (t) => {
  const half = (value: string): Buffer =>
    field(2, encode('AnyValue', { kvlistValue: { values: [text(value, value)] } }))
  const attribute = Buffer.concat([half('a'), field(1, Buffer.from('message')), half('b')])
  const event = field(3, attribute)
  const bytes = field(1, field(2, field(2, field(11, event))))
  const record = firstItem(rehomed(bytes, 'events_to_logs'))
  t.strictSame(record.body, { kvlistValue: { values: [text('a', 'a'), text('b', 'b')] } })
})

t.test('only the attribute that gave the target is left out, wherever it occurs', async (t) => {
  const attributes = [text('tag', 'x'), text('target', 'a'), text('tag', 'y'), text('target', 'b')]
  t.strictSame(recordOf({ attributes }, {}, 'tag').attributes, [
    text('target', 'a'),
    text('target', 'b'),
    mark('span_event'),
  ])
  const event = new RehomedEvent()
  const out = new RehomedRequest()
  const bytes = encode('Span.Event', { attributes })
  out.begin(bytes)
  event.read(read(EVENT_PLAN, bytes), 0, bytes.length, undefined)
  event.addLogRecord(out, new SpanContext(), { source: viewed(Buffer.from('x')), start: 0, end: 1 })
  const request = decode('ExportLogsServiceRequest', out.take()?.content.toBytes() ?? new Uint8Array())
  t.strictSame(firstItem(request).attributes, [...attributes, mark('span_event')], 'none, if none gave it')
})

t.test('ids that are no link are left out, and so are zero times and zero flags', async (t) => {
  for (const id of ['', '00', TRACE_ID.slice(2), `${TRACE_ID}00`, '0'.repeat(32)]) {
    t.strictSame(recordOf({}, { traceId: id, spanId: SPAN_ID, flags: 0x100 }), {
      attributes: [mark('span_event')],
      spanId: SPAN_ID,
    })
  }
  for (const id of ['', '00', `${SPAN_ID}00`, TRACE_ID, '0'.repeat(16)]) {
    t.strictSame(recordOf({}, { traceId: TRACE_ID, spanId: id }), {
      attributes: [mark('span_event')],
      traceId: TRACE_ID,
    })
  }
})

t.test('of a scalar that is given twice the last one counts', async (t) => {
  const span = Buffer.concat([
    encode('Span', { traceId: TRACE_ID, spanId: SPAN_ID, flags: 1 }),
    field(
      11,
      Buffer.concat([
        encode('Span.Event', { timeUnixNano: 1n, name: 'one', droppedAttributesCount: 1 }),
        encode('Span.Event', { timeUnixNano: TIME, name: 'two', droppedAttributesCount: 2 }),
      ]),
    ),
    encode('Span', { traceId: 'ff', flags: 0x103 }),
  ])
  t.strictSame(firstItem(rehomed(field(1, field(2, field(2, span))), 'events_to_logs')), {
    timeUnixNano: TIME,
    attributes: [mark('span_event')],
    droppedAttributesCount: 2,
    flags: 3,
    spanId: SPAN_ID,
    observedTimeUnixNano: TIME,
    eventName: 'two',
  })
})

t.test('a log record becomes an event in a carrier span, with all that it carries', async (t) => {
  const record: OracleMessage = {
    timeUnixNano: TIME,
    observedTimeUnixNano: TIME + 5n,
    severityNumber: 9,
    severityText: 'INFO',
    body: { stringValue: 'hello' },
    attributes: [
      text('target', 'something else'),
      text('event.name', 'codex.sse_event'),
      text('level', 'mine'),
      { key: 'payload', value: kvlist },
    ],
    droppedAttributesCount: 4,
    flags: 1,
    traceId: TRACE_ID,
    spanId: SPAN_ID,
    eventName: 'event otel/src/events.rs:42',
  }
  const id = createHash('sha256').update(encode('LogRecord', record)).digest('hex').slice(0, 16)
  t.strictSame(carrierOf(record), {
    traceId: TRACE_ID,
    spanId: id,
    parentSpanId: SPAN_ID,
    name: 'codex.sse_event',
    kind: 1,
    flags: 1,
    startTimeUnixNano: TIME,
    endTimeUnixNano: TIME,
    attributes: [mark('log_record')],
    events: [
      {
        timeUnixNano: TIME,
        name: 'codex.sse_event',
        attributes: [
          text('target', TARGET),
          text('level', 'INFO'),
          text('event.name', 'codex.sse_event'),
          { key: 'payload', value: kvlist },
          text('message', 'hello'),
        ],
        droppedAttributesCount: 4,
      },
    ],
  })
})

t.test('what a record lacks, its event lacks', async (t) => {
  t.strictSame(
    eventOf({ observedTimeUnixNano: 7n }).timeUnixNano,
    7n,
    'the observed time, if it has no other',
  )
  t.equal(eventOf({}).timeUnixNano, undefined)
  t.equal(carrierOf({}).name, undefined)
  t.equal(eventOf({ eventName: 'x' }).name, 'x', 'its event_name, if it has no event.name')
  t.equal(eventOf({ eventName: 'x', attributes: [text('event.name', '')] }).name, 'x')
  t.equal(
    eventOf({ eventName: 'x', attributes: [text('event.name', 'y'), text('event.name', 'z')] }).name,
    'y',
  )
  t.strictSame(eventOf({ attributes: [text('level', 'mine')] }).attributes, [text('target', TARGET)])
})

t.test('the body of a record becomes an attribute', async (t) => {
  const string: OracleMessage = { stringValue: 'hello' }
  const own = text('message', 'mine')
  const rows: readonly (readonly [string, OracleMessage | undefined, OracleMessage[], OracleMessage[]])[] = [
    ['a string is the message', string, [], [{ key: 'message', value: string }]],
    ['an empty one too', { stringValue: '' }, [], [{ key: 'message', value: { stringValue: '' } }]],
    ['but not in place of its own', string, [own], [own, { key: 'body', value: string }]],
    [
      'even one without a value',
      string,
      [{ key: 'message' }],
      [{ key: 'message' }, { key: 'body', value: string }],
    ],
    ['a kvlist is the body', kvlist, [], [{ key: 'body', value: kvlist }]],
    ['and false is', { boolValue: false }, [], [{ key: 'body', value: { boolValue: false } }]],
    ['without a value it is nothing', {}, [], []],
    ['absent it is nothing', undefined, [], []],
    [
      'beside a body of its own',
      kvlist,
      [text('body', 'b')],
      [text('body', 'b'), { key: 'body', value: kvlist }],
    ],
  ]
  for (const [title, body, attributes, expected] of rows) {
    const record: OracleMessage = body === undefined ? { attributes } : { body, attributes }
    t.strictSame(eventOf(record).attributes, [text('target', TARGET), ...expected], title)
  }
})

t.test('a body in pieces is one value, and what it ends as decides its name', async (t) => {
  const ids = encode('LogRecord', { traceId: TRACE_ID, spanId: SPAN_ID })
  const carry = (...pieces: readonly OracleMessage[]): OracleMessage => {
    const bodies = pieces.map((piece) => field(5, encode('AnyValue', piece)))
    const record = Buffer.concat([bodies[0], ids, ...bodies.slice(1)])
    const carrier = firstItem(rehomed(field(1, field(2, field(2, record))), 'records_to_traces'))
    return messagesOf(messagesOf(carrier, 'events')[0], 'attributes')[1]
  }
  t.strictSame(carry(kvlist, kvlist), {
    key: 'body',
    value: { kvlistValue: { values: [text('a', 'b'), text('a', 'b')] } },
  })
  t.strictSame(carry(kvlist, { stringValue: 'x' }), text('message', 'x'))
  t.strictSame(carry({ stringValue: 'x' }, {}), text('message', 'x'))
  t.strictSame(carry({ stringValue: 'x' }, { intValue: 3n }), { key: 'body', value: { intValue: 3n } })
})

t.test('a record has a span to ride on only if both ids are valid', async (t) => {
  const rows: readonly (readonly [string, string, boolean])[] = [
    [TRACE_ID, SPAN_ID, true],
    ['', SPAN_ID, false],
    [TRACE_ID, '', false],
    ['0'.repeat(32), SPAN_ID, false],
    [TRACE_ID, '0'.repeat(16), false],
    [SPAN_ID, TRACE_ID, false],
    [`${'0'.repeat(31)}1`, `${'0'.repeat(15)}1`, true],
  ]
  const record = new RehomedRecord()
  for (const [traceId, spanId, expected] of rows) {
    const bytes = encode('LogRecord', { traceId, spanId })
    record.read(read(LOG_RECORD_PLAN, bytes), 0, bytes.length)
    t.equal(record.hasSpan, expected, `${traceId} ${spanId}`)
  }
})

t.test('an event whose span stays behind rides on a carrier in its place', async (t) => {
  const event = encode('Span.Event', {
    timeUnixNano: TIME,
    name: 'codex.sse_event',
    attributes: [text('target', 'codex_otel.trace_safe'), text('level', 'INFO')],
    droppedAttributesCount: 1,
  })
  const odd = Buffer.concat([event, field(90, Buffer.from('unknown'))])
  const id = createHash('sha256').update(odd).digest('hex').slice(0, 16)
  const span = (parentSpanId: string): Uint8Array =>
    Buffer.concat([
      encode('Span', { traceId: TRACE_ID, spanId: SPAN_ID, parentSpanId, name: 'secret', traceState: 'a=b' }),
      field(11, odd),
    ])
  const expected = {
    traceId: TRACE_ID,
    spanId: id,
    name: 'codex.sse_event',
    kind: 1,
    startTimeUnixNano: TIME,
    endTimeUnixNano: TIME,
    attributes: [mark('span_event')],
    events: [decode('Span.Event', odd, { keepUnknown: true })],
  }
  const carried = (parent: string): OracleMessage =>
    firstItem(rehomed(field(1, field(2, field(2, span(parent)))), 'events_to_carriers'))
  t.strictSame(carried(PARENT_ID), { ...expected, parentSpanId: PARENT_ID })
  t.strictSame(carried(''), expected, 'of a root span it is a root itself')
  t.strictSame(carried('0'.repeat(16)), expected)
})

t.test('of ids that are given twice the last one counts, even if it is none', async (t) => {
  const twice = (field: string, size: number): Uint8Array[] =>
    ['a1', 'b2', '00'].map((byte) => encode('Span', { [field]: byte.repeat(size) }))
  const [traces, spans, parents] = [twice('traceId', 16), twice('spanId', 8), twice('parentSpanId', 8)]
  const context = new SpanContext()
  const idsOf = (...parts: readonly Uint8Array[]): readonly number[] => {
    const bytes = Buffer.concat(parts)
    context.read(read(SPAN_FACTS_PLAN, bytes))
    return [context.traceIdAt, context.spanIdAt, context.parentSpanIdAt]
  }
  t.strictSame(idsOf(traces[0], traces[1]), [20, -1, -1])
  t.strictSame(idsOf(spans[0], spans[1]), [-1, 12, -1])
  t.strictSame(idsOf(parents[0], parents[1]), [-1, -1, 12])
  t.strictSame(idsOf(traces[0], traces[2], spans[0], spans[2], parents[0], parents[2]), [-1, -1, -1])
})

t.test('the lane may name the carrier other than its event', async (t) => {
  const out = new RehomedRequest()
  const record = new RehomedRecord()
  const event = new RehomedEvent()
  const bytes = encode('LogRecord', { traceId: TRACE_ID, spanId: SPAN_ID, eventName: 'secret' })
  const eventBytes = encode('Span.Event', { name: 'secret' })
  const rename = (name: Uint8Array): Uint8Array => Buffer.from(`not ${Buffer.from(name).toString()}`)
  out.begin(bytes)
  record.read(read(LOG_RECORD_PLAN, bytes), 0, bytes.length)
  record.addCarrierSpan(out, { source: viewed(bytes), start: 0, end: 0 }, rename)
  event.read(read(EVENT_PLAN, eventBytes), 0, eventBytes.length, undefined)
  addCarriedEvent(out, event, new SpanContext(), rename)
  addCarriedEvent(out, event, new SpanContext(), () => new Uint8Array())
  const taken = out.take()
  t.equal(taken?.items, 3)
  const [resource] = messagesOf(
    decode('ExportTraceServiceRequest', taken?.content.toBytes() ?? bytes),
    'resourceSpans',
  )
  const spans = messagesOf(messagesOf(resource, 'scopeSpans')[0], 'spans')
  t.strictSame(
    spans.map(({ name }) => name),
    ['not secret', 'not secret', undefined],
  )
})

t.test(
  'fields that OTLP does not know stay within the resource and scope, and leave the envelopes',
  async (t) => {
    const unknown = field(90, Buffer.from('CANARY'))
    const resource = (attribute: string): Buffer =>
      field(1, Buffer.concat([encode('Resource', { attributes: [text(attribute, 'x')] }), unknown]))
    const scope = Buffer.concat([
      unknown,
      field(2, Buffer.concat([encode('LogRecord', { traceId: TRACE_ID, spanId: SPAN_ID }), unknown])),
      field(1, Buffer.concat([encode('InstrumentationScope', { version: '1' }), unknown])),
      field(3, Buffer.from('https://scope')),
    ])
    const envelope = [
      resource('a'),
      field(2, scope),
      unknown,
      resource('b'),
      field(3, Buffer.from('https://resource')),
    ]
    const bytes = field(1, Buffer.concat(envelope))
    const request = rehomed(bytes, 'records_to_traces')
    const raw = unknown.toString('hex')
    const [built] = messagesOf(request, 'resourceSpans')
    t.strictSame(built.resource, { attributes: [text('a', 'x'), text('b', 'x')], $unknown: [raw, raw] })
    t.equal(built.$unknown, undefined, 'nobody knows that they may go to another lane')
    t.equal(built.schemaUrl, 'https://resource')
    const [copied] = messagesOf(built, 'scopeSpans')
    t.strictSame(copied.scope, { version: '1', $unknown: [raw] })
    t.equal(copied.schemaUrl, 'https://scope')
    t.equal(copied.$unknown, undefined)
    t.equal(messagesOf(copied, 'spans')[0].$unknown, undefined)
  },
)

t.test('records of one resource stand in one scope a target, in the order of their first', async (t) => {
  const event = (name: string): OracleMessage => ({ name })
  const span = (...names: string[]): OracleMessage => ({ events: names.map(event) })
  const request = {
    resourceSpans: [
      {
        resource: { attributes: [text('r', '1')] },
        scopeSpans: [{ spans: [span('a', 'b'), span('a')] }, { spans: [span('c', 'a')] }],
      },
      {
        resource: { attributes: [text('r', '2')] },
        scopeSpans: [{ scope: { name: 'x' }, spans: [span('-')] }],
      },
      { resource: { attributes: [text('r', '3')] }, schemaUrl: 's', scopeSpans: [{ spans: [span('a')] }] },
    ],
  }
  const names = ['a', 'b', 'a', 'c', 'a', undefined, 'a']
  const bytes = encode('ExportTraceServiceRequest', request)
  const { result } = rehome(bytes, 'events_to_logs', (index) => names[index])
  const record = (name: string): OracleMessage => ({ attributes: [mark('span_event')], eventName: name })
  const scope = (name: string, count: number): OracleMessage => ({
    scope: { name },
    logRecords: Array.from({ length: count }, () => record(name)),
  })
  t.equal(result?.items, 6)
  t.strictSame(decode('ExportLogsServiceRequest', result?.bytes ?? bytes), {
    resourceLogs: [
      {
        resource: { attributes: [text('r', '1')] },
        scopeLogs: [scope('a', 3), scope('b', 1), scope('c', 1)],
      },
      { resource: { attributes: [text('r', '3')] }, schemaUrl: 's', scopeLogs: [scope('a', 1)] },
    ],
  })
})

t.test('a request without items is none, and what was taken is not touched by what comes next', async (t) => {
  const out = new RehomedRequest()
  const record = new RehomedRecord()
  const bytes = encode('LogRecord', { traceId: TRACE_ID, spanId: SPAN_ID, severityText: 'x'.repeat(20_000) })
  out.begin(bytes)
  out.resource(0, 0)
  out.scope(0, 0)
  t.equal(out.take(), undefined)
  const add = (times: number): Uint8Array => {
    out.begin(bytes)
    record.read(read(LOG_RECORD_PLAN, bytes), 0, bytes.length)
    for (let time = 0; time < times; time++)
      record.addCarrierSpan(out, { source: viewed(bytes), start: 0, end: 0 })
    return out.take()?.content.toBytes() ?? new Uint8Array()
  }
  const one = add(1)
  const copy = Uint8Array.from(one)
  t.equal(one.buffer.byteLength, one.length, 'it has its memory to itself')
  add(100)
  t.strictSame(Uint8Array.from(one), copy)
  t.ok(out.writer.bytes.length < 100_000, 'a large request does not keep its memory')
  t.strictSame(Uint8Array.from(add(1)), copy)
  t.equal(out.take(), undefined)
})

t.test('thousands of targets cost no more than their bytes', async (t) => {
  const names = Array.from({ length: 60_000 }, (_, index) => `codex_otel.t${index % 30_000}`)
  const spans = [{ events: names.map((name) => ({ name })) }]
  const bytes = encode('ExportTraceServiceRequest', { resourceSpans: [{ scopeSpans: [{ spans }] }] })
  const before = performance.now()
  const { result } = rehome(bytes, 'events_to_logs', (index) => names[index])
  t.equal(result?.items, 60_000)
  t.ok(performance.now() - before < 5000, 'no look-up goes through all of them')
})

/** A length-delimited field. */
function field(number: number, payload: Uint8Array): Buffer {
  const varint = (value: number): number[] =>
    value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(Math.floor(value / 128))]
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(payload.length)]), payload])
}
