/**
 * Reads an AnyValue that must be known by its content: to hash or to cut it.
 *
 * A value may come in pieces, which are merged; of its members the last that is set is the value. Arrays, kvlists
 * and bytes are named, not read. Source: opentelemetry-proto 1.11, common/v1, and proto3's rules for oneofs.
 */
import { type Cursor, FIXED64, LEN, tagOf, VARINT } from './cursor.ts'

/** `text` is a string's range, or a number or bool in its JSON spelling. */
export type ScalarReading =
  | { readonly kind: 'none' | 'opaque' }
  | { readonly kind: 'string'; readonly start: number; readonly end: number }
  | { readonly kind: 'spelt'; readonly text: string }

const STRING = tagOf(1, LEN)
const BOOL = tagOf(2, VARINT)
const INT = tagOf(3, VARINT)
const DOUBLE = tagOf(4, FIXED64)
export const ARRAY: number = tagOf(5, LEN)
export const KVLIST: number = tagOf(6, LEN)
const BYTES = tagOf(7, LEN)
const STRINDEX = tagOf(8, VARINT)

/** Reads the pieces of one AnyValue, given as ranges. */
export function readScalar(cursor: Cursor, pieces: readonly (readonly [number, number])[]): ScalarReading {
  let reading: ScalarReading = { kind: 'none' }
  for (const [start, end] of pieces) {
    cursor.at = start
    while (cursor.at < end) {
      const tag = cursor.tag(end)
      const at = cursor.at
      switch (tag) {
        case STRING: {
          const stringEnd = cursor.payloadEnd(end)
          reading = { kind: 'string', start: cursor.at, end: stringEnd }
          cursor.at = stringEnd
          break
        }
        case BOOL:
        case INT: {
          cursor.skip(tag, end)
          const value = varint64(cursor.bytes, at, cursor.at)
          reading = {
            kind: 'spelt',
            text: tag === BOOL ? String(value !== 0n) : String(BigInt.asIntN(64, value)),
          }
          break
        }
        case DOUBLE:
          cursor.skip(tag, end)
          reading = { kind: 'spelt', text: spellDouble(cursor.bytes, at) }
          break
        case ARRAY:
        case KVLIST:
        case BYTES:
        case STRINDEX:
          cursor.skip(tag, end)
          reading = { kind: 'opaque' }
          break
        default:
          cursor.skip(tag, end)
      }
    }
  }
  return reading
}

function varint64(bytes: Uint8Array, start: number, end: number): bigint {
  let value = 0n
  for (let at = end - 1; at >= start; at--) value = (value << 7n) | BigInt(bytes[at] & 0x7f)
  return BigInt.asUintN(64, value)
}

/** As JSON writes it; what JSON cannot write, by OTLP's names. */
function spellDouble(bytes: Uint8Array, at: number): string {
  const value = new DataView(bytes.buffer, bytes.byteOffset + at, 8).getFloat64(0, true)
  if (Object.is(value, -0)) return '-0'
  return String(value)
}
