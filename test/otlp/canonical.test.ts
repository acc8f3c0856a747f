import { deepStrictEqual, equal, ok } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { MalformedRequest } from '../../src/errors.ts'
import { Canonicaliser } from '../../src/otlp/canonical.ts'
import { LEVELS_MAX } from '../../src/otlp/canonical-plan.ts'
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts'
import { SIGNAL_TRAITS, SIGNALS, type Signal } from '../../src/otlp/signal.ts'
import { requestArbitrary } from '../oracle/arbitrary.ts'
import { readCorpus } from '../oracle/corpus.ts'
import { breakBytes, mutateKeepingMeaning } from '../oracle/mutate.ts'
import { decode, encode, type OracleMessage, type OracleValue } from '../oracle/oracle.ts'
import { CANARY, plantCanaries } from './canary.ts'

const canonicaliser = new Canonicaliser()

/** CANONICAL_RUNS makes a long hunt of the properties; a failure prints its seed. */
const numRuns = Number(process.env.CANONICAL_RUNS ?? 150)

const ID_BYTES: Readonly<Record<string, number>> = { traceId: 16, spanId: 8, parentSpanId: 8 }

/** What the contract takes from a decoded request: ids of wrong length, and what only profiles have. */
function withoutWrong(message: OracleMessage): OracleMessage {
  const kept = Object.entries(message).filter(([key, value]) => {
    if (key === 'keyStrindex' || key === 'stringValueStrindex') return false
    return ID_BYTES[key] === undefined || `${value}`.length === ID_BYTES[key] * 2
  })
  return Object.fromEntries(kept.map(([key, value]) => [key, valueWithoutWrong(value)]))
}

function valueWithoutWrong(value: OracleValue): OracleValue {
  if (Array.isArray(value)) return value.map(valueWithoutWrong)
  return typeof value === 'object' ? withoutWrong(value) : value
}

/** The canonical bytes, after checking that nothing more is to do for them, and that the request was not written to. */
function canonical(bytes: Uint8Array, signal: Signal): Uint8Array {
  const before = Buffer.from(bytes)
  const once = canonicaliser.canonicalise(bytes, signal)
  ok(before.equals(bytes))
  equal(once.bytes === bytes, once.removed === 0)
  const twice = canonicaliser.canonicalise(once.bytes, signal)
  equal(twice.bytes, once.bytes)
  equal(twice.removed, 0)
  return once.bytes
}

function decodeOrUndefined(message: string, bytes: Uint8Array): OracleMessage | undefined {
  try {
    return decode(message, bytes)
  } catch {
    return undefined
  }
}

function canonicalOrUndefined(bytes: Uint8Array, signal: Signal): Uint8Array | undefined {
  try {
    return canonical(bytes, signal)
  } catch (error) {
    ok(error instanceof MalformedRequest, `${error}`)
    ok('offset' in error.place && error.place.offset >= 0 && error.place.offset <= bytes.length)
    return undefined
  }
}

for (const signal of SIGNALS) {
  const message = SIGNAL_TRAITS[signal].requestMessage
  const request = requestArbitrary(signal)

  t.test(`${signal}: a request written by the book passes as it is`, async (t) => {
    fc.assert(
      fc.property(request, (object) => {
        const bytes = encode(message, withoutWrong(object))
        equal(canonical(bytes, signal), bytes)
      }),
      { numRuns },
    )
    t.pass('for every request')
  })

  t.test(`${signal}: what a decoder reads stays, whatever liberties the bytes take`, async (t) => {
    fc.assert(
      fc.property(request, fc.integer(), fc.constantFrom(0.02, 0.3), (object, seed, rate) => {
        const once = mutateKeepingMeaning(encode(message, object), message, seed, { rate }).bytes
        deepStrictEqual(decode(message, canonical(once, signal)), withoutWrong(object))
        const twice = mutateKeepingMeaning(once, message, seed + 1, { rate }).bytes
        deepStrictEqual(decode(message, canonical(twice, signal)), withoutWrong(object))
      }),
      { numRuns },
    )
    t.pass('for every request')
  })

  t.test(`${signal}: no byte is left of what a decoder would not read`, async (t) => {
    let planted = 0
    fc.assert(
      fc.property(request, fc.integer(), (object, seed) => {
        const plants = plantCanaries(encode(message, object), message, seed)
        planted += plants.count
        equal(Buffer.from(plants.bytes).includes(CANARY), plants.count > 0)
        const bytes = canonical(plants.bytes, signal)
        ok(!Buffer.from(bytes).includes(CANARY), 'a canary is left')
        deepStrictEqual(decode(message, bytes), withoutWrong(object))
      }),
      { numRuns },
    )
    t.ok(planted > numRuns, `${planted} canaries were planted`)
  })

  t.test(`${signal}: broken bytes throw MalformedRequest with an offset`, async (t) => {
    fc.assert(
      fc.property(request, fc.integer(), fc.boolean(), (object, seed, isMutated) => {
        const written = encode(message, object)
        const bytes = isMutated ? mutateKeepingMeaning(written, message, seed).bytes : written
        const broken = breakBytes(bytes, message, seed)
        equal(canonicalOrUndefined(broken.bytes, signal), undefined, `${broken.fault} in ${broken.path}`)
      }),
      { numRuns },
    )
    t.pass('for every fault')
  })

  t.test(
    `${signal}: of bytes that were changed at random the reading stays, or both refuse them`,
    async (t) => {
      const change = fc.tuple(fc.nat(), fc.nat({ max: 255 }))
      let read = 0
      fc.assert(
        fc.property(request, fc.array(change, { minLength: 1, maxLength: 6 }), (object, changes) => {
          const bytes = Uint8Array.from(encode(message, object))
          for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte
          const decoded = decodeOrUndefined(message, bytes)
          const rewritten = canonicalOrUndefined(bytes, signal)
          if (decoded !== undefined) read++
          equal(rewritten === undefined, decoded === undefined)
          if (rewritten === undefined || decoded === undefined) return
          deepStrictEqual(decode(message, rewritten), withoutWrong(decoded))
        }),
        { numRuns: numRuns * 3 },
      )
      t.ok(read > numRuns / 4, `${read} could be read`)
    },
  )
}

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))

