/**
 * Undoes the content-coding of a request body: gzip, deflate, zstd.
 *
 * In: the whole body as it was on the wire, whose pin passes to this function. Out: the decompressed body, or the
 * limit that it broke; throws MalformedRequest if it cannot be decompressed to its last byte. Output is limited
 * and charged as it is made, so a bomb costs what the budget allows and no more. Small bodies are done at once,
 * because a round trip to the thread pool costs more than the work; the output of that is bounded, so that nothing
 * small can hold up the event loop.
 *
 * Source: RFC 9110 section 8.4.1; RFC 1950–1952; RFC 8878. zlib stops without a word at the end of the first zstd
 * frame or deflate stream: what is left over must be looked at here, else it would be lost behind a 200.
 */
import {
  constants,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  zstdDecompressSync,
} from 'node:zlib'
import { MalformedRequest } from '../errors.ts'
import { type Body, type GatherFault, Gathering, type GatherOptions, memoryBehind } from './gathering.ts'
import { heapPin } from './slabs.ts'

export type Coding = 'gzip' | 'deflate' | 'zstd'

/** What is told to a sender whose coding is not known. */
export const CODINGS_TAKEN = 'gzip, deflate, zstd'

/** Wire bodies up to this size are decompressed at once … */
const SYNC_WIRE_BYTES_MAX = 64 * 1024
/** … if they stay under this size: some two milliseconds of work. */
const SYNC_BYTES_MAX = 2 * 1024 * 1024
/** A body may be made of several frames, but not of thousands of empty ones, each of which costs a decoder. */
const FRAMES_MAX = 256
/** 8 MiB. A zstd frame of a few bytes may ask for a window of 128 MiB. */
const ZSTD_WINDOW_LOG_MAX = 23
const STREAM_CHUNK_BYTES = 64 * 1024

/** Bounds and memory for the output, and the gate that large bodies wait at. */
export type InflateOptions = Omit<GatherOptions, 'bytesHint'> & { readonly gate: Gate }

/** Lets so many tasks in at once; the others wait in order. */
export type Gate = <T>(task: () => Promise<T>) => Promise<T>

/** Large bodies decompressed at once. Each may hold a window of 8 MiB that no budget sees; zlib has four threads. */
export const INFLATIONS_MAX: number = 4

/** `identity` (or none) is undefined; a coding that is not taken, or a list of several, is `unknown`. */
export function parseCoding(header: string | undefined): Coding | undefined | 'unknown' {
  if (header === undefined) return undefined
  switch (header.trim().toLowerCase()) {
    case '':
    case 'identity':
    case 'none':
      return undefined
    case 'gzip':
    case 'x-gzip':
      return 'gzip'
    case 'deflate':
      return 'deflate'
    case 'zstd':
      return 'zstd'
    default:
      return 'unknown'
  }
}

export async function inflate(
  wire: Body,
  coding: Coding,
  options: InflateOptions,
): Promise<Body | GatherFault> {
  try {
    const inflated =
      wire.bytes.length <= SYNC_WIRE_BYTES_MAX ? inflateAtOnce(wire.bytes, coding, options) : undefined
    return inflated ?? (await options.gate(() => inflateFrames(wire.bytes, coding, options)))
  } finally {
    wire.pin.release()
  }
}

export function createGate(countMax: number): Gate {
  const waiting: (() => void)[] = []
  let count = 0
  return async (task) => {
    if (count === countMax) await new Promise<void>((resolve) => waiting.push(resolve))
    else count += 1
    try {
      return await task()
    } finally {
      // A place passes straight to the next in line: nobody who comes later can slip in between.
      const next = waiting.shift()
      if (next === undefined) count -= 1
      else next()
    }
  }
}

/** Undefined if it is not one frame with a moderate output: then the frames are to be walked through. */
function inflateAtOnce(
  wire: Uint8Array,
  coding: Coding,
  options: InflateOptions,
): Body | undefined | GatherFault {
  const outputMax = Math.min(SYNC_BYTES_MAX, options.bytesMax)
  let result: { readonly output: Buffer; readonly consumed: number }
  try {
    result = inflateSyncFrame(wire, coding, outputMax)
  } catch (error) {
    if (!isOutputTooLarge(error)) throw malformed(coding, 0)
    return outputMax === options.bytesMax ? 'too_large' : undefined
  }
  if (result.consumed < wire.length) return undefined
  if (!options.reservation.grow(result.output.length)) return 'full'
  return { bytes: result.output, pin: heapPin(memoryBehind(result.output)) }
}

