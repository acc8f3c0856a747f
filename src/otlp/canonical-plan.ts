/**
 * What is canonical, as tables: for a message and a tag, how its value must lie in the bytes.
 *
 * One flat table serves both walks: a message is a row of 256 entries, an entry says shape, occurrence bit and
 * the row of a nested message in one number. 0 is a field that no decoder reads. No field of OTLP has a number
 * above 16, so every known tag is below 256.
 * Source: protobuf.dev/programming-guides/encoding; opentelemetry-proto 1.11 by schema.ts.
 */
import { LEN } from './cursor.ts'
import { type Field, type Kind, MESSAGES, WIRE_TYPES } from './schema.ts'

/** No decoder reads it. */
export const UNKNOWN = 0
export const MESSAGE = 1
/** A list of KeyValue, which is nearly always written in one shape. */
export const ATTRIBUTES = 2
/** String or bytes: nothing in it can be wrong here. */
export const TEXT = 3
export const TRACE_ID = 4
export const SPAN_ID = 5
export const EIGHT_BYTES = 6
export const FOUR_BYTES = 7
export const PACKED_EIGHT_BYTES = 8
export const PACKED_VARINTS = 9
/** A field of the profiles signal: other signals treat it as absent. As a member of a oneof it clears the others. */
export const ABSENT = 10
/** The varints; of their 64 bits a decoder reads as many as the type has, so no others may leave. */
export const VARINT_64 = 11
export const VARINT_32 = 12
/** Negative numbers are extended to 64 bits. */
export const VARINT_SIGNED_32 = 13
export const VARINT_BOOL = 14

const SHAPE_BITS = 4
const OCCURRENCE_BITS = 17
const ROW_SHIFT = SHAPE_BITS + OCCURRENCE_BITS

/** The part of an entry that says its shape: one of the constants above. */
export const SHAPE_MASK: number = (1 << SHAPE_BITS) - 1
/** The part that is the bit of a field that may occur once; members of a oneof share theirs, lists have none. */
export const OCCURRENCE_MASK: number = (1 << ROW_SHIFT) - 1 - SHAPE_MASK

/** Tags of a message: the largest, of field 16, takes eight bits. */
export const ROW_SIZE = 256

/** Messages that may be nested in the request, one in the other. Protobuf's own decoders stop here too. */
export const LEVELS_MAX = 100

export const TRACE_ID_BYTES = 16
export const SPAN_ID_BYTES = 8

const SHAPES: Readonly<Record<Exclude<Kind, 'message' | 'hexId'>, number>> = {
  string: TEXT,
  bytes: TEXT,
  bool: VARINT_BOOL,
  int32: VARINT_SIGNED_32,
  enum: VARINT_SIGNED_32,
  uint32: VARINT_32,
  sint32: VARINT_32,
  int64: VARINT_64,
  uint64: VARINT_64,
  fixed32: FOUR_BYTES,
  fixed64: EIGHT_BYTES,
  sfixed64: EIGHT_BYTES,
  double: EIGHT_BYTES,
}

const messageNames = Object.keys(MESSAGES)

/** The entry of a tag is at row + tag. */
export const TABLE: Int32Array = compileTable()

/** Where the row of a message begins. */
export function rowOf(message: string): number {
  const index = messageNames.indexOf(message)
  if (index < 0) throw new Error(`no message of OTLP: ${message}`)
  return index * ROW_SIZE
}

/** Where the row of the message in a field begins. */
export function childRow(entry: number): number {
  return (entry >>> ROW_SHIFT) * ROW_SIZE
}

/** Which of the message's occurrence bits the entry has: 0 to 16, or -1 for a list. */
export function occurrenceIndex(entry: number): number {
  const bits = entry & OCCURRENCE_MASK
  return bits === 0 ? -1 : 31 - Math.clz32(bits) - SHAPE_BITS
}

export const OCCURRENCES_MAX: number = OCCURRENCE_BITS

function compileTable(): Int32Array {
  const table = new Int32Array(messageNames.length * ROW_SIZE)
  for (const fields of Object.values(MESSAGES).entries()) compileRow(table, ...fields)
  return table
}

function compileRow(table: Int32Array, rowIndex: number, fields: readonly Field[]): void {
  const singular = [...new Set(fields.filter((one) => !one.repeated).map(occurrenceName))]
  if (singular.length > OCCURRENCE_BITS) throw new Error('a message has more fields than an entry has bits')
  for (const field of fields) {
    const occurrence = field.repeated ? 0 : 1 << (SHAPE_BITS + singular.indexOf(occurrenceName(field)))
    const nested = field.message === undefined ? 0 : messageNames.indexOf(field.message) << ROW_SHIFT
    const set = (wireType: number, shape: number): void => {
      const tag = field.number * 8 + wireType
      if (tag >= ROW_SIZE) throw new Error('a field number needs a wider table')
      table[rowIndex * ROW_SIZE + tag] = nested | occurrence | shape
    }
    set(WIRE_TYPES[field.kind], shapeOf(field))
    if (field.packed) set(LEN, WIRE_TYPES[field.kind] === 1 ? PACKED_EIGHT_BYTES : PACKED_VARINTS)
  }
}

/** Members of a oneof count as one field: only the last that is set is read. */
function occurrenceName(field: Field): string {
  return field.oneof ?? field.name
}

function shapeOf(field: Field): number {
  if (/strindex$/i.test(field.name)) return ABSENT
  switch (field.kind) {
    case 'message':
      return field.repeated && field.message === 'KeyValue' ? ATTRIBUTES : MESSAGE
    case 'hexId':
      return field.name === 'traceId' ? TRACE_ID : SPAN_ID
    default:
      return SHAPES[field.kind]
  }
}
