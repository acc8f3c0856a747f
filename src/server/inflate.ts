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
import { MalformedRequest } from '../errors.ts'
import { announcedBytes, type Coding, createDecoder, decodeFrame, isOutputTooLarge } from './decoders.ts'
import type { Gate } from './gate.ts'
import { type Body, type GatherFault, Gathering, type GatherOptions } from './gathering.ts'
import { bufferPin } from './slabs.ts'

/** Wire bodies up to this size are decompressed at once … */
const SYNC_WIRE_BYTES_MAX = 64 * 1024
/** … if they stay under this size: some two milliseconds of work. */
const SYNC_BYTES_MAX = 2 * 1024 * 1024
/** A body may be made of several frames, but not of thousands of empty ones, each of which costs a decoder. */
const FRAMES_MAX = 256
/** Bounds and memory for the output, and the gate that large bodies wait at. */
export type InflateOptions = Omit<GatherOptions, 'bytesHint'> & { readonly gate: Gate }

/** Large bodies decompressed at once. Each may hold a window of 8 MiB that no budget sees; zlib has four threads. */
export const INFLATIONS_MAX: number = 4

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

/** Undefined if it is not one frame with a moderate output: then the frames are to be walked through. */
function inflateAtOnce(
  wire: Uint8Array,
  coding: Coding,
  options: InflateOptions,
): Body | undefined | GatherFault {
  const outputMax = Math.min(SYNC_BYTES_MAX, options.bytesMax)
  // What says that it is large is not tried here first: fifty bombs at once would be fifty times two milliseconds.
  if ((announcedBytes(wire, coding) ?? 0) > outputMax) return undefined
  let result: { readonly output: Buffer; readonly consumed: number }
  try {
    result = decodeFrame(wire, coding, outputMax)
  } catch (error) {
    if (!isOutputTooLarge(error)) throw malformed(coding, 0)
    return outputMax === options.bytesMax ? 'too_large' : undefined
  }
  if (result.consumed < wire.length) return undefined
  if (!options.reservation.grow(result.output.length)) return 'full'
  return { bytes: result.output, pin: bufferPin(result.output) }
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
    const engine = createDecoder(wire, coding)
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

function malformed(coding: Coding, offset: number): MalformedRequest {
  return new MalformedRequest(`the body is not whole and valid ${coding}, in the frame that begins`, {
    offset,
  })
}
