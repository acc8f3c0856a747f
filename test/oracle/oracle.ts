/**
 * The oracle of the property tests: OTLP bytes ↔ plain objects, by protobufjs reflection over `otlp.proto`.
 *
 * It shares no code with src. protobufjs gives the types and reads and writes primitives; what the bytes
 * mean is decided here as protobuf's encoding document says: a singular message given twice is merged, the
 * last scalar wins, the last member of a oneof clears the others, repeated scalars come packed or not, a
 * field of another wire type is an unknown field. Groups and field number 0 are refused.
 *
 * Shape of the objects: keys in lowerCamelCase; only what is present (a scalar without presence is absent
 * when it is zero); 64-bit integers are bigint, bytes are lower-case hex, enums are numbers.
 */
import { readFileSync } from 'node:fs'
import protobuf from 'protobufjs'

export type OracleValue = string | number | bigint | boolean | OracleMessage | OracleValue[]
export interface OracleMessage {
  [field: string]: OracleValue
}

export interface DecodeOptions {
  /** Keep unknown fields as `$unknown`: hex texts, tag included, in the order in which they came. */
  readonly keepUnknown?: boolean
}

const root = new protobuf.Root()
for (const file of ['otlp.proto', 'rpc.proto']) {
  protobuf.parse(readFileSync(new URL(file, import.meta.url), 'utf8'), root)
}
root.resolveAll()

/** The reflected message of a short name: `LogRecord`, `Span.Event`, `google.rpc.Status`. */
export function messageType(message: string): protobuf.Type {
  return root.lookupType(message)
}

/** What a correct protobuf parser makes of the bytes. Throws where one would. */
export function decode(message: string, bytes: Uint8Array, options: DecodeOptions = {}): OracleMessage {
  const target: OracleMessage = {}
  mergeInto(messageType(message), target, bytes, options)
  return target
}

/** Bytes of the object, fields in order of their number, canonical varints, repeated scalars packed. */
export function encode(message: string, object: OracleMessage): Uint8Array {
  return encodeType(messageType(message), object)
}

/** The messages in a repeated field; none where it is absent. */
export function messagesOf(message: OracleMessage, field: string): OracleMessage[] {
  const value = message[field]
  return Array.isArray(value) ? value.filter(isMessage) : []
}

/** The message in a singular field, or an empty one. */
export function messageOf(message: OracleMessage, field: string): OracleMessage {
  const value = message[field]
  return isMessage(value) ? value : {}
}

export function isMessage(value: OracleValue | undefined): value is OracleMessage {
  return typeof value === 'object' && !Array.isArray(value)
}

const WIRE_TYPES: Readonly<Record<string, number>> = {
  double: 1,
  fixed64: 1,
  sfixed64: 1,
  fixed32: 5,
  int32: 0,
  int64: 0,
  uint32: 0,
  uint64: 0,
  sint32: 0,
  bool: 0,
}

/** The scalar's name in protobuf; an enum reads as int32. */
export function scalarOf(field: protobuf.Field): string {
  return field.resolvedType instanceof protobuf.Enum ? 'int32' : field.type
}

/** The message type of a field, or undefined for a scalar. */
export function typeOf(field: protobuf.Field): protobuf.Type | undefined {
  return field.resolvedType instanceof protobuf.Type ? field.resolvedType : undefined
}

function mergeInto(
  type: protobuf.Type,
  target: OracleMessage,
  bytes: Uint8Array,
  options: DecodeOptions,
): void {
  const reader = protobuf.Reader.create(bytes)
  while (reader.pos < reader.len) {
    const start = reader.pos
    const tag = boundedVarint(reader)
    const number = tag >> 3n
    const wireType = Number(tag & 7n)
    if (number === 0n || number >= 1n << 29n) throw new Error('illegal field number')
    if (wireType === 3 || wireType === 4 || wireType > 5) throw new Error('illegal wire type')
    const field = type.fieldsById[Number(number)]
    if (field === undefined || !takeField(field, target, reader, wireType, options)) {
      skip(reader, wireType)
      if (options.keepUnknown === true) {
        append(target, '$unknown', [hexOf(bytes.subarray(start, reader.pos))])
      }
    }
  }
}

/** False when the wire type is not the field's: it is an unknown field then, and nothing has been read. */
function takeField(
  field: protobuf.Field,
  target: OracleMessage,
  reader: protobuf.Reader,
  wireType: number,
  options: DecodeOptions,
): boolean {
  const type = typeOf(field)
  const scalar = scalarOf(field)
  const packable = WIRE_TYPES[scalar] !== undefined
  if (field.repeated && packable && wireType === 2) {
    const packed = protobuf.Reader.create(delimited(reader))
    const values: OracleValue[] = []
    while (packed.pos < packed.len) values.push(readScalar(scalar, packed))
    append(target, field.name, values)
    return true
  }
  if (wireType !== (type === undefined ? (WIRE_TYPES[scalar] ?? 2) : 2)) return false
  for (const sibling of field.partOf?.fieldsArray ?? []) {
    if (sibling !== field) delete target[sibling.name]
  }
  if (type !== undefined) {
    const bytes = delimited(reader)
    const present = target[field.name]
    const message = !field.repeated && isMessage(present) ? present : {}
    mergeInto(type, message, bytes, options)
    if (field.repeated) append(target, field.name, [message])
    else target[field.name] = message
    return true
  }
  const value = readScalar(scalar, reader)
  if (field.repeated) append(target, field.name, [value])
  else if (field.partOf === null && isZero(value)) delete target[field.name]
  else target[field.name] = value
  return true
}

