import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { MalformedRequest } from '../../src/errors.ts'
import { NESTING_MAX, UNKNOWN_KEYS_MAX } from '../../src/otlp/json-cursor.ts'
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts'
import { SIGNAL_TRAITS, SIGNALS } from '../../src/otlp/signal.ts'
import { requestArbitrary } from '../oracle/arbitrary.ts'
import { readCorpus } from '../oracle/corpus.ts'
import { readJson, writeJson } from '../oracle/json.ts'
import { decode, messageOf, messagesOf, type OracleMessage } from '../oracle/oracle.ts'

const LOGS = SIGNAL_TRAITS.logs.requestMessage

function transcode(json: string | Uint8Array, signal: 'logs' | 'traces' | 'metrics' = 'logs'): OracleMessage {
  const bytes = jsonToProtobuf(typeof json === 'string' ? Buffer.from(json) : json, signal)
  return decode(SIGNAL_TRAITS[signal].requestMessage, bytes)
}

/** The only log record of a request with this record. */
function record(json: string): OracleMessage {
  const request = transcode(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[${json}]}]}]}`)
  return messagesOf(messagesOf(messagesOf(request, 'resourceLogs')[0], 'scopeLogs')[0], 'logRecords')[0]
}

function body(json: string): OracleMessage {
  return messageOf(record(`{"body":${json}}`), 'body')
}

/** The only number data point of a gauge. */
function point(json: string): OracleMessage {
  const gauge = `{"gauge":{"dataPoints":[${json}]}}`
  const request = transcode(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[${gauge}]}]}]}`, 'metrics')
  const scope = messagesOf(messagesOf(request, 'resourceMetrics')[0], 'scopeMetrics')[0]
  return messagesOf(messageOf(messagesOf(scope, 'metrics')[0], 'gauge'), 'dataPoints')[0]
}

function faultOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof MalformedRequest) return error.message
    throw error
  }
  return ''
}

const styleArbitrary = fc.record({
  quotedIntegers: fc.boolean(),
  pretty: fc.boolean(),
  escaped: fc.boolean(),
  upperCaseIds: fc.boolean(),
  base64: fc.constantFrom('base64' as const, 'base64url' as const),
  reversedKeys: fc.boolean(),
  nulls: fc.boolean(),
})

for (const signal of SIGNALS) {
  const message = SIGNAL_TRAITS[signal].requestMessage

  t.test(`${signal}: a request means the same in every style of JSON`, async (t) => {
    fc.assert(
      fc.property(requestArbitrary(signal), styleArbitrary, (object, style) => {
        deepStrictEqual(transcode(writeJson(message, object, style), signal), object)
      }),
      { numRuns: 150 },
    )
    t.pass('for every request')
  })

  t.test(`${signal}: JSON that was damaged is refused, or read as JSON.parse reads it`, async (t) => {
    const damage = fc.record({
      at: fc.nat(),
      length: fc.nat(3),
      insert: fc.constantFrom('', '"', '{', ']', ',', '0', '-', '\\', 'é', '\u0000', 'e9'),
    })
    fc.assert(
      fc.property(
        requestArbitrary(signal),
        styleArbitrary,
        damage,
        (object, style, { at, length, insert }) => {
          const text = writeJson(message, object, { ...style, quotedIntegers: true })
          const start = at % (text.length + 1)
          const damaged = text.slice(0, start) + insert + text.slice(start + length)
          let ours: OracleMessage
          try {
            ours = transcode(damaged, signal)
          } catch (error) {
            if (!(error instanceof MalformedRequest)) throw error
            return
          }
          const parsed: unknown = JSON.parse(damaged)
          // A number that lost its quotes has lost its digits to JSON.parse.
          if (/:\s*-?\d{16}/.test(damaged) || holdsWideInteger(parsed)) return
          deepStrictEqual(ours, readJson(message, parsed))
        },
      ),
      { numRuns: 400 },
    )
    t.pass('for every damage')
  })
}

/** An `intValue` that may be beyond int64, or has an exponent, is kept as a double: a test of its own has that. */
function holdsWideInteger(parsed: unknown): boolean {
  if (typeof parsed !== 'object' || parsed === null) return false
  return Object.entries(parsed).some(([key, value]) =>
    key === 'intValue' ? !/^-?\d{1,18}$/.test(String(value)) : holdsWideInteger(value),
  )
}

