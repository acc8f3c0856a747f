/**
 * Splicing: new request bytes from old ones, by cuts and insertions, without decoding.
 *
 * A walk reports what it drops, in the order of the document, and the frames it is in. A frame is a
 * length-delimited field; only frames around an edit are written anew (their tag and length), all other
 * bytes are copied in ranges. A frame that keeps no item is cut as a whole.
 *
 *     enter(resource) enter(scope) cut(record) … leave leave     ops: OPEN OPEN CUT … CLOSE CLOSE
 *
 * Frames are opened only when an edit falls into them, so a request without edits has no ops, and passes as it is.
 */

const OPEN = 0 // a: field start, b: payload start, c: tag byte, d: new payload length (filled by measure)
const CLOSE = 1 // a: end
const CUT = 2 // a: start, b: end
const PUT = 3 // a: position, b: literal start, c: literal end
const STRIDE = 5 // kind, a, b, c, d

/** Envelopes, items, attributes and values nested in each other while edits are recorded. */
const framesMax = 256

/** Recordings that wait to be used again, and how large one may be: a hostile request does not keep its memory. */
const sparesMax = 2
const opsKeptMax = (1 << 16) * STRIDE

/** What a recording is kept in. A large one costs page faults, so it is used again when its splice was written. */
interface Tape {
  ops: Int32Array
  literals: Uint8Array
}

/** Records the edits of one lane on one request. `take` hands the recording over; a released one is used again. */
export class Edits {
  readonly #spares: Tape[] = []
  #ops: Int32Array = new Int32Array(256 * STRIDE)
  #length = 0
  #literals: Uint8Array = new Uint8Array(256)
  #literalsLength = 0
  /** Stack of frames: field start, payload start, end, tag, index of its OPEN op or -1, items kept when it was entered. */
  readonly #frames = new Int32Array(framesMax * 6)
  #depth = 0
  /** Items kept so far. A frame that is left with as many as it was entered with is cut. */
  kept = 0

  reset(): void {
    this.#length = 0
    this.#literalsLength = 0
    this.#depth = 0
    this.kept = 0
  }

  /** The walk goes into a length-delimited field whose tag is the one byte `tag`. */
  enter(tag: number, field: number, start: number, end: number): void {
    const frame = this.#depth * 6
    const frames = this.#frames
    frames[frame] = field
    frames[frame + 1] = start
    frames[frame + 2] = end
    frames[frame + 3] = tag
    frames[frame + 4] = -1
    frames[frame + 5] = this.kept
    this.#depth++
  }

