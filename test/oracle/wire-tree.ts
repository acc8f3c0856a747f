/**
 * Protobuf bytes as a tree of fields that can be shuffled and written again: what the mutations work on.
 *
 * Only messages that the oracle's types know are entered; everything else is kept as raw payload.
 */
import protobuf from 'protobufjs'
import { delimited, scalarOf, skip, typeOf } from './oracle.ts'

export interface WireField {
  readonly number: number
  readonly wireType: number
  /** Of a nested message: its fields. */
  children?: WireField[]
  readonly type?: protobuf.Type
  /** Of anything else: the bytes behind the tag, and behind the length where there is one. */
  readonly payload: Uint8Array
  /** Raw bytes that are written instead of the field, tag and length included. */
  readonly raw?: Uint8Array
}

export function readTree(type: protobuf.Type, bytes: Uint8Array): WireField[] {
  const reader = protobuf.Reader.create(bytes)
  const fields: WireField[] = []
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    const number = tag >>> 3
    const wireType = tag & 7
    if (wireType === 2) {
      const payload = new Uint8Array(delimited(reader))
      const field = type.fieldsById[number]
      const nested = field === undefined ? undefined : typeOf(field)
      if (nested === undefined) fields.push({ number, wireType, payload })
      else fields.push({ number, wireType, payload, type: nested, children: readTree(nested, payload) })
    } else {
      const start = reader.pos
      skip(reader, wireType)
      fields.push({ number, wireType, payload: new Uint8Array(bytes.subarray(start, reader.pos)) })
    }
  }
  return fields
}

/** How long a varint becomes: its canonical bytes and `extra` needless ones, ten at most in all. */
export type Stretch = () => number

const canonical: Stretch = () => 0

export function writeTree(fields: readonly WireField[], stretch: Stretch = canonical): Uint8Array {
  return Buffer.concat(fields.flatMap((field) => writeField(field, stretch)))
}

function writeField(field: WireField, stretch: Stretch): Uint8Array[] {
  if (field.raw !== undefined) return [field.raw]
  const tag = varintBytes(BigInt(field.number) * 8n + BigInt(field.wireType), stretch())
  if (field.wireType === 0) return [tag, varintBytes(varintValue(field.payload), stretch())]
  if (field.wireType !== 2) return [tag, field.payload]
  const payload = field.children === undefined ? field.payload : writeTree(field.children, stretch)
  return [tag, varintBytes(BigInt(payload.length), stretch()), payload]
}

export function varintBytes(value: bigint, extra = 0): Uint8Array {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  do {
    bytes.push(Number(rest & 127n) | 128)
    rest >>= 7n
  } while (rest > 0n)
  for (let more = 0; more < extra && bytes.length < 10; more++) bytes.push(128)
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) & 127
  return Uint8Array.from(bytes)
}

export function varintValue(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 7n) | BigInt(byte & 127), 0n)
}

/** The wire type that a field has when it is not packed. */
export function wireTypeOf(field: protobuf.Field): number {
  if (typeOf(field) !== undefined) return 2
  const scalar = scalarOf(field)
  if (scalar === 'string' || scalar === 'bytes') return 2
  if (scalar === 'double' || scalar.endsWith('fixed64')) return 1
  return scalar === 'fixed32' ? 5 : 0
}

/** Is it a number type, which may come packed when it is repeated? */
export function isPackable(field: protobuf.Field): boolean {
  return wireTypeOf(field) !== 2
}
