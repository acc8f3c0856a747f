import fc from 'fast-check'
import t from 'tap'
import { Cursor, FIXED32, FIXED64, LEN, tagOf, VARINT } from '../../src/otlp/cursor.ts'
import { varintBytes } from '../oracle/wire-tree.ts'

function cursorOn(bytes: readonly number[] | Uint8Array): Cursor {
  const cursor = new Cursor()
  cursor.reset(Uint8Array.from(bytes), 0)
  return cursor
}

/** Reads a tag and steps over its value, then over what follows, up to `end`. */
function walk(bytes: readonly number[], end = bytes.length, start = 0): void {
  const cursor = cursorOn(bytes)
  cursor.at = start
  while (cursor.at < end) cursor.skip(cursor.tag(end), end)
}

const long = (length: number, last: number): readonly number[] => [...Array(length - 1).fill(0x80), last]

/** Bytes that no parser takes: the fact and the place that the error tells. */
const MALFORMED: readonly (readonly [title: string, bytes: readonly number[], message: string])[] = [
  ['field number 0, as a varint', [0x00, 0x00], 'impossible field number at byte 0'],
  ['field number 0, as bytes', [0x08, 0x01, 0x02, 0x00], 'impossible field number at byte 2'],
  ['field number 0, written long', [...long(3, 0x00), 0x00], 'impossible field number at byte 0'],
  ['a field number over 2^29 - 1', [0x80, 0x80, 0x80, 0x80, 0x10, 0x00], 'impossible field number at byte 0'],
  ['a tag of eleven bytes', [...long(11, 0x00), 0x00], 'varint over ten bytes at byte 0'],
  ['a tag of over 64 bits', [0x92, ...long(9, 0x02), 0x00], 'impossible field number at byte 0'],
  ['a tag cut off', [0x08, 0x01, 0x88], 'message ends inside a varint at byte 2'],
  ['a start group', [0x0b, 0x0c], 'group or unknown wire type at byte 1'],
  ['an end group', [0x0c], 'group or unknown wire type at byte 1'],
  ['wire type 6', [0x0e, 0x00], 'group or unknown wire type at byte 1'],
  ['wire type 7', [0x0f, 0x00], 'group or unknown wire type at byte 1'],
  ['a varint cut off', [0x08, 0x80], 'message ends inside a varint at byte 1'],
  ['a varint that is not there', [0x08], 'message ends inside a varint at byte 1'],
  ['a varint of eleven bytes', [0x08, ...long(11, 0x00)], 'varint over ten bytes at byte 1'],
  ['a length that is not there', [0x0a], 'message ends inside a varint at byte 1'],
  ['a length one too long', [0x0a, 0x02, 0x00], 'length beyond its message at byte 1'],
  ['a length of 2^31', [0x0a, 0x80, 0x80, 0x80, 0x80, 0x08], 'length beyond its message at byte 1'],
  ['a length of 2^32', [0x0a, 0x80, 0x80, 0x80, 0x80, 0x10], 'length beyond its message at byte 1'],
  ['a length of 2^64 - 1', [0x0a, ...Array(9).fill(0xff), 0x01], 'length beyond its message at byte 1'],
  ['a length of over 64 bits', [0x0a, 0x81, ...long(9, 0x02), 0x00], 'length beyond its message at byte 1'],
  ['a length of eleven bytes', [0x0a, ...long(11, 0x00)], 'varint over ten bytes at byte 1'],
  ['a fixed64 one byte short', [0x09, 1, 2, 3, 4, 5, 6, 7], 'fixed-size value beyond its message at byte 1'],
  ['a fixed32 one byte short', [0x0d, 1, 2, 3], 'fixed-size value beyond its message at byte 1'],
]

for (const [title, bytes, message] of MALFORMED) {
  t.test(`${title} is refused: ${message}`, async (t) => {
    t.throws(() => walk(bytes), { message, code: 'malformed' })
  })
  t.test(`${title} is refused though bytes of another message follow`, async (t) => {
    const followed = [...bytes, ...Array(16).fill(0x01)]
    const isTooLong = /ten bytes|group|field number/.test(message)
    t.throws(() => walk(followed, isTooLong ? followed.length : bytes.length), { message })
  })
  t.test(`${title} is refused at its offset in the request`, async (t) => {
    const place = Number(/\d+$/.exec(message)?.[0])
    t.throws(() => walk([1, 2, 3, ...bytes], bytes.length + 3, 3), {
      message: message.replace(/\d+$/, String(place + 3)),
    })
  })
}

t.test('a value that ends with its message is stepped over', async (t) => {
  walk([0x09, 1, 2, 3, 4, 5, 6, 7, 8])
  walk([0x0d, 1, 2, 3, 4])
  walk([0x0a, 0x00])
  walk([0x0a, 0x02, 0x0b, 0x0c], 4)
  walk([0x08, ...long(10, 0x01)])
  walk([...long(10, 0x00).with(0, 0x88), 0x00], 11)
  t.pass()
})

t.test('varints are read as they are written, needless bytes and all', async (t) => {
  const value = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 53n }), fc.bigInt({ min: 0n, max: 300n }))
  fc.assert(
    fc.property(value, fc.nat(9), fc.nat(255), (value, extra, next) => {
      const bytes = varintBytes(value, extra)
      const cursor = cursorOn([...bytes, next])
      return cursor.varint(bytes.length) === Number(value) && cursor.at === bytes.length
    }),
  )
  t.pass('for every value')
})

t.test('a uint32 is the low 32 bits of what was written', async (t) => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.nat(9), (value, extra) => {
      const bytes = varintBytes(value, extra)
      return cursorOn(bytes).uint32(bytes.length) === Number(BigInt.asUintN(32, value))
    }),
  )
  t.pass('for every value')
})

t.test('tags of every field number and wire type are read', async (t) => {
  const wireType = fc.constantFrom(VARINT, FIXED64, LEN, FIXED32)
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 29 - 1 }), wireType, fc.nat(9), (field, wireType, extra) => {
      const bytes = varintBytes(BigInt(tagOf(field, wireType)), extra)
      return cursorOn(bytes).tag(bytes.length) === field * 8 + wireType
    }),
  )
  t.pass('for every tag')
})
