/**
 * `npm run leak-hunt`: a million requests with canaries, and none may come out where it does not belong.
 *
 *     npm run leak-hunt -- [--requests N] [--seed N] [--preset NAME]
 *
 * Prints the seed first and progress on the way; `--requests 1 --seed N` repeats one. Exit code 1 at the first leaks.
 */
import { parseArgs } from 'node:util'
import { compilePolicy } from '../../src/policy/compile.ts'
import { huntOne, type Leak } from './hunt.ts'
import { PRESETS, presetSpec } from './presets.ts'

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    preset: { type: 'string' },
  },
})
const requests = Number(values.requests)
const seed = Number(values.seed)
const leaksMax = 20
const progressEvery = 50_000

console.log(`leak-hunt: ${requests} requests from seed ${seed}`)
const began = performance.now()
let canaries = 0
const leaks: Leak[] = []
for (const preset of PRESETS) {
  if (values.preset !== undefined && values.preset !== preset) continue
  const { policy } = compilePolicy(presetSpec(preset))
  for (let index = 0; index < requests && leaks.length < leaksMax; index++) {
    const hunted = huntOne((seed + index) >>> 0, preset, policy)
    canaries += hunted.canaries
    leaks.push(...hunted.leaks)
    if ((index + 1) % progressEvery === 0) {
      const seconds = (performance.now() - began) / 1000
      console.log(
        `${preset}: ${index + 1} requests, ${canaries} canaries, ${leaks.length} leaks, ${seconds.toFixed(0)} s`,
      )
    }
  }
}
for (const leak of leaks.slice(0, leaksMax)) {
  console.log(
    `LEAK ${leak.canary} on the ${leak.lane} lane: ${leak.where} (${leak.signal}, --requests 1 --seed ${leak.seed})`,
  )
}
console.log(
  `leak-hunt: ${requests} requests a preset, ${canaries} canaries, ${leaks.length} leaks, seed ${seed}`,
)
process.exitCode = leaks.length === 0 ? 0 : 1
