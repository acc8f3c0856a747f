/**
 * Writes `config/laneway.schema.json` from `src/config/schema.ts`. Run it after changing a key; a test
 * fails until the two agree.
 */
import { writeFileSync } from 'node:fs'
import { CONFIG_SCHEMA } from '../src/config/schema.ts'

const file = new URL('../config/laneway.schema.json', import.meta.url)
writeFileSync(file, `${JSON.stringify(CONFIG_SCHEMA, null, 1)}\n`)
