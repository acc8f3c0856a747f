/**
 * The backend of the bench: answers 200 to everything and counts what arrived.
 *
 * In: OTLP/HTTP requests with a content-length, protobuf, or as they were sent by a blind proxy (gzip, JSON).
 * Out: totals of requests, bytes, log records, spans and span events. Raw sockets and a streaming counter, so that it
 * takes little of the core that it shares with the loader.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { ItemCounter } from './item-counter.ts'

export interface SinkTotals {
  requests: number
  bytes: number
  logRecords: number
  spans: number
  spanEvents: number
}

export interface Sink {
  readonly port: number
  readonly totals: Readonly<SinkTotals>
  /** Also count span events from now on: costs time, so it is off while measuring. */
  lookInside: (isOn: boolean) => void
  close: () => void
}

interface Counts {
  readonly items: number
  readonly spanEvents: number
}

const REPLY = Buffer.from(
  'HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n',
)
const HEAD_END = '\r\n\r\n'

interface Receiving {
  readonly signal: 'logs' | 'traces'
  readonly coding: 'protobuf' | 'json' | 'gzip'
  readonly byteLength: number
  remaining: number
  readonly counter: ItemCounter
  /** Kept only for codings that cannot be counted while they arrive. */
  readonly pieces: Buffer[]
}

export async function startSink(): Promise<Sink> {
  const totals: SinkTotals = { requests: 0, bytes: 0, logRecords: 0, spans: 0, spanEvents: 0 }
  const sockets = new Set<Socket>()
  // A coded body is decoded once for each length: the bench sends few different bodies, and decoding each would
  // take the core away from the loader.
  const countsByCodedLength = new Map<string, Counts>()
  let isLookingInside = false

  const settle = (receiving: Receiving): void => {
    const counts =
      receiving.coding === 'protobuf' ? receiving.counter : decodedCounts(receiving, countsByCodedLength)
    totals.requests += 1
    totals.bytes += receiving.byteLength
    totals.spanEvents += counts.spanEvents
    if (receiving.signal === 'logs') totals.logRecords += counts.items
    else totals.spans += counts.items
  }

  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    let head = Buffer.alloc(0)
    let receiving: Receiving | undefined
    socket.on('data', (chunk) => {
      let index = 0
      while (index < chunk.length) {
        if (receiving === undefined) {
          const piece =
            head.length === 0 ? chunk.subarray(index) : Buffer.concat([head, chunk.subarray(index)])
          const headEnd = piece.indexOf(HEAD_END)
          if (headEnd < 0) {
            head = Buffer.from(piece)
            return
          }
          receiving = parseHead(piece.toString('latin1', 0, headEnd), isLookingInside)
          index += headEnd + HEAD_END.length - head.length
          head = Buffer.alloc(0)
        }
        const end = Math.min(chunk.length, index + receiving.remaining)
        if (receiving.coding === 'protobuf') receiving.counter.feed(chunk, index, end)
        else receiving.pieces.push(chunk.subarray(index, end))
        receiving.remaining -= end - index
        index = end
        if (receiving.remaining === 0) {
          settle(receiving)
          receiving = undefined
          socket.write(REPLY)
        }
      }
    })
  })
  const port = await listen(server)
  return {
    port,
    totals,
    lookInside: (isOn) => {
      isLookingInside = isOn
    },
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function parseHead(head: string, isLookingInside: boolean): Receiving {
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)
  if (length === null) throw new Error('the sink reads requests with a content-length only')
  const byteLength = Number(length[1])
  return {
    signal: head.startsWith('POST /v1/traces') ? 'traces' : 'logs',
    coding: /\r\ncontent-encoding: *gzip/i.test(head)
      ? 'gzip'
      : /\r\ncontent-type: *application\/json/i.test(head)
        ? 'json'
        : 'protobuf',
    byteLength,
    remaining: byteLength,
    counter: new ItemCounter(isLookingInside),
    pieces: [],
  }
}

function decodedCounts(receiving: Receiving, countsByCodedLength: Map<string, Counts>): Counts {
  const key = `${receiving.coding}:${receiving.signal}:${receiving.byteLength}`
  const known = countsByCodedLength.get(key)
  if (known !== undefined) return known
  const bytes = Buffer.concat(receiving.pieces)
  const counts = receiving.coding === 'gzip' ? countProtobuf(gunzipSync(bytes)) : countJson(bytes.toString())
  countsByCodedLength.set(key, counts)
  return counts
}

function countProtobuf(bytes: Uint8Array): Counts {
  const counter = new ItemCounter(true)
  counter.feed(bytes, 0, bytes.length)
  return counter
}

function countJson(text: string): Counts {
  let items = 0
  let spanEvents = 0
  JSON.parse(text, (key, value: unknown) => {
    if ((key === 'logRecords' || key === 'spans') && Array.isArray(value)) items += value.length
    if (key === 'events' && Array.isArray(value)) spanEvents += value.length
    return value
  })
  return { items, spanEvents }
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (address === null || typeof address === 'string') reject(new Error('the sink has no port'))
      else resolve(address.port)
    })
  })
}
