import { deepStrictEqual, equal } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { viewed } from '../../src/otlp/copy.ts'
import { Edits, varintSize, writeVarint } from '../../src/otlp/splice.ts'
import { varintBytes } from '../oracle/wire-tree.ts'

/** A tree of frames: what is done with it, and its bytes before. */
type Node =
  | {
      readonly kind: 'leaf'
      readonly size: number
      readonly cut: 'no' | 'now' | 'late' | 'replaced'
      readonly isItem: boolean
      readonly put: number
    }
  | {
      readonly kind: 'frame'
      readonly children: readonly Node[]
      readonly stays: boolean
      readonly isPrunable: boolean
      /** Needless bytes in its length. */
      readonly extra: number
      readonly put: number
    }

const TAG = 0x12
const LEAF = 0x0a
const LITERAL = 0x7a
const COUNT = 0x60

const { node } = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record({
      kind: fc.constant('leaf' as const),
      size: fc.oneof(fc.nat(5), fc.constantFrom(31, 32, 33, 120, 127, 128, 300)),
      cut: fc.constantFrom('no' as const, 'now' as const, 'late' as const, 'replaced' as const),
      isItem: fc.boolean(),
      put: fc.constantFrom(0, 0, 0, 1, 40),
    }),
    fc.record({
      kind: fc.constant('frame' as const),
      children: fc.array(tie('node'), { maxLength: 4 }),
      stays: fc.boolean(),
      isPrunable: fc.boolean(),
      extra: fc.constantFrom(0, 0, 1, 8),
      put: fc.constantFrom(0, 0, 0, 1, 200),
    }),
  ),
}))

function framed(tag: number, payload: Uint8Array, extra = 0): Uint8Array {
  return Buffer.concat([Buffer.from([tag]), varintBytes(BigInt(payload.length), extra), payload])
}

function literal(size: number): Uint8Array {
  if (size === 1) return Buffer.from([COUNT, 0xac, 0x02])
  return size === 0 ? new Uint8Array() : framed(LITERAL, new Uint8Array(size).fill(7))
}

function before(nodes: readonly Node[]): Uint8Array {
  return Buffer.concat(
    nodes.map((one, index) =>
      one.kind === 'leaf'
        ? framed(LEAF, new Uint8Array(one.size).fill(index + 1))
        : framed(TAG, before(one.children), one.extra),
    ),
  )
}

interface Outcome {
  readonly bytes: Uint8Array
  readonly isEdited: boolean
  readonly kept: number
}

/** The naive reference: builds the new bytes from the tree. A frame that no edit touches keeps its bytes. */
function after(nodes: readonly Node[]): Outcome {
  let kept = 0
  let isEdited = false
  const parts = nodes.map((one, index): Uint8Array => {
    if (one.kind === 'leaf') {
      if (one.cut !== 'no') isEdited = true
      else if (one.isItem) kept++
      if (one.put > 0) isEdited = true
      const leaf =
        one.cut !== 'no' ? new Uint8Array() : framed(LEAF, new Uint8Array(one.size).fill(index + 1))
      return Buffer.concat([leaf, literal(one.put)])
    }
    const inner = after(one.children)
    if (one.isPrunable && inner.kept === 0) {
      isEdited = true
      return new Uint8Array()
    }
    kept += inner.kept
    if (!inner.isEdited && one.put === 0) return framed(TAG, before(one.children), one.extra)
    isEdited = true
    return framed(TAG, Buffer.concat([inner.bytes, literal(one.put)]))
  })
  return { bytes: Buffer.concat(parts), isEdited, kept }
}

/** Walks the tree as a scan would, recording each edit at its offset; returns where it ends. */
function record(edits: Edits, nodes: readonly Node[], start: number, isFramed = false): number {
  let at = start
  const late: (readonly [number, number])[] = []
  for (const one of nodes) {
    const field = at
    if (one.kind === 'leaf') {
      at += 1 + varintSize(one.size) + one.size
      if (one.cut === 'replaced' && one.put > 1) {
        edits.putBytes(field, at, LITERAL, viewed(new Uint8Array(one.put + 2).fill(7)), 1, one.put + 1)
        continue
      }
      if (one.cut === 'late' && isFramed) late.push([field, at])
      else if (one.cut !== 'no') edits.cut(field, at)
      else if (one.isItem) edits.kept++
      if (one.put > 0) put(edits, at, one.put)
      continue
    }
    const payload = before(one.children)
    const head = 1 + varintBytes(BigInt(payload.length), one.extra).length
    at += head + payload.length
    edits.enter(TAG, field, field + head, at)
    equal(record(edits, one.children, field + head, true), at)
    if (one.put > 0) put(edits, at, one.put)
    if (one.isPrunable) edits.leaveOrPrune()
    else edits.leave()
  }
  if (nodes.length % 2 === 0) late.reverse()
  for (const [field, end] of late) edits.cutEarlier(field, end)
  return at
}

