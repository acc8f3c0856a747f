/** Every example under config/ is valid, and the smallest one says no more than it must. */
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'

const folder = new URL('../../config/', import.meta.url).pathname
const examples = readdirSync(folder).filter((name) => name.endsWith('.yaml'))

function example(name: string): Config {
  return loadConfig({ files: [name], set: [], env: {}, cwd: folder })
}

for (const name of examples) {
  t.test(`${name} is valid, and leaves no doubt but a preset's lane that is off`, async (t) => {
    const doubts = example(name).warnings.filter(
      ({ key, position }) => key !== '' && !position.file.startsWith('preset:'),
    )
    t.same(doubts, [])
  })
}

t.test('full.yaml gives what a file that says nothing of it gets', async (t) => {
  const full = example('full.yaml')
  const small = example('laneway.yaml')
  const [fullExporter] = full.exporters
  const [smallExporter] = small.exporters
  t.same(
    { ...full.receiver, ...full.storage, ...full.admin },
    { ...small.receiver, ...small.storage, ...small.admin },
  )
  t.same(
    [full.shutdownDelayMs, full.shutdownGraceMs, full.telemetry],
    [small.shutdownDelayMs, small.shutdownGraceMs, small.telemetry],
  )
  if (fullExporter.kind === 'otlp_http' && smallExporter.kind === 'otlp_http') {
    const { urls: _urls, name: _name, position: _position, queue, ...rest } = fullExporter
    t.match(smallExporter, rest)
    t.same({ ...queue, bytesMax: 0 }, { ...smallExporter.queue, bytesMax: 0 })
  }
  const rules = ({ policy }: Config): unknown => {
    const { positions: _positions, lanes: _lanes, ...rest } = policy
    return JSON.parse(JSON.stringify(rest, (key, value) => (key === 'position' ? undefined : value)))
  }
  t.same(rules(full), rules(small))
})

t.test('every key of the schema that works today stands in full.yaml', async (t) => {
  const schema = readFileSync(new URL('../../config/laneway.schema.json', import.meta.url), 'utf8')
  const text = readFileSync(new URL('../../config/full.yaml', import.meta.url), 'utf8')
  const keys = new Set<string>()
  JSON.parse(schema, (key, value) => {
    if (key === 'properties') for (const name of Object.keys(value)) keys.add(name)
    return value
  })
  const missing = [...keys].filter((key) => !new RegExp(`\\b${key}:`).test(text))
  t.same(missing.toSorted(), NOT_SHOWN.toSorted())
})

/** Keys of parts that are not there yet, and two that stand beside `events`. */
const NOT_SHOWN: readonly string[] = ['reviews', 'spans', 'points']
