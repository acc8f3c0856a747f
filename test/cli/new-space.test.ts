/** V8's space of new objects stays small while nothing is to be done, and grows to its bound, not beyond. */
import { execFileSync } from 'node:child_process'
import t from 'tap'

const MIB = 1024 * 1024
const module = new URL('../../src/cli/new-space.ts', import.meta.url).href

/** How many MiB it mostly had, while objects were made of which some live on. While it is collected it has more. */
function usualSize(grow: boolean): number {
  const script = `
    import { getHeapSpaceStatistics } from 'node:v8'
    import { holdNewSpace, letNewSpaceGrow } from '${module}'
    holdNewSpace()
    if (${grow}) letNewSpaceGrow()
    const kept = []
    const size = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size
    const sizes = []
    for (let round = 0; round < 200; round++) {
      for (let index = 0; index < 20000; index++) kept[(round % 10) * 20000 + index] = { index, more: [index] }
      sizes.push(size())
      await new Promise(setImmediate)
    }
    console.log(sizes.sort((left, right) => left - right)[100])`
  const options = { env: {}, encoding: 'utf8' } as const
  return Number(execFileSync(process.execPath, ['--input-type=module', '--eval', script], options)) / MIB
}

t.test('held, it does not grow; let grow, it comes to 16 MiB and stays there', async (t) => {
  t.ok(usualSize(false) < 8)
  const mebibytes = usualSize(true)
  t.ok(mebibytes >= 16 && mebibytes < 32, `${mebibytes} MiB`)
})
