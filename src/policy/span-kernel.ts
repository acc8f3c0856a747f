/**
 * Spans in runs, the fast way: what is in the shape that SDKs write, and asks for nothing but to stay, to go or to move,
 * is read, judged and edited by the kernel. Every other span is left to the general way, which does the same.
 *
 *     request ─► window of the kernel's memory ─► run ─► edits of the lane, counts, events that move
 *
 * The kernel knows of the policy only what it was told (kernel-answers.ts), and writes what the general way would have
 * written, byte for byte: a property test holds them together. For policies with one traces lane that leads anywhere.
 * Scratch state owned by a compiled policy.
 */
import { type Viewed, viewed } from '../otlp/copy.ts'
import { createKernel, type Kernel, moduleOf } from '../otlp/kernel.ts'
import type { Policy } from './compile.ts'
import { fromByteString, textAt } from './family.ts'
import type { FieldPass } from './field-pass.ts'
import { isKnownReader, KernelAnswers } from './kernel-answers.ts'
import { ASKS, FULL, ODD, WORD_BYTES_MAX } from './kernel-numbers.ts'
import type { LaneRecord } from './lane-record.ts'
import type { Rehoming } from './rehoming.ts'
import { countKey } from './undecided.ts'
import type { Verdict } from './verdict.ts'

/** Compiled once; it has no state. */
const module = moduleOf(new URL('./spans.wasm', import.meta.url))

/** A note: verdict, word of the target, range of the name, trace id, span id, range of the record; none if it stays. */
const noteNumbers = 8
/** A hash to be filled in: where it goes, and the range of what it is of. */
const hashNumbers = 3
/** An attribute that no rule decided: its context, the word of its key, the range of the event's name. */
const undecidedNumbers = 4
/** Answers that one span may need: a flood of invented names goes the general way. */
const answersMax = 64
/** So many spans in a row that the kernel could not take, and it is left alone for the rest of the request. */
const oddMax = 16

/** The kernel for a policy; undefined if the policy asks for more than it can do. */
export function createSpanKernel(policy: Policy, asksEventNames: boolean): SpanKernel | undefined {
  const { spanTarget, spanEventTarget, workspace } = policy
  const records = workspace.lanes.filter(({ lane }) => lane.signal === 'traces' && lane.isOn)
  if (records.length !== 1 || !isKnownReader(spanTarget) || !isKnownReader(spanEventTarget)) return undefined
  return new SpanKernel(policy, records[0], asksEventNames)
}

export class SpanKernel {
  readonly #policy: Policy
  readonly #record: LaneRecord
  readonly #kernel: Kernel = createKernel(module)
  readonly #numbers = new Int32Array(this.#kernel.bytes.buffer)
  readonly #viewed: Viewed = viewed(this.#kernel.bytes)
  readonly #answers: KernelAnswers
  readonly #run: (...values: readonly number[]) => number
  readonly #spans: () => number
  readonly #notes: () => number
  readonly #edited: () => number
  readonly #copied: () => number
  readonly #out: () => number
  readonly #asked: readonly (() => number)[]
  readonly #window: number
  readonly #windowBytes: number
  readonly #outStart: number
  readonly #counts: number
  readonly #noteStart: number
  readonly #hashed: () => number
  readonly #hashStart: number
  readonly #undecided: () => number
  readonly #undecidedStart: number
  readonly #usesScope: boolean
  #request: Uint8Array = new Uint8Array(0)
  #fields: FieldPass | undefined
  #rehoming: Rehoming | undefined
  /** What of the request is in the window. */
  #from = 0
  #to = 0
  #odd = 0

