/**
 * Counts the items of a protobuf Export*ServiceRequest while it arrives in pieces.
 *
 * In: the pieces of one body, in order. Out: how many log records or spans, and, when asked to look inside,
 * how many span events. It steps over each item without reading it, so that counting costs the bench next to
 * nothing. It trusts its input: it reads what subjects made, not what strangers sent.
 */

/** Field 1 of the request, 2 of a resource, 2 of a scope, 11 of a span: the way down to a span event. */
const FIELD_DOWN = [1, 2, 2, 11]
const ITEM_DEPTH = 2

export class ItemCounter {
  items = 0
  spanEvents = 0
  readonly #lookInside: boolean
  #position = 0
  #skip = 0
  #depth = 0
  readonly #ends: number[] = [Number.POSITIVE_INFINITY, 0, 0, 0]
  #stage: 'tag' | 'length' | 'varint' = 'tag'
  #field = 0
  #value = 0
  #scale = 1

  constructor(lookInside: boolean) {
    this.#lookInside = lookInside
  }

  /** Takes the bytes of `chunk` in `[start, end)`. */
  feed(chunk: Uint8Array, start: number, end: number): void {
    let index = start
    while (index < end) {
      if (this.#skip > 0) {
        const stepped = Math.min(this.#skip, end - index)
        this.#skip -= stepped
        this.#position += stepped
        index += stepped
        continue
      }
      while (this.#position === this.#ends[this.#depth]) this.#depth -= 1
      const byte = chunk[index]
      index += 1
      this.#position += 1
      this.#value += (byte & 0x7f) * this.#scale
      this.#scale *= 128
      if (byte < 0x80) this.#takeVarint()
    }
  }

  #takeVarint(): void {
    const value = this.#value
    this.#value = 0
    this.#scale = 1
    if (this.#stage === 'tag') this.#takeTag(value)
    else if (this.#stage === 'length') this.#takeLength(value)
    else this.#stage = 'tag'
  }

  #takeTag(tag: number): void {
    const wireType = tag & 7
    this.#field = Math.floor(tag / 8)
    if (wireType === 0) this.#stage = 'varint'
    else if (wireType === 1) this.#skip = 8
    else if (wireType === 2) this.#stage = 'length'
    else if (wireType === 5) this.#skip = 4
    else throw new Error(`wire type ${wireType} in a forwarded body`)
  }

  #takeLength(length: number): void {
    this.#stage = 'tag'
    const isDown = this.#field === FIELD_DOWN[this.#depth]
    if (isDown && this.#depth === ITEM_DEPTH) this.items += 1
    if (isDown && this.#depth === ITEM_DEPTH + 1) this.spanEvents += 1
    const depthMax = this.#lookInside ? ITEM_DEPTH + 1 : ITEM_DEPTH
    if (isDown && this.#depth < depthMax && length > 0) {
      this.#depth += 1
      this.#ends[this.#depth] = this.#position + length
    } else {
      this.#skip = length
    }
  }
}
