/**
 * What `explain` says agrees with the ledger: for any request under any policy, its items are the tally of `route`.
 */
import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { type ExplainedItem, explainItems } from '../../src/cli/explain-items.ts'
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts'
import { SIGNAL_TRAITS, SIGNALS, type Signal } from '../../src/otlp/signal.ts'
import { compilePolicy } from '../../src/policy/compile.ts'
import { route } from '../../src/policy/route.ts'
import type { TallyRow } from '../../src/telemetry/tally.ts'
import { requestArbitrary } from '../oracle/arbitrary.ts'
import { readCorpus } from '../oracle/corpus.ts'
import { encode } from '../oracle/oracle.ts'
import { policyArbitrary } from '../policy/policies.ts'
import { mergedTally } from '../policy/reference.ts'
import { createSpec } from '../policy/spec.ts'

/** The rows of the ledger that the items say. */
function tallyOf(items: readonly ExplainedItem[]): readonly TallyRow[] {
  return items.flatMap(({ carriage, family, lane, outcome, reason, ways }) => [
    { carriage, family, lane, outcome, reason, items: 1 },
    ...ways
      .filter((way) => way.lane !== lane)
      .map((way) => ({ carriage, family, lane: way.lane, outcome: 'copied', reason: '', items: 1 }) as const),
  ])
}

function assertAgrees(bytes: Uint8Array, signal: Signal, spec: ReturnType<typeof createSpec>): void {
  const { tally } = route(bytes, signal, compilePolicy(spec).policy)
  const items = explainItems({ bytes, signal }, spec)
  deepStrictEqual(mergedTally(tallyOf(items)), mergedTally(tally))
  for (const { ways, fields } of items) {
    const lanes = new Set(ways.map(({ lane }) => lane))
    deepStrictEqual(
      fields.filter(({ lane }) => !lanes.has(lane)),
      [],
      'fields are told of lanes that take the item only',
    )
  }
}

for (const signal of SIGNALS) {
  t.test(`${signal}: the items are the ledger's rows, of any request under any policy`, async (t) => {
    const rehome = fc.record({ toLogs: fc.boolean(), toTraces: fc.boolean() })
    fc.assert(
      fc.property(requestArbitrary(signal), policyArbitrary, rehome, (request, text, rehome) => {
        assertAgrees(encode(SIGNAL_TRAITS[signal].requestMessage, request), signal, {
          ...createSpec(text),
          rehome,
        })
      }),
      { numRuns: 100 },
    )
    t.pass('for every request')
  })
}

t.test('so they are of every captured request', async (t) => {
  const spec = { ...createSpec(), rehome: { toLogs: true, toTraces: true } }
  for (const { body, encoding, signal } of readCorpus()) {
    assertAgrees(encoding === 'json' ? jsonToProtobuf(body, signal) : body, signal, spec)
  }
  t.pass('for every request')
})
