/** Bytes that are measured but not yet written: `byteLength` of them go wherever the caller has room. */
export abstract class Unwritten {
  abstract readonly byteLength: number
  #giveBack: (() => void) | undefined

  constructor(giveBack: () => void) {
    this.#giveBack = giveBack
  }

  /** Writes the `byteLength` bytes to `target` from `offset` on. */
  abstract write(target: Uint8Array, offset: number): void

  /** The bytes in memory of their own. */
  toBytes(): Uint8Array {
    const bytes = Buffer.allocUnsafeSlow(this.byteLength)
    this.write(bytes, 0)
    return bytes
  }

  /** Gives back the memory that they are made from, to be used again: they must not be written after that. Never owed. */
  release(): void {
    this.#giveBack?.()
    this.#giveBack = undefined
  }
}
