/**
 * HMAC-SHA-256 with a fixed key, out of two one-shot hashes.
 *
 * `crypto.createHmac` makes an object, and an error that nobody sees, for each value: 9 µs where this takes 0.6. A
 * lane may hash a field of every event. Source: RFC 2104; held to `createHmac` by a property test.
 */
import { hash } from 'node:crypto'

const blockBytes = 64
const digestBytes = 32

export class KeyedHash {
  /** The key's inner block, and behind it room for the text. */
  #inner: Buffer
  /** The key's outer block, and behind it the inner digest. */
  readonly #outer: Buffer

  constructor(key: Uint8Array) {
    const block = key.length > blockBytes ? hash('sha256', key, 'buffer') : Buffer.from(key)
    this.#inner = Buffer.alloc(blockBytes + 1024)
    this.#outer = Buffer.alloc(blockBytes + digestBytes)
    for (let index = 0; index < blockBytes; index++) {
      const byte = index < block.length ? block[index] : 0
      this.#inner[index] = byte ^ 0x36
      this.#outer[index] = byte ^ 0x5c
    }
  }

  /** The HMAC of `text` as 64 hex digits. */
  digest(text: Uint8Array): string {
    const size = blockBytes + text.length
    if (size > this.#inner.length) {
      const larger = Buffer.alloc(size)
      this.#inner.copy(larger, 0, 0, blockBytes)
      this.#inner = larger
    }
    this.#inner.set(text, blockBytes)
    this.#outer.write(hash('sha256', this.#inner.subarray(0, size), 'binary'), blockBytes, 'binary')
    return hash('sha256', this.#outer, 'hex')
  }
}