  /** The walk leaves the innermost frame, which stays even if nothing in it was kept. */
  leave(): void {
    this.#depth--
    const frame = this.#depth * 6
    if (this.#frames[frame + 4] >= 0) this.#push(CLOSE, this.#frames[frame + 2], 0, 0)
  }

  /** The walk leaves the innermost frame; it is cut if no item in it was kept. */
  leaveOrPrune(): void {
    const frame = (this.#depth - 1) * 6
    const frames = this.#frames
    if (this.kept !== frames[frame + 5]) {
      this.leave()
      return
    }
    this.#depth--
    this.#discardFrom(frame)
    this.cut(frames[frame], frames[frame + 2])
  }

  /** Drops the bytes of `[start, end)`: a whole field of the innermost frame. */
  cut(start: number, end: number): void {
    this.#openFrames()
    const last = this.#length - STRIDE
    if (last >= 0 && this.#ops[last] === CUT && this.#ops[last + 2] === start) this.#ops[last + 2] = end
    else this.#push(CUT, start, end, 0)
  }

  /** Drops a whole field of the innermost frame that lies before edits made in it already. */
  cutEarlier(start: number, end: number): void {
    this.#openFrames()
    let at = this.#frames[(this.#depth - 1) * 6 + 4] + STRIDE
    while (at < this.#length && this.#ops[at + 1] <= start) at += STRIDE
    this.#push(CUT, start, end, 0)
    if (at === this.#length - STRIDE) return
    const op = this.#ops.slice(this.#length - STRIDE, this.#length)
    this.#ops.copyWithin(at + STRIDE, at, this.#length - STRIDE)
    this.#ops.set(op, at)
  }

  /** Inserts a length-delimited field that holds `bytes[start, end)`, at offset `position` of the innermost frame. */
  putBytes(position: number, tag: number, bytes: Uint8Array, start: number, end: number): void {
    const size = end - start
    const from = this.#reserve(1 + varintSize(size) + size)
    this.#literals[from] = tag
    const to = writeVarint(size, this.#literals, from + 1)
    copy(bytes, start, end, this.#literals, to)
    this.#push(PUT, position, from, this.#literalsLength)
  }

  /** Inserts a varint field (below 2^32) at offset `position` of the innermost frame. */
  putVarint(position: number, tag: number, value: number): void {
    const from = this.#reserve(1 + varintSize(value))
    this.#literals[from] = tag
    writeVarint(value, this.#literals, from + 1)
    this.#push(PUT, position, from, this.#literalsLength)
  }

  #reserve(size: number): number {
    this.#openFrames()
    const start = this.#literalsLength
    if (start + size > this.#literals.length) {
      const larger = new Uint8Array((start + size) * 2)
      larger.set(this.#literals)
      this.#literals = larger
    }
    this.#literalsLength = start + size
    return start
  }

  /** Ends the recording: the splice that makes the new bytes, or undefined if there were no edits. */
  take(source: Uint8Array): Splice | undefined {
    if (this.#length === 0) return undefined
    const tape = { ops: this.#ops, literals: this.#literals }
    const splice = new Splice(source, tape, this.#length, () => this.#reuse(tape))
    const spare = this.#spares.pop()
    this.#ops = spare?.ops ?? new Int32Array(256 * STRIDE)
    this.#literals = spare?.literals ?? new Uint8Array(256)
    this.#length = 0
    this.#literalsLength = 0
    return splice
  }

  #reuse(tape: Tape): void {
    if (this.#spares.length < sparesMax && tape.ops.length <= opsKeptMax) this.#spares.push(tape)
  }

  #openFrames(): void {
    const frames = this.#frames
    let frame = this.#depth * 6
    while (frame > 0 && frames[frame - 2] < 0) frame -= 6
    for (; frame < this.#depth * 6; frame += 6) {
      frames[frame + 4] = this.#length
      this.#push(OPEN, frames[frame], frames[frame + 1], frames[frame + 3])
    }
  }

  /** Takes back the ops since the frame at `frame` was entered; outer frames opened since then close again. */
  #discardFrom(frame: number): void {
    const frames = this.#frames
    if (frames[frame + 4] < 0) return
    let mark = frames[frame + 4]
    for (let outer = frame - 6; outer >= 0 && frames[outer + 4] + STRIDE === mark; outer -= 6) {
      mark = frames[outer + 4]
      frames[outer + 4] = -1
    }
    this.#length = mark
  }

  #push(kind: number, a: number, b: number, c: number): void {
    const at = this.#length
    if (at + STRIDE > this.#ops.length) {
      const larger = new Int32Array(this.#ops.length * 2)
      larger.set(this.#ops)
      this.#ops = larger
    }
    const ops = this.#ops
    ops[at] = kind
    ops[at + 1] = a
    ops[at + 2] = b
    ops[at + 3] = c
    this.#length = at + STRIDE
  }
}

/** New bytes, measured but not yet written: `byteLength` of them go wherever the caller has room. */
export class Splice {
  readonly byteLength: number
  readonly #source: Uint8Array
  readonly #ops: Int32Array
  readonly #opsLength: number
  readonly #literals: Uint8Array
  #giveBack: (() => void) | undefined

  constructor(source: Uint8Array, tape: Readonly<Tape>, opsLength: number, giveBack: () => void) {
    this.#source = source
    this.#ops = tape.ops
    this.#opsLength = opsLength
    this.#literals = tape.literals
    this.#giveBack = giveBack
    this.byteLength = measure(tape.ops, opsLength, source.length)
  }

  /** Gives the recording back to be used again: the splice must not be written after that. Never owed. */
  release(): void {
    this.#giveBack?.()
    this.#giveBack = undefined
  }

  /** The new bytes in memory of their own. */
  toBytes(): Uint8Array {
    const bytes = Buffer.allocUnsafeSlow(this.byteLength)
    this.write(bytes, 0)
    return bytes
  }

  /** Writes the `byteLength` new bytes to `target` from `offset` on. */
  write(target: Uint8Array, offset: number): void {
    const ops = this.#ops
    let from = 0
    let to = offset
    for (let at = 0; at < this.#opsLength; at += STRIDE) {
      const a = ops[at + 1]
      to = copy(this.#source, from, a, target, to)
      from = a
      switch (ops[at]) {
        case OPEN:
          target[to++] = ops[at + 3]
          to = writeVarint(ops[at + 4], target, to)
          from = ops[at + 2]
          break
        case CUT:
          from = ops[at + 2]
          break
        case PUT:
          to = copy(this.#literals, ops[at + 2], ops[at + 3], target, to)
          break
      }
    }
    copy(this.#source, from, this.#source.length, target, to)
  }
}

/** Fills in the length of every opened frame and returns the size of the whole. */
function measure(ops: Int32Array, opsLength: number, sourceLength: number): number {
  const opens: number[] = []
  const sizes: number[] = [0]
  let from = 0
  for (let at = 0; at < opsLength; at += STRIDE) {
    const a = ops[at + 1]
    sizes[sizes.length - 1] += a - from
    from = a
    switch (ops[at]) {
      case OPEN:
        opens.push(at)
        sizes.push(0)
        from = ops[at + 2]
        break
      case CLOSE: {
        const size = sizes.pop() ?? 0
        ops[(opens.pop() ?? 0) + 4] = size
        sizes[sizes.length - 1] += 1 + varintSize(size) + size
        break
      }
      case CUT:
        from = ops[at + 2]
        break
      case PUT:
        sizes[sizes.length - 1] += ops[at + 3] - ops[at + 2]
        break
    }
  }
  return sizes[0] + sourceLength - from
}

/** A native copy has a fixed price; below this size a loop is cheaper. */
const smallCopyBytes = 24

function copy(source: Uint8Array, start: number, end: number, target: Uint8Array, to: number): number {
  const size = end - start
  if (size > smallCopyBytes) target.set(source.subarray(start, end), to)
  else for (let index = 0; index < size; index++) target[to + index] = source[start + index]
  return to + size
}

/** How many bytes a varint of `value` (below 2^32) takes. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  return value < 0x1000_0000 ? 4 : 5
}

/** Writes `value` (below 2^32) as a varint and returns the offset behind it. */
export function writeVarint(value: number, target: Uint8Array, offset: number): number {
  let rest = value
  let to = offset
  while (rest >= 0x80) {
    target[to++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  target[to++] = rest
  return to
}
