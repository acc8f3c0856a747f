/**
 * The storage thread: takes what has come in since the last transaction, as one group, and lets the engine work.
 *
 * It blocks while the disk works, which is what it is for. Requests that arrive meanwhile wait in the port and are the
 * next group.
 */
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { createEngine } from './engine.ts'
import { PROBE_INTERVAL_MS, type StoreLimits } from './limits.ts'
import type { Reply, Request } from './messages.ts'

export interface WorkerInput {
  readonly port: MessagePort
  readonly arena: SharedArrayBuffer
  readonly directory: string
  readonly limits: StoreLimits
  readonly exporters: readonly string[]
}

/** One transaction is no larger than this, so that the log and the reply to the first of a long line stay bounded. */
const GROUP_REQUESTS_MAX = 1024

function serve({ port, arena, directory, limits, exporters }: WorkerInput): void {
  let replies: Reply[] = []
  const engine = createEngine({
    directory,
    limits,
    exporters,
    arena: new Uint8Array(arena),
    clock: Date.now,
    reply: (reply) => replies.push(reply),
  })
  function send(): void {
    if (replies.length > 0) port.postMessage(replies, replies.flatMap(buffersOf))
    replies = []
  }
  port.on('message', (first: readonly Request[]) => {
    const group = [...first]
    while (group.length < GROUP_REQUESTS_MAX) {
      const next: { readonly message: readonly Request[] } | undefined = receiveMessageOnPort(port)
      if (next === undefined) break
      group.push(...next.message)
    }
    engine.run(group)
    send()
  })
  const timer = setInterval(() => {
    engine.tick()
    send()
  }, PROBE_INTERVAL_MS)
  port.on('close', () => clearInterval(timer))
}

/** Bytes that were read back move; copied, they would be there three times until the collector comes. */
function buffersOf(reply: Reply): readonly ArrayBuffer[] {
  if (reply.type !== 'answered') return []
  if (reply.answer.type === 'held_chunk')
    return reply.answer.chunk === undefined ? [] : [reply.answer.chunk.bytes.buffer]
  if (reply.answer.type !== 'parcels') return []
  return reply.answer.parcels.map(({ bytes }) => bytes.buffer)
}

const input: WorkerInput = workerData
serve(input)
