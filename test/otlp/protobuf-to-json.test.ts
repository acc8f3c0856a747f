import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { MalformedRequest } from '../../src/errors.ts'
import { NESTING_MAX } from '../../src/otlp/json-cursor.ts'
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts'
import { protobufToJson } from '../../src/otlp/protobuf-to-json.ts'
import { SIGNAL_TRAITS, SIGNALS } from '../../src/otlp/signal.ts'
import { requestArbitrary } from '../oracle/arbitrary.ts'
import { readCorpus } from '../oracle/corpus.ts'
import { readJson } from '../oracle/json.ts'
import { breakBytes, mutateKeepingMeaning } from '../oracle/mutate.ts'
import { decode, encode, type OracleMessage } from '../oracle/oracle.ts'

function json(message: string, object: OracleMessage): string {
  return protobufToJson([encode(message, object)], message)
}

function bytes(hex: string): Uint8Array {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex')
}

for (const signal of SIGNALS) {
  const message = SIGNAL_TRAITS[signal].requestMessage

  t.test(`${signal}: the JSON means what the bytes mean, whatever liberties they take`, async (t) => {
    fc.assert(
      fc.property(requestArbitrary(signal), fc.integer(), fc.nat(), (object, seed, cut) => {
        const mutated = mutateKeepingMeaning(encode(message, object), message, seed).bytes
        const at = cut % (mutated.length + 1)
        const text = protobufToJson([mutated.subarray(0, at), mutated.subarray(at)], message)
        const parsed: unknown = JSON.parse(text)
        deepStrictEqual(readJson(message, parsed), object)
        deepStrictEqual(decode(message, jsonToProtobuf(Buffer.from(text), signal)), object)
        deepStrictEqual(/[\r\n]/.test(text), false)
      }),
      { numRuns: 150 },
    )
    t.pass('for every request')
  })

  t.test(`${signal}: broken bytes throw MalformedRequest with an offset`, async (t) => {
    fc.assert(
      fc.property(requestArbitrary(signal), fc.integer(), (object, seed) => {
        const broken = breakBytes(encode(message, object), message, seed)
        try {
          protobufToJson([broken.bytes], message)
        } catch (error) {
          return error instanceof MalformedRequest && 'offset' in error.place
        }
        return false
      }),
      { numRuns: 200 },
    )
    t.pass('for every fault')
  })
}

t.test('random bytes throw nothing but MalformedRequest', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.constantFrom(...SIGNALS), (random, signal) => {
      try {
        const text = protobufToJson([random], SIGNAL_TRAITS[signal].requestMessage)
        JSON.parse(text)
      } catch (error) {
        if (!(error instanceof MalformedRequest)) throw error
      }
    }),
    { numRuns: 2000 },
  )
  t.pass('for all bytes')
})

t.test('captured requests survive the way to JSON and back', async (t) => {
  for (const { file, signal, encoding, body } of readCorpus()) {
    const message = SIGNAL_TRAITS[signal].requestMessage
    const request = encoding === 'json' ? jsonToProtobuf(body, signal) : body
    const back = jsonToProtobuf(Buffer.from(protobufToJson([request], message)), signal)
    t.strictSame(decode(message, back), decode(message, request), file)
  }
})

t.test('the same scenario has the same keys in JSON and in protobuf', async (t) => {
  const corpus = readCorpus()
  const keysOf = (message: string, body: Uint8Array): string[] => {
    const keys = protobufToJson([body], message).match(/"key":"[^"]*"/g) ?? []
    return [...new Set(keys)].toSorted()
  }
  let pairs = 0
  for (const one of corpus) {
    const sibling = corpus.find(
      (other) =>
        other.encoding === 'proto' &&
        other.client === one.client &&
        other.signal === one.signal &&
        other.scenario === one.scenario.replace('-json', ''),
    )
    if (one.encoding !== 'json' || sibling === undefined) continue
    const message = SIGNAL_TRAITS[one.signal].requestMessage
    t.strictSame(
      keysOf(message, jsonToProtobuf(one.body, one.signal)),
      keysOf(message, sibling.body),
      one.file,
    )
    pairs++
  }
  t.ok(pairs >= 3)
})

