import { equal } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { AttributeReader } from '../../src/otlp/attribute.ts'
import { Cursor } from '../../src/otlp/cursor.ts'
import { mutateKeepingMeaning } from '../oracle/mutate.ts'
import { decode, encode, messageOf, type OracleMessage } from '../oracle/oracle.ts'

interface Read {
  readonly key: string
  readonly value: string | undefined
  readonly doubt: boolean
}

/** Reads the KeyValue between other bytes, as it lies in a request. */
function read(bytes: Uint8Array): Read {
  const request = Buffer.concat([Buffer.from([0xff, 0x0a]), bytes, Buffer.from([0x0a, 0x01])])
  const cursor = new Cursor()
  const reader = new AttributeReader()
  cursor.reset(request, 0)
  const end = 2 + bytes.length
  reader.read(cursor, 2, end)
  equal(cursor.at, end)
  const key = request.toString('utf8', reader.keyStart, reader.keyEnd)
  const isString = reader.readString(cursor)
  const value = isString ? request.toString('utf8', reader.stringStart, reader.stringEnd) : undefined
  return { key, value, doubt: reader.doubt }
}

function field(tag: number, payload: Uint8Array, lengthBytes?: readonly number[]): Buffer {
  return Buffer.concat([Buffer.from([tag, ...(lengthBytes ?? [payload.length])]), payload])
}
const text = (value: string) => Buffer.from(value)
const string = (value: string) => field(0x0a, text(value))
const KEY = (key: string) => field(0x0a, text(key))
const VALUE = (...parts: Uint8Array[]) => field(0x12, Buffer.concat(parts))
const INT = Buffer.from([0x18, 0x07])

/** Shapes of one KeyValue, and what a decoder reads; `doubt`: another decoder could read otherwise. */
const SHAPES: readonly (readonly [title: string, parts: Uint8Array[], expected: Read])[] = [
  ['as SDKs write it', [KEY('k'), VALUE(string('v'))], { key: 'k', value: 'v', doubt: false }],
  ['value first', [VALUE(string('v')), KEY('k')], { key: 'k', value: 'v', doubt: false }],
  ['nothing', [], { key: '', value: undefined, doubt: false }],
  ['no value', [KEY('k')], { key: 'k', value: undefined, doubt: false }],
  ['no key', [VALUE(string('v'))], { key: '', value: 'v', doubt: false }],
  ['empty key and value', [KEY(''), VALUE(string(''))], { key: '', value: '', doubt: false }],
  ['value without a member', [KEY('k'), VALUE()], { key: 'k', value: undefined, doubt: false }],
  ['a number', [KEY('k'), VALUE(INT)], { key: 'k', value: undefined, doubt: false }],
  ['key twice', [KEY('a'), VALUE(string('v')), KEY('k')], { key: 'k', value: 'v', doubt: false }],
  [
    'a string, then a number, in one value',
    [KEY('k'), VALUE(string('v'), INT)],
    { key: 'k', value: undefined, doubt: false },
  ],
  [
    'a number, then a string, in one value',
    [KEY('k'), VALUE(INT, string('v'))],
    { key: 'k', value: 'v', doubt: false },
  ],
  [
    'two strings in one value',
    [KEY('k'), VALUE(string('a'), string('v'))],
    { key: 'k', value: 'v', doubt: false },
  ],
  [
    'the same value twice',
    [KEY('k'), VALUE(string('v')), VALUE(string('v'))],
    { key: 'k', value: 'v', doubt: false },
  ],
  ['two values', [KEY('k'), VALUE(string('a')), VALUE(string('v'))], { key: 'k', value: 'v', doubt: true }],
  [
    'a value, then an empty piece',
    [KEY('k'), VALUE(string('v')), VALUE()],
    { key: 'k', value: 'v', doubt: true },
  ],
  [
    'an empty piece, then a value',
    [KEY('k'), VALUE(), VALUE(string('v'))],
    { key: 'k', value: 'v', doubt: true },
  ],
  [
    'a value, then a number',
    [KEY('k'), VALUE(string('v')), VALUE(INT)],
    { key: 'k', value: undefined, doubt: true },
  ],
  [
    'a value, then an unknown field',
    [KEY('k'), VALUE(string('v'), Buffer.from([0xf8, 0x01, 0x00]))],
    { key: 'k', value: 'v', doubt: false },
  ],
  [
    'a member with another wire type',
    [KEY('k'), VALUE(string('v'), Buffer.from([0x08, 0x05, 0x1d, 0, 0, 0, 0]))],
    { key: 'k', value: 'v', doubt: false },
  ],
  [
    'unknown fields around',
    [field(0x22, text('k')), KEY('k'), VALUE(string('v')), field(0x2a, text('x'))],
    { key: 'k', value: 'v', doubt: false },
  ],
  [
    'a value of the greatest two-byte length',
    [KEY('k'), field(0x12, field(0x0a, text('v'.repeat(16_380)), [0xfc, 0x7f]), [0xff, 0x7f])],
    { key: 'k', value: 'v'.repeat(16_380), doubt: false },
  ],
]

for (const [title, parts, expected] of SHAPES) {
  t.test(`a KeyValue: ${title}`, async (t) => {
    const bytes = Buffer.concat(parts)
    t.same(read(bytes), expected)
    const decoded = decode('KeyValue', bytes)
    t.equal(decoded.key ?? '', expected.key, 'so the oracle says')
    t.equal(messageOf(decoded, 'value').stringValue, expected.value)
  })
}

t.test('a length written in more bytes than it needs hides no second key, and no second value', async (t) => {
  const hidden = field(0x0a, Buffer.concat([text('prompt'), Buffer.alloc(118, 0x20)]))
  const keyed = Buffer.concat([KEY('target'), field(0x12, string('v'), [0x83, 0x80, 0x00]), hidden])
  t.equal(keyed.length - 10, 128 + 3, 'as long as a reader of the first byte alone would believe')
  t.equal(read(keyed).key.trim(), 'prompt')
  const member = field(0x0a, text('w'.repeat(124)))
  const valued = field(
    0x12,
    Buffer.concat([field(0x0a, text('v'), [0x81, 0x80, 0x00]), member]),
    [0x83, 0x01],
  )
  t.equal(read(Buffer.concat([KEY('k'), valued])).value, 'w'.repeat(124))
})

t.test('whatever liberties are taken, the reading is the oracle’s', async (t) => {
  const value = fc.oneof(
    fc.string().map((stringValue): OracleMessage => ({ stringValue })),
    fc.string({ minLength: 120, maxLength: 140 }).map((stringValue): OracleMessage => ({ stringValue })),
    fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map((intValue): OracleMessage => ({ intValue })),
    fc.constant<OracleMessage>({}),
  )
  fc.assert(
    fc.property(fc.string(), value, fc.integer(), fc.constantFrom(0, 0.2), (key, value, seed, rate) => {
      const { bytes } = mutateKeepingMeaning(encode('KeyValue', { key, value }), 'KeyValue', seed, { rate })
      const told = read(bytes)
      equal(told.key, key)
      equal(told.value, value.stringValue)
    }),
    { numRuns: 400 },
  )
  t.pass('for every KeyValue')
})
