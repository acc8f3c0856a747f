/**
 * Byte-level mutations of a request: those that keep its meaning, and those that break it.
 *
 * `mutateKeepingMeaning` uses every liberty that protobuf gives a writer; the oracle decodes both to the
 * same object. `breakBytes` makes one fault, at a place that it names, with all lengths around it right.
 * Both are deterministic in their seed.
 */
import type protobuf from 'protobufjs'
import { messageType, typeOf } from './oracle.ts'
import { isPackable, readTree, varintBytes, type WireField, wireTypeOf, writeTree } from './wire-tree.ts'

export const LIBERTIES = [
  'reorder',
  'split_message',
  'overlong_varint',
  'unknown_field',
  'wrong_wire_type',
  'earlier_scalar',
  'earlier_oneof_member',
  'explicit_zero',
  'repack',
] as const
export type Liberty = (typeof LIBERTIES)[number]

export interface MeaningKept {
  readonly bytes: Uint8Array
  /** What was really done, in no order; a liberty may find no place to be taken. */
  readonly applied: readonly Liberty[]
}

export interface MutateOptions {
  /** Which liberties may be taken; all by default. */
  readonly liberties?: readonly Liberty[]
  /** How likely each is at each place; 0.3 by default. */
  readonly rate?: number
}

type Random = () => number

/** The same meaning in other bytes. */
export function mutateKeepingMeaning(
  bytes: Uint8Array,
  message: string,
  seed: number,
  options: MutateOptions = {},
): MeaningKept {
  const random = randomOf(seed)
  const rate = options.rate ?? 0.3
  const allowed = new Set<Liberty>(options.liberties ?? LIBERTIES)
  const applied = new Set<Liberty>()
  const take = (liberty: Liberty): boolean => {
    if (!allowed.has(liberty) || random() >= rate) return false
    applied.add(liberty)
    return true
  }
  const type = messageType(message)
  const tree = mutateFields(type, readTree(type, bytes), random, take)
  const stretch = () => (take('overlong_varint') ? 1 + Math.floor(random() * 9) : 0)
  return { bytes: writeTree(tree, stretch), applied: [...applied] }
}

type Take = (liberty: Liberty) => boolean

/** `isPiece`: another piece of the same message stands elsewhere, so nothing here may clear what that one says. */
function mutateFields(
  type: protobuf.Type,
  fields: readonly WireField[],
  random: Random,
  take: Take,
  isPiece = false,
): WireField[] {
  const out: WireField[] = []
  for (const wire of fields) {
    const field = type.fieldsById[wire.number]
    if (take('unknown_field')) out.push(unknownField(type, random))
    if (field === undefined) {
      out.push(wire)
      continue
    }
    if (take('wrong_wire_type')) out.push(wrongWireType(field, random))
    if (!field.repeated && wire.children === undefined && take('earlier_scalar')) {
      out.push({ ...wire, payload: otherPayload(wire, random) })
    }
    const siblings = (field.partOf?.fieldsArray ?? []).filter((one) => one !== field)
    // Between two occurrences of a message in a oneof it would clear the first.
    const isFirst = !out.some((one) => one.number === wire.number)
    if (siblings.length > 0 && isFirst && !isPiece && take('earlier_oneof_member'))
      out.push(someValue(pick(siblings, random), random))
    if (wire.children !== undefined && wire.type !== undefined) {
      const isSplit = !field.repeated && fields.some((one) => one !== wire && one.number === wire.number)
      const children = mutateFields(
        wire.type,
        wire.children,
        random,
        take,
        isSplit || (isPiece && !field.repeated),
      )
      if (!field.repeated && take('split_message')) {
        const at = Math.floor(random() * (children.length + 1))
        out.push({ ...wire, children: children.slice(0, at) }, { ...wire, children: children.slice(at) })
      } else {
        out.push({ ...wire, children })
      }
    } else if (field.repeated && isPackable(field) && take('repack')) {
      out.push(...repack(field, wire, random))
    } else {
      out.push(wire)
    }
  }
  if (take('unknown_field')) out.push(unknownField(type, random))
  for (const field of type.fieldsArray) {
    const absent = !fields.some((wire) => wire.number === field.id)
    const implicit = !field.repeated && field.partOf === null && typeOf(field) === undefined
    if (absent && implicit && !isPiece && take('explicit_zero')) out.unshift(zeroValue(field))
  }
  return take('reorder') ? reorder(type, out, random) : out
}