  constructor(policy: Policy, record: LaneRecord, asksEventNames: boolean) {
    const kernel = this.#kernel
    const { spanTarget, spanEventTarget } = policy
    this.#policy = policy
    this.#record = record
    this.#answers = new KernelAnswers(kernel, policy, record, asksEventNames)
    this.#run = kernel.call('run')
    this.#spans = kernel.variable('spans')
    this.#notes = kernel.variable('notes')
    this.#edited = kernel.variable('edited')
    this.#copied = kernel.variable('copied')
    this.#out = kernel.variable('out')
    this.#asked = ['asked', 'askedFirst', 'askedSecond', 'askedThird'].map((name) => kernel.variable(name))
    this.#window = kernel.constant('WINDOW')
    this.#windowBytes = kernel.constant('WINDOW_BYTES')
    this.#outStart = kernel.constant('OUT')
    this.#counts = kernel.constant('COUNTS') >> 2
    this.#noteStart = kernel.constant('NOTES') >> 2
    this.#hashed = kernel.variable('hashed')
    this.#hashStart = kernel.constant('HASHED') >> 2
    this.#undecided = kernel.variable('undecided')
    this.#undecidedStart = kernel.constant('UNDECIDED') >> 2
    this.#usesScope = [...spanTarget.paths, ...spanEventTarget.paths].some(
      ({ kind }) => kind === 'scope_name',
    )
  }

  /** Points the kernel at a request, which was scanned, and at the walk's parts that go along with it. */
  begin(request: Uint8Array, fields: FieldPass, rehoming: Rehoming): void {
    this.#fields = fields
    this.#rehoming = rehoming
    this.#request = request
    this.#from = 0
    this.#to = 0
    this.#odd = 0
    // Where a request was given up in between, some may be left.
    for (const { id } of this.#answers.verdicts) this.#numbers[this.#counts + id] = 0
  }

  /** Takes spans from `item` on, of those in front of `last` that are of `scope`; the first that goes the general way, or `last`. */
  take(item: number, last: number, scope: number): number {
    const { scan, sightings } = this.#policy.workspace
    const { items, nameStarts, nameEnds, nameDoubts } = scan
    const isNamed = this.#usesScope && nameStarts[scope] < nameEnds[scope]
    const isOddScope =
      isNamed && (nameDoubts[scope] === 1 || nameEnds[scope] - nameStarts[scope] > WORD_BYTES_MAX)
    let next = item
    let wanted = this.#policy.rehomes ? sightings.wanted : 0
    let answers = 0
    while (next < last && !isOddScope && this.#odd < oddMax && this.#load(next, last)) {
      this.#fields?.scopeBefore(items.fields[next])
      const word = isNamed ? this.#answers.word(this.#request, nameStarts[scope], nameEnds[scope]) : 0
      const start = this.#window + items.fields[next] - this.#from
      const status = word < 0 ? FULL : this.#run(start, this.#window + this.#to - this.#from, word, wanted)
      const spans = word < 0 ? 0 : this.#spans()
      if (spans > 0) {
        wanted -= this.#finish(spans)
        next += spans
        answers = 0
        this.#odd = 0
      }
      if (status !== ASKS && status !== FULL && status !== ODD) continue
      if (status === ODD || ++answers > answersMax || !this.#tell(status)) break
    }
    this.#odd++
    return next
  }

  /** Sees to it that span `item` is in the window, with those that follow it there; false if it is too large. */
  #load(item: number, last: number): boolean {
    const { fields, ends } = this.#policy.workspace.scan.items
    const from = fields[item]
    if (from >= this.#from && from < this.#to) return true
    let to = from
    for (
      let index = item;
      index < last && fields[index] === to && ends[index] - from <= this.#windowBytes;
      index++
    )
      to = ends[index]
    if (to === from) return false
    this.#kernel.bytes.set(this.#request.subarray(from, to), this.#window)
    this.#from = from
    this.#to = to
    return true
  }

  /** Tells the kernel what it stopped for; false if it cannot be told. */
  #tell(status: number): boolean {
    if (status === FULL) {
      this.#answers.forget()
      return true
    }
    const [asked, first, second, third] = this.#asked
    return this.#answers.answer(asked(), first(), second(), third())
  }

  /** Takes over what the kernel made of so many spans; returns how many events were noted as sightings. */
  #finish(spans: number): number {
    const { bytes } = this.#kernel
    const numbers = this.#numbers
    const { edits } = this.#record
    const edited = this.#edited()
    const shift = this.#from - this.#window
    this.#fillHashes()
    this.#noteUndecided()
    if (edited !== 0)
      edits.putFields(edited + shift, this.#copied() + shift, bytes, this.#outStart, this.#out())
    edits.kept += spans
    this.#record.items += spans
    for (const verdict of this.#answers.verdicts) {
      const at = this.#counts + verdict.id
      if (numbers[at] === 0) continue
      this.#policy.workspace.counts.add(verdict, numbers[at])
      numbers[at] = 0
    }
    return this.#note()
  }

  /** Puts hashes where the kernel left room for them. */
  #fillHashes(): void {
    const numbers = this.#numbers
    const { bytes } = this.#kernel
    const end = this.#hashStart + this.#hashed() * hashNumbers
    for (let at = this.#hashStart; at < end; at += hashNumbers) {
      bytes.set(this.#record.hash(bytes.subarray(numbers[at + 1], numbers[at + 2])), numbers[at])
    }
  }

  /** Counts the attributes that no rule decided, by who has them and by key. */
  #noteUndecided(): void {
    const numbers = this.#numbers
    const { undecided } = this.#policy.workspace
    const shift = this.#from - this.#window
    const end = this.#undecidedStart + this.#undecided() * undecidedNumbers
    for (let at = this.#undecidedStart; at < end; ) {
      const [number, nameStart, nameEnd] = [numbers[at], numbers[at + 2], numbers[at + 3]]
      const { context, family, place } = this.#answers.contexts[number]
      const isNamed = nameStart < nameEnd
      const eventName = isNamed ? textAt(this.#request, nameStart + shift, nameEnd + shift) : ''
      const keys = undecided.keysOf(family, eventName, place)
      // Those of one item follow each other.
      do {
        const key = this.#answers.text(numbers[at + 1])
        countKey(keys, context.named(key), () => fromByteString(key))
        at += undecidedNumbers
      } while (at < end && numbers[at] === number && numbers[at + 2] === nameStart)
    }
  }

  /** Goes through the notes of a run: events that move, those of one target at once, and sightings. */
  #note(): number {
    const numbers = this.#numbers
    const { verdicts } = this.#policy
    const end = this.#noteStart + this.#notes() * noteNumbers
    let sightings = 0
    for (let at = this.#noteStart; at < end; ) {
      const verdict = verdicts.list[numbers[at]]
      const target = numbers[at + 1]
      const start = numbers[at + 6]
      if (start === 0) {
        if (this.#policy.workspace.sightings.asksNative()) this.#sight(at, false, verdict)
        sightings++
        at += noteNumbers
        continue
      }
      let count = 0
      while (at < end && numbers[at] === verdict.id && numbers[at + 1] === target && numbers[at + 6] !== 0) {
        this.#sight(at, true, verdict)
        count++
        at += noteNumbers
      }
      const records = { source: this.#viewed, start, end: numbers[at - 1], count }
      this.#rehoming?.records(verdict, this.#answers.rangeOf(target), records)
    }
    return sightings
  }

  #sight(at: number, isRehomed: boolean, { family }: Verdict): void {
    const numbers = this.#numbers
    const { sightings, reading } = this.#policy.workspace
    if (sightings.isFull) return
    const shift = this.#from - this.#window
    sightings.note(isRehomed, family, {
      source: reading.cursor,
      nameStart: numbers[at + 2] + shift,
      nameEnd: numbers[at + 3] + shift,
      traceIdAt: numbers[at + 4] === 0 ? -1 : numbers[at + 4] + shift,
      spanIdAt: numbers[at + 5] === 0 ? -1 : numbers[at + 5] + shift,
    })
  }
}
