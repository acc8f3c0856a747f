/**
 * The bench measures what it says: its configurations are valid, and the rules that it adds do not apply.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createBodies } from '../../bench/bodies.ts'
import { GROWTH_COUNTS, GROWTHS } from '../../bench/growth.ts'
import { LANEWAY_CONFIGS, portEnvironment } from '../../bench/subjects.ts'
import { loadConfig } from '../../src/config/load.ts'
import { compilePolicy } from '../../src/policy/compile.ts'
import { type Routing, route } from '../../src/policy/route.ts'

const env = portEnvironment({ listen: 1, sink: 2, admin: 3 }, '/nonexistent')
const [body] = createBodies().filter(({ name }) => name === 'traces512exposed')

function routeUnder(files: readonly string[]): Routing {
  const { policy } = loadConfig({ files, set: [], env, cwd: import.meta.dirname })
  return route(new Uint8Array(body.bytes), body.signal, compilePolicy(policy).policy)
}

/** What leaves, byte for byte, and what is said of it. */
function summary({ parcels, tally, findings }: Routing): unknown {
  const contents = parcels.map(({ lane, signal, items, content }) => {
    if (content === undefined || content instanceof Uint8Array) return { lane, signal, items, content }
    const bytes = new Uint8Array(content.byteLength)
    content.write(bytes, 0)
    return { lane, signal, items, bytes: Buffer.from(bytes).toString('base64') }
  })
  return { contents, tally, findings }
}

t.test('every variant of Laneway takes the bodies to both lanes, or drops what is misplaced', async (t) => {
  const lanes = (files: readonly string[]): readonly string[] =>
    routeUnder(files)
      .parcels.map(({ lane }) => lane)
      .toSorted()
  t.strictSame(lanes(LANEWAY_CONFIGS.laneway), ['log', 'trace'])
  t.strictSame(lanes(LANEWAY_CONFIGS['laneway-strict']), ['log', 'trace'])
  t.strictSame(lanes(LANEWAY_CONFIGS['laneway-plain']), ['trace'])
})

for (const growth of Object.values(GROWTHS)) {
  t.test(`${growth.name} that do not apply change nothing that leaves`, async (t) => {
    const expected = summary(routeUnder(LANEWAY_CONFIGS.laneway))
    for (const count of GROWTH_COUNTS) {
      const file = join(t.testdir(), `${count}.yaml`)
      writeFileSync(file, growth.yaml(count))
      t.strictSame(summary(routeUnder([...LANEWAY_CONFIGS.laneway, file])), expected, `${count}`)
    }
  })
}
