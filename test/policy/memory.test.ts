import t from 'tap'
import { Cursor } from '../../src/otlp/cursor.ts'
import { Memory } from '../../src/policy/memory.ts'

t.test('what is remembered of a text outlives the buffer that it was read from', async (t) => {
  const made: string[] = []
  const memory = new Memory((text) => {
    made.push(text)
    return text
  })
  const cursor = new Cursor()
  const slab = Buffer.from('xx codex_otel.log_only')
  cursor.reset(slab, 0)
  t.equal(memory.of(cursor, 3, slab.length), 'codex_otel.log_only')
  slab.fill('y')
  const next = Buffer.from('codex_otel.log_only')
  cursor.reset(next, 0)
  t.equal(memory.of(cursor, 0, next.length), 'codex_otel.log_only')
  t.same(made, ['codex_otel.log_only'], 'the slab was not kept')
})

t.test('a flood of invented texts is answered right and remembered no further than the table', async (t) => {
  const memory = new Memory((text) => ({ text }))
  const cursor = new Cursor()
  for (let round = 0; round < 2; round++) {
    for (let index = 0; index < 5000; index++) {
      const text = Buffer.from(`codex_otel.x${index}`)
      cursor.reset(text, 0)
      if (memory.of(cursor, 0, text.length).text !== text.toString()) t.fail(text.toString())
    }
  }
  const long = Buffer.from('codex_otel.'.repeat(40))
  cursor.reset(long, 0)
  t.not(memory.of(cursor, 0, long.length), memory.of(cursor, 0, long.length), 'long texts are not remembered')
})

t.test('texts that share length and ends are told apart, and many of them stay remembered', async (t) => {
  let made = 0
  const memory = new Memory((text) => {
    made++
    return text
  })
  const cursor = new Cursor()
  const texts = [
    'a',
    'ab',
    'abc',
    'abcd',
    'abXcd',
    'abYcd',
    'abcdefgh',
    'abcdXfgh',
    ...Array.from({ length: 60 }, (_, index) => `http.request.header.${index}.value`),
  ]
  for (let round = 0; round < 3; round++) {
    for (const text of texts) {
      const bytes = Buffer.from(`..${text}..`)
      cursor.reset(bytes, 0)
      t.equal(memory.of(cursor, 2, bytes.length - 2), text)
    }
  }
  t.equal(made, texts.length)
})
