/**
 * The leak hunt in short: 10^4 requests from a fixed seed. `npm run leak-hunt` is the long one.
 */
import t from 'tap'
import type { PolicySpec } from '../../src/config/config.ts'
import { compilePolicy } from '../../src/policy/compile.ts'
import { huntOne, type Leak } from './hunt.ts'
import { PRESETS, type Preset, presetSpec } from './presets.ts'
import { canariesIn, spellingsIn } from './search.ts'

const requests = 10_000
const seed = 20_261_123

function hunt(
  preset: Preset,
  spec: PolicySpec,
  count: number,
  isEnough = (leaks: readonly Leak[]) => leaks.length > 5,
) {
  const { policy } = compilePolicy(spec)
  const leaks: Leak[] = []
  let canaries = 0
  for (let index = 0; index < count && !isEnough(leaks); index++) {
    const hunted = huntOne(seed + index, preset, policy)
    canaries += hunted.canaries
    leaks.push(...hunted.leaks)
  }
  return { canaries, leaks }
}

for (const preset of PRESETS) {
  t.test(`${preset}: no canary breaks out, of ${requests} requests from seed ${seed}`, async (t) => {
    const { canaries, leaks } = hunt(preset, presetSpec(preset), requests)
    t.strictSame(leaks, [])
    t.ok(canaries > requests, `${canaries} canaries`)
  })
}

t.test(
  'the hunt finds what each rule of preset codex keeps in: without it, canaries break out',
  async (t) => {
    const spec = presetSpec('codex')
    for (const name of ['trace', 'metric']) {
      const rules = spec.lanes.find((lane) => lane.name === name)?.fields ?? []
      const guards = rules.filter((rule) => rule.verb !== 'keep')
      t.ok(guards.length >= 2)
      for (const guard of guards) {
        const lanes = spec.lanes.map((lane) =>
          lane.name === name ? { ...lane, fields: lane.fields.filter((rule) => rule !== guard) } : lane,
        )
        const { leaks } = hunt('codex', { ...spec, lanes }, 2_000, (found) => found.length > 0)
        t.ok(leaks.length > 0, `${name}: ${guard.verb} ${guard.keys.map(({ key }) => key).join(' ')}`)
      }
    }
  },
)

t.test('the hunt finds what the strict settings keep in', async (t) => {
  const spec = presetSpec('codex-strict')
  const weaker = { unlisted_fields: { unlistedFields: 'keep' }, wire: { wire: 'as_is' } } as const
  for (const [setting, change] of Object.entries(weaker)) {
    const lanes = spec.lanes.map((lane) => (lane.name === 'trace' ? { ...lane, ...change } : lane))
    const { leaks } = hunt('codex-strict', { ...spec, lanes }, 2_000, (found) => found.length > 0)
    t.ok(leaks.length > 0, setting)
  }
})

t.test('a canary is found in every spelling that an encoder could give it', async (t) => {
  const canary = Buffer.from('CANARY-F001')
  t.strictSame(canariesIn(Buffer.concat([Buffer.from('xx'), canary]), ['X']), ['CANARY-F001'])
  t.strictSame(canariesIn(canary, ['F']), [])
  for (const shift of [0, 1, 2]) {
    const shifted = Buffer.concat([Buffer.from('abc').subarray(0, shift), canary])
    t.equal(spellingsIn(Buffer.from(shifted.toString('base64'))).length, 1, `base64, shifted by ${shift}`)
  }
  const hex = canary.toString('hex')
  for (const text of [hex, hex.toUpperCase(), hex.replace(/../g, '%$&'), hex.replace(/../g, '\\u00$&')]) {
    t.equal(spellingsIn(Buffer.from(text)).length, 1, text)
  }
  t.strictSame(spellingsIn(Buffer.from(canary.toString(), 'utf16le')), ['UTF-16'])
})