/** The bytes as the only item of a request of this signal. */
function requestOf(item: Uint8Array): Uint8Array {
  return frame(1, frame(2, frame(2, item)))
}

function frame(field: number, payload: Uint8Array): Uint8Array {
  ok(payload.length < 128, 'kept short: the length is one byte')
  return Uint8Array.from([field * 8 + 2, payload.length, ...payload])
}

/** Each way to say more than is read: title, signal, item, the canonical item, and how many things were removed. */
const SINS: readonly (readonly [string, Signal, string, string, number])[] = [
  ['an unknown field', 'traces', '2a0161 9a0101ff', '2a0161', 1],
  ['a known field of another wire type', 'traces', '2801 2a0161', '2a0161', 1],
  ['a field of a number that takes many bytes', 'traces', '2a0161 fa ff ff ff 0f 01 00', '2a0161', 1],
  ['a scalar given three times', 'traces', '2a0161 2a0162 3001 2a0163', '2a0163 3001', 2],
  ['a message in three pieces', 'traces', '7a03120161 3001 7a00 7a021801', '7a05120161 1801 3001', 2],
  ['pieces that override each other', 'traces', '7a03120161 7a03120162', '7a03120162', 2],
  ['a trace id of five bytes', 'traces', '0a05ffffffffff 2a0161', '2a0161', 1],
  ['a span id of sixteen bytes', 'logs', `5210${'ff'.repeat(16)} 1001`, '1001', 1],
  ['a right id that a wrong one overrides', 'traces', `1208${'ff'.repeat(8)} 1201ff 3001`, '3001', 2],
  ['a wrong id that an empty one overrides', 'traces', '1201ff 1200', '1200', 1],
  ['a member of a oneof that another overrides', 'logs', '2a05 0a0161 1801', '2a02 1801', 1],
  ['a member that a profiles index overrides', 'logs', '2a05 0a0161 4007', '2a00', 2],
  ['a profiles index that a member overrides', 'logs', '2a05 4007 0a0161', '2a03 0a0161', 1],
  ["an attribute's profiles index", 'logs', '3207 0a0161 12001807', '3205 0a0161 1200', 1],
  ['an array that is taken up again', 'logs', '2a08 2a022a00 0a00 2a00', '2a02 2a00', 2],
  ['an over-long tag', 'traces', 'aa8000 0161', '2a0161', 1],
  ['an over-long length', 'traces', '2a818000 61', '2a0161', 1],
  [
    'an over-long length before what looks like fields',
    'traces',
    '2a8100 39 1a06616161616161',
    '2a0139 1a06616161616161',
    1,
  ],
  [
    "an over-long length of an attribute's value",
    'logs',
    '320a 0a0161 128400 0a026161',
    '3209 0a0161 1204 0a026161',
    1,
  ],
  ['an over-long length of a text', 'logs', '320a 0a0161 1205 0a82006161', '3209 0a0161 1204 0a026161', 1],
  ['an over-long value', 'traces', '30818000', '3001', 1],
  ['an over-long zero', 'traces', '30808000', '3000', 1],
  ['bits above the 32 of a uint32', 'traces', '50 85808080f07f', '5005', 1],
  ['the bit above the 32 of a uint32', 'traces', '50 8580808010', '5005', 1],
  [
    'bits above the 64 of an int64',
    'logs',
    '2a0b 18 ffffffffffffffffff7f',
    '2a0b 18 ffffffffffffffffff01',
    1,
  ],
  ['a bool of more than one bit', 'logs', '2a03 10ff7f', '2a02 1001', 1],
  ['a bool of two bits in an attribute', 'logs', '3207 0a0161 12021002', '3207 0a0161 12021001', 1],
  ['a negative enum of 32 bits', 'traces', '30 ffffffff0f', '30 ffffffffffffffffff01', 1],
  ['a negative enum with holes', 'traces', '30 ffffffffff8fffffff01', '30 ffffffffffffffffff01', 1],
  [
    'over-long numbers in a list',
    'metrics',
    '520b 0a09 4207 1205 01 8200 8300',
    '5209 0a07 4205 1203 01 02 03',
    2,
  ],
]

