/**
 * The kernel against the general way and against the reference: the same bytes, counts and findings, whatever comes.
 *
 * A walk with a witness takes the general way, and one without goes by the kernel where it can: `assertAgrees` holds
 * both to the reference and to each other. A policy is used for many requests, so that what it remembers of one must not
 * show in the next. KERNEL_RUNS makes a long hunt of it; a failure prints its seed.
 */
import { deepStrictEqual, equal, ok } from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { MalformedRequest, TooLarge } from '../../src/errors.ts'
import type { Policy } from '../../src/policy/compile.ts'
import { type Routing, route } from '../../src/policy/route.ts'
import { presetSpec } from '../leak-hunt/presets.ts'
import { mutateKeepingMeaning } from '../oracle/mutate.ts'
import { encode, messagesOf, type OracleMessage } from '../oracle/oracle.ts'
import { assertAgrees, compile } from './agree.ts'
import { bytesOf } from './parcel-bytes.ts'
import { fieldPolicy, policyArbitrary } from './policies.ts'
import { createSpec } from './spec.ts'
import { usualSpans } from './usual-spans.ts'

const numRuns = Number(process.env.KERNEL_RUNS ?? 200)
const MESSAGE = 'ExportTraceServiceRequest'

/** Counts the spans that the kernel of a policy takes from here on. */
function countTaken(policy: Policy): () => number {
  const kernel = policy.spanKernel()
  if (kernel === undefined) return () => 0
  let taken = 0
  const take = kernel.take.bind(kernel)
  kernel.take = (item, ...rest) => {
    const next = take(item, ...rest)
    taken += next - item
    return next
  }
  return () => taken
}

function spansIn(request: OracleMessage): number {
  return messagesOf(request, 'resourceSpans')
    .flatMap((resource) => messagesOf(resource, 'scopeSpans'))
    .reduce((sum, scope) => sum + messagesOf(scope, 'spans').length, 0)
}

for (const preset of ['codex', 'codex-strict'] as const) {
  t.test(`${preset}: the kernel takes its share of spans, and does what the contract says`, async (t) => {
    const spec = presetSpec(preset)
    const policy = compile(spec)
    const taken = countTaken(policy)
    let spans = 0
    fc.assert(
      fc.property(usualSpans, (request) => {
        assertAgrees({ bytes: encode(MESSAGE, request), signal: 'traces', spec, policy })
        spans += spansIn(request)
      }),
      { numRuns },
    )
    t.ok(taken() > spans / 6, `${taken()} of ${spans}`)
  })
}

for (const [title, texts] of [
  ['of fields', fieldPolicy],
  ['of lanes', policyArbitrary],
] as const) {
  t.test(`under any policy ${title} it agrees, in any spelling`, async (t) => {
    let taken = 0
    fc.assert(
      fc.property(texts, fc.array(usualSpans, { maxLength: 3 }), fc.integer(), (text, requests, seed) => {
        const spec = createSpec(text)
        const policy = compile(spec)
        const count = countTaken(policy)
        for (const request of requests) {
          const bytes = encode(MESSAGE, request)
          assertAgrees({ bytes, signal: 'traces', spec, policy })
          const { bytes: mutated } = mutateKeepingMeaning(bytes, MESSAGE, seed, { rate: 0.01 })
          assertAgrees({ bytes: mutated, signal: 'traces', spec, policy, isInPieces: true })
        }
        taken += count()
      }),
      { numRuns },
    )
    t.ok(taken > 0, `${taken} spans`)
  })
}

/** All that `route` says of a request, with its bytes; or what it throws. */
function outcome(run: () => Routing, request: Uint8Array): unknown {
  try {
    const { parcels, tally, findings, held } = run()
    const bytes = parcels.map((parcel) => [
      parcel.lane,
      parcel.items,
      Buffer.from(bytesOf(parcel, request)).toString('hex'),
    ])
    return { bytes, tally, findings, held }
  } catch (error) {
    ok(error instanceof MalformedRequest || error instanceof TooLarge, `${error}`)
    return { code: error.code, message: error.message }
  }
}