t.test('values are written as OTLP says', async (t) => {
  const values = [
    [{ intValue: -(2n ** 63n) }, '{"intValue":"-9223372036854775808"}'],
    [{ intValue: 0n }, '{"intValue":"0"}'],
    [{ doubleValue: Number.NaN }, '{"doubleValue":"NaN"}'],
    [{ doubleValue: Number.NEGATIVE_INFINITY }, '{"doubleValue":"-Infinity"}'],
    [{ doubleValue: -0 }, '{"doubleValue":-0}'],
    [{ doubleValue: 1e300 }, '{"doubleValue":1e+300}'],
    [{ boolValue: false }, '{"boolValue":false}'],
    [{ stringValue: '' }, '{"stringValue":""}'],
    [{ stringValue: 'a"b\n👀' }, '{"stringValue":"a\\"b\\n👀"}'],
    [{ bytesValue: 'fbff' }, '{"bytesValue":"+/8="}'],
    [{ stringValueStrindex: -1 }, '{"stringValueStrindex":-1}'],
    [{}, '{}'],
  ] as const
  for (const [object, text] of values) t.equal(json('AnyValue', object), text)
  t.equal(
    json('LogRecord', { timeUnixNano: 2n ** 64n - 1n, severityNumber: 9, traceId: 'abcd', body: {} }),
    '{"timeUnixNano":"18446744073709551615","severityNumber":9,"body":{},"traceId":"abcd"}',
  )
  t.equal(json('HistogramDataPoint', { sum: 0, count: 0n }), '{"sum":0}', 'presence is kept')
  t.equal(protobufToJson([bytes('0a 02 61 ff')], 'AnyValue'), '{"stringValue":"a\ufffd"}', 'not UTF-8')
})

t.test('the last occurrence wins, and pieces are merged', async (t) => {
  const cases = [
    ['AnyValue', '0a 01 61 0a 01 62', '{"stringValue":"b"}'],
    ['AnyValue', '0a 01 61 10 01', '{"boolValue":true}'],
    ['AnyValue', '2a 04 0a 02 18 01 10 01 2a 04 0a 02 18 02', '{"arrayValue":{"values":[{"intValue":"2"}]}}'],
    [
      'AnyValue',
      '2a 04 0a 02 18 01 2a 04 0a 02 18 02',
      '{"arrayValue":{"values":[{"intValue":"1"},{"intValue":"2"}]}}',
    ],
    ['KeyValue', '0a 01 61 0a 00', '{}'],
    [
      'ExponentialHistogramDataPoint.Buckets',
      '10 01 12 02 02 03 10 04',
      '{"bucketCounts":["1","2","3","4"]}',
    ],
    ['ExponentialHistogramDataPoint.Buckets', '08 01', '{"offset":-1}'],
    ['AnyValue', '1a 01 61', '{}'],
    ['AnyValue', '98 80 80 80 00 81 80 80 80 80 80 80 80 80 00', '{"intValue":"1"}'],
  ] as const
  for (const [message, hex, text] of cases) t.equal(protobufToJson([bytes(hex)], message), text, hex)
})

t.test('what a later member of a oneof makes void must be well formed all the same', async (t) => {
  t.throws(() => protobufToJson([bytes('2a 02 0a 05 10 01')], 'AnyValue'), { message: /at byte 3$/ })
})

t.test('messages nest up to the limit and no deeper', async (t) => {
  const nested = (messages: number): OracleMessage => {
    let value: OracleMessage = {}
    for (let level = 0; level < messages; level += 2) value = { arrayValue: { values: [value] } }
    return value
  }
  t.match(json('AnyValue', nested(NESTING_MAX)), /^\{"arrayValue"/)
  t.throws(() => json('AnyValue', nested(NESTING_MAX + 2)), { message: /^nested too deep at byte/ })
})
