import t from 'tap'
import { Memory } from '../../src/policy/family.ts'

t.test('what is remembered of a text outlives the buffer that it was read from', async (t) => {
  const made: string[] = []
  const memory = new Memory((text) => {
    made.push(text)
    return text
  })
  const slab = Buffer.from('xx codex_otel.log_only')
  t.equal(memory.of(slab, 3, slab.length), 'codex_otel.log_only')
  slab.fill('y')
  const next = Buffer.from('codex_otel.log_only')
  t.equal(memory.of(next, 0, next.length), 'codex_otel.log_only')
  t.same(made, ['codex_otel.log_only'], 'the slab was not kept')
})

t.test('a flood of invented texts is answered right and remembered no further than the table', async (t) => {
  const memory = new Memory((text) => ({ text }))
  for (let round = 0; round < 2; round++) {
    for (let index = 0; index < 5000; index++) {
      const text = Buffer.from(`codex_otel.x${index}`)
      if (memory.of(text, 0, text.length).text !== text.toString()) t.fail(text.toString())
    }
  }
  const long = Buffer.from('codex_otel.'.repeat(40))
  t.not(memory.of(long, 0, long.length), memory.of(long, 0, long.length), 'long texts are not remembered')
})
