/**
 * Reads a captured request for `explain`: as a client sent it, or as it lies in a file.
 *
 * In: a file's name or `-`, and what is said of its signal. Out: protobuf bytes and their signal. Coding and encoding
 * are told by content: gzip and zstd by their magic bytes, JSON by its first. Bounded as the receiver bounds a
 * request. Throws CommandError that names the file, never what is in it.
 */
import { open } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { CommandError, MalformedRequest } from '../errors.ts'
import { jsonToProtobuf } from '../otlp/json-to-protobuf.ts'
import { SIGNALS, type Signal } from '../otlp/signal.ts'
import { sniffSignal } from '../otlp/sniff.ts'
import { type Coding, decodeFrame, isOutputTooLarge } from '../server/decoders.ts'
import type { Io } from './io.ts'

export interface Capture {
  /** A path, or `-` for standard input. */
  readonly file: string
  /** Undefined: it is told by content, else by the file's name. */
  readonly signal: Signal | undefined
  /** On the wire and, separately, decompressed. */
  readonly bytesMax: number
}

export interface CapturedRequest {
  readonly signal: Signal
  /** One whole Export*ServiceRequest. */
  readonly bytes: Uint8Array
}

/** Undefined if the request is empty, so that it is of no signal. */
export async function readCapture(capture: Capture, io: Io): Promise<CapturedRequest | undefined> {
  const name = capture.file === '-' ? 'standard input' : capture.file
  const wire = await readWhole(capture, io)
  try {
    const body = inflate(wire, capture.bytesMax)
    const isJson = beginsAsJson(body)
    const signal = capture.signal ?? findSignal(body, isJson, basename(capture.file))
    if (signal === 'empty') return undefined
    return { signal, bytes: isJson ? jsonToProtobuf(body, signal) : body }
  } catch (error) {
    if (error instanceof MalformedRequest) throw new CommandError(`${name}: malformed: ${error.message}`)
    if (isOutputTooLarge(error)) throw tooLarge(name, capture.bytesMax)
    throw error
  }
}

async function readWhole({ file, bytesMax }: Capture, io: Io): Promise<Uint8Array> {
  if (file === '-') return gather('standard input', io.stdin(), bytesMax)
  try {
    const handle = await open(resolve(io.cwd, file))
    return await gather(file, handle.createReadStream(), bytesMax)
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error instanceof CommandError) throw error
    const fact = READ_FAILURES[String(error.code)] ?? error.message
    throw new CommandError(`${file}: ${fact}; name a file that holds one OTLP request, or \`-\``)
  }
}

const READ_FAILURES: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'is a folder',
  EACCES: 'may not be read',
}

async function gather(
  name: string,
  source: AsyncIterable<Uint8Array>,
  bytesMax: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.length
    if (bytes > bytesMax) throw tooLarge(name, bytesMax)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function tooLarge(name: string, bytesMax: number): CommandError {
  return new CommandError(
    `${name}: larger than ${bytesMax} bytes, so a sidecar would answer 413; receivers.otlp.protocols.http.max_request_body_size says how much it takes`,
  )
}

const MAGIC: Readonly<Record<Exclude<Coding, 'deflate'>, Buffer>> = {
  gzip: Buffer.from('1f8b', 'hex'),
  zstd: Buffer.from('28b52ffd', 'hex'),
}

/** No OTLP request begins like either. */
function codingOf(bytes: Uint8Array): Coding | undefined {
  if (MAGIC.gzip.equals(bytes.subarray(0, MAGIC.gzip.length))) return 'gzip'
  return MAGIC.zstd.equals(bytes.subarray(0, MAGIC.zstd.length)) ? 'zstd' : undefined
}

function inflate(wire: Uint8Array, bytesMax: number): Uint8Array {
  const coding = codingOf(wire)
  if (coding === undefined) return wire
  const frames: Uint8Array[] = []
  let offset = 0
  let left = bytesMax
  while (offset < wire.length) {
    const { output, consumed } = decodeFirst(wire, offset, coding, left)
    frames.push(output)
    left -= output.length
    offset += consumed
  }
  return Buffer.concat(frames)
}

function decodeFirst(
  wire: Uint8Array,
  offset: number,
  coding: Coding,
  bytesMax: number,
): ReturnType<typeof decodeFrame> {
  try {
    return decodeFrame(wire.subarray(offset), coding, bytesMax)
  } catch (error) {
    if (isOutputTooLarge(error)) throw error
    throw new MalformedRequest(`not whole and valid ${coding}, in the frame that begins`, { offset })
  }
}

/**
 * Whether an object opens there. A brace alone is no proof: `0a 7b` opens a protobuf request whose first resource has
 * 123 bytes, and `0a` is a blank of JSON too. A key that begins with a character to be seen is.
 */
function beginsAsJson(body: Uint8Array): boolean {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length)
  let start = 0
  while (BLANKS.has(bytes[start])) start++
  return /^\{[\t\n\r ]*(?:"[ -~\x80-\xff]|\})/.test(bytes.toString('latin1', start, start + openingBytes))
}

const BLANKS: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0d, 0x20])
const openingBytes = 4096

function findSignal(body: Uint8Array, isJson: boolean, name: string): Signal | 'empty' {
  const named = SIGNALS.find((signal) => name.includes(signal))
  try {
    return sniffSignal(body, isJson ? 'json' : 'proto')
  } catch (error) {
    if (!(error instanceof MalformedRequest)) throw error
    // Of which signal it is the walk must know to say what is wrong.
    if (named !== undefined) return named
    throw new CommandError(
      `${name}: of which signal it is cannot be told (${error.message}); say so by --signal ${SIGNALS.join('|')}`,
    )
  }
}
