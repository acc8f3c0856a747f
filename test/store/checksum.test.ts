/** The checksum is XXH32, whatever the bytes lie in. */
import t from 'tap'
import { checksum } from '../../src/store/checksum.ts'

/** From the reference implementation: text, sum, sum with seed 123456789. */
const VECTORS = [
  ['', 0x02cc5d05, 0x6a85ebab],
  ['a', 0x550d7456, 0x9eff3de7],
  ['abc', 0x32d153ff, 0x36fa1080],
  ['Nobody inspects the spammish repetition', 0xe2293b2f, 0xede2a4ce],
  [String.fromCharCode(...Array(101).keys()), 0x1a20e95b, 0x0d32f205],
] as const

t.test('known texts have their known sums, at any offset and in shared memory', async (t) => {
  for (const [text, sum, seeded] of VECTORS) {
    for (const offset of [0, 1, 3]) {
      const shared = new Uint8Array(new SharedArrayBuffer(offset + text.length + 5), offset, text.length)
      shared.set(Buffer.from(text, 'latin1'))
      t.equal(checksum(shared), sum)
      t.equal(checksum(shared, 123456789), seeded)
    }
  }
})

t.test('a byte that changes anywhere changes the sum', async (t) => {
  const bytes = Buffer.alloc(67, 'x')
  const sum = checksum(bytes)
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes)
    changed[at] ^= 0x80
    t.not(checksum(changed), sum)
  }
})