/** One byte stands for a varint field, more for a field of so many bytes. */
function put(edits: Edits, position: number, size: number): void {
  if (size === 1) edits.putVarint(position, COUNT, 300)
  else if (size > 0)
    edits.putBytes(position, position, LITERAL, viewed(new Uint8Array(size + 2).fill(7)), 1, size + 1)
}

t.test('edits of any tree of frames give the bytes that building it anew gives', async (t) => {
  const edits = new Edits()
  fc.assert(
    fc.property(fc.array(node, { maxLength: 5 }), (nodes) => {
      const source = before(nodes)
      const expected = after(nodes)
      edits.reset()
      equal(record(edits, nodes, 0), source.length)
      equal(edits.kept, expected.kept)
      const splice = edits.take(source)
      if (!expected.isEdited) {
        equal(splice, undefined)
        return
      }
      const target = new Uint8Array((splice?.byteLength ?? 0) + 6).fill(0xa5)
      splice?.write(target, 3)
      deepStrictEqual(Buffer.from(target.subarray(3, -3)), Buffer.from(expected.bytes))
      deepStrictEqual([...target.subarray(0, 3), ...target.subarray(-3)], Array(6).fill(0xa5))
      const again = new Uint8Array(splice?.byteLength ?? 0)
      splice?.write(again, 0)
      deepStrictEqual(Buffer.from(again), Buffer.from(expected.bytes), 'it can be written again')
    }),
    { numRuns: Number(process.env.ROUTE_RUNS ?? 500) },
  )
  t.pass('for every tree')
})

t.test('a splice that was taken is not changed by what is recorded next', async (t) => {
  const source = Buffer.from([0x0a, 0x01, 0x31, 0x0a, 0x01, 0x32])
  const edits = new Edits()
  edits.cut(0, 3)
  edits.putBytes(6, 6, 0x0a, viewed(source), 0, 0)
  const first = edits.take(source)
  edits.reset()
  edits.cut(3, 6)
  edits.putBytes(6, 6, 0x12, viewed(source), 0, 1)
  t.ok(edits.take(source))
  const bytes = Buffer.alloc(first?.byteLength ?? 0)
  first?.write(bytes, 0)
  t.same(bytes, Buffer.from([0x0a, 0x01, 0x32, 0x0a, 0x00]))
})

t.test('neighbouring cuts are one, and cutting everything leaves nothing', async (t) => {
  const source = new Uint8Array(3000)
  const edits = new Edits()
  for (let at = 0; at < source.length; at += 3) edits.cut(at, at + 3)
  t.equal(edits.take(source)?.byteLength, 0)
})

t.test('thousands of edits in one request are kept', async (t) => {
  const source = Buffer.from(Array.from({ length: 6000 }, (_, index) => index & 0xff))
  const edits = new Edits()
  for (let at = 0; at < source.length; at += 4) edits.cut(at, at + 2)
  for (let index = 0; index < 400; index++) edits.putVarint(source.length, 1, 0x103)
  const splice = edits.take(source)
  const bytes = Buffer.alloc(splice?.byteLength ?? 0)
  splice?.write(bytes, 0)
  t.same(
    bytes.subarray(0, 3000),
    source.filter((_, index) => index % 4 >= 2),
  )
  t.same(bytes.subarray(3000), Buffer.from(Array(400).fill([1, 0x83, 2]).flat()))
})

t.test('varints take the bytes that they are said to take', async (t) => {
  for (const value of [
    0,
    1,
    127,
    128,
    16_383,
    16_384,
    2_097_151,
    2_097_152,
    268_435_455,
    268_435_456,
    2 ** 32 - 1,
  ]) {
    const bytes = new Uint8Array(8)
    t.equal(writeVarint(value, bytes, 1) - 1, varintSize(value))
    t.same(bytes.slice(1, 1 + varintSize(value)), varintBytes(BigInt(value)))
  }
})
