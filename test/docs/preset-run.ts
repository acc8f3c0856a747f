/** The presets as they ship, compiled, and one request sent through one of them. */
import type { PolicySpec } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { SIGNAL_TRAITS, type Signal } from '../../src/otlp/signal.ts'
import { compilePolicy, type Policy } from '../../src/policy/compile.ts'
import type { Finding } from '../../src/policy/finding.ts'
import { route, type WitnessedItem } from '../../src/policy/route.ts'
import { decode, type OracleMessage } from '../oracle/oracle.ts'
import { bytesOf } from '../policy/parcel-bytes.ts'

export interface Preset {
  readonly name: string
  readonly spec: PolicySpec
  readonly policy: Policy
}

function loadPreset(name: string): Preset {
  const lanes = ['log', 'trace', 'metric'].map((lane) => `lanes.${lane}.exporters=[debug]`)
  const config = loadConfig({
    files: [new URL('../../config/laneway.yaml', import.meta.url).pathname],
    set: [`policy.preset=${name}`, 'exporters.debug=', ...lanes],
    env: {},
    cwd: '/',
  })
  return { name, spec: config.policy, policy: compilePolicy(config.policy).policy }
}

export const presets: readonly [codex: Preset, strict: Preset] = [
  loadPreset('codex'),
  loadPreset('codex-strict'),
]

export interface Sent {
  readonly items: readonly WitnessedItem[]
  readonly findings: readonly Finding[]
  /** What leaves on the lanes of a signal; an empty message if nothing does. */
  leaves(signal: Signal): OracleMessage
  bytes(signal: Signal): Uint8Array
}

export function send({ policy }: Preset, signal: Signal, request: Uint8Array): Sent {
  const items: WitnessedItem[] = []
  const { parcels, findings } = route(request, signal, policy)
  route(request, signal, policy, { item: (item) => items.push(item) })
  const bytes = (wanted: Signal): Uint8Array => {
    const parcel = parcels.find((one) => one.signal === wanted)
    return parcel === undefined ? new Uint8Array(0) : bytesOf(parcel, request)
  }
  return {
    items,
    findings,
    bytes,
    leaves: (wanted) => decode(SIGNAL_TRAITS[wanted].requestMessage, bytes(wanted)),
  }
}
