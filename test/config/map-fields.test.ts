/** Field rules as data: verbs, keys, filters, and the place of each. */
import t from 'tap'
import type { FieldRuleSpec } from '../../src/config/config.ts'
import { mapFields } from '../../src/config/map-fields.ts'
import { parseYaml } from '../../src/config/parse-yaml.ts'
import { itemsOf, nodeAt } from '../../src/config/tree.ts'

function fields(text: string): {
  readonly rules: readonly FieldRuleSpec[]
  readonly said: readonly string[]
} {
  const said: string[] = []
  const lines = itemsOf(
    nodeAt(
      parseYaml(text, 'f', () => {}),
      'fields',
    ),
  )
  const rules = mapFields(lines, {
    key: 'lanes.trace.fields',
    families: ['trace_safe', 'log_only'],
    report: (_severity, { line, column }, _key, message) => said.push(`${line}:${column} ${message}`),
  })
  return { rules, said }
}

t.test('a rule has its verb, its keys in order, and its filters as lists', async (t) => {
  const { rules, said } = fields(`fields:
  - { remove: [prompt, "url.*"] }
  - { on: span, remove: ["@status.message"] }
  - { hash: [error.message], on: [span, span_event], family: trace_safe, event_name: [a, "b.*"] }
  - { truncate: ["@body"], to: 1KiB }
  - { truncate: [x], to: 7 }
`)
  t.same(said, [])
  t.match(rules, [
    {
      verb: 'remove',
      keys: [{ key: 'prompt' }, { key: 'url.*', position: { line: 2, column: 24 } }],
      bytesMax: undefined,
      on: [],
      families: [],
      eventNames: [],
      position: { file: 'f', line: 2, column: 5 },
    },
    { verb: 'remove', on: ['span'] },
    { verb: 'hash', on: ['span', 'span_event'], families: ['trace_safe'], eventNames: ['a', 'b.*'] },
    { verb: 'truncate', bytesMax: 1024 },
    { verb: 'truncate', bytesMax: 7 },
  ])
})

t.test('a rule that cannot be meant is reported at the part that is wrong', async (t) => {
  const { said } = fields(`fields:
  - { remove: ["@nmae"] }
  - { on: [resource, scope], family: trace_safe, remove: [a] }
  - { on: [resource, span], family: trace_safe, remove: [a] }
  - { family: [log_only, trace_save], remove: [a] }
  - { family: [unreviewed, ambiguous, foreign], remove: [a] }
`)
  t.match(said, [
    /^2:16 .*did you mean `@name`/,
    /^3:38 a resource or scope is shared/,
    /^5:26 there is no family `trace_save`, did you mean `trace_safe`\?$/,
  ])
  t.equal(said.length, 3)
})
