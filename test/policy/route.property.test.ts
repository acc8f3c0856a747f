/**
 * `route` against the reference: random requests under random policies, in bytes that use every liberty.
 *
 * ROUTE_RUNS makes a long hunt of it; a failure prints its seed.
 */
import fc from 'fast-check'
import t from 'tap'
import { SIGNAL_TRAITS, SIGNALS } from '../../src/otlp/signal.ts'
import { requestArbitrary } from '../oracle/arbitrary.ts'
import { mutateKeepingMeaning } from '../oracle/mutate.ts'
import { encode } from '../oracle/oracle.ts'
import { assertAgrees } from './agree.ts'
import { policyArbitrary } from './policies.ts'
import { createSpec } from './spec.ts'

const numRuns = Number(process.env.ROUTE_RUNS ?? 150)

for (const signal of SIGNALS) {
  const message = SIGNAL_TRAITS[signal].requestMessage

  t.test(`${signal}: each lane gets what the policy says, of any request under any policy`, async (t) => {
    fc.assert(
      fc.property(requestArbitrary(signal), policyArbitrary, (request, text) => {
        assertAgrees({ bytes: encode(message, request), signal, spec: createSpec(text) })
      }),
      { numRuns },
    )
    t.pass('for every request')
  })

  t.test(`${signal}: so it does when the bytes take every liberty of protobuf`, async (t) => {
    fc.assert(
      fc.property(requestArbitrary(signal), policyArbitrary, fc.integer(), (request, text, seed) => {
        const once = mutateKeepingMeaning(encode(message, request), message, seed, { rate: 0.1 })
        const { bytes } = mutateKeepingMeaning(once.bytes, message, seed + 1, { rate: 0.1 })
        assertAgrees({ bytes, signal, spec: createSpec(text) })
      }),
      { numRuns },
    )
    t.pass('for every request')
  })
}
