/** Batches, pure. */
import t from 'tap'
import { batchChunks, copyChunks, countForBatch, REQUEST_BYTES_MAX } from '../../src/lane/batch.ts'
import { parcelOf } from './support.ts'

for (const { lengths, bytesMax, count } of [
  { lengths: [], bytesMax: 10, count: 0 },
  { lengths: [4, 6, 1], bytesMax: 10, count: 2 },
  { lengths: [4, 7, 1], bytesMax: 10, count: 1 },
  { lengths: [11, 1], bytesMax: 10, count: 1 },
  { lengths: [10], bytesMax: 10, count: 1 },
  { lengths: [REQUEST_BYTES_MAX - 1, 1, 1], bytesMax: 0, count: 2 },
  { lengths: [REQUEST_BYTES_MAX - 1, 1, 1], bytesMax: 2 * REQUEST_BYTES_MAX, count: 2 },
]) {
  t.test(`of ${JSON.stringify(lengths)}, ${count} go into ${bytesMax} bytes`, async (t) => {
    t.equal(countForBatch(lengths, bytesMax), count)
  })
}

t.test('joined parcels are their bytes one behind the other', async (t) => {
  const chunks = batchChunks([parcelOf([Buffer.from('ab'), Buffer.from('c')]), parcelOf(Buffer.from('de'))])
  const target = Buffer.alloc(6, '-')
  copyChunks(chunks, target)
  t.equal(target.toString(), 'abcde-')
})