/** Adds to a list in place: a copy for each item would make large requests slow. */
function append(target: OracleMessage, key: string, values: readonly OracleValue[]): void {
  if (values.length === 0) return
  const list = target[key]
  if (Array.isArray(list)) list.push(...values)
  else target[key] = [...values]
}

function readScalar(scalar: string, reader: protobuf.Reader): OracleValue {
  switch (scalar) {
    case 'string':
      return Buffer.from(delimited(reader)).toString('utf8')
    case 'bytes':
      return hexOf(delimited(reader))
    case 'double':
      return reader.double()
    case 'fixed32':
      return reader.fixed32()
    case 'fixed64':
      return BigInt(reader.fixed64().toString())
    case 'sfixed64':
      return BigInt(reader.sfixed64().toString())
    case 'bool':
      return varint(reader) !== 0n
    case 'int32':
      return Number(BigInt.asIntN(32, varint(reader)))
    case 'uint32':
      return Number(BigInt.asUintN(32, varint(reader)))
    case 'sint32': {
      const zigzag = BigInt.asUintN(32, varint(reader))
      return Number((zigzag >> 1n) ^ -(zigzag & 1n))
    }
    case 'int64':
      return BigInt.asIntN(64, varint(reader))
    case 'uint64':
      return varint(reader)
    default:
      throw new Error(`no scalar of OTLP: ${scalar}`)
  }
}

/** The bytes behind a length. protobufjs's own refuses lengths that are written in more than five bytes. */
export function delimited(reader: protobuf.Reader): Uint8Array {
  const length = boundedVarint(reader)
  if (length > BigInt(reader.len - reader.pos)) throw new RangeError('length past the end')
  const bytes = reader.buf.subarray(reader.pos, reader.pos + Number(length))
  reader.pos += bytes.length
  return bytes
}

export function skip(reader: protobuf.Reader, wireType: number): void {
  if (wireType === 2) delimited(reader)
  else if (wireType === 0) varint(reader)
  else reader.skip(wireType === 1 ? 8 : 4)
}

function varint(reader: protobuf.Reader): bigint {
  return BigInt(reader.uint64().toString())
}

/** A tag's or a length's varint: parsers refuse one of over 64 bits, while of a value they drop what is beyond. */
function boundedVarint(reader: protobuf.Reader): bigint {
  const start = reader.pos
  const value = varint(reader)
  if (reader.pos - start === 10 && reader.buf[reader.pos - 1] > 1) throw new Error('varint over 64 bits')
  return value
}

function encodeType(type: protobuf.Type, object: OracleMessage): Uint8Array {
  const writer = protobuf.Writer.create()
  for (const field of type.fieldsArray.toSorted((a, b) => a.id - b.id)) {
    const value = object[field.name]
    if (value === undefined) continue
    const nested = typeOf(field)
    const scalar = scalarOf(field)
    const wireType = nested === undefined ? (WIRE_TYPES[scalar] ?? 2) : 2
    if (field.repeated && WIRE_TYPES[scalar] !== undefined) {
      const values = listOf(value)
      if (values.length === 0) continue
      writer.uint32((field.id << 3) | 2).fork()
      for (const one of values) writeScalar(writer, scalar, one)
      writer.ldelim()
      continue
    }
    for (const one of field.repeated ? listOf(value) : [value]) {
      if (nested !== undefined) {
        if (!isMessage(one)) throw new Error(`${field.name} must be a message`)
        writer.uint32((field.id << 3) | 2).bytes(encodeType(nested, one))
      } else if (field.repeated || field.partOf !== null || !isZero(one)) {
        writer.uint32((field.id << 3) | wireType)
        writeScalar(writer, scalar, one)
      }
    }
  }
  return new Uint8Array(writer.finish())
}

function writeScalar(writer: protobuf.Writer, scalar: string, value: OracleValue): void {
  if (typeof value === 'string') {
    writer.bytes(Buffer.from(value, scalar === 'bytes' ? 'hex' : 'utf8'))
  } else if (scalar === 'double') {
    writer.double(Number(value))
  } else if (scalar === 'fixed32') {
    writer.fixed32(Number(value))
  } else if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') {
    const integer = BigInt(value)
    const bits = BigInt.asUintN(64, scalar === 'sint32' ? (integer << 1n) ^ (integer >> 31n) : integer)
    if (scalar.endsWith('fixed64')) writer.fixed64(bits.toString())
    else writer.uint64(bits.toString())
  } else {
    throw new Error(`no value for ${scalar}`)
  }
}

function isZero(value: OracleValue): boolean {
  return value === '' || value === false || value === 0n || Object.is(value, 0)
}

function listOf(value: OracleValue | undefined): readonly OracleValue[] {
  return Array.isArray(value) ? value : []
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
