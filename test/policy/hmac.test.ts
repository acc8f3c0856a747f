import { equal } from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { KeyedHash } from '../../src/policy/hmac.ts'

t.test('a keyed hash is HMAC-SHA-256, whatever the lengths of key and text', async (t) => {
  const bytes = fc.uint8Array({ maxLength: 200 })
  fc.assert(
    fc.property(
      bytes,
      fc.array(fc.oneof(bytes, fc.uint8Array({ minLength: 1000, maxLength: 3000 }))),
      (key, texts) => {
        const keyed = new KeyedHash(key)
        for (const text of texts)
          equal(keyed.digest(text), createHmac('sha256', key).update(text).digest('hex'))
      },
    ),
    { numRuns: 100 },
  )
  t.pass('one object for many texts')
})
