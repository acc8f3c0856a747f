/**
 * What a proxy in fastify and undici costs that looks at nothing: the yardstick of the bench.
 *
 * In: OTLP/HTTP requests, each received whole as one Buffer. Out: the same bytes to the backend, and the
 * backend's status to the sender. It is written the way one would at first, on purpose: no tuning.
 * Environment: BENCH_LISTEN_PORT, BENCH_SINK_PORT.
 */
import fastify from 'fastify'
import { request } from 'undici'

const BODY_BYTES_MAX = 64 * 1024 * 1024

const backend = `http://127.0.0.1:${process.env.BENCH_SINK_PORT}`
const app = fastify({ bodyLimit: BODY_BYTES_MAX })
// fastify parses JSON by itself; this proxy must not.
app.removeAllContentTypeParsers()
app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

app.post<{ Body: Buffer }>('/v1/:signal', async (incoming, reply) => {
  const { 'content-type': contentType, 'content-encoding': contentEncoding } = incoming.headers
  const answer = await request(`${backend}${incoming.url}`, {
    method: 'POST',
    headers: {
      'content-type': contentType,
      ...(contentEncoding === undefined ? {} : { 'content-encoding': contentEncoding }),
    },
    body: incoming.body,
  })
  const body = Buffer.from(await answer.body.arrayBuffer())
  return reply.code(answer.statusCode).header('content-type', answer.headers['content-type']).send(body)
})

await app.listen({ host: '127.0.0.1', port: Number(process.env.BENCH_LISTEN_PORT) })
