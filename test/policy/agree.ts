/** Asserts that `route` and the reference agree on one request under one policy, in everything that they say. */
import { deepStrictEqual, equal, ok } from 'node:assert/strict'
import type { LaneSpec, PolicySpec } from '../../src/config/config.ts'
import { Canonicaliser } from '../../src/otlp/canonical.ts'
import { SIGNAL_TRAITS, type Signal } from '../../src/otlp/signal.ts'
import { compilePolicy, type Policy } from '../../src/policy/compile.ts'
import { type Routing, route, type WitnessedItem } from '../../src/policy/route.ts'
import { decode, isMessage, type OracleMessage, type OracleValue } from '../oracle/oracle.ts'
import { doubtsOf, payloadsOf } from './doubt.ts'
import { orderOf } from './held-reference.ts'
import { assertVerbatim, bytesOf } from './parcel-bytes.ts'
import { mergedTally, type ReferenceRouting, routeReference } from './reference.ts'

const canonicaliser = new Canonicaliser()

export interface AgreeCase {
  readonly bytes: Uint8Array
  readonly signal: Signal
  readonly spec: PolicySpec
  /** Compiled from `spec`; made here if it is not given. */
  readonly policy?: Policy
  /** A resource or scope may come in pieces: each piece counts what it loses, and the last piece's count is read. */
  readonly isInPieces?: boolean
}

/** What values are hashed with in tests. */
export const hashKey: Uint8Array = Buffer.from('a key of more than thirty-two bytes')

export function compile(spec: PolicySpec): Policy {
  const { policy, problems } = compilePolicy(spec, hashKey)
  deepStrictEqual(problems, [])
  return policy
}

/** What each lane gets, in the order of the policy; its native parcel and the items rehomed to it as one request. */
function joined(routing: Routing, request: Uint8Array, spec: PolicySpec) {
  return spec.lanes.flatMap(({ name, signal }) => {
    const own = routing.parcels.filter(({ lane }) => lane === name)
    if (own.length === 0) return []
    ok(own.every((parcel) => parcel.signal === signal))
    const bytes = new Uint8Array(Buffer.concat(own.map((parcel) => bytesOf(parcel, request))))
    return [{ lane: name, signal, items: own.reduce((sum, parcel) => sum + parcel.items, 0), bytes }]
  })
}

/** Pieces of a body are changed one by one: what is left of them is of no interest where one was. */
function withoutBody({ body: _, ...rest }: OracleMessage): OracleMessage {
  return rest
}

function withoutEnvelopeCounts(message: OracleMessage): OracleMessage {
  const read = (value: OracleValue, key: string): OracleValue => {
    if (Array.isArray(value)) return value.map((one) => read(one, key))
    if (!isMessage(value)) return value
    const { droppedAttributesCount, ...rest } = value
    if (key === 'resource' || key === 'scope') return rest
    if (key === 'logRecords') return withoutBody(value)
    return /^(resource|scope)/.test(key) ? withoutEnvelopeCounts(value) : value
  }
  return Object.fromEntries(Object.entries(message).map(([key, value]) => [key, read(value, key)]))
}

export function assertAgrees({
  bytes,
  signal,
  spec,
  policy = compile(spec),
  isInPieces = false,
}: AgreeCase): ReferenceRouting {
  const message = SIGNAL_TRAITS[signal].requestMessage
  const decoded = decode(message, bytes)
  const expected = routeReference(decoded, signal, spec, {
    doubts: doubtsOf(message, bytes, decoded),
    payloads: payloadsOf(message, bytes, decoded),
    hashKey,
  })
  const before = Uint8Array.from(bytes)
  const heard: WitnessedItem[] = []
  const routing = route(bytes, signal, policy)
  const witnessed = route(bytes, signal, policy, { item: (item) => heard.push(item) })
  ok(Buffer.compare(bytes, before) === 0, 'route leaves its input alone')
  deepStrictEqual(mergedTally(routing.tally), expected.tally)
  const parcels = joined(routing, bytes, spec)
  deepStrictEqual(
    parcels.map((parcel) => [parcel.lane, parcel.signal, parcel.items]),
    expected.parcels.map((parcel) => [parcel.lane, parcel.signal, parcel.items]),
  )
  parcels.forEach((parcel, index) => {
    const { requestMessage } = SIGNAL_TRAITS[parcel.signal]
    const leaving = [decode(requestMessage, parcel.bytes), expected.parcels[index].request]
    const [actual, wanted] = isInPieces ? leaving.map(withoutEnvelopeCounts) : leaving
    deepStrictEqual(actual, wanted)
    const lane = spec.lanes.find(({ name }) => name === parcel.lane)
    if (lane?.wire === 'canonical')
      ok(canonicaliser.canonicalise(parcel.bytes, parcel.signal).bytes === parcel.bytes, 'canonical')
    else if (isUntouched(lane, spec)) assertVerbatim(parcel.bytes, bytes)
  })
  assertHeld(routing, expected, message)
  assertSame(routing, witnessed, bytes)
  assertHeard(heard, expected)
  return expected
}

/** What waits for a review is what the policy says, and as it came. */
function assertHeld({ held }: Routing, expected: ReferenceRouting, message: string): void {
  const decoded = held
    .toSorted((one, other) => (orderOf(one) < orderOf(other) ? -1 : 1))
    .map(({ bytes, ...head }) => ({ ...head, request: decode(message, bytes) }))
  deepStrictEqual(decoded, expected.held)
}

/** Whether what stays on a lane stays byte for byte: no field rules, and nothing that comes from elsewhere. */
function isUntouched(lane: LaneSpec | undefined, { rehome }: PolicySpec): boolean {
  return lane?.fields.length === 0 && lane.unlistedFields === 'keep' && !rehome.toLogs && !rehome.toTraces
}

/** A witness changes nothing, and asking twice gives the same. */
function assertSame(one: Routing, other: Routing, request: Uint8Array): void {
  deepStrictEqual(other.tally, one.tally)
  deepStrictEqual(other.findings, one.findings)
  deepStrictEqual(other.held, one.held)
  equal(other.parcels.length, one.parcels.length)
  one.parcels.forEach((parcel, index) => {
    ok(Buffer.compare(bytesOf(other.parcels[index], request), bytesOf(parcel, request)) === 0)
  })
}

/** The witness hears each item once, with its fate and the rule that decided. */
function assertHeard(heard: readonly WitnessedItem[], expected: ReferenceRouting): void {
  const fates = expected.fates.flatMap((fate) =>
    Array.from({ length: fate.items }, () => [
      fate.carriage,
      fate.family,
      fate.outcome,
      fate.reason,
      fate.lane,
      fate.rule?.line ?? 0,
    ]),
  )
  const told = heard.map(({ carriage, verdict }) => [
    carriage,
    verdict.family,
    verdict.outcome,
    verdict.reason,
    verdict.lane,
    verdict.rule?.line ?? 0,
  ])
  ok(heard.every(({ carriage, verdict }) => verdict.carriage === carriage))
  deepStrictEqual(told.sort(), fates.sort())
}
