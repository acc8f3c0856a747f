/**
 * A record of the journal: what one group of requests brought, as bytes, and back.
 *
 *     magic u32 | checksum u32 | segment f64 | index u32 | head bytes u32 | body bytes u32 | head, JSON | bodies
 *
 * Numbers are little-endian. The checksum is CRC-32 of all behind it. A record that was torn by a crash, or that an
 * earlier segment left in the same file, does not match and ends its segment.
 */
import { crc32 } from 'node:zlib'
import type { Departure, NumberedParcel } from './messages.ts'

/** The departures come first: they are of older parcels. The bytes of the parcels are the bodies, in their order. */
export interface JournalRecord {
  readonly departures: readonly Departure[]
  readonly parcels: readonly NumberedParcel[]
}

/** Which record of which segment. Both count from 0; a record's number says nothing without its segment. */
export interface RecordPlace {
  readonly segment: number
  readonly index: number
}

export interface RecordHead extends RecordPlace {
  readonly checksum: number
  readonly headBytes: number
  readonly bodyBytes: number
}

export const RECORD_HEAD_BYTES = 28

const MAGIC = 0x4c_77_6a_31
const CHECKSUM_AT = 4
const CHECKED_FROM = 8

/** All of a record but its bodies, which are to be written behind it as they are. */
export function encodeRecord(
  { segment, index }: RecordPlace,
  record: JournalRecord,
  bodies: readonly Uint8Array[],
): Buffer {
  const text = JSON.stringify(record)
  const headBytes = Buffer.byteLength(text)
  const bytes = Buffer.allocUnsafe(RECORD_HEAD_BYTES + headBytes)
  bytes.writeUInt32LE(MAGIC, 0)
  bytes.writeDoubleLE(segment, 8)
  bytes.writeUInt32LE(index, 16)
  bytes.writeUInt32LE(headBytes, 20)
  bytes.writeUInt32LE(
    bodies.reduce((sum, { byteLength }) => sum + byteLength, 0),
    24,
  )
  bytes.write(text, RECORD_HEAD_BYTES)
  const checksum = bodies.reduce((sum, body) => crc32(body, sum), crc32(bytes.subarray(CHECKED_FROM)))
  bytes.writeUInt32LE(checksum, CHECKSUM_AT)
  return bytes
}

/** Undefined: these are not the first RECORD_HEAD_BYTES of a record. */
export function readRecordHead(bytes: Buffer): RecordHead | undefined {
  if (bytes.byteLength < RECORD_HEAD_BYTES || bytes.readUInt32LE(0) !== MAGIC) return undefined
  return {
    checksum: bytes.readUInt32LE(CHECKSUM_AT),
    segment: bytes.readDoubleLE(8),
    index: bytes.readUInt32LE(16),
    headBytes: bytes.readUInt32LE(20),
    bodyBytes: bytes.readUInt32LE(24),
  }
}

/** `bytes` is the whole record. Undefined: it is not what was written. */
export function decodeRecord(bytes: Buffer, { checksum, headBytes }: RecordHead): JournalRecord | undefined {
  if (crc32(bytes.subarray(CHECKED_FROM)) !== checksum) return undefined
  const record: JournalRecord = JSON.parse(
    bytes.toString('utf8', RECORD_HEAD_BYTES, RECORD_HEAD_BYTES + headBytes),
  )
  return record
}
