/**
 * OTLP/JSON for the oracle: its own reading of parsed JSON, and texts in every style that senders use.
 *
 * `readJson` takes what JSON.parse gives, so 64-bit integers must be strings, or small. `writeJson` writes
 * by hand, so that it can give 64-bit integers all their digits without quotes.
 */
import type protobuf from 'protobufjs'
import { isMessage, messageType, type OracleMessage, type OracleValue, scalarOf, typeOf } from './oracle.ts'

/** The object that the parsed OTLP/JSON means. Keys that OTLP does not know are ignored. */
export function readJson(message: string, parsed: unknown): OracleMessage {
  return readMessage(messageType(message), parsed)
}

function readMessage(type: protobuf.Type, parsed: unknown): OracleMessage {
  const message: OracleMessage = {}
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new Error('no object')
  const members = new Map(Object.entries(parsed))
  for (const field of type.fieldsArray) {
    const value: unknown = members.get(field.name)
    if (value === undefined || value === null) continue
    const read = (one: unknown): OracleValue => {
      const nested = typeOf(field)
      return nested === undefined ? readScalar(field, one) : readMessage(nested, one)
    }
    if (!field.repeated) {
      const one = read(value)
      const isZero = one === '' || one === false || one === 0n || Object.is(one, 0)
      if (!isZero || field.partOf !== null) message[field.name] = one
    } else if (Array.isArray(value) && value.length > 0) {
      message[field.name] = value.map(read)
    }
  }
  return message
}

const BIG = new Set(['int64', 'uint64', 'fixed64', 'sfixed64'])

function isId(field: protobuf.Field): boolean {
  return field.type === 'bytes' && /(trace|span)Id$/i.test(field.name)
}

function readScalar(field: protobuf.Field, value: unknown): OracleValue {
  const scalar = scalarOf(field)
  if (typeof value === 'boolean') return value
  if (typeof value === 'string') {
    if (isId(field)) return value.toLowerCase()
    if (scalar === 'bytes') return Buffer.from(value, 'base64').toString('hex')
    if (scalar === 'string') return value.toWellFormed()
  }
  if (typeof value !== 'string' && typeof value !== 'number') throw new Error('no scalar')
  return BIG.has(scalar) ? BigInt(value) : Number(value)
}

export interface JsonStyle {
  /** 64-bit integers as strings, or bare. */
  readonly quotedIntegers: boolean
  readonly pretty: boolean
  /** Every character of every string and key as a `\u` escape. */
  readonly escaped: boolean
  readonly upperCaseIds: boolean
  readonly base64: 'base64' | 'base64url'
  readonly reversedKeys: boolean
  /** `null` for every field that is absent. */
  readonly nulls: boolean
}

/** The object as OTLP/JSON. */
export function writeJson(message: string, object: OracleMessage, style: JsonStyle): string {
  return writeMessage(messageType(message), object, style)
}

function writeMessage(type: protobuf.Type, object: OracleMessage, style: JsonStyle): string {
  const members: string[] = []
  const space = style.pretty ? '\n \t\r' : ''
  for (const field of type.fieldsArray) {
    const value = object[field.name]
    const key = `${writeString(field.name, style)}${space}:${space}`
    if (value === undefined) {
      if (style.nulls) members.push(`${key}null`)
      continue
    }
    const write = (one: OracleValue): string => {
      const nested = typeOf(field)
      return nested !== undefined && isMessage(one)
        ? writeMessage(nested, one, style)
        : writeScalar(field, one, style)
    }
    const text = Array.isArray(value)
      ? `[${space}${value.map(write).join(`${space},${space}`)}${space}]`
      : write(value)
    members.push(`${key}${text}`)
  }
  if (style.reversedKeys) members.reverse()
  return `{${space}${members.join(`${space},${space}`)}${space}}`
}

function writeScalar(field: protobuf.Field, value: OracleValue, style: JsonStyle): string {
  if (typeof value === 'bigint')
    return style.quotedIntegers ? writeString(String(value), style) : String(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return writeString(String(value), style)
    return Object.is(value, -0) ? '-0' : String(value)
  }
  if (typeof value !== 'string') return String(value)
  if (isId(field)) return writeString(style.upperCaseIds ? value.toUpperCase() : value, style)
  if (field.type === 'bytes') return writeString(Buffer.from(value, 'hex').toString(style.base64), style)
  return writeString(value, style)
}

function writeString(text: string, style: JsonStyle): string {
  if (!style.escaped) return JSON.stringify(text)
  const units = Array.from({ length: text.length }, (_, at) =>
    text.charCodeAt(at).toString(16).padStart(4, '0'),
  )
  return `"${units.map((unit) => `\\u${unit}`).join('')}"`
}
