/**
 * First in, first out, every operation O(1): an array with a moving head. The room in front of the head is given back
 * when it is the larger half.
 */
export class Fifo<T> {
  #entries: (T | undefined)[] = []
  #head = 0

  push(entry: T): void {
    this.#entries.push(entry)
  }

  head(): T | undefined {
    return this.#entries[this.#head]
  }

  /** The caller knows that it is not empty. */
  shift(): T {
    const entry = this.#entries[this.#head]
    if (entry === undefined) throw new Error('shift of an empty queue')
    // Cleared, so that the bytes of a delivered parcel are not kept by this array.
    this.#entries[this.#head++] = undefined
    if (this.#head === this.#entries.length) {
      this.#entries.length = 0
      this.#head = 0
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
    return entry
  }

  *[Symbol.iterator](): Generator<T> {
    for (let index = this.#head; index < this.#entries.length; index++) {
      const entry = this.#entries[index]
      if (entry !== undefined) yield entry
    }
  }
}
