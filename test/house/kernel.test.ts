/**
 * The kernel as it is committed is what its source says, and has the room that it counts on.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import t from 'tap'
import { compileModule, KERNEL_MODULES } from '../../scripts/kernel.ts'
import { createKernel, moduleOf } from '../../src/otlp/kernel.ts'
import * as numbers from '../../src/policy/kernel-numbers.ts'
import { ATTRIBUTE, COUNT, EVENT, EVENT_COUNT, TEXT } from '../../src/policy/plan.ts'
import { root } from './source.ts'

for (const module of KERNEL_MODULES) {
  t.test(`${module.target} is what ${module.source} compiles to: if not, npm run kernel`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'laneway-kernel-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    const file = join(folder, basename(module.target))
    compileModule(module, file)
    t.ok(readFileSync(file).equals(readFileSync(join(root, module.target))))
  })
}

t.test('all that the kernel reads and writes of spans lies in its memory', async (t) => {
  const kernel = createKernel(moduleOf(new URL('../../src/policy/spans.wasm', import.meta.url)))
  t.ok(kernel.constant('MEMORY_END') <= kernel.bytes.length)
  for (const table of ['COUNTS', 'NOTES', 'HASHED', 'UNDECIDED'])
    t.equal(kernel.constant(table) % 4, 0, `${table} can be read four bytes at a time`)
})

t.test('both sides of the kernel know the same numbers', async (t) => {
  const kernel = createKernel(moduleOf(new URL('../../src/policy/spans.wasm', import.meta.url)))
  for (const [name, value] of Object.entries(numbers)) t.equal(kernel.constant(name), value, name)
  t.ok(Object.keys(numbers).length > 30)
  const kinds = { ATTRIBUTE, TEXT, COUNT, EVENT, EVENT_COUNT }
  for (const [name, value] of Object.entries(kinds)) t.equal(kernel.constant(`FIELD_${name}`), value, name)
})

t.test('what is missing in a module is named', async (t) => {
  const kernel = createKernel(moduleOf(new URL('../../src/otlp/canonical.wasm', import.meta.url)))
  t.throws(() => kernel.constant('nothing'), { message: 'the kernel has no value `nothing`' })
  t.throws(() => kernel.call('nothing'), { message: 'the kernel has no function `nothing`' })
})
