/**
 * Collects JSON text as bytes in one growing buffer.
 *
 * Texts that are plain ASCII, which nearly all are, are copied and checked in one go; joining strings instead
 * took four fifths of a conversion's time.
 */

/** Scratch state of one conversion: the buffer, and `at`, the end of what is written. */
export class JsonSink {
  bytes: Buffer
  at = 0

  constructor(bytesExpected: number) {
    this.bytes = Buffer.allocUnsafeSlow(Math.max(bytesExpected, 256))
  }

  byte(value: number): void {
    if (this.at === this.bytes.length) this.#grow(1)
    this.bytes[this.at++] = value
  }

  /** Bytes that are JSON already. */
  raw(source: Uint8Array): void {
    const { length } = source
    if (this.at + length > this.bytes.length) this.#grow(length)
    const { bytes, at } = this
    for (let index = 0; index < length; index++) bytes[at + index] = source[index]
    this.at = at + length
  }

  /** Text that is JSON already, and ASCII. */
  ascii(text: string): void {
    const { length } = text
    if (this.at + length > this.bytes.length) this.#grow(length)
    const { bytes, at } = this
    for (let index = 0; index < length; index++) bytes[at + index] = text.charCodeAt(index)
    this.at = at + length
  }

  /** A JSON string of the UTF-8 bytes `[start, end)` of `source`. */
  quoted(source: Buffer, start: number, end: number): void {
    const length = end - start + 2
    if (this.at + length > this.bytes.length) this.#grow(length)
    const { bytes } = this
    let at = this.at
    bytes[at++] = 0x22
    for (let from = start; from < end; from++) {
      const byte = source[from]
      if (byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c) {
        this.#encoded(JSON.stringify(source.toString('utf8', start, end)))
        return
      }
      bytes[at++] = byte
    }
    bytes[at] = 0x22
    this.at = at + 1
  }

  written(): Buffer {
    return this.bytes.subarray(0, this.at)
  }

  #encoded(text: string): void {
    const length = Buffer.byteLength(text)
    if (this.at + length > this.bytes.length) this.#grow(length)
    this.at += this.bytes.write(text, this.at)
  }

  #grow(bytesNeeded: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.at + bytesNeeded))
    grown.set(this.bytes.subarray(0, this.at))
    this.bytes = grown
  }
}
