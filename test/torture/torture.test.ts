/**
 * The torture, short: what `npm run torture` does a thousand times. A seed of its own each day keeps it honest.
 */
import { join } from 'node:path'
import t from 'tap'
import { createRandom } from './random.ts'
import { torture } from './torture.ts'

const KILLS = 24

t.test('what was acknowledged arrives, through two dozen kills under load', async (t) => {
  const seed = Math.floor(Date.now() / 86_400_000)
  const directory = join(t.testdir({}), 'torture')
  const report = await torture({ directory, kills: KILLS, random: createRandom(seed) })
  t.comment(`seed ${seed}: ${JSON.stringify(report)}`)
  t.ok(report.acknowledged > KILLS, 'it was under load')
  t.ok(report.unknown > 0, 'it was killed with requests in hand')
})