t.test('nothing that a decoder leaves unread is left, and each removal is counted', async (t) => {
  for (const [title, signal, sinful, expected, removed] of SINS) {
    const result = canonicaliser.canonicalise(requestOf(bytes(sinful)), signal)
    t.equal(hexOf(result.bytes), hexOf(requestOf(bytes(expected))), title)
    t.equal(result.removed, removed, `${title}: removed`)
  }
})

/** What may look needless, but is read. */
const INNOCENT: readonly (readonly [string, Signal, string])[] = [
  ['an empty item', 'logs', ''],
  ['an empty id, which is an absent one', 'traces', '0a00 1200'],
  ['ids of zeros', 'traces', `0a10${'00'.repeat(16)} 1208${'00'.repeat(8)}`],
  ['zeros that are spelled out', 'traces', '2a00 3000 5000 390000000000000000'],
  ['a field of a two-byte tag', 'traces', '85010000 0001'],
  ['fields out of order', 'traces', '3001 2a0161'],
  ['text that is not UTF-8', 'traces', '2a02fffe'],
  ['a negative enum of 64 bits', 'traces', '30 ffffffffffffffffff01'],
  ['the largest positive enum', 'traces', '30 ffffffff07'],
  ['the largest uint32', 'traces', '50 ffffffff0f'],
  ['the smallest int64', 'logs', '2a0b 18 80808080808080808001'],
  ['numbers packed and not packed', 'metrics', '520a 0a08 4206 1202 0102 1003'],
  ['an attribute without key and value', 'logs', '3200'],
  ['an attribute whose value stands first', 'logs', '3206 1202 1801 0a00'],
  ['a key given to two attributes', 'logs', '32070a01611202100132070a016112021001'],
]

t.test('what a decoder reads is left byte for byte', async (t) => {
  for (const [title, signal, item] of INNOCENT) {
    const request = requestOf(bytes(item))
    const result = canonicaliser.canonicalise(request, signal)
    t.equal(hexOf(result.bytes), hexOf(request), title)
    t.equal(result.removed, 0, title)
    t.equal(result.bytes, request, `${title}: the same bytes`)
  }
})

t.test('an item that is canonical is copied beside one that is not', async (t) => {
  const good = frame(2, bytes('1001'))
  const bad = frame(2, bytes('1001 7801'))
  const request = frame(1, frame(2, Buffer.concat([good, bad, good])))
  const expected = frame(1, frame(2, Buffer.concat([good, good, good])))
  const result = canonicaliser.canonicalise(request, 'logs')
  t.equal(hexOf(result.bytes), hexOf(expected))
  t.equal(result.removed, 1)
})

t.test('a rewriting may need more room than the request took', async (t) => {
  const record = frame(2, bytes('10ffffffff0f'))
  const many = Buffer.concat(Array.from({ length: 14 }, () => record))
  const result = canonicaliser.canonicalise(frame(1, frame(2, many)), 'logs')
  t.equal(result.removed, 14)
  const severities = Array.from({ length: 14 }, () => ({ severityNumber: -1 }))
  t.strictSame(decode('ExportLogsServiceRequest', result.bytes), {
    resourceLogs: [{ scopeLogs: [{ logRecords: severities }] }],
  })
})