async function inflateFrames(
  wire: Uint8Array,
  coding: Coding,
  options: InflateOptions,
): Promise<Body | GatherFault> {
  const gathering = new Gathering({ ...options, bytesHint: wire.length * 4 })
  let offset = 0
  let frames = 0
  try {
    do {
      if (frames === FRAMES_MAX)
        throw new MalformedRequest('the body has too many compressed frames', { offset })
      const consumed = await inflateFrame(wire.subarray(offset), coding, gathering)
      if (consumed === 'too_large' || consumed === 'full') {
        gathering.discard()
        return consumed
      }
      if (consumed === 'malformed' || consumed === 0) throw malformed(coding, offset)
      offset += consumed
      frames += 1
    } while (offset < wire.length)
    return gathering.finish()
  } catch (error) {
    gathering.discard()
    throw error
  }
}

/** Resolves to the count of wire bytes that the frame had. */
function inflateFrame(
  wire: Uint8Array,
  coding: Coding,
  gathering: Gathering,
): Promise<number | GatherFault | 'malformed'> {
  return new Promise((resolve) => {
    const engine = createEngine(wire, coding)
    engine.on('data', (chunk: Buffer) => {
      const fault = gathering.add(chunk)
      if (fault === undefined) return
      resolve(fault)
      engine.destroy()
    })
    engine.on('end', () => resolve(engine.bytesWritten))
    engine.on('error', () => resolve('malformed'))
    engine.end(wire)
  })
}

function createEngine(wire: Uint8Array, coding: Coding) {
  const chunkSize = STREAM_CHUNK_BYTES
  switch (coding) {
    case 'gzip':
      return createGunzip({ chunkSize })
    case 'deflate':
      return isZlibFormat(wire) ? createInflate({ chunkSize }) : createInflateRaw({ chunkSize })
    case 'zstd':
      return createZstdDecompress({ chunkSize, params: ZSTD_PARAMS })
  }
}

function inflateSyncFrame(
  wire: Uint8Array,
  coding: Coding,
  maxOutputLength: number,
): { readonly output: Buffer; readonly consumed: number } {
  const options = { info: true, maxOutputLength, chunkSize: guessOutputBytes(wire, coding, maxOutputLength) }
  switch (coding) {
    case 'gzip':
      return readInfo(gunzipSync(wire, options))
    case 'deflate':
      return readInfo(isZlibFormat(wire) ? inflateSync(wire, options) : inflateRawSync(wire, options))
    case 'zstd':
      return readInfo(zstdDecompressSync(wire, { ...options, params: ZSTD_PARAMS }))
  }
}

const ZSTD_PARAMS = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX }

/** With `info` zlib returns its engine too, which the declared types do not say. */
function readInfo(result: unknown): { readonly output: Buffer; readonly consumed: number } {
  if (typeof result === 'object' && result !== null && 'buffer' in result && 'engine' in result) {
    const { buffer, engine } = result
    if (
      Buffer.isBuffer(buffer) &&
      typeof engine === 'object' &&
      engine !== null &&
      'bytesWritten' in engine
    ) {
      const consumed = engine.bytesWritten
      if (typeof consumed === 'number') return { output: buffer, consumed }
    }
  }
  throw new Error('zlib did not say how much it consumed')
}

/**
 * How large an output buffer to begin with: with the right one nothing is joined afterwards, which halves the cost.
 * gzip ends with the length modulo 2^32; the others do not say. It is only a guess, within bounds.
 */
function guessOutputBytes(wire: Uint8Array, coding: Coding, outputMax: number): number {
  const guess =
    coding === 'gzip' && wire.length >= 18
      ? new DataView(wire.buffer, wire.byteOffset + wire.length - 4, 4).getUint32(0, true)
      : wire.length * 6
  return Math.max(1024, Math.min(guess, wire.length * 64, outputMax)) + 64
}

/** HTTP's `deflate` is the zlib format; some senders leave its header off. A zlib header's low four bits are 8. */
function isZlibFormat(wire: Uint8Array): boolean {
  return (wire[0] & 0x0f) === 8
}

function isOutputTooLarge(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
}

function malformed(coding: Coding, offset: number): MalformedRequest {
  return new MalformedRequest(`the body is not whole and valid ${coding}, in the frame that begins`, {
    offset,
  })
}
