/**
 * Splicing: new request bytes from old ones, by cuts and insertions, without decoding.
 *
 * A walk reports what it drops and inserts, in the order of the document, and the frames it is in. A frame is a
 * length-delimited field; only frames around an edit are written anew (their tag and length), all other
 * bytes are copied in ranges. A frame that keeps no item is cut as a whole.
 *
 *     enter(resource) enter(scope) cut(record) … leave leave
 *     ops: [resource's head ► new head] [scope's head ► new head] [record ► nothing] …
 *
 * Every op is the same: up to `at` the old bytes stay, then come new ones, then the old ones from `next` on. Frames are
 * opened only when an edit falls into them, so a request without edits has no ops, and passes as it is. What an edit
 * does to the length of its frame is summed up as it is recorded: when a frame is left its head is known.
 */
import { copyRange, type Viewed, viewed } from './copy.ts'
import { Unwritten } from './unwritten.ts'

/** An op: at, next, start and end of the new bytes among the literals. */
const STRIDE = 4
const AT = 0
const NEXT = 1
const NEW_START = 2
const NEW_END = 3

/** A frame: field start, payload start, end, tag, its op or -1, items kept when it was entered, by how much it grows. */
const FRAME_STRIDE = 7
const FIELD = 0
const START = 1
const END = 2
const TAG = 3
const OPENED = 4
const KEPT = 5
const GROWTH = 6

/** A tag of one byte and the longest length. */
const headBytesMax = 6

/** Envelopes, items, attributes and values nested in each other while edits are recorded. */
const framesMax = 256

/** Recordings that wait to be used again, and how large one may be: a hostile request does not keep its memory. */
const sparesMax = 2
const opsKeptMax = (1 << 16) * STRIDE
const literalsKeptMax = 1 << 20

/** What a recording is kept in. A large one costs page faults, so it is used again when its splice was written. */
interface Tape {
  readonly ops: Int32Array
  readonly literals: Viewed
}

/** Records the edits of one lane on one request. `take` hands the recording over; a released one is used again. */
export class Edits {
  readonly #spares: Tape[] = []
  #ops: Int32Array = new Int32Array(256 * STRIDE)
  #length = 0
  #literals: Viewed = viewed(new Uint8Array(256))
  #literalsLength = 0
  /** Stack of frames; the one at the bottom is the request. */
  readonly #frames = new Int32Array((framesMax + 1) * FRAME_STRIDE)
  #frame = 0
  /** The op that opened a frame last: no cut may be joined to it, for it may be taken back. */
  #lastOpening = -1
  /** Items kept so far. A frame that is left with as many as it was entered with is cut. */
  kept = 0

  reset(): void {
    this.#length = 0
    this.#literalsLength = 0
    this.#frame = 0
    this.#frames[GROWTH] = 0
    this.#lastOpening = -1
    this.kept = 0
  }

  /** The walk goes into a length-delimited field whose tag is the one byte `tag`. */
  enter(tag: number, field: number, start: number, end: number): void {
    const frame = this.#frame + FRAME_STRIDE
    const frames = this.#frames
    frames[frame + FIELD] = field
    frames[frame + START] = start
    frames[frame + END] = end
    frames[frame + TAG] = tag
    frames[frame + OPENED] = -1
    frames[frame + KEPT] = this.kept
    frames[frame + GROWTH] = 0
    this.#frame = frame
  }

  /** The walk leaves the innermost frame, which stays even if nothing in it was kept. */
  leave(): void {
    const frame = this.#frame
    const frames = this.#frames
    this.#frame = frame - FRAME_STRIDE
    const op = frames[frame + OPENED]
    if (op < 0) return
    const length = frames[frame + END] - frames[frame + START] + frames[frame + GROWTH]
    const from = this.#ops[op + NEW_START]
    const { bytes } = this.#literals
    bytes[from] = frames[frame + TAG]
    const to = writeVarint(length, bytes, from + 1)
    this.#ops[op + NEW_END] = to
    const headGrowth = to - from - (frames[frame + START] - frames[frame + FIELD])
    frames[frame - FRAME_STRIDE + GROWTH] += frames[frame + GROWTH] + headGrowth
  }

  /** The walk leaves the innermost frame; it is cut if no item in it was kept. */
  leaveOrPrune(): void {
    const frame = this.#frame
    const frames = this.#frames
    if (this.kept !== frames[frame + KEPT]) {
      this.leave()
      return
    }
    this.#frame = frame - FRAME_STRIDE
    this.#discardFrom(frame)
    this.cut(frames[frame + FIELD], frames[frame + END])
  }

