/**
 * Writes the schemas that editors read, `config/laneway.schema.json` and `config/reviews.schema.json`, from
 * `src/config`. Run it after changing a key; a test fails until they agree.
 */
import { writeFileSync } from 'node:fs'
import { REVIEWS_SCHEMA } from '../src/config/reviews-schema.ts'
import { CONFIG_SCHEMA } from '../src/config/schema.ts'

const schemas = { laneway: CONFIG_SCHEMA, reviews: REVIEWS_SCHEMA }

for (const [name, schema] of Object.entries(schemas)) {
  const file = new URL(`../config/${name}.schema.json`, import.meta.url)
  writeFileSync(file, `${JSON.stringify(schema, null, 1)}\n`)
}
