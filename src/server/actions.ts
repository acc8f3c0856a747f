/**
 * What the admin port does when it is asked by POST: a body of JSON in, an answer of JSON out.
 *
 * The body is bounded in size and must be one JSON value. What a person can mend is answered with a plain word; what
 * the store refuses with 503. Source: contract section 4.
 */
import type { IncomingMessage } from 'node:http'
import { CommandError, StorageError } from '../errors.ts'

/** Throws CommandError for what whoever asks can mend. */
export type Action = (body: unknown) => Promise<object>

export interface ActionAnswer {
  readonly status: number
  readonly body: object
}

/** Some ten thousand ids. */
const BODY_BYTES_MAX = 128 * 1024

export async function act(request: IncomingMessage, action: Action): Promise<ActionAnswer> {
  const text = await readText(request)
  if (text === undefined) return refusal(413, `the body is over ${BODY_BYTES_MAX} bytes`)
  const body = parse(text)
  if (body === undefined) return refusal(400, 'the body is not JSON')
  return answerFrom(() => action(body.value))
}

/** What `ask` gives, or why it cannot be given. */
export async function answerFrom(ask: () => object | Promise<object>): Promise<ActionAnswer> {
  try {
    return { status: 200, body: await ask() }
  } catch (error) {
    if (error instanceof CommandError) return refusal(error.exitCode === 2 ? 400 : 409, error.message)
    if (error instanceof StorageError) return refusal(503, error.message)
    throw error
  }
}

async function readText(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of request) {
    if (!(chunk instanceof Uint8Array)) continue
    bytes += chunk.byteLength
    if (bytes > BODY_BYTES_MAX) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parse(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

function refusal(status: number, error: string): ActionAnswer {
  return { status, body: { error } }
}
