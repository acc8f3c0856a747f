// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the mark of a reference
/** The schema file that editors and the program read is what `schema.ts` says, and ajv reads it as `check.ts` does. */
import { readdirSync, readFileSync } from 'node:fs'
import { Ajv, type ValidateFunction } from 'ajv'
import fc from 'fast-check'
import t from 'tap'
import { checkTree, loadSchema } from '../../src/config/check.ts'
import { parseYaml } from '../../src/config/parse-yaml.ts'
import { REVIEWS_SCHEMA } from '../../src/config/reviews-schema.ts'
import { CONFIG_SCHEMA } from '../../src/config/schema.ts'
import type { Node } from '../../src/config/tree.ts'
import { mutations } from './mutate.ts'

const config = new URL('../../config/', import.meta.url)
const written = readFileSync(new URL('laneway.schema.json', config), 'utf8')

t.test('the schemas under config/ are up to date (npm run schema)', async (t) => {
  t.equal(written, `${JSON.stringify(CONFIG_SCHEMA, null, 1)}\n`)
  const reviews = readFileSync(new URL('reviews.schema.json', config), 'utf8')
  t.equal(reviews, `${JSON.stringify(REVIEWS_SCHEMA, null, 1)}\n`)
})

t.test('every key says what it is for', async (t) => {
  const silent = [...undescribed(CONFIG_SCHEMA, []), ...undescribed(REVIEWS_SCHEMA, [])]
  t.same(silent, [])
})

const files = [
  ...readdirSync(config).map((name) => new URL(name, config)),
  ...readdirSync(new URL('bad/', import.meta.url)).map((name) => new URL(`bad/${name}`, import.meta.url)),
].filter(({ pathname }) => pathname.endsWith('.yaml'))

t.test('ajv and the walk agree on every example and every bad file', async (t) => {
  const validate = compile()
  for (const file of files) {
    const root = parseYaml(readFileSync(file, 'utf8'), 'f', () => {})
    // A file that is no map of keys never gets as far as the schema.
    if (root !== undefined) t.equal(walkAccepts(root), validate(plain(root)), file.pathname)
  }
})

t.test('ajv and the walk agree on damaged files', async (t) => {
  const validate = compile()
  const texts = files.map((file) => readFileSync(file, 'utf8'))
  let compared = 0
  fc.assert(
    fc.property(mutations(texts), (text) => {
      const root = parseYaml(text, 'f', () => {})
      // A reference can stand for anything, which only the schema says; the program has replaced it by then.
      // Nor has JSON an infinite number, such as a damaged exponent gives.
      if (root === undefined || text.includes('${') || /\de\d{3}/i.test(text)) return true
      compared += 1
      return walkAccepts(root) === validate(plain(root))
    }),
    { numRuns: 400 },
  )
  t.ok(compared > 40, `${compared} of them are trees`)
})

/** Without `oneOf`: that a field rule has one verb is said by the schema to editors, and by `map-fields.ts` at start. */
function compile(): ValidateFunction {
  const ajv = new Ajv({ strict: false })
  return ajv.compile(JSON.parse(written, (key, value) => (key === 'oneOf' ? undefined : value)))
}

function walkAccepts(root: Node): boolean {
  let errorCount = 0
  checkTree(root, loadSchema(), () => {
    errorCount += 1
  })
  return errorCount === 0
}

function plain(node: Node): unknown {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(plain)
  return Object.fromEntries([...node.entries].map(([key, { value }]) => [key, plain(value)]))
}

function undescribed(schema: unknown, path: readonly string[]): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return []
  return Object.entries(schema).flatMap(([name, inner]) => {
    if (name !== 'properties') return undescribed(inner, [...path, name])
    return Object.entries(inner).flatMap(([key, value]) => [
      ...(isDescribed(value) || REQUIRED_KEYS.has(key) ? [] : [[...path, key].join('.')]),
      ...undescribed(value, [...path, key]),
    ])
  })
}

/** Keys that cannot be left out, whose map says what they are. */
const REQUIRED_KEYS: ReadonlySet<string> = new Set(['path', 'targets'])

function isDescribed(schema: unknown): boolean {
  return typeof schema === 'object' && schema !== null && 'description' in schema
}
