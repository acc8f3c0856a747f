/**
 * A backend in a process of its own: writes down what it gets before it answers, and misbehaves when told to.
 *
 * `node sink.ts JOURNAL PORT` listens on loopback and prints its port. Each request becomes one line of the journal:
 * the life of the sidecar that sent it, the exporter, what was answered, the numbers of its items. The journal stays
 * when the process is killed. `PUT /mode/…` changes how requests are answered.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { idsIn } from './items.ts'

/**
 * take: 200. hang: nothing, and the connection is cut when the mode changes. refuse: 503. cut: every fourth request
 * is written down and its connection cut instead of answered, which a sender cannot tell from a loss.
 */
export const SINK_MODES = ['take', 'hang', 'refuse', 'cut'] as const
export type SinkMode = (typeof SINK_MODES)[number]

const [journalFile, port] = process.argv.slice(2)
const journal = openSync(journalFile, 'a')
const hanging = new Set<ServerResponse>()
let mode: SinkMode = 'take'
let requests = 0

const server = createServer(async (request, response) => {
  try {
    const body = await readBody(request)
    if (request.method === 'PUT') changeMode(request.url ?? '')
    else if (mode === 'hang') return void hanging.add(response)
    else if (mode === 'refuse') response.writeHead(503)
    else if (mode === 'cut' && requests++ % 4 === 0) {
      note(request, 'cut', body)
      return void response.destroy()
    } else note(request, 'answered', body)
    response.end()
  } catch {
    // The sidecar was killed while it sent.
    response.destroy()
  }
})

function changeMode(path: string): void {
  mode = SINK_MODES.find((one) => path === `/mode/${one}`) ?? mode
  for (const response of hanging) response.destroy()
  hanging.clear()
}

function note(request: IncomingMessage, answer: string, body: Buffer): void {
  const exporter = (request.url ?? '').split('/')[1]
  writeSync(
    journal,
    `${request.headers['x-life']} otlp_http/${exporter} ${answer} ${idsIn(body).join(',')}\n`,
  )
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part)
  const body = Buffer.concat(parts)
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
}

server.listen(Number(port), '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') console.log(address.port)
})
process.on('disconnect', () => {
  closeSync(journal)
  process.exit()
})
