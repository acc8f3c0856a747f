import t from 'tap'
import { Cursor } from '../../src/otlp/cursor.ts'
import { countDataPoints } from '../../src/otlp/metric.ts'
import { decode, encode, isMessage, messagesOf, type OracleMessage } from '../oracle/oracle.ts'

function count(bytes: Uint8Array): number {
  const cursor = new Cursor()
  cursor.reset(bytes, 0)
  return countDataPoints(cursor, 0, bytes.length)
}

function countedByOracle(bytes: Uint8Array): number {
  return Object.values(decode('Metric', bytes))
    .filter(isMessage)
    .reduce((sum: number, data) => sum + messagesOf(data, 'dataPoints').length, 0)
}

const points = (count: number): OracleMessage => ({
  dataPoints: Array.from({ length: count }, () => ({ flags: 1 })),
})

/** Metrics in pieces, joined: the data kind that is set last wins, pieces of one kind add up. */
const METRICS: readonly (readonly [title: string, pieces: OracleMessage[], points: number])[] = [
  ['nothing', [{}], 0],
  ['a name only', [{ name: 'x' }], 0],
  ['a gauge', [{ gauge: points(3) }], 3],
  ['a sum', [{ sum: points(2) }], 2],
  ['a histogram', [{ histogram: points(1) }], 1],
  ['an exponential histogram', [{ exponentialHistogram: points(4) }], 4],
  ['a summary', [{ summary: points(5) }], 5],
  ['a gauge in pieces', [{ gauge: points(1) }, { name: 'x' }, { gauge: points(2) }], 3],
  ['a gauge, then a sum', [{ gauge: points(3) }, { sum: points(1) }], 1],
  ['a gauge, then an empty sum', [{ gauge: points(3) }, { sum: {} }], 0],
  ['a gauge, a sum, a gauge', [{ gauge: points(3) }, { sum: points(1) }, { gauge: points(2) }], 2],
  ['metadata that looks like data', [{ metadata: [{ key: 'a' }, { key: 'b' }] }, { gauge: points(1) }], 1],
]

for (const [title, pieces, expected] of METRICS) {
  t.test(`${title} has ${expected} data points`, async (t) => {
    const bytes = Buffer.concat(pieces.map((piece) => encode('Metric', piece)))
    t.equal(count(bytes), expected)
    t.equal(countedByOracle(bytes), expected, 'so the oracle says')
  })
}

t.test('a data kind of another wire type is an unknown field', async (t) => {
  t.equal(count(Buffer.concat([encode('Metric', { gauge: points(2) }), Buffer.from([0x38, 0x01])])), 2)
})

t.test('a length that lies is refused at its offset', async (t) => {
  t.throws(() => count(Uint8Array.from([0x2a, 0x03, 0x0a, 0x05, 0x00])), {
    message: 'length beyond its message at byte 3',
  })
})
