import t from 'tap'
import { copyRange, viewed } from '../../src/otlp/copy.ts'

t.test('ranges of every length are copied, and not a byte beside them', async (t) => {
  const source = viewed(Buffer.from(Array.from({ length: 300 }, (_, index) => index & 0xff)).subarray(1))
  for (const size of [...Array.from({ length: 40 }, (_, index) => index), 191, 192, 193, 250]) {
    for (const offset of [0, 3]) {
      const target = viewed(new Uint8Array(size + 8).fill(0xee))
      t.equal(copyRange(source, offset, offset + size, target, 4), 4 + size)
      const expected = [
        ...Array(4).fill(0xee),
        ...source.bytes.subarray(offset, offset + size),
        ...Array(4).fill(0xee),
      ]
      t.strictSame([...target.bytes], expected, `${size} bytes from ${offset}`)
    }
  }
})