t.test('random bytes throw nothing but MalformedRequest', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...SIGNALS), (bytes, signal) => {
      faultOf(() => jsonToProtobuf(bytes, signal))
      const inside = Buffer.concat([
        Buffer.from('{"resourceLogs":[{"schemaUrl":"'),
        bytes,
        Buffer.from('"}]}'),
      ])
      faultOf(() => jsonToProtobuf(inside, signal))
    }),
    { numRuns: 1000 },
  )
  t.pass('for all bytes')
})

t.test('captured JSON is read as JSON.parse reads it', async (t) => {
  for (const { file, signal, encoding, body } of readCorpus()) {
    if (encoding !== 'json' || file.includes('out-of-range')) continue
    const message = SIGNAL_TRAITS[signal].requestMessage
    const parsed: unknown = JSON.parse(Buffer.from(body).toString())
    t.strictSame(transcode(body, signal), readJson(message, parsed), file)
  }
})

t.test('an intValue beyond int64, as the JavaScript SDK sends it, is kept as a double', async (t) => {
  const request = readCorpus().find((one) => one.file.includes('out-of-range'))
  const text = Buffer.from(request?.body ?? []).toString()
  t.match(text, /"intValue":1e\+300/)
  t.match(
    JSON.stringify(transcode(text), (_, value) => (typeof value === 'bigint' ? `${value}` : value)),
    /"doubleValue":1e\+300/,
  )
  t.strictSame(body('{"intValue":18446744073709551616}'), { doubleValue: 2 ** 64 })
  t.strictSame(body('{"intValue":"18446744073709551616"}'), { doubleValue: 2 ** 64 })
  t.strictSame(body('{"intValue":9223372036854775808}'), { doubleValue: 2 ** 63 })
  t.strictSame(body('{"intValue":-9223372036854775809}'), { doubleValue: -(2 ** 63) })
  t.strictSame(body('{"intValue":-1e300}'), { doubleValue: -1e300 })
})

t.test('integers keep every digit, bare or quoted, with fraction or exponent', async (t) => {
  const integers = [
    ['0', 0n],
    ['-0', 0n],
    ['41', 41n],
    ['-1', -1n],
    ['9007199254740993', 9007199254740993n],
    ['1795395159729925453', 1795395159729925453n],
    ['9223372036854775807', 2n ** 63n - 1n],
    ['-9223372036854775808', -(2n ** 63n)],
    ['1e3', 1000n],
    ['1.5e1', 15n],
    ['100.0', 100n],
    ['120e-1', 12n],
    ['0e99', 0n],
    ['123456789012345678900e-2', 1234567890123456789n],
  ] as const
  for (const [text, value] of integers) {
    t.strictSame(body(`{"intValue":${text}}`), { intValue: value }, text)
    t.strictSame(body(`{"intValue":"${text}"}`), { intValue: value }, `"${text}"`)
  }
  t.strictSame(record('{"timeUnixNano":18446744073709551615}'), { timeUnixNano: 2n ** 64n - 1n })
  t.strictSame(record('{"timeUnixNano":"18446744073709551615"}'), { timeUnixNano: 2n ** 64n - 1n })
  t.strictSame(point('{"asInt":-9223372036854775808}'), { asInt: -(2n ** 63n) })
})

