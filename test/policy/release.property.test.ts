/**
 * Held, then released under a policy that takes it: what leaves then means what would have left at once.
 *
 * Two questions to any request under any policy: does a release do what the policy, written a second time, says of what
 * is held; and do a policy that holds and a later one that forwards give together what the later one gives alone?
 */
import { deepStrictEqual, equal } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { type HeldParcel, SIGNAL_OF_HELD } from '../../src/otlp/parcel.ts'
import { SIGNAL_TRAITS, type Signal } from '../../src/otlp/signal.ts'
import { releaseHeld } from '../../src/policy/release.ts'
import { route } from '../../src/policy/route.ts'
import { requestArbitrary } from '../oracle/arbitrary.ts'
import { mutateKeepingMeaning } from '../oracle/mutate.ts'
import { decode, encode, messageOf, messagesOf, type OracleMessage } from '../oracle/oracle.ts'
import { compile, hashKey } from './agree.ts'
import { doubtsOf, payloadsOf } from './doubt.ts'
import { bytesOf } from './parcel-bytes.ts'
import { KEYS } from './parcels-reference.ts'
import { policyArbitrary } from './policies.ts'
import { mergedTally, routeReference } from './reference.ts'
import { createSpec, type Lane, type Line, type PolicyText, type Selector } from './spec.ts'

const numRuns = Number(process.env.ROUTE_RUNS ?? 150)
const HOLDING = { unreviewed: 'quarantine', foreign: 'quarantine' } as const
const ACCEPTING = { unreviewed: 'forward', foreign: 'forward' } as const

function joined(
  parcels: readonly { readonly lane: string; readonly signal: Signal; readonly bytes: Uint8Array }[],
) {
  return [...Map.groupBy(parcels, ({ lane }) => lane)].map(([lane, own]) => ({
    lane,
    signal: own[0].signal,
    bytes: new Uint8Array(Buffer.concat(own.map(({ bytes }) => bytes))),
  }))
}

/** A line with a condition takes some events of a target that the policy holds otherwise: then not all of it was held. */
function withoutConditions({ lanes = {}, ...text }: PolicyText): PolicyText {
  const bare = (selectors: readonly Selector[]): readonly Selector[] =>
    selectors.map((one) => (typeof one === 'string' ? one : (one.family ?? one.target ?? '*')))
  const plain = Object.entries(lanes).map(([name, lane]): [string, Lane] => {
    const accept = lane.accept.map((line): Line => {
      const { events } = 'except' in line ? line.except : line
      if (events === undefined) return line
      return 'except' in line ? { except: { events: bare(events) } } : { events: bare(events) }
    })
    return [name, { ...lane, accept }]
  })
  return { ...text, lanes: Object.fromEntries(plain) }
}

function released(held: readonly HeldParcel[], text: PolicyText) {
  const policy = compile(createSpec(text))
  return held.map(({ bytes, carriage }) => {
    const { parcels, ...rest } = releaseHeld(bytes, carriage, policy)
    return {
      ...rest,
      parcels: joined(parcels.map(({ chunks, ...parcel }) => ({ ...parcel, bytes: Buffer.concat(chunks) }))),
    }
  })
}

for (const signal of ['logs', 'traces'] as const) {
  const message = SIGNAL_TRAITS[signal].requestMessage

  t.test(`${signal}: a release does with what is held what the policy says now`, async (t) => {
    fc.assert(
      fc.property(
        requestArbitrary(signal),
        policyArbitrary,
        policyArbitrary,
        fc.integer(),
        (request, before, now, seed) => {
          const { bytes } = mutateKeepingMeaning(encode(message, request), message, seed, { rate: 0.1 })
          const { held } = route(bytes, signal, compile(createSpec({ ...before, ...HOLDING })))
          const results = released(held, now)
          held.forEach((parcel, index) => {
            equal(SIGNAL_OF_HELD[parcel.carriage], signal)
            const decoded = decode(message, parcel.bytes)
            const expected = routeReference(decoded, signal, createSpec(now), {
              doubts: doubtsOf(message, parcel.bytes, decoded),
              payloads: payloadsOf(message, parcel.bytes, decoded),
              hashKey,
              isHeld: true,
            })
            const result = results[index]
            deepStrictEqual(mergedTally(result.tally), expected.tally)
            deepStrictEqual(
              result.parcels.map((one) => [
                one.lane,
                decode(SIGNAL_TRAITS[one.signal].requestMessage, one.bytes),
              ]),
              expected.parcels.map((one) => [one.lane, one.request]),
            )
            equal(
              result.held.reduce((sum, { items }) => sum + items, 0),
              expected.held.reduce((sum, { items }) => sum + items, 0),
            )
          })
        },
      ),
      { numRuns },
    )
    t.pass('for every request')
  })

  t.test(`${signal}: held and then accepted is the same as accepted at once`, async (t) => {
    fc.assert(
      fc.property(requestArbitrary(signal), policyArbitrary, (request, text) => {
        const bytes = encode(message, request)
        const accepting = { ...withoutConditions(text), ...ACCEPTING, rehome: true }
        const first = route(bytes, signal, compile(createSpec({ ...accepting, ...HOLDING })))
        const atOnce = route(bytes, signal, compile(createSpec(accepting)))
        const before = first.parcels.map((parcel) => ({ ...parcel, bytes: bytesOf(parcel, bytes) }))
        const later = released(first.held, accepting).flatMap(({ parcels }) => parcels)
        deepStrictEqual(
          eventsIn([...before, ...later]),
          eventsIn(atOnce.parcels.map((parcel) => ({ ...parcel, bytes: bytesOf(parcel, bytes) }))),
        )
      }),
      { numRuns },
    )
    t.pass('for every request')
  })
}

/** Every event that leaves, with the lane, the envelopes and the trace that it leaves in: what it rides on is another span. */
function eventsIn(
  parcels: readonly { readonly lane: string; readonly signal: Signal; readonly bytes: Uint8Array }[],
): readonly string[] {
  return parcels
    .flatMap(({ lane, signal, bytes }) => {
      const { resources, scopes, items } = KEYS[signal]
      return messagesOf(decode(SIGNAL_TRAITS[signal].requestMessage, bytes), resources).flatMap((resource) =>
        messagesOf(resource, scopes).flatMap((scope) =>
          messagesOf(scope, items).flatMap((item) => {
            const around = [
              lane,
              messageOf(resource, 'resource'),
              resource.schemaUrl,
              messageOf(scope, 'scope'),
              scope.schemaUrl,
            ]
            const events: readonly OracleMessage[] = signal === 'traces' ? messagesOf(item, 'events') : [item]
            const trace = signal === 'traces' ? linkOf(item.traceId) : ''
            return events.map((event) => textOf([...around, trace, event]))
          }),
        ),
      )
    })
    .toSorted()
}

/** An id of a wrong length is no link, and a carrier does without it. */
function linkOf(traceId: unknown): string {
  return typeof traceId === 'string' && traceId.length === 32 && /[^0]/.test(traceId) ? traceId : ''
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? `${one}n` : one))
}
