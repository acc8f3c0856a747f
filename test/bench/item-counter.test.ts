/** The bench's counter must be right, or a subject that loses items would look fast. */
import t from 'tap'
import { createBodies } from '../../bench/bodies.ts'
import { ItemCounter } from '../../bench/item-counter.ts'

const bodies = createBodies().filter(
  ({ contentEncoding, contentType }) =>
    contentEncoding === 'identity' && contentType === 'application/x-protobuf',
)

function count(bytes: Uint8Array, pieceSize: number, lookInside: boolean): ItemCounter {
  const counter = new ItemCounter(lookInside)
  for (let start = 0; start < bytes.length; start += pieceSize) {
    counter.feed(bytes, start, Math.min(bytes.length, start + pieceSize))
  }
  return counter
}

for (const body of bodies) {
  t.test(`${body.name} counts the same in pieces of any size`, async (t) => {
    for (const pieceSize of [1, 7, 4096, body.bytes.length]) {
      t.equal(count(body.bytes, pieceSize, false).items, body.items)
      t.equal(count(body.bytes, pieceSize, true).items, body.items)
    }
  })
}

t.test('requests that are joined count as their sum', async (t) => {
  const joined = Buffer.concat([bodies[0].bytes, bodies[0].bytes])
  t.equal(count(joined, 1000, false).items, bodies[0].items * 2)
})

t.test('span events are counted only when asked for', async (t) => {
  const traces = bodies.find(({ name }) => name === 'traces16')
  t.ok(traces)
  if (traces === undefined) return
  const spanEvents = count(traces.bytes, 100, true).spanEvents
  t.ok(spanEvents >= traces.items * 2 && spanEvents <= traces.items * 3)
  t.equal(count(traces.bytes, 100, false).spanEvents, 0)
})

t.test('bodies are the same in every run', async (t) => {
  for (const [index, { bytes }] of createBodies().entries()) t.ok(bytes.equals(createBodies()[index].bytes))
})