t.test('values that are odd but legal are read', async (t) => {
  const values = [
    ['{}', {}],
    ['{"doubleValue":null}', {}],
    ['{"doubleValue":"NaN"}', { doubleValue: Number.NaN }],
    ['{"doubleValue":"-Infinity"}', { doubleValue: Number.NEGATIVE_INFINITY }],
    ['{"doubleValue":-0}', { doubleValue: -0 }],
    ['{"doubleValue":"1.5e-3"}', { doubleValue: 0.0015 }],
    ['{"stringValue":""}', { stringValue: '' }],
    ['{"boolValue":false}', { boolValue: false }],
    ['{"stringValue":"\\ud83d\\udc40"}', { stringValue: '👀' }],
    ['{"stringValue":"\\ud83d"}', { stringValue: '\ufffd' }],
    ['{"stringValue":"\\udc40\\ud83dx"}', { stringValue: '\ufffd\ufffdx' }],
    ['{"stringValue":"\\ud83d\\ud83d\\udc40"}', { stringValue: '\ufffd👀' }],
    ['{"stringValue":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000"}', { stringValue: '"\\/\b\f\n\r\t\u0000' }],
    ['{"string_value":"x"}', {}],
    ['{"stringvalue":"x","intValue":1}', { intValue: 1n }],
    ['{"\\u0069ntValue":1}', { intValue: 1n }],
    ['{"bytesValue":"-_8="}', { bytesValue: 'fbff' }],
    ['{"bytesValue":"+/8"}', { bytesValue: 'fbff' }],
    ['{"bytesValue":""}', { bytesValue: '' }],
    ['{"arrayValue":{"values":[{},{"intValue":1}]}}', { arrayValue: { values: [{}, { intValue: 1n }] } }],
    ['{"kvlistValue":{}}', { kvlistValue: {} }],
    ['{"x":[1,{"y":null},"z",true],"intValue":7}', { intValue: 7n }],
  ] as const
  for (const [json, value] of values) t.strictSame(body(json), value, json)
  t.strictSame(record('{"body":null}'), {})
  t.strictSame(record('{"body":{}}'), { body: {} })
  t.strictSame(record('{"attributes":null,"traceId":"","severityNumber":0}'), {})
  t.strictSame(record('{"traceId":"0aBC"}'), { traceId: '0abc' }, 'an id of a wrong length is no error')
  t.strictSame(point('{"asInt":0}'), { asInt: 0n })
  t.strictSame(point('{"asDouble":0}'), { asDouble: 0 })
  t.strictSame(transcode(Buffer.from('{"resourceLogs":[{"schemaUrl":"a\xffb"}]}', 'latin1')), {
    resourceLogs: [{ schemaUrl: 'a\ufffdb' }],
  })
  t.strictSame(transcode(' {} \n'), {})
})

t.test('what is wrong is named by its path', async (t) => {
  const at = 'resourceLogs[0].scopeLogs[0].logRecords[0]'
  const faults = [
    ['{"traceId":"abc"}', `odd number of hex digits at ${at}.traceId`],
    ['{"spanId":"zz"}', `not a hex digit at ${at}.spanId`],
    ['{"severityNumber":"SEVERITY_NUMBER_INFO"}', `expected a number at ${at}.severityNumber`],
    ['{"severityNumber":"9"}', `expected a number at ${at}.severityNumber`],
    ['{"severityNumber":2147483648}', `integer out of range at ${at}.severityNumber`],
    ['{"flags":-1}', `integer out of range at ${at}.flags`],
    ['{"flags":4294967296}', `integer out of range at ${at}.flags`],
    ['{"timeUnixNano":-1}', `integer out of range at ${at}.timeUnixNano`],
    ['{"timeUnixNano":18446744073709551616}', `integer out of range at ${at}.timeUnixNano`],
    ['{"timeUnixNano":1.5}', `expected an integer at ${at}.timeUnixNano`],
    ['{"timeUnixNano":""}', `expected an integer at ${at}.timeUnixNano`],
    ['{"timeUnixNano":"1 "}', `expected an integer at ${at}.timeUnixNano`],
    ['{"body":{"intValue":1.5}}', `expected an integer at ${at}.body.intValue`],
    ['{"body":{"intValue":1e400}}', `integer out of range at ${at}.body.intValue`],
    ['{"body":{"doubleValue":1e400}}', `number out of range at ${at}.body.doubleValue`],
    ['{"body":{"doubleValue":"nan"}}', `expected a number or its string at ${at}.body.doubleValue`],
    ['{"body":{"stringValue":1}}', `expected a string at ${at}.body.stringValue`],
    ['{"body":{"boolValue":"true"}}', `expected true or false at ${at}.body.boolValue`],
    ['{"body":{"bytesValue":"a"}}', `base64 of an impossible length at ${at}.body.bytesValue`],
    ['{"body":{"bytesValue":"YQ="}}', `base64 of an impossible length at ${at}.body.bytesValue`],
    ['{"body":{"bytesValue":"Y!=="}}', `not a base64 character at ${at}.body.bytesValue`],
    [
      '{"body":{"intValue":1,"stringValue":""}}',
      `a second value where one is allowed at ${at}.body.stringValue`,
    ],
    ['{"body":{"intValue":1,"intValue":1}}', `a key given twice at ${at}.body.intValue`],
    ['{"body":{"intValue":null,"\\u0069ntValue":1}}', `a key given twice at ${at}.body.intValue`],
    ['{"x":1,"\\u0078":2}', `a key given twice at ${at}`],
    ['{"x":{"y":1,"y":1}}', `a key given twice at ${at}`],
    ['{"attributes":{}}', `expected a list at ${at}.attributes`],
    ['{"attributes":[null]}', `expected an object at ${at}.attributes[0]`],
    ['{"attributes":[{},{"key":"a","value":[]}]}', `expected an object at ${at}.attributes[1].value`],
    ['{"flags":1,}', `expected a key at ${at}`],
    ['{"flags":01}', `expected an integer at ${at}.flags`],
    ['{"flags":+1}', `expected an integer at ${at}.flags`],
    ['{"x":NaN}', `expected a value at ${at}`],
    ['{"x":nul}', `expected a value at ${at}`],
    ['{"x":1.}', `expected a value at ${at}`],
    ['{"x" 1}', `expected a colon at ${at}`],
    ["{'x':1}", `expected a key at ${at}`],
    ['{"eventName":"a\tb"}', `control character in a string at ${at}.eventName`],
    ['{"eventName":"\\x"}', `unknown escape in a string at ${at}.eventName`],
    ['{"eventName":"\\u12g4"}', `unknown escape in a string at ${at}.eventName`],
    ['{"x":[1,]}', `expected a value at ${at}`],
  ] as const
  for (const [json, fault] of faults)
    t.equal(
      faultOf(() => record(json)),
      fault,
      json,
    )
  const documents = [
    ['', 'expected an object at the top level'],
    ['null', 'expected an object at the top level'],
    ['[]', 'expected an object at the top level'],
    ['\ufeff{}', 'expected an object at the top level'],
    ['{} x', 'something behind the request at the top level'],
    ['{"resourceLogs":[', 'expected an object at resourceLogs[0]'],
    ['{"resourceLogs":[{"schemaUrl":"abc', 'string without an end at resourceLogs[0].schemaUrl'],
    ['{"resourceLogs":[{"schemaUrl":"abc\\', 'string without an end at resourceLogs[0].schemaUrl'],
    ['{"resourceLogs":[{}]', 'expected a comma or the end of the list at the top level'],
  ] as const
  for (const [json, fault] of documents)
    t.equal(
      faultOf(() => transcode(json)),
      fault,
      json,
    )
})

