/**
 * The words in which the schemas of the configuration and of a reviews file are written: kinds of texts, numbers and
 * maps.
 *
 * `x-laneway` names a text's kind (size, duration, …), by which `check.ts` reads it and says what is due.
 */
import { type TOptional, type TSchema, Type } from 'typebox'
import { DURATION_PATTERN, SIZE_PATTERN } from './units.ts'

/** A value with a reference in it can be of any kind: what it becomes is known at start only. */
const REFERENCE_PATTERN = '\\$\\{(env|file):'

export type Keys = Readonly<Record<string, TSchema>>

export const map = (keys: Keys): TSchema => Type.Object({ ...keys }, { additionalProperties: false })
export const list = (items: TSchema): TSchema => Type.Array(items)
export const oneOrMany = (item: TSchema): TSchema => Type.Union([item, Type.Array(item)])
export const named = (pattern: string, value: TSchema): TSchema =>
  Type.Unsafe<unknown>({
    type: 'object',
    patternProperties: { [pattern]: value },
    additionalProperties: false,
  })

/** A key that may be left out, or left without a value. */
export const optional = (schema: TSchema, description: string, fallback?: unknown): TOptional<TSchema> =>
  Type.Optional(
    Type.Union([schema, Type.Null()], {
      description,
      ...(fallback === undefined ? {} : { default: fallback }),
    }),
  )

/** A text of a kind that has a meaning: it is never empty. */
export const text = (kind: string, description?: string): TSchema =>
  Type.String({ 'x-laneway': kind, minLength: 1, ...(description === undefined ? {} : { description }) })
export const anyText: TSchema = Type.String({ 'x-laneway': 'text' })
export const secret: TSchema = Type.String({ 'x-laneway': 'secret' })

const patterned = (kind: string, pattern: string): TSchema =>
  Type.String({ 'x-laneway': kind, pattern: `${pattern}|${REFERENCE_PATTERN}` })
export const size: TSchema = patterned('size', SIZE_PATTERN)
export const duration: TSchema = patterned('duration', DURATION_PATTERN)
export const age: TSchema = patterned('age', DURATION_PATTERN)
export const reference: TSchema = Type.String({ pattern: REFERENCE_PATTERN, 'x-laneway': 'reference' })
export const word = (...words: readonly string[]): TSchema =>
  Type.Union([Type.Unsafe<unknown>({ enum: words }), reference])
export const boolean: TSchema = Type.Union([Type.Boolean(), reference])
export const integer = (minimum: number, maximum: number): TSchema =>
  Type.Union([Type.Integer({ minimum, maximum }), reference])
export const number = (minimum: number, maximum: number): TSchema =>
  Type.Union([Type.Number({ minimum, maximum }), reference])
