/**
 * Field policies and rehoming against the reference: random requests under random policies, in every spelling.
 *
 * FIELDS_RUNS makes a long hunt of it; a failure prints its seed.
 */
import fc from 'fast-check'
import t from 'tap'
import { MalformedRequest, TooLarge } from '../../src/errors.ts'
import { SIGNAL_TRAITS, SIGNALS } from '../../src/otlp/signal.ts'
import { route } from '../../src/policy/route.ts'
import { requestArbitrary } from '../oracle/arbitrary.ts'
import { breakBytes, mutateKeepingMeaning } from '../oracle/mutate.ts'
import { encode } from '../oracle/oracle.ts'
import { assertAgrees, compile } from './agree.ts'
import { fieldPolicy } from './policies.ts'
import { createSpec } from './spec.ts'

const numRuns = Number(process.env.FIELDS_RUNS ?? 250)

for (const signal of SIGNALS) {
  const message = SIGNAL_TRAITS[signal].requestMessage
  const requests = requestArbitrary(signal)

  t.test(`${signal}: what leaves is what the contract says of each field, wherever it goes`, async (t) => {
    fc.assert(
      fc.property(requests, fieldPolicy, (request, text) => {
        assertAgrees({ bytes: encode(message, request), signal, spec: createSpec(text) })
      }),
      { numRuns },
    )
    t.pass('for every request')
  })

  t.test(`${signal}: so it is when the bytes take every liberty of protobuf`, async (t) => {
    fc.assert(
      fc.property(requests, fieldPolicy, fc.integer(), (request, text, seed) => {
        const once = mutateKeepingMeaning(encode(message, request), message, seed, { rate: 0.1 })
        const { bytes } = mutateKeepingMeaning(once.bytes, message, seed + 1, { rate: 0.1 })
        assertAgrees({ bytes, signal, spec: createSpec(text), isInPieces: true })
      }),
      { numRuns },
    )
    t.pass('for every request')
  })

  t.test(`${signal}: bytes that are wrong are refused, or were not looked at`, async (t) => {
    fc.assert(
      fc.property(requests, fieldPolicy, fc.integer(), (request, text, seed) => {
        const whole = encode(message, request)
        const spec = createSpec(text)
        const policy = compile(spec)
        try {
          route(breakBytes(whole, message, seed).bytes, signal, policy)
        } catch (error) {
          if (!(error instanceof MalformedRequest) && !(error instanceof TooLarge)) throw error
        }
        assertAgrees({ bytes: whole, signal, spec, policy })
      }),
      { numRuns },
    )
    t.pass('for every fault, and nothing is left behind')
  })
}