  /** Drops the bytes of `[start, end)`: a whole field of the innermost frame. */
  cut(start: number, end: number): void {
    this.#openFrames()
    this.#frames[this.#frame + GROWTH] -= end - start
    const last = this.#length - STRIDE
    if (last > this.#lastOpening && this.#ops[last + NEXT] === start) this.#ops[last + NEXT] = end
    else this.#push(start, end, 0, 0)
  }

  /** Drops a whole field of the innermost frame that lies before edits made in it already. */
  cutEarlier(start: number, end: number): void {
    this.#openFrames()
    this.#frames[this.#frame + GROWTH] -= end - start
    let at = this.#frames[this.#frame + OPENED] + STRIDE
    while (at < this.#length && this.#ops[at + AT] <= start) at += STRIDE
    this.#push(start, end, 0, 0)
    if (at === this.#length - STRIDE) return
    const op = this.#ops.slice(this.#length - STRIDE, this.#length)
    this.#ops.copyWithin(at + STRIDE, at, this.#length - STRIDE)
    this.#ops.set(op, at)
  }

  /**
   * Puts a length-delimited field that holds `bytes[from, to)` where `[start, end)`, a field of the innermost frame,
   * was; nothing was there if these are one offset.
   */
  putBytes(start: number, end: number, tag: number, bytes: Viewed, from: number, to: number): void {
    const size = to - from
    const at = this.#reserve(1 + varintSize(size) + size)
    const literals = this.#literals
    literals.bytes[at] = tag
    copyRange(bytes, from, to, literals, writeVarint(size, literals.bytes, at + 1))
    this.#put(start, end, at)
  }

  /** Puts `bytes[from, to)`, whole fields, where `[start, end)`, whole fields of the innermost frame, was. */
  putFields(start: number, end: number, bytes: Uint8Array, from: number, to: number): void {
    const at = this.#reserve(to - from)
    this.#literals.bytes.set(bytes.subarray(from, to), at)
    this.#put(start, end, at)
  }

  /** Inserts a varint field (below 2^32) at offset `position` of the innermost frame. */
  putVarint(position: number, tag: number, value: number): void {
    const at = this.#reserve(1 + varintSize(value))
    this.#literals.bytes[at] = tag
    writeVarint(value, this.#literals.bytes, at + 1)
    this.#put(position, position, at)
  }

  #put(start: number, end: number, newStart: number): void {
    this.#frames[this.#frame + GROWTH] += this.#literalsLength - newStart - (end - start)
    this.#push(start, end, newStart, this.#literalsLength)
  }

  /** Opens the frames around an edit, and makes room for its bytes. */
  #reserve(size: number): number {
    this.#openFrames()
    return this.#reserveLiterals(size)
  }

  #reserveLiterals(size: number): number {
    const start = this.#literalsLength
    if (start + size > this.#literals.bytes.length) {
      const larger = new Uint8Array(Math.max(this.#literals.bytes.length * 2, start + size))
      larger.set(this.#literals.bytes)
      this.#literals = viewed(larger)
    }
    this.#literalsLength = start + size
    return start
  }

  /** Ends the recording: the splice that makes the new bytes, or undefined if there were no edits. */
  take(source: Uint8Array): Splice | undefined {
    if (this.#length === 0) return undefined
    const tape = { ops: this.#ops, literals: this.#literals }
    const recording = { tape, opsLength: this.#length, byteLength: source.length + this.#frames[GROWTH] }
    const splice = new Splice(source, recording, () => this.#reuse(tape))
    const spare = this.#spares.pop()
    this.#ops = spare?.ops ?? new Int32Array(256 * STRIDE)
    this.#literals = spare?.literals ?? viewed(new Uint8Array(256))
    this.reset()
    return splice
  }

  #reuse(tape: Tape): void {
    const isSmall = tape.ops.length <= opsKeptMax && tape.literals.bytes.length <= literalsKeptMax
    if (this.#spares.length < sparesMax && isSmall) this.#spares.push(tape)
  }

  #openFrames(): void {
    const frames = this.#frames
    let frame = this.#frame
    while (frame > 0 && frames[frame + OPENED] < 0) frame -= FRAME_STRIDE
    while (frame < this.#frame) {
      frame += FRAME_STRIDE
      const head = this.#reserveLiterals(headBytesMax)
      frames[frame + OPENED] = this.#length
      this.#lastOpening = this.#length
      this.#push(frames[frame + FIELD], frames[frame + START], head, head)
    }
  }

  /** Takes back the ops since the frame at `frame` was entered; outer frames opened since then close again. */
  #discardFrom(frame: number): void {
    const frames = this.#frames
    if (frames[frame + OPENED] < 0) return
    let mark = frames[frame + OPENED]
    for (let outer = frame - FRAME_STRIDE; outer > 0; outer -= FRAME_STRIDE) {
      if (frames[outer + OPENED] + STRIDE !== mark) break
      mark = frames[outer + OPENED]
      frames[outer + OPENED] = -1
    }
    this.#length = mark
    // Whatever is the last op now may be the opening of a frame that is still open.
    this.#lastOpening = Math.max(-1, mark - STRIDE)
  }

  #push(at: number, next: number, newStart: number, newEnd: number): void {
    const index = this.#length
    if (index + STRIDE > this.#ops.length) {
      const larger = new Int32Array(this.#ops.length * 2)
      larger.set(this.#ops)
      this.#ops = larger
    }
    const ops = this.#ops
    ops[index + AT] = at
    ops[index + NEXT] = next
    ops[index + NEW_START] = newStart
    ops[index + NEW_END] = newEnd
    this.#length = index + STRIDE
  }
}

interface Recording {
  readonly tape: Tape
  readonly opsLength: number
  /** Of the new bytes. */
  readonly byteLength: number
}

/** New bytes, from old ones and a recording. */
export class Splice extends Unwritten {
  readonly byteLength: number
  readonly #source: Uint8Array
  readonly #tape: Tape
  readonly #opsLength: number

  constructor(source: Uint8Array, { tape, opsLength, byteLength }: Recording, giveBack: () => void) {
    super(giveBack)
    this.byteLength = byteLength
    this.#source = source
    this.#tape = tape
    this.#opsLength = opsLength
  }

  write(target: Uint8Array, offset: number): void {
    const { ops, literals } = this.#tape
    const source = viewed(this.#source)
    const into = viewed(target)
    let from = 0
    let to = offset
    for (let op = 0; op < this.#opsLength; op += STRIDE) {
      to = copyRange(source, from, ops[op + AT], into, to)
      to = copyRange(literals, ops[op + NEW_START], ops[op + NEW_END], into, to)
      from = ops[op + NEXT]
    }
    copyRange(source, from, source.bytes.length, into, to)
  }
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