/** Shuffles, but leaves fields whose order has a meaning in order: those of one number, or of one oneof. */
function reorder(type: protobuf.Type, fields: readonly WireField[], random: Random): WireField[] {
  const groups = new Map<string, WireField[]>()
  const order: string[] = []
  for (const wire of fields) {
    const key = type.fieldsById[wire.number]?.partOf?.name ?? `#${wire.number}`
    const group = groups.get(key) ?? []
    groups.set(key, group)
    group.push(wire)
    order.push(key)
  }
  for (let at = order.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1))
    const key = order[at]
    order[at] = order[other]
    order[other] = key
  }
  return order.flatMap((key) => groups.get(key)?.shift() ?? [])
}

function repack(field: protobuf.Field, wire: WireField, random: Random): WireField[] {
  const width = wireTypeOf(field)
  if (wire.wireType !== width && wire.wireType !== 2) return [wire]
  if (wire.wireType === width) {
    return [{ number: wire.number, wireType: 2, payload: wire.payload }]
  }
  const values: Uint8Array[] = []
  for (let start = 0; start < wire.payload.length; ) {
    let end = start
    if (width === 1) end = start + 8
    else if (width === 5) end = start + 4
    else {
      while (wire.payload[end] >= 128) end++
      end++
    }
    values.push(wire.payload.slice(start, end))
    start = end
  }
  return values.map((payload) =>
    random() < 0.5
      ? { number: wire.number, wireType: 2, payload }
      : { number: wire.number, wireType: width, payload },
  )
}

function unknownField(type: protobuf.Type, random: Random): WireField {
  const numbers = [4, 19, 99, 1000, 2047, 2048, 65_536, 2 ** 28, 2 ** 29 - 1]
  const free = numbers.filter((number) => type.fieldsById[number] === undefined)
  return payloadOf(pick(free, random), pick([0, 1, 2, 5], random), random)
}

function wrongWireType(field: protobuf.Field, random: Random): WireField {
  const right = wireTypeOf(field)
  const wrong = [0, 1, 2, 5].filter((one) => one !== right && !(one === 2 && field.repeated))
  return payloadOf(field.id, pick(wrong, random), random)
}

function payloadOf(number: number, wireType: number, random: Random): WireField {
  const bytes = (length: number) => Uint8Array.from({ length }, () => Math.floor(random() * 256))
  if (wireType === 0)
    return { number, wireType, payload: varintBytes(BigInt(Math.floor(random() * 2 ** 40))) }
  if (wireType === 2) return { number, wireType, payload: bytes(Math.floor(random() * 20)) }
  return { number, wireType, payload: bytes(wireType === 1 ? 8 : 4) }
}

/** A value that a later occurrence of the same field replaces. */
function otherPayload(wire: WireField, random: Random): Uint8Array {
  if (wire.wireType === 2)
    return Buffer.from(pick(['', 'codex_otel.trace_safe', 'other', 'CANARY-EARLIER'], random))
  if (wire.wireType === 0) return varintBytes(BigInt(Math.floor(random() * 300)))
  return wire.payload.map((byte) => byte ^ 0x55)
}

function someValue(field: protobuf.Field, random: Random): WireField {
  const wireType = wireTypeOf(field)
  if (wireType !== 2) return payloadOf(field.id, wireType, random)
  return {
    number: field.id,
    wireType,
    payload: field.type === 'string' ? Buffer.from('earlier') : new Uint8Array(),
  }
}

function zeroValue(field: protobuf.Field): WireField {
  const wireType = wireTypeOf(field)
  const length = { 0: 1, 1: 8, 2: 0, 5: 4 }[wireType] ?? 0
  return { number: field.id, wireType, payload: new Uint8Array(length) }
}