/** What no decoder takes, and random faults do not often hit: title, signal, item. */
const MALFORMED: readonly (readonly [string, Signal, string])[] = [
  ['a field number 0 written in two bytes', 'traces', '8500 00000000'],
  ['a fixed64 beyond its message', 'traces', '3900000000000000'],
  ['a fixed32 beyond its message', 'traces', '8501000000'],
  ['a double beyond its attribute', 'logs', '320c 0a0161 1207 21000000000000'],
  ['a text beyond its attribute', 'logs', '3208 0a0161 1203 0a0261'],
  ['a text that takes in the next attribute', 'logs', '3208 0a0161 1203 0a0461 3200'],
  ['a tag at the end', 'traces', '2a'],
  ['half a tag at the end', 'traces', '85'],
  ['half a length at the end', 'traces', '2a81'],
  ['half a value at the end', 'traces', '3081'],
]

t.test('what ends before it is whole is malformed', async (t) => {
  for (const [title, signal, item] of MALFORMED) {
    t.throws(() => canonicaliser.canonicalise(requestOf(bytes(item)), signal), { code: 'malformed' }, title)
  }
})

t.test('what is overridden must be well formed all the same', async (t) => {
  // An array that ends inside a value, overridden by an int; and one taken up again, of which the first is broken.
  for (const item of ['2a06 2a020a05 1801', '2a08 2a020a05 0a00 2a00']) {
    t.throws(() => canonicaliser.canonicalise(requestOf(bytes(item)), 'logs'), { code: 'malformed' }, item)
  }
})

t.test('a packed list that ends inside a number is malformed', async (t) => {
  const point = (list: string) => requestOf(bytes(`4a0b 0a09 ${list}`))
  t.throws(() => canonicaliser.canonicalise(point('3207 00000000000000'), 'metrics'), { code: 'malformed' })
  t.doesNotThrow(() =>
    canonicaliser.canonicalise(requestOf(bytes('4a0c 0a0a 3208 0000000000000000')), 'metrics'),
  )
})

t.test(`messages nest ${LEVELS_MAX} levels deep and no deeper`, async (t) => {
  // Levels 1 to 3 are resource, scope and record, 4 is the body; each array adds itself and a value.
  const nested = (arrays: number, leaf: OracleMessage): OracleMessage => {
    let body = leaf
    for (let array = 0; array < arrays; array++) body = { arrayValue: { values: [body] } }
    return { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body }] }] }] }
  }
  const message = 'ExportLogsServiceRequest'
  const deepest = encode(message, nested((LEVELS_MAX - 4) / 2, { intValue: 1n }))
  t.equal(canonicaliser.canonicalise(deepest, 'logs').bytes, deepest)
  const beyond = encode(message, nested((LEVELS_MAX - 4) / 2, { arrayValue: {} }))
  t.throws(() => canonicaliser.canonicalise(beyond, 'logs'), {
    message: /^messages nested too deep at byte \d+$/,
  })
  const unknown = bytes('7801')
  const rewritten = canonicaliser.canonicalise(Buffer.concat([deepest, unknown]), 'logs')
  t.equal(hexOf(rewritten.bytes), hexOf(deepest), 'the general way has the same limit')
})

t.test(`an attribute counts for two levels of the ${LEVELS_MAX}, however plain it is`, async (t) => {
  // An attribute of a record is at level 4; a list around it adds itself, a value and an attribute, an array adds two.
  const nested = (arrays: number, lists: number): Uint8Array => {
    let attributes: OracleMessage[] = [{ key: 'a', value: { intValue: 1n } }]
    for (let list = 0; list < lists; list++) {
      let value: OracleMessage = { kvlistValue: { values: attributes } }
      if (list < arrays) value = { arrayValue: { values: [value] } }
      attributes = [{ key: 'a', value }]
    }
    const resourceLogs = [{ scopeLogs: [{ logRecords: [{ attributes }] }] }]
    return encode('ExportLogsServiceRequest', { resourceLogs })
  }
  const lists = (arrays: number, level: number): number => (level - 4 - 2 * arrays) / 3
  for (const [arrays, level, fits] of [
    [1, 99, true],
    [0, 100, false],
    [2, 101, false],
  ] as const) {
    const request = nested(arrays, lists(arrays, level))
    if (fits) t.equal(canonicaliser.canonicalise(request, 'logs').bytes, request, `at level ${level}`)
    else
      t.throws(() => canonicaliser.canonicalise(request, 'logs'), { code: 'malformed' }, `at level ${level}`)
  }
})

t.test('captured requests of official SDKs are canonical as they are', async (t) => {
  for (const { file, signal, encoding, body } of readCorpus()) {
    const request = encoding === 'json' ? jsonToProtobuf(body, signal) : body
    const result = canonicaliser.canonicalise(request, signal)
    t.equal(result.removed, 0, file)
    t.equal(result.bytes, request, file)
  }
})

function hexOf(some: Uint8Array): string {
  return Buffer.from(some).toString('hex')
}
