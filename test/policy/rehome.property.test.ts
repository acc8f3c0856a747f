/**
 * Rehoming against the reference: random requests, in bytes that use every liberty, in all three ways.
 *
 * REHOME_RUNS makes a long hunt of it; a failure prints its seed.
 */
import { deepStrictEqual, equal } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { MalformedRequest } from '../../src/errors.ts'
import { requestArbitrary, TARGETS } from '../oracle/arbitrary.ts'
import { readCorpus } from '../oracle/corpus.ts'
import { breakBytes, mutateKeepingMeaning } from '../oracle/mutate.ts'
import { decode, encode, messagesOf, type OracleMessage, type OracleValue } from '../oracle/oracle.ts'
import {
  type Choose,
  itemsIn,
  type Rehomed,
  rehome,
  rehomeReference,
  requestMessageOf,
  type Way,
} from './rehome-whole.ts'

const numRuns = Number(process.env.REHOME_RUNS ?? 150)
const WAYS = ['events_to_logs', 'events_to_carriers', 'records_to_traces'] as const

const NAMES = [
  '',
  'user prompt',
  'event src/a b.rs:12',
  'event :1',
  'event a:',
  'event a:1x',
  'event',
  'évent',
] as const

/** Attributes that the table speaks of, with values that it did not wait for. */
const spoken: fc.Arbitrary<OracleMessage> = fc
  .tuple(
    fc.constantFrom('message', 'level', 'event.name', 'target', 'tag', 'body', 'laneway.rehomed', 'messagf'),
    fc.constantFrom<(OracleMessage | undefined)[]>(
      { stringValue: 'codex.x' },
      { stringValue: '' },
      { stringValue: 'wArNiNg' },
      { stringValue: 'NOTICE' },
      { stringValue: 'x'.repeat(300) },
      { intValue: 7n },
      { kvlistValue: { values: [{ key: 'a', value: { stringValue: 'b' } }] } },
      {},
      undefined,
    ),
  )
  .map(([key, value]) => (value === undefined ? { key } : { key, value }))

/** A request of random items, each with attributes and a name that matter here. */
function requests(way: Way): fc.Arbitrary<OracleMessage> {
  const { signal } = requestMessageOf(way)
  const extras = fc.array(fc.tuple(fc.array(spoken, { maxLength: 3 }), fc.constantFrom(...NAMES)), {
    minLength: 1,
    maxLength: 5,
  })
  return fc.tuple(requestArbitrary(signal), extras).map(([request, list]) => {
    let at = 0
    return mapItems(request, (item) => {
      const [attributes, name] = list[at++ % list.length]
      const all = [...messagesOf(item, 'attributes'), ...attributes]
      const named: OracleMessage = name === '' || way === 'records_to_traces' ? item : { ...item, name }
      return all.length === 0 ? named : { ...named, attributes: all }
    })
  })
}

/** The request with each log record, or span event, as `change` has it. */
function mapItems(message: OracleMessage, change: (item: OracleMessage) => OracleMessage): OracleMessage {
  const into = ['resourceLogs', 'scopeLogs', 'resourceSpans', 'scopeSpans', 'spans']
  return Object.fromEntries(
    Object.entries(message).map(([key, value]): [string, OracleValue] => {
      if (key === 'logRecords' || key === 'events') return [key, messagesOf(message, key).map(change)]
      return [key, into.includes(key) ? messagesOf(message, key).map((one) => mapItems(one, change)) : value]
    }),
  )
}

/** Some of the items, under few targets, so that they mix. */
const choices: fc.Arbitrary<Choose> = fc
  .array(fc.option(fc.constantFrom(...TARGETS), { nil: undefined, freq: 3 }), { minLength: 1, maxLength: 6 })
  .map((targets) => (index) => targets[index % targets.length])

const targetKeys = fc.constantFrom(undefined, 'target', 'tag')

function assertRehomes(bytes: Uint8Array, way: Way, choose: Choose, targetKey: string | undefined): Rehomed {
  const { to } = requestMessageOf(way)
  const before = Uint8Array.from(bytes)
  const rehomed = rehome(bytes, way, choose, targetKey)
  equal(Buffer.compare(bytes, before), 0)
  const expected = rehomeReference(bytes, way, choose, rehomed.payloads, targetKey)
  const built = rehomed.result === undefined ? undefined : decode(to, rehomed.result.bytes)
  deepStrictEqual(built, expected)
  equal(rehomed.result?.items ?? 0, expected === undefined ? 0 : itemsIn(expected))
  return rehomed
}

for (const way of WAYS) {
  const { from } = requestMessageOf(way)

  t.test(`${way}: what is built means what the table says`, async (t) => {
    fc.assert(
      fc.property(requests(way), choices, targetKeys, (request, choose, targetKey) => {
        assertRehomes(encode(from, request), way, choose, targetKey)
      }),
      { numRuns },
    )
    t.pass('for every request')
  })

  t.test(`${way}: so it does when the bytes take every liberty of protobuf`, async (t) => {
    fc.assert(
      fc.property(requests(way), choices, targetKeys, fc.integer(), (request, choose, targetKey, seed) => {
        const once = mutateKeepingMeaning(encode(from, request), from, seed, { rate: 0.1 })
        const { bytes } = mutateKeepingMeaning(once.bytes, from, seed + 1, { rate: 0.1 })
        assertRehomes(bytes, way, choose, targetKey)
      }),
      { numRuns },
    )
    t.pass('for every request')
  })

  t.test(`${way}: what cannot be read is malformed, and leaves nothing behind`, async (t) => {
    fc.assert(
      fc.property(requests(way), choices, fc.integer(), (request, choose, seed) => {
        const whole = encode(from, request)
        const broken = breakBytes(whole, from, seed)
        if (broken !== undefined) {
          try {
            rehome(broken.bytes, way, choose, 'target')
          } catch (error) {
            if (!(error instanceof MalformedRequest)) throw error
          }
        }
        assertRehomes(whole, way, choose, 'target')
      }),
      { numRuns },
    )
    t.pass('for every request')
  })

  t.test(`${way}: what is built is read again, and built again`, async (t) => {
    const back = way === 'records_to_traces' ? 'events_to_logs' : 'records_to_traces'
    fc.assert(
      fc.property(requests(way), choices, choices, (request, choose, chooseBack) => {
        const { result } = assertRehomes(encode(from, request), way, choose, 'target')
        if (way !== 'events_to_carriers' && result !== undefined) {
          assertRehomes(result.bytes, back, chooseBack, 'target')
        }
      }),
      { numRuns },
    )
    t.pass('for every request')
  })

  t.test(`${way}: the captured requests`, async (t) => {
    const { signal } = requestMessageOf(way)
    let items = 0
    for (const { body, encoding, signal: one } of readCorpus()) {
      if (one !== signal || encoding !== 'proto') continue
      items += assertRehomes(body, way, () => 'codex_otel.log_only', 'target').result?.items ?? 0
      assertRehomes(body, way, (index) => TARGETS[index % 3], 'target')
    }
    t.ok(items > 100, `${items} items`)
  })
}
