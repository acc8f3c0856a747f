/**
 * `npm run torture`: kills a sidecar under load, by default a thousand times, and proves that it lost nothing.
 *
 * Options: `--kills N`, `--seed N`. Exit code 0, or 1 with what was lost; then the folder with the store stays.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createRandom } from './random.ts'
import { torture } from './torture.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    main: { type: 'string' },
  },
})
const seed = Number(values.seed)
const directory = mkdtempSync(join(tmpdir(), 'laneway-torture-'))
console.log(`${values.kills} kills, seed ${seed}, in ${directory}`)
const startedAtMs = Date.now()
const report = await torture({
  directory,
  kills: Number(values.kills),
  random: createRandom(seed),
  ...(values.main === undefined ? {} : { main: values.main }),
  onProgress: (kills) => {
    if (kills % 50 === 0) console.log(`${kills} kills, ${Math.round((Date.now() - startedAtMs) / 1000)} s`)
  },
})
console.log(JSON.stringify(report, null, 2))
console.log(`no acknowledged item lost; ${Math.round((Date.now() - startedAtMs) / 1000)} s`)
rmSync(directory, { recursive: true })