export const FAULTS = [
  'lying_length',
  'start_group',
  'end_group',
  'illegal_wire_type',
  'varint_of_11_bytes',
  'length_of_11_bytes',
  'field_number_0',
  'truncated',
] as const
export type Fault = (typeof FAULTS)[number]

export interface Broken {
  readonly bytes: Uint8Array
  readonly fault: Fault
  /** The message that holds the fault: names of the fields from the request down, `scopeLogs.logRecords`; empty for the request. */
  readonly path: string
}

export interface BreakOptions {
  readonly faults?: readonly Fault[]
  /** `envelope`: only in the request, its resource entries and their scope entries, where every walk must look. */
  readonly where?: 'envelope' | 'anywhere'
}

/** Bytes that no protobuf parser takes, wherever it looks at `path`. */
export function breakBytes(
  bytes: Uint8Array,
  message: string,
  seed: number,
  options: BreakOptions = {},
): Broken {
  const random = randomOf(seed)
  const type = messageType(message)
  const tree = readTree(type, bytes)
  const fault = pick(options.faults ?? FAULTS, random)
  const places = placesOf(type, tree, '', options.where === 'envelope' ? 2 : undefined)
  const place = pick(places, random)
  if (fault === 'truncated') return { bytes: truncated(tree, random), fault, path: '' }
  const raw = faultyField(fault, random)
  const atEnd = fault === 'lying_length' || fault === 'varint_of_11_bytes'
  const at = atEnd ? place.fields.length : Math.floor(random() * (place.fields.length + 1))
  place.fields.splice(at, 0, { number: 0, wireType: 0, payload: raw, raw })
  return { bytes: writeTree(tree), fault, path: place.path }
}

interface BreakPlace {
  readonly fields: WireField[]
  readonly path: string
}

/** Every message of the tree; with `levels` 2 only request, resource entries and scope entries. */
function placesOf(type: protobuf.Type, fields: WireField[], path: string, levels?: number): BreakPlace[] {
  const places: BreakPlace[] = [{ fields, path }]
  if (levels === 0) return places
  for (const wire of fields) {
    if (wire.children === undefined || wire.type === undefined) continue
    const field = type.fieldsById[wire.number]
    if (levels !== undefined && !field.repeated) continue
    places.push(
      ...placesOf(
        wire.type,
        wire.children,
        path === '' ? field.name : `${path}.${field.name}`,
        levels === undefined ? undefined : levels - 1,
      ),
    )
  }
  return places
}

function faultyField(fault: Fault, random: Random): Uint8Array {
  const eleven = Uint8Array.from([...Array(10).fill(0x80), 0x00])
  const number = pick([1, 2, 3, 15], random)
  switch (fault) {
    case 'lying_length':
      return Buffer.concat(
        [
          [number * 8 + 2],
          varintBytes(
            pick([1n, 2n, 1000n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n], random),
          ),
        ].map((part) => Uint8Array.from(part)),
      )
    case 'start_group':
      return Uint8Array.from(random() < 0.5 ? [number * 8 + 3, number * 8 + 4] : [number * 8 + 3])
    case 'end_group':
      return Uint8Array.from([number * 8 + 4])
    case 'illegal_wire_type':
      return Uint8Array.from([number * 8 + pick([6, 7], random), 0])
    case 'varint_of_11_bytes':
      return eleven
    case 'length_of_11_bytes':
      return Buffer.concat([Uint8Array.from([number * 8 + 2]), eleven])
    default:
      return Uint8Array.from([pick([0, 1, 2, 5], random), 0, 0, 0, 0, 0, 0, 0, 0])
  }
}

/** Cut inside the last field, so that what is left ends in the middle of one. */
function truncated(tree: readonly WireField[], random: Random): Uint8Array {
  const whole = tree.length > 0 ? tree : [{ number: 1, wireType: 2, payload: new Uint8Array(5) }]
  const before = writeTree(whole.slice(0, -1)).length
  const bytes = writeTree(whole)
  return bytes.slice(0, before + 1 + Math.floor(random() * (bytes.length - before - 1)))
}

function pick<Value>(values: readonly Value[], random: Random): Value {
  return values[Math.floor(random() * values.length)]
}

/** mulberry32: small, and the same on every machine. */
function randomOf(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
