/**
 * The schema of a reviews file: what `laneway review` writes and people read in a diff.
 *
 * This file is the source; `scripts/schema.ts` writes it to `config/reviews.schema.json`, which editors read and which
 * is walked when the file is read. It is never loaded at run time.
 */
import { type TSchema, Type } from 'typebox'
import { TRACE_PLACES } from '../policy/place.ts'
import { type Keys, list, map, named, optional, text } from './schema-words.ts'

const decided: Keys = {
  by: text('person', 'Who decided.'),
  at: text('time', 'When, as `2026-01-31T12:00:00Z`.'),
  reason: text('reason', 'Why, in a sentence that the next reader understands.'),
}
const decision: TSchema = Type.Unsafe<unknown>({
  enum: ['accept', 'reject'],
  description: '`accept` or `reject`.',
})

const target = map({
  decision,
  family: Type.Optional(text('family', 'Of an accepted target: the family that it is of from now on.')),
  new_family: Type.Optional(Type.Boolean({ description: 'Whether this review makes the family.' })),
  ...decided,
})

const field = map({
  key: text('key', 'The key of the attribute, whole.'),
  on: Type.Unsafe<unknown>({ enum: [...TRACE_PLACES], description: 'The place that it is in.' }),
  family: Type.Optional(text('family', 'Only on items of this family.')),
  decision,
  ...decided,
})

export const REVIEWS_SCHEMA: TSchema = Type.Object(
  {
    targets: optional(named('^.+$', target), 'Subsystems, by target: accepted into a family, or rejected.'),
    fields: optional(list(field), 'Fields of traces lanes that no line of the policy decides on.'),
    dismissed: optional(
      named('^[0-9a-f]{12}$', map(decided)),
      'Findings, by id, about which there is nothing to be done.',
    ),
  },
  {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Reviews of Laneway',
    additionalProperties: false,
  },
)
