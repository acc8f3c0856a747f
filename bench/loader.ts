/**
 * Sends one body again and again over kept-alive connections, and times each answer.
 *
 * In: a port, a body, and either "as fast as answers come" (closed loop) or a fixed rate. Out: counts and
 * percentiles. At a fixed rate a request is timed from when it was due, not from when a connection was free,
 * so that a stall is seen by all requests that it delayed. Raw sockets and one precomputed buffer a request.
 */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Body } from './bodies.ts'

export interface Load {
  readonly port: number
  readonly body: Body
  readonly connections: number
  readonly durationMs: number
  /** Undefined: closed loop. */
  readonly ratePerSecond: number | undefined
}

export interface LoadResult {
  /** Requests answered 2xx. */
  readonly accepted: number
  /** Requests answered 429 or 503: the bench waits a moment and goes on. */
  readonly refused: number
  /** Other answers, and connections that broke. */
  readonly failed: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const REFUSED_PAUSE_MS = 5
const HEAD_END = '\r\n\r\n'

/** Answers one request. `status` is 0 when the connection broke. */
interface Connection {
  readonly send: (request: Buffer) => Promise<number>
  readonly close: () => void
}

export function requestBytes(body: Body): Buffer {
  const coding = body.contentEncoding === 'identity' ? '' : `content-encoding: ${body.contentEncoding}\r\n`
  const head =
    `POST /v1/${body.signal} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: laneway-bench\r\n` +
    `content-type: ${body.contentType}\r\n${coding}content-length: ${body.bytes.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), body.bytes])
}

export async function runLoad(load: Load): Promise<LoadResult> {
  const request = requestBytes(load.body)
  const latenciesMs: number[] = []
  const counts = { accepted: 0, refused: 0, failed: 0 }
  const start = performance.now()
  const end = start + load.durationMs
  let dueCount = 0

  /** When the next request is due, or undefined when the load is over. */
  const nextDue = (): number | undefined => {
    const now = performance.now()
    if (load.ratePerSecond === undefined) return now < end ? now : undefined
    const due = start + (dueCount * 1000) / load.ratePerSecond
    dueCount += 1
    return due < end ? due : undefined
  }

  const work = async (): Promise<void> => {
    let connection = await openConnection(load.port)
    for (let due = nextDue(); due !== undefined; due = nextDue()) {
      await waitUntil(due)
      const status = await connection.send(request)
      if (status >= 200 && status < 300) {
        counts.accepted += 1
        latenciesMs.push(performance.now() - due)
      } else if (status === 429 || status === 503) {
        counts.refused += 1
        await sleep(REFUSED_PAUSE_MS)
      } else {
        counts.failed += 1
        connection.close()
        connection = await openConnection(load.port)
      }
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: load.connections }, work))

  const sorted = Float64Array.from(latenciesMs).sort()
  const seconds = (performance.now() - start) / 1000
  return { ...counts, seconds, p50Ms: percentile(sorted, 0.5), p99Ms: percentile(sorted, 0.99) }
}

/** Sends `count` requests one after another and answers their status codes. */
export async function sendRequests(port: number, body: Body, count: number): Promise<readonly number[]> {
  const connection = await openConnection(port)
  const request = requestBytes(body)
  const statuses: number[] = []
  for (let sent = 0; sent < count; sent += 1) statuses.push(await connection.send(request))
  connection.close()
  return statuses
}

function percentile(sorted: Float64Array, share: number): number {
  return sorted.length === 0
    ? Number.NaN
    : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

/** Timers are whole milliseconds, and latencies are less: the last two are spent turning the event loop. */
async function waitUntil(due: number): Promise<void> {
  const aheadMs = due - performance.now() - 2
  if (aheadMs > 0) await sleep(aheadMs)
  while (performance.now() < due) await new Promise<void>((resolve) => setImmediate(resolve))
}

function openConnection(port: number): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host: '127.0.0.1', port, noDelay: true })
    let answer: (status: number) => void = () => {}
    let received = Buffer.alloc(0)
    const settle = (status: number): void => {
      const waiting = answer
      answer = () => {}
      received = Buffer.alloc(0)
      waiting(status)
    }
    socket.on('data', (chunk) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
      const status = completeStatus(received)
      if (status !== undefined) settle(status)
    })
    socket.on('close', () => settle(0))
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.on('error', () => socket.destroy())
      resolve({
        send: (request) =>
          new Promise<number>((resolveStatus) => {
            answer = resolveStatus
            if (socket.destroyed) settle(0)
            else socket.write(request)
          }),
        close: () => socket.destroy(),
      })
    })
  })
}

/** The status of a response once it is here in full, else undefined. */
function completeStatus(received: Buffer): number | undefined {
  const headEnd = received.indexOf(HEAD_END)
  if (headEnd < 0) return undefined
  const head = received.toString('latin1', 0, headEnd)
  const status = Number(head.slice(9, 12))
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)
  if (length !== null) return received.length >= headEnd + 4 + Number(length[1]) ? status : undefined
  if (/\r\ntransfer-encoding: *chunked/i.test(head))
    return received.subarray(-5).toString('latin1') === '0\r\n\r\n' ? status : undefined
  return status
}