t.test('no fault quotes what the request holds', async (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom(
        '{"CANARY":CANARY}',
        '{"flags":"CANARY"}',
        '{"body":{"CANARY":1,"CANARY":2}}',
        '{"traceId":"CANARY"}',
      ),
      (json) => {
        const fault = faultOf(() => record(json))
        return fault !== '' && !fault.includes('CANARY')
      },
    ),
  )
  t.pass('for every fault')
})

t.test('messages nest up to the limit and no deeper', async (t) => {
  // A request, its resource, scope and record, then two messages for each level of array.
  const nested = (levels: number) => `${'{"arrayValue":{"values":['.repeat(levels)}{}${']}}'.repeat(levels)}`
  const levels = Math.floor((NESTING_MAX - 4) / 2)
  t.doesNotThrow(() => body(nested(levels)))
  t.match(
    faultOf(() => body(nested(levels + 1))),
    /^nested too deep at resourceLogs/,
  )
  const unknown = (levels: number) => `{"x":${'['.repeat(levels)}${']'.repeat(levels)}}`
  t.doesNotThrow(() => transcode(unknown(NESTING_MAX)))
  t.match(
    faultOf(() => transcode(unknown(NESTING_MAX + 1))),
    /^nested too deep/,
  )
  t.match(
    faultOf(() => transcode(unknown(1_000_000))),
    /^nested too deep/,
  )
})

t.test('an object holds as many unknown keys as the limit says and no more', async (t) => {
  const keys = (count: number) => `{${Array.from({ length: count }, (_, at) => `"k${at}":0`).join(',')}}`
  t.strictSame(transcode(keys(UNKNOWN_KEYS_MAX)), {})
  t.match(
    faultOf(() => transcode(keys(UNKNOWN_KEYS_MAX + 1))),
    /^too many unknown keys/,
  )
})

t.test('lengths are canonical at every size', async (t) => {
  for (const length of [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152]) {
    const text = 'x'.repeat(length)
    t.equal(record(`{"body":{"stringValue":"${text}"}}`).body === undefined, false)
    t.equal(
      messageOf(record(`{"body":{"stringValue":"${text}"}}`), 'body').stringValue,
      text,
      `${length} bytes`,
    )
  }
  t.equal(jsonToProtobuf(Buffer.from('{"resourceLogs":[{}]}'), 'logs').length, 2)
  t.strictSame(decode(LOGS, jsonToProtobuf(Buffer.from('{"resourceLogs":[{}]}'), 'logs')), {
    resourceLogs: [{}],
  })
})
