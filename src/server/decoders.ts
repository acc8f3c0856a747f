/**
 * The content-codings and zlib's decoders for them, one frame at a time.
 *
 * In: bytes that begin with a frame. Out: what is in that frame and how many bytes it had. What comes behind it is
 * the caller's: zlib says nothing of it.
 *
 * Source: RFC 9110 section 8.4.1; RFC 1950–1952; RFC 8878.
 */
import type { Transform } from 'node:stream'
import {
  constants,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  type Zlib,
  zstdDecompressSync,
} from 'node:zlib'

export type Coding = 'gzip' | 'deflate' | 'zstd'

/** What is told to a sender whose coding is not known. */
export const CODINGS_TAKEN = 'gzip, deflate, zstd'

/** 8 MiB. A zstd frame of a few bytes may ask for a window of 128 MiB. */
const ZSTD_WINDOW_LOG_MAX = 23
const STREAM_CHUNK_BYTES = 64 * 1024

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

/** A stream that ends at the end of the first frame; `bytesWritten` says where that was. */
export function createDecoder(wire: Uint8Array, coding: Coding): Zlib & Transform {
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

/** The first frame, decoded at once. Throws what zlib throws; see `isOutputTooLarge`. */
export function decodeFrame(
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

/** With a buffer of the right size nothing is joined afterwards, which halves the cost. */
function guessOutputBytes(wire: Uint8Array, coding: Coding, outputMax: number): number {
  const guess = announcedBytes(wire, coding) ?? wire.length * 6
  return Math.max(1024, Math.min(guess, wire.length * 64, outputMax)) + 64
}

/**
 * The length of the output, where the wire says it: gzip ends with it, modulo 2^32; a zstd frame may begin with it.
 * It may be a lie, so it may choose a way to decode but never be believed.
 */
export function announcedBytes(wire: Uint8Array, coding: Coding): number | undefined {
  // Shorter than any header with its trailer: nothing to be read.
  if (wire.length < 18) return undefined
  const bytes = new DataView(wire.buffer, wire.byteOffset, wire.length)
  if (coding === 'gzip') return bytes.getUint32(wire.length - 4, true)
  return coding === 'zstd' ? zstdContentBytes(bytes) : undefined
}

/** Frame_Content_Size of RFC 8878 section 3.1.1.1, if it is there and below 2^32. */
function zstdContentBytes(frame: DataView): number | undefined {
  const descriptor = frame.getUint8(4)
  const isSingleSegment = (descriptor & 0x20) !== 0
  const offset = 5 + (isSingleSegment ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]
  switch (descriptor >> 6) {
    case 0:
      return isSingleSegment ? frame.getUint8(offset) : undefined
    case 1:
      return frame.getUint16(offset, true) + 256
    default:
      return frame.getUint32(offset, true)
  }
}

/** HTTP's `deflate` is the zlib format; some senders leave its header off. A zlib header's low four bits are 8. */
function isZlibFormat(wire: Uint8Array): boolean {
  return (wire[0] & 0x0f) === 8
}

/** Whether zlib stopped because the output passed `maxOutputLength`. */
export function isOutputTooLarge(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
}