/** The kernel makes of a request what the general way makes of it, which a witness takes: that is given back. */
function assertBothWays(bytes: Uint8Array, policy: Policy): unknown {
  const general = outcome(() => route(bytes, 'traces', policy, { item() {} }), bytes)
  deepStrictEqual(
    outcome(() => route(bytes, 'traces', policy), bytes),
    general,
  )
  return general
}

for (const preset of ['codex', 'codex-strict'] as const) {
  t.test(`${preset}: of bytes that were damaged it makes what the general way makes of them`, async (t) => {
    const policy = compile(presetSpec(preset))
    const damage = fc.array(
      fc.tuple(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.integer({ min: 0, max: 255 })),
      {
        maxLength: 3,
      },
    )
    fc.assert(
      fc.property(usualSpans, damage, (request, damages) => {
        const bytes = encode(MESSAGE, request)
        for (const [where, byte] of damages) bytes[Math.floor(where * bytes.length)] = byte
        assertBothWays(bytes, policy)
      }),
      { numRuns: numRuns * 5 },
    )
    t.pass('for every damage')
  })
}

/** A request of one scope with these spans. */
function requestOf(spans: readonly OracleMessage[]): Uint8Array {
  return encode(MESSAGE, { resourceSpans: [{ scopeSpans: [{ scope: { name: 'x' }, spans: [...spans] }] }] })
}

const string = (key: string, stringValue: string): OracleMessage => ({ key, value: { stringValue } })

t.test('a flood of invented keys, targets and names is taken, and leaves nothing behind', async (t) => {
  const policy = compile(presetSpec('codex-strict'))
  for (let round = 0; round < 4; round++) {
    const spans = Array.from({ length: 600 }, (_, index) => ({
      name: 'x',
      attributes: [string(`key.${round}.${index}`, 'v'), string('target', `t${round}.${index}`)],
      events: [
        {
          name: `event ${round}.${index}`,
          attributes: [
            string('target', 'codex_otel.trace_safe'),
            string('event.name', `codex.${round}.${index}`),
          ],
        },
      ],
    }))
    const bytes = requestOf(spans)
    assertBothWays(bytes, policy)
  }
  t.pass('as the general way has it')
})

t.test('one span with thousands of invented keys costs a bounded number of questions', async (t) => {
  const policy = compile(presetSpec('codex'))
  const keys = Array.from({ length: 5000 }, (_, index) => string(`key.${index}`, 'v'))
  const bytes = requestOf([{ name: 'x', attributes: keys }])
  assertBothWays(bytes, policy)
  t.pass('as the general way has it')
})

t.test('spans larger than the window, and more than it holds, are what they are', async () => {
  const policy = compile(presetSpec('codex'))
  const sizes = [10, 140_000, 100, 60_000, 60_000, 60_000, 7, 131_000, 12]
  const spans = sizes.map((size) => ({
    name: 'x',
    attributes: [
      ...Array.from({ length: Math.ceil(size / 10_000) }, (_, index) =>
        string('thread.name', `${index}`.repeat(Math.min(size, 10_000))),
      ),
      string('prompt', 'secret'),
    ],
    events: [{ name: 'n', attributes: [string('target', 'codex_otel.log_only'), string('x', 'y')] }],
  }))
  const bytes = requestOf(spans)
  const count = countTaken(policy)
  assertBothWays(bytes, policy)
  equal(count(), sizes.length - 2, 'all but the two that are too large')
})

t.test('what is hashed is hashed, whatever became of the heads around it', async (t) => {
  const policy = compile(presetSpec('codex'))
  const spans = Array.from({ length: 40 }, (_, index) => ({
    name: 'n',
    attributes: [string('error.message', 'e'.repeat(index * 5)), string('prompt', 'p'.repeat(index * 4))],
    events: [
      {
        name: 'm'.repeat(index * 3),
        attributes: [
          string('target', 'codex_otel.trace_safe'),
          string('error.message', 'failed'),
          string('a.request_id', 'r'.repeat(index)),
        ],
      },
    ],
  }))
  const bytes = requestOf(spans)
  const general = assertBothWays(bytes, policy)
  t.match(JSON.stringify(general), Buffer.from('hmac:').toString('hex'))
})
