/**
 * Which request goes where: fastify as a router, and nothing else of it.
 *
 * Each route takes the request over before fastify would look at its body or make a reply of its own. What fastify
 * cannot route comes out as one of two calls, so that every answer is written in one place.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import fastify, { type FastifyInstance } from 'fastify'
import { SIGNAL_TRAITS, SIGNALS } from '../otlp/signal.ts'
import type { Refusal } from './answer.ts'
import type { Route } from './export-request.ts'
import { NO_SCHEMAS } from './no-schemas.ts'
import { BAD_URL, UNEXPECTED } from './refusals.ts'

const ROUTES: ReadonlyMap<string, Route> = new Map([
  ...SIGNALS.map((signal) => [SIGNAL_TRAITS[signal].path, signal] as const),
  ['/', 'sniff'] as const,
])

/** Whether a POST to this URL would be served. */
export function isRoute(url: string): boolean {
  return ROUTES.has(pathOf(url))
}

/** fastify as a router: each route takes the request over before fastify would look at its body. */
export function createRoutes(to: {
  readonly serve: (request: IncomingMessage, response: ServerResponse, route: Route) => Promise<void>
  readonly answerOther: (request: IncomingMessage, response: ServerResponse) => void
  readonly refuseUnserved: (request: IncomingMessage, response: ServerResponse, refusal: Refusal) => void
}): FastifyInstance {
  const app = fastify({
    logger: false,
    schemaController: NO_SCHEMAS,
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true },
    frameworkErrors: (_error, request, reply) => {
      reply.hijack()
      to.refuseUnserved(request.raw, reply.raw, BAD_URL)
    },
  })
  app.removeAllContentTypeParsers()
  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) {
      done()
      return
    }
    reply.hijack()
    to.answerOther(request.raw, reply.raw)
  })
  app.setErrorHandler((_error, request, reply) => {
    reply.hijack()
    to.refuseUnserved(request.raw, reply.raw, UNEXPECTED)
  })
  for (const [path, route] of ROUTES) {
    app.route({
      method: 'POST',
      url: path,
      onRequest: (request, reply) => {
        reply.hijack()
        to.serve(request.raw, reply.raw, route)
      },
      handler: () => {},
    })
  }
  return app
}

function pathOf(url: string): string {
  const path = url.split('?', 1)[0].replace(/\/{2,}/g, '/')
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}
