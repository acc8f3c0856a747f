/**
 * A record of the journal: what one group of requests brought, as bytes, and back.
 *
 *     magic u32 | checksum u32 | segment f64 | index u32
 *     head bytes u32 | body bytes u32 | checksum u32 | head, JSON | bodies
 *
 * Numbers are little-endian. The first checksum is of all behind it but the bodies, the second is of these. A record that
 * was torn by a crash, or that an earlier segment left in the same file, does not match and ends its segment.
 */
import { checksum } from './checksum.ts'
import type { Departure, NumberedParcel } from './messages.ts'

/** The departures come first: they are of older parcels. The bytes of the parcels are the bodies, in their order. */
export interface JournalRecord {
  readonly departures: readonly Departure[]
  readonly parcels: readonly NumberedParcel[]
}

/** Which record of which segment. Both count up; a record's number says nothing without its segment. */
export interface RecordPlace {
  readonly segment: number
  readonly index: number
}

export interface RecordHead extends RecordPlace {
  readonly headBytes: number
  readonly bodyBytes: number
}

export const RECORD_HEAD_BYTES = 32

const MAGIC = 0x4c_77_6a_31
const SUM_AT = 4
const SUMMED_FROM = 8
const SEGMENT_AT = 8
const INDEX_AT = 16
const HEAD_BYTES_AT = 20
const BODY_BYTES_AT = 24
const BODY_SUM_AT = 28

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
  bytes.writeDoubleLE(segment, SEGMENT_AT)
  bytes.writeUInt32LE(index, INDEX_AT)
  bytes.writeUInt32LE(headBytes, HEAD_BYTES_AT)
  bytes.writeUInt32LE(totalOf(bodies), BODY_BYTES_AT)
  bytes.writeUInt32LE(sumOf(bodies), BODY_SUM_AT)
  bytes.write(text, RECORD_HEAD_BYTES)
  bytes.writeUInt32LE(checksum(bytes.subarray(SUMMED_FROM)), SUM_AT)
  return bytes
}

/** Undefined: these are not the first RECORD_HEAD_BYTES of a record. */
export function readRecordHead(bytes: Buffer): RecordHead | undefined {
  if (bytes.byteLength < RECORD_HEAD_BYTES || bytes.readUInt32LE(0) !== MAGIC) return undefined
  const segment = bytes.readDoubleLE(SEGMENT_AT)
  if (!Number.isSafeInteger(segment)) return undefined
  return {
    segment,
    index: bytes.readUInt32LE(INDEX_AT),
    headBytes: bytes.readUInt32LE(HEAD_BYTES_AT),
    bodyBytes: bytes.readUInt32LE(BODY_BYTES_AT),
  }
}

/** `bytes` is the whole record, `headBytes` of its RecordHead. Undefined: it is not what was written. */
export function decodeRecord(bytes: Buffer, headBytes: number): JournalRecord | undefined {
  const bodiesAt = RECORD_HEAD_BYTES + headBytes
  if (checksum(bytes.subarray(SUMMED_FROM, bodiesAt)) !== bytes.readUInt32LE(SUM_AT)) return undefined
  const record: JournalRecord = JSON.parse(bytes.toString('utf8', RECORD_HEAD_BYTES, bodiesAt))
  let at = bodiesAt
  const bodies = record.parcels.map(({ byteLength }) => {
    at += byteLength
    return bytes.subarray(at - byteLength, at)
  })
  return sumOf(bodies) === bytes.readUInt32LE(BODY_SUM_AT) ? record : undefined
}

function totalOf(bodies: readonly Uint8Array[]): number {
  return bodies.reduce((sum, { byteLength }) => sum + byteLength, 0)
}

function sumOf(bodies: readonly Uint8Array[]): number {
  return bodies.reduce((sum, body) => checksum(body, sum), 0)
}
