import { deepStrictEqual, equal, throws } from 'node:assert/strict'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import t from 'tap'
import { SIGNAL_TRAITS, SIGNALS } from '../../src/otlp/signal.ts'
import { requestArbitrary } from './arbitrary.ts'
import { breakBytes, FAULTS, LIBERTIES, mutateKeepingMeaning } from './mutate.ts'
import { decode, encode, messageType } from './oracle.ts'

for (const signal of SIGNALS) {
  const message = SIGNAL_TRAITS[signal].requestMessage
  const request = requestArbitrary(signal)

  t.test(`${signal}: what the oracle encodes it decodes to the same object`, async (t) => {
    fc.assert(
      fc.property(request, (object) => deepStrictEqual(decode(message, encode(message, object)), object)),
      { numRuns: 60 },
    )
    t.pass('for every request')
  })

  t.test(`${signal}: protobufjs's own decoder and encoder agree with the oracle`, async (t) => {
    fc.assert(
      fc.property(request, (object) => {
        const bytes = encode(message, object)
        const type = messageType(message)
        const again = new Uint8Array(type.encode(type.decode(bytes)).finish())
        equal(again.length, bytes.length)
        deepStrictEqual(decode(message, again), object)
      }),
      { numRuns: 40 },
    )
    t.pass('for every request')
  })

  t.test(`${signal}: a mutation that keeps the meaning is decoded to the same object`, async (t) => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(request, fc.integer(), (object, seed) => {
        const bytes = encode(message, object)
        const once = mutateKeepingMeaning(bytes, message, seed)
        deepStrictEqual(decode(message, once.bytes), object)
        const twice = mutateKeepingMeaning(once.bytes, message, seed + 1)
        deepStrictEqual(decode(message, twice.bytes), object)
        for (const liberty of once.applied) seen.add(liberty)
      }),
      { numRuns: 100 },
    )
    const expected = signal === 'metrics' ? LIBERTIES : LIBERTIES.filter((one) => one !== 'repack')
    t.same([...seen].sort(), [...expected].sort())
  })

  t.test(`${signal}: a mutation that breaks the bytes is refused`, async (t) => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(request, fc.integer(), fc.constantFrom('envelope', 'anywhere'), (object, seed, where) => {
        const broken = breakBytes(encode(message, object), message, seed, {
          where: where === 'envelope' ? 'envelope' : 'anywhere',
        })
        throws(() => decode(message, broken.bytes), Error, `${broken.fault} in ${broken.path}`)
        seen.add(broken.fault)
      }),
      { numRuns: 150 },
    )
    t.same([...seen].sort(), [...FAULTS].sort())
  })
}

t.test('a singular message given twice is merged, and the last member of a oneof wins', async (t) => {
  const twice = Buffer.concat([
    encode('ScopeLogs', { scope: { name: 'a', version: '1' } }),
    encode('ScopeLogs', { scope: { name: 'b' } }),
  ])
  t.strictSame(decode('ScopeLogs', twice), { scope: { name: 'b', version: '1' } })
  const oneof = Buffer.concat([
    encode('AnyValue', { arrayValue: { values: [{ intValue: 1n }] } }),
    encode('AnyValue', { stringValue: '' }),
    encode('AnyValue', { arrayValue: { values: [{ intValue: 2n }] } }),
  ])
  t.strictSame(decode('AnyValue', oneof), { arrayValue: { values: [{ intValue: 2n }] } })
})

t.test('64-bit integers keep every bit', async (t) => {
  const object = { asInt: -(2n ** 63n), timeUnixNano: 2n ** 64n - 1n }
  t.strictSame(decode('NumberDataPoint', encode('NumberDataPoint', object)), object)
  t.ok(protobuf.util.Long !== undefined)
})
