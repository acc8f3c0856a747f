/** Asserts that `route` and the reference agree on one request under one policy, in everything that they say. */
import { deepStrictEqual, equal, ok } from 'node:assert/strict'
import type { PolicySpec } from '../../src/config/config.ts'
import { SIGNAL_TRAITS, type Signal } from '../../src/otlp/signal.ts'
import { compilePolicy, type Policy } from '../../src/policy/compile.ts'
import { type Routing, route, type WitnessedItem } from '../../src/policy/route.ts'
import { decode } from '../oracle/oracle.ts'
import { doubtsOf } from './doubt.ts'
import { assertVerbatim, bytesOf } from './parcel-bytes.ts'
import { mergedTally, type ReferenceRouting, routeReference } from './reference.ts'

export interface AgreeCase {
  readonly bytes: Uint8Array
  readonly signal: Signal
  readonly spec: PolicySpec
  /** Compiled from `spec`; made here if it is not given. */
  readonly policy?: Policy
}

export function compile(spec: PolicySpec): Policy {
  const { policy, problems } = compilePolicy(spec)
  deepStrictEqual(problems, [])
  return policy
}

export function assertAgrees({ bytes, signal, spec, policy = compile(spec) }: AgreeCase): ReferenceRouting {
  const message = SIGNAL_TRAITS[signal].requestMessage
  const decoded = decode(message, bytes)
  const expected = routeReference(decoded, signal, spec, doubtsOf(message, bytes, decoded))
  const before = Uint8Array.from(bytes)
  const heard: WitnessedItem[] = []
  const routing = route(bytes, signal, policy)
  const witnessed = route(bytes, signal, policy, { item: (item) => heard.push(item) })
  ok(Buffer.compare(bytes, before) === 0, 'route leaves its input alone')
  deepStrictEqual(mergedTally(routing.tally), expected.tally)
  deepStrictEqual(
    routing.parcels.map((parcel) => [parcel.lane, parcel.signal, parcel.items]),
    expected.parcels.map((parcel) => [parcel.lane, signal, parcel.items]),
  )
  routing.parcels.forEach((parcel, index) => {
    const spliced = bytesOf(parcel, bytes)
    deepStrictEqual(decode(message, spliced), expected.parcels[index].request)
    assertVerbatim(spliced, bytes)
  })
  assertSame(routing, witnessed, bytes)
  assertHeard(heard, expected)
  return expected
}

/** A witness changes nothing, and asking twice gives the same. */
function assertSame(one: Routing, other: Routing, request: Uint8Array): void {
  deepStrictEqual(other.tally, one.tally)
  deepStrictEqual(other.findings, one.findings)
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
