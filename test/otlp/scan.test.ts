import t from 'tap'
import { Ranges, rangesMax, Scan } from '../../src/otlp/scan.ts'
import { varintSize, writeVarint } from '../../src/otlp/splice.ts'
import { encode } from '../oracle/oracle.ts'

const MESSAGE = 'ExportLogsServiceRequest'

function nested(tag: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(1 + varintSize(payload.length))
  head[0] = tag
  writeVarint(payload.length, head, 1)
  return Buffer.concat([head, payload])
}

function scanned(bytes: Uint8Array): Scan {
  const scan = new Scan()
  scan.walk(bytes)
  return scan
}

function namesOf(scan: Scan, bytes: Uint8Array): readonly string[] {
  return Array.from({ length: scan.scopes.count }, (_, scope) =>
    Buffer.from(bytes.subarray(scan.nameStarts[scope], scan.nameEnds[scope])).toString(),
  )
}

t.test('envelopes and items are found with their ranges, and nothing between them is lost', async (t) => {
  const bytes = encode(MESSAGE, {
    resourceLogs: [
      { scopeLogs: [{ scope: { name: 'a' }, logRecords: [{ severityText: 'x' }, {}] }, {}] },
      {},
      { scopeLogs: [{ scope: { name: 'b' }, logRecords: [{}] }] },
    ],
  })
  const scan = scanned(bytes)
  t.equal(scan.resources.count, 3)
  t.same([...scan.firstScope.subarray(0, 4)], [0, 2, 2, 3])
  t.same([...scan.firstItem.subarray(0, 4)], [0, 2, 2, 3])
  t.same(namesOf(scan, bytes), ['a', '', 'b'])
  t.same(
    [0, 1, 2].map((item) => scan.items.ends[item] - scan.items.starts[item]),
    [3, 0, 0],
  )
  t.ok([0, 1, 2].every((item) => bytes[scan.items.fields[item]] === 0x12))
  t.equal(scan.resources.ends[2], bytes.length)
})

t.test('a scope may come after its records and in pieces; the last name is its name', async (t) => {
  const scope = (name: string) => nested(0x0a, nested(0x0a, Buffer.from(name)))
  const record = nested(0x12, new Uint8Array())
  const version = nested(0x0a, nested(0x12, Buffer.from('1')))
  const cases: readonly (readonly [parts: Buffer[], name: string, doubt: number])[] = [
    [[record, scope('a')], 'a', 0],
    [[scope('a'), record, version], 'a', 0],
    [[scope('a'), record, scope('a')], 'a', 0],
    [[scope('a'), record, scope('b')], 'b', 1],
    [[scope('a'), scope('b'), scope('a')], 'a', 1],
    [[scope(''), scope('b')], 'b', 1],
    [[record], '', 0],
  ]
  for (const [parts, name, doubt] of cases) {
    const bytes = nested(0x0a, nested(0x12, Buffer.concat(parts)))
    const scan = scanned(bytes)
    t.same(namesOf(scan, bytes), [name])
    t.equal(scan.nameDoubts[0], doubt)
  }
})

t.test('fields of another wire type, and unknown ones, are stepped over at every level', async (t) => {
  const odd = Buffer.from([0x08, 0x01, 0x15, 0, 0, 0, 0, 0xf8, 0x07, 0x00])
  const scope = Buffer.concat([odd, nested(0x12, odd), odd])
  const resource = Buffer.concat([odd, nested(0x12, scope), odd])
  const scan = scanned(Buffer.concat([odd, nested(0x0a, resource), odd]))
  t.same([scan.resources.count, scan.scopes.count, scan.items.count], [1, 1, 1])
})

t.test('tables grow with the request, and a later small one is not mixed with it', async (t) => {
  const scan = new Scan()
  const resourceLogs = Array.from({ length: 200 }, (_, index) => ({
    scopeLogs: [{ scope: { name: `s${index}` }, logRecords: [{}, {}] }, { scope: { name: 'x' } }],
  }))
  const large = encode(MESSAGE, { resourceLogs })
  scan.walk(large)
  t.same([scan.resources.count, scan.scopes.count, scan.items.count], [200, 400, 400])
  t.equal(namesOf(scan, large)[398], 's199')
  t.same([scan.firstScope[200], scan.firstItem[400]], [400, 400])
  const small = encode(MESSAGE, { resourceLogs: [{ scopeLogs: [{}] }] })
  scan.walk(small)
  t.same([scan.resources.count, scan.scopes.count, scan.items.count], [1, 1, 0])
  t.same([...scan.firstScope.subarray(0, 2), ...scan.firstItem.subarray(0, 2)], [0, 1, 0, 0])
  t.same(namesOf(scan, small), [''])
})

t.test('a length that lies is refused at its offset, at every level', async (t) => {
  const record = Buffer.from([0x12, 0x05, 0x00])
  const cases: readonly (readonly [bytes: Uint8Array, offset: number])[] = [
    [Buffer.from([0x0a, 0x05, 0x00]), 1],
    [nested(0x0a, record), 3],
    [nested(0x0a, nested(0x12, record)), 5],
    [nested(0x0a, nested(0x12, nested(0x0a, Buffer.from([0x0a, 0x09])))), 7],
  ]
  for (const [bytes, offset] of cases) {
    const message = `length beyond its message at byte ${offset}`
    t.throws(() => scanned(bytes), { code: 'malformed', message })
    if (offset > 1)
      t.throws(
        () => scanned(Buffer.concat([bytes, Buffer.alloc(20, 0x0a)])),
        { message },
        'though bytes follow',
      )
  }
})

t.test('a request holds as many items as the limit says, and not one more', async (t) => {
  const ranges = new Ranges()
  for (let index = 0; index < rangesMax; index++) ranges.add(index, index, index)
  t.equal(ranges.count, rangesMax)
  t.throws(() => ranges.add(0, 0, 0), { code: 'too_large' })
  const records = Buffer.alloc(2 * (rangesMax + 1))
  for (let at = 0; at < records.length; at += 2) records[at] = 0x12
  t.throws(() => scanned(nested(0x0a, nested(0x12, records))), { code: 'too_large' })
  t.equal(scanned(nested(0x0a, nested(0x12, records.subarray(2)))).items.count, rangesMax)
})

t.test('the names of all scopes are read, however many there are', async (t) => {
  const names = Array.from({ length: 2500 }, (_, index) => `name ${index}`)
  const scopeLogs = names.map((name) => ({ scope: { name }, logRecords: [{}] }))
  const bytes = encode(MESSAGE, { resourceLogs: [{ scopeLogs }] })
  t.same(namesOf(scanned(bytes), bytes), names)
})
