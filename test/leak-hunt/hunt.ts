/**
 * One request of the hunt: made from its seed, spelled in one of many ways, routed, and searched for in what leaves.
 *
 * In: a seed, a preset. Out: the leaks, each with where its canary had been put. Throws what `route` throws: a request
 * of the hunt is never malformed.
 */
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts'
import { protobufToJson } from '../../src/otlp/protobuf-to-json.ts'
import { SIGNAL_TRAITS, type Signal } from '../../src/otlp/signal.ts'
import type { Policy } from '../../src/policy/compile.ts'
import { route } from '../../src/policy/route.ts'
import { writeJson } from '../oracle/json.ts'
import { mutateKeepingMeaning } from '../oracle/mutate.ts'
import { encode } from '../oracle/oracle.ts'
import { plantCanaries } from '../otlp/canary.ts'
import { bytesOf } from '../policy/parcel-bytes.ts'
import { type CanaryClass, Mint } from './canary.ts'
import { doubled } from './doubled.ts'
import { generateRequest } from './generate.ts'
import type { Preset } from './presets.ts'
import { createRandom, type Random } from './random.ts'
import { canariesIn, spellingsIn } from './search.ts'

export interface Leak {
  readonly seed: number
  readonly signal: Signal
  readonly lane: string
  readonly canary: string
  readonly where: string
}

export interface Hunted {
  readonly canaries: number
  readonly leaks: readonly Leak[]
}

/** What may leave, by lane: see canary.ts. The log lane is where content belongs. */
const ALLOWED: Readonly<Record<Preset, Readonly<Record<string, readonly CanaryClass[]>>>> = {
  codex: { trace: ['F', 'X', 'U'], metric: ['F', 'X', 'U'] },
  'codex-strict': { trace: ['X'], metric: ['X'] },
}

/** Once in so many requests what leaves is also read as the JSON that an exporter may write. */
const JSON_EVERY = 16

export function huntOne(seed: number, preset: Preset, policy: Policy): Hunted {
  const random = createRandom(seed)
  const signal = random.pick(['traces', 'traces', 'traces', 'logs', 'logs', 'metrics'] as const)
  const message = SIGNAL_TRAITS[signal].requestMessage
  const mint = new Mint()
  const isUsual = random.chance(1, 3)
  const object = generateRequest(signal, random, mint, isUsual)
  const whole = encode(message, object)
  const json = (): string => writeJson(message, object, styleOf(random))
  const bytes = isUsual ? whole : spell(message, signal, whole, json, random)
  const leaks: Leak[] = []
  for (const parcel of route(bytes, signal, policy).parcels) {
    const allowed = ALLOWED[preset][parcel.lane]
    if (allowed === undefined) continue
    const leaving = bytesOf(parcel, bytes)
    const report = (canary: string): void => {
      leaks.push({ seed, signal, lane: parcel.lane, canary, where: mint.whereOf(canary) })
    }
    for (const canary of canariesIn(leaving, allowed)) report(canary)
    if (preset === 'codex-strict' && parcel.lane === 'trace')
      for (const spelling of spellingsIn(leaving)) report(spelling)
    if (random.chance(1, JSON_EVERY)) {
      const text = protobufToJson([leaving], SIGNAL_TRAITS[parcel.signal].requestMessage)
      for (const canary of canariesIn(Buffer.from(unescaped(text)), allowed)) report(canary)
    }
  }
  return { canaries: mint.count, leaks }
}

function unescaped(json: string): string {
  return json.replace(/\\u([0-9a-fA-F]{4})/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  )
}

/** As an SDK writes it, with every liberty of protobuf, with canaries where no decoder looks, or as JSON. */
function spell(
  message: string,
  signal: Signal,
  whole: Uint8Array,
  json: () => string,
  random: Random,
): Uint8Array {
  const plain = random.chance(1, 3) ? doubled(whole, message, random) : whole
  const seed = random.below(2 ** 31)
  switch (random.below(6)) {
    case 0:
      return mutateKeepingMeaning(plain, message, seed, { rate: 0.1 }).bytes
    case 1:
      return mutateKeepingMeaning(plain, message, seed, { rate: 0.4 }).bytes
    case 2:
      return plantCanaries(plain, message, seed).bytes
    case 3:
      return mutateKeepingMeaning(plantCanaries(plain, message, seed).bytes, message, seed, { rate: 0.1 })
        .bytes
    case 4:
      return jsonToProtobuf(Buffer.from(json()), signal)
    default:
      return plain
  }
}

function styleOf(random: Random): Parameters<typeof writeJson>[2] {
  return {
    quotedIntegers: random.chance(1, 2),
    pretty: random.chance(1, 2),
    escaped: random.chance(1, 2),
    upperCaseIds: random.chance(1, 2),
    base64: random.pick(['base64', 'base64url'] as const),
    reversedKeys: random.chance(1, 2),
    nulls: random.chance(1, 2),
  }
}
