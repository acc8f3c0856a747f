/**
 * Tells fastify that no route has a JSON schema, so that it does not load what would compile one.
 *
 * Left to itself fastify loads ajv and fast-json-stringify with each first instance: 110 modules, 4 MiB and 50 ms,
 * to validate and serialize nothing. A schema on a route would throw at start.
 */
import type { FastifyServerOptions } from 'fastify'

export const NO_SCHEMAS: NonNullable<FastifyServerOptions['schemaController']> = {
  compilersFactory: { buildValidator: refuseSchema, buildSerializer: refuseSchema },
}

function refuseSchema(): never {
  throw new Error('no route of Laneway has a schema')
}
