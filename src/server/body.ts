/**
 * Reads the body of one HTTP request as it is on the wire: within its limits, or not at all.
 *
 * Out: the bytes, or why there are none. A sender that trickles is cut off, so that it cannot hold memory for
 * ever; a sender that goes away leaves nothing behind. What is over a limit stays unread in the socket: the
 * caller answers and decides how much of the rest to take off it.
 */
import type { IncomingMessage } from 'node:http'
import { Bag, type Placed } from '../bag.ts'
import { type Body, Gathering, type GatherOptions } from './gathering.ts'

/** A body under way must bring at least `SLOW_BYTES_MIN` in every window of this length. */
export const SLOW_WINDOW_MS: number = 10_000
export const SLOW_BYTES_MIN: number = 10 * 1024

export type BodyOutcome = Body | 'too_large' | 'full' | 'slow' | 'malformed' | 'aborted'

/** One body under way. */
interface Reading extends Placed {
  readonly source: IncomingMessage
  readonly gathering: Gathering
  /** What had come at the last look; -1 before the first. */
  bytesSeen: number
  readonly fail: (outcome: 'slow' | 'malformed') => void
}

export interface BodyReader {
  read(source: IncomingMessage, options: GatherOptions): Promise<BodyOutcome>
  /** The parser gave up on a socket. True if a body was under way there: its reader hears `malformed`. */
  failOn(socket: unknown, outcome: 'slow' | 'malformed'): boolean
  /** Cuts off every body under way. */
  cut(): void
  close(): void
}

export function createBodyReader(options: {
  readonly slowWindowMs: number
  readonly slowBytesMin: number
}): BodyReader {
  const underWay = new Bag<Reading>()
  const timer = setInterval(cutSlow, options.slowWindowMs)
  timer.unref()

  function cutSlow(): void {
    for (const reading of underWay) {
      const { length } = reading.gathering
      const isSlow = reading.bytesSeen >= 0 && length - reading.bytesSeen < options.slowBytesMin
      reading.bytesSeen = length
      if (isSlow) reading.fail('slow')
    }
  }

  function read(source: IncomingMessage, gather: GatherOptions): Promise<BodyOutcome> {
    return new Promise((resolve) => {
      const gathering = new Gathering(gather)
      const reading: Reading = { source, gathering, bytesSeen: -1, fail, at: -1 }
      underWay.add(reading)

      function add(chunk: Uint8Array): void {
        const fault = gathering.add(chunk)
        if (fault !== undefined) fail(fault)
      }
      function fail(outcome: 'too_large' | 'full' | 'slow' | 'malformed' | 'aborted'): void {
        if (!underWay.delete(reading)) return
        source.off('data', add)
        source.pause()
        gathering.discard()
        resolve(outcome)
      }
      function end(): void {
        if (underWay.delete(reading)) resolve(gathering.finish())
      }
      source.on('data', add)
      source.on('end', end)
      // Comes after `end` too, and alone where the sender went away or the socket was destroyed.
      source.on('close', () => fail('aborted'))
    })
  }

  function failOn(socket: unknown, outcome: 'slow' | 'malformed'): boolean {
    for (const reading of underWay) {
      // A complete body only waits for its `end`: what is broken is the request behind it.
      if (reading.source.socket !== socket || reading.source.complete) continue
      reading.fail(outcome)
      return true
    }
    return false
  }

  function cut(): void {
    for (const reading of underWay) reading.fail('slow')
  }

  return { read, failOn, cut, close: () => clearInterval(timer) }
}
