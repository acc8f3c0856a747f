/**
 * `route` on bytes that are wrong: it refuses with a place, or it did not have to look; it never does anything else.
 *
 * ROUTE_RUNS makes a long hunt of it; a failure prints its seed.
 */
import { deepStrictEqual, equal, ok } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { MalformedRequest } from '../../src/errors.ts'
import { Scan } from '../../src/otlp/scan.ts'
import { SIGNAL_TRAITS, SIGNALS, type Signal } from '../../src/otlp/signal.ts'
import { type Routing, route } from '../../src/policy/route.ts'
import { requestArbitrary } from '../oracle/arbitrary.ts'
import { breakBytes, mutateKeepingMeaning } from '../oracle/mutate.ts'
import { decode, encode, messagesOf, type OracleMessage } from '../oracle/oracle.ts'
import { assertAgrees, compile } from './agree.ts'
import { bytesOf } from './parcel-bytes.ts'
import { policyArbitrary } from './policies.ts'
import { createSpec } from './spec.ts'

const numRuns = Number(process.env.ROUTE_RUNS ?? 200)

/** Undefined if `route` refuses, as it should: with an offset in the request. */
function routeOrRefuse(
  bytes: Uint8Array,
  signal: Signal,
  policy: ReturnType<typeof compile>,
): Routing | undefined {
  try {
    return route(bytes, signal, policy)
  } catch (error) {
    ok(error instanceof MalformedRequest, `${error}`)
    ok('offset' in error.place && error.place.offset >= 0 && error.place.offset <= bytes.length)
    return undefined
  }
}

/** The oracle's reading, or undefined where it finds none, or text that is not UTF-8. */
function readable(message: string, bytes: Uint8Array): OracleMessage | undefined {
  try {
    const decoded = decode(message, bytes)
    return holdsReplacement(decoded) ? undefined : decoded
  } catch {
    return undefined
  }
}

function holdsReplacement(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('\ufffd')
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).some(([key, one]) => key.includes('\ufffd') || holdsReplacement(one))
}

function itemsIn(signal: Signal, request: OracleMessage): number {
  const { resourcesKey } = SIGNAL_TRAITS[signal]
  const scopes = messagesOf(request, resourcesKey).flatMap((one) =>
    messagesOf(one, signal === 'logs' ? 'scopeLogs' : 'scopeSpans'),
  )
  return scopes.flatMap((one) => messagesOf(one, signal === 'logs' ? 'logRecords' : 'spans')).length
}

/** What holds of any request that passes: counted items are the request's, and parcels what they say. */
function assertConsistent(routing: Routing, signal: Signal, bytes: Uint8Array): void {
  const carriage = ({ logs: 'log_record', traces: 'span', metrics: 'data_point' } as const)[signal]
  const scan = new Scan()
  scan.walk(bytes)
  const counted = routing.tally
    .filter((row) => row.carriage === carriage && row.outcome !== 'copied')
    .reduce((sum, row) => sum + row.items, 0)
  if (signal !== 'metrics') equal(counted, scan.items.count)
  for (const parcel of routing.parcels) {
    const spliced = bytesOf(parcel, bytes)
    const decoded = readable(SIGNAL_TRAITS[signal].requestMessage, spliced)
    if (decoded !== undefined && signal !== 'metrics') equal(itemsIn(signal, decoded), parcel.items)
  }
}

for (const signal of SIGNALS) {
  const message = SIGNAL_TRAITS[signal].requestMessage
  const request = requestArbitrary(signal)

  t.test(`${signal}: a fault in an envelope is refused with its place, whatever the policy`, async (t) => {
    fc.assert(
      fc.property(request, policyArbitrary, fc.integer(), (object, text, seed) => {
        const broken = breakBytes(encode(message, object), message, seed, { where: 'envelope' })
        equal(routeOrRefuse(broken.bytes, signal, compile(createSpec(text))), undefined, broken.fault)
      }),
      { numRuns },
    )
    t.pass('for every fault')
  })

  t.test(`${signal}: a fault anywhere is refused with its place, or was not looked at`, async (t) => {
    fc.assert(
      fc.property(request, policyArbitrary, fc.integer(), (object, text, seed) => {
        const { bytes } = breakBytes(encode(message, object), message, seed)
        const policy = compile(createSpec(text))
        const routing = routeOrRefuse(bytes, signal, policy)
        if (routing !== undefined) assertConsistent(routing, signal, bytes)
        const whole = encode(message, object)
        const fresh = route(whole, signal, compile(createSpec(text)))
        deepStrictEqual(route(whole, signal, policy).tally, fresh.tally, 'a refusal leaves no trace')
      }),
      { numRuns },
    )
    t.pass('for every fault')
  })

  t.test(`${signal}: bytes changed at random are refused, or read as the oracle reads them`, async (t) => {
    const change = fc.tuple(
      fc.nat(),
      fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 10, 18, 34, 74, 90, 127, 128)),
    )
    fc.assert(
      fc.property(
        request,
        policyArbitrary,
        fc.array(change, { minLength: 1, maxLength: 3 }),
        fc.integer(),
        (object, text, changes, seed) => {
          const { bytes } = mutateKeepingMeaning(encode(message, object), message, seed, { rate: 0.02 })
          if (bytes.length === 0) return
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte
          const spec = createSpec(text)
          if (readable(message, bytes) !== undefined) assertAgrees({ bytes, signal, spec })
          else {
            const routing = routeOrRefuse(bytes, signal, compile(spec))
            if (routing !== undefined) assertConsistent(routing, signal, bytes)
          }
        },
      ),
      { numRuns },
    )
    t.pass('for every change')
  })
}
