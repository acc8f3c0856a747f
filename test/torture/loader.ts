/**
 * Senders that send numbered items without a pause and write down what they were told.
 *
 * Every request ends in one of three ways: acknowledged (200 was read), refused (another status), or unknown (the
 * connection broke: it may have been taken or not). What was acknowledged must arrive; what was refused must not.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { IDS_PER_REQUEST, type NumberedItem, numberedRequest } from './items.ts'

export type Fate = 'acknowledged' | 'refused' | 'unknown'

export interface Book {
  nextId: number
  readonly fates: Map<number, { readonly item: NumberedItem; readonly fate: Fate }>
  /** Items by exporter and fate. */
  readonly counts: Map<string, number>
  /** Requests by status; 0: none came. */
  readonly answers: Map<number, number>
}

export function createBook(): Book {
  return { nextId: 1, fates: new Map(), counts: new Map(), answers: new Map() }
}

export function countOf({ counts }: Book, exporter: string, fate: Fate): number {
  return counts.get(`${exporter} ${fate}`) ?? 0
}

function write(book: Book, item: NumberedItem, fate: Fate): void {
  book.fates.set(item.id, { item, fate })
  for (const exporter of item.exporters) {
    book.counts.set(`${exporter} ${fate}`, countOf(book, exporter, fate) + 1)
  }
}

export interface LoadOptions {
  readonly receiver: string
  readonly book: Book
  readonly random: () => number
  readonly connections: number
  /** No request is begun once this says so; nor after the connection broke. */
  readonly isOver: () => boolean
  /** Between two requests of one connection. */
  readonly pauseMs: number
}

/** Ends when every request that was begun has its fate. */
export async function runLoad(options: LoadOptions): Promise<void> {
  const agent = new Agent({ connections: options.connections, pipelining: 1 })
  await Promise.all(Array.from({ length: options.connections }, () => runSender(options, agent)))
  await agent.destroy()
}

async function runSender(options: LoadOptions, agent: Agent): Promise<void> {
  const { receiver, book, random, isOver, pauseMs } = options
  while (!isOver()) {
    const { path, headers, body, items } = numberedRequest(book.nextId, random)
    book.nextId += IDS_PER_REQUEST
    let status = 0
    try {
      const response = await request(`${receiver}${path}`, {
        method: 'POST',
        headers,
        body,
        dispatcher: agent,
      })
      status = response.statusCode
      await response.body.dump()
    } catch {
      // A broken body changes nothing: the status was read.
    }
    const fate = status === 200 ? 'acknowledged' : status === 0 ? 'unknown' : 'refused'
    for (const item of items) write(book, item, fate)
    book.answers.set(status, (book.answers.get(status) ?? 0) + 1)
    if (status === 0) return
    await delay(fate === 'refused' ? 10 : pauseMs * random() * 2)
  }
}
