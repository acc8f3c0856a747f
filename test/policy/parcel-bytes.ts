/**
 * A parcel's bytes, and whether what stays in it stays byte for byte.
 *
 * Works on raw fields, tag and length included, so that unknown fields and needlessly long varints count too.
 */
import { deepStrictEqual, ok } from 'node:assert/strict'
import protobuf from 'protobufjs'
import type { RoutedParcel } from '../../src/policy/route.ts'
import { delimited, skip } from '../oracle/oracle.ts'

/** The parcel's bytes, written where other bytes stand already. */
export function bytesOf(parcel: RoutedParcel, request: Uint8Array): Uint8Array {
  const { content } = parcel
  if (content === undefined) return request
  if (content instanceof Uint8Array) return content
  const { byteLength } = content
  const target = new Uint8Array(byteLength + 9).fill(0xa5)
  content.write(target, 4)
  ok(
    target.subarray(0, 4).every((byte) => byte === 0xa5) &&
      target.subarray(4 + byteLength).every((byte) => byte === 0xa5),
    'a splice writes within its length',
  )
  return target.slice(4, 4 + byteLength)
}

interface RawField {
  readonly number: number
  readonly wireType: number
  readonly raw: string
  readonly payload: Uint8Array
}

function rawFields(bytes: Uint8Array): readonly RawField[] {
  const reader = protobuf.Reader.create(bytes)
  const fields: RawField[] = []
  while (reader.pos < reader.len) {
    const start = reader.pos
    const tag = BigInt(reader.uint64().toString())
    const wireType = Number(tag & 7n)
    let payload = new Uint8Array()
    if (wireType === 2) payload = new Uint8Array(delimited(reader))
    else skip(reader, wireType)
    const raw = Buffer.from(bytes.subarray(start, reader.pos)).toString('hex')
    fields.push({ number: Number(tag >> 3n), wireType, raw, payload })
  }
  return fields
}

const SPAN_EVENT = 11
const DROPPED_EVENTS = 12

/**
 * Asserts that `parcel` holds nothing but fields of `request`, in their order: of the request, of its resource
 * entries, of their scope entries, and whole items; of a span that lost events, its other fields.
 */
export function assertVerbatim(parcel: Uint8Array, request: Uint8Array, levels = 2): void {
  const isNested = (field: RawField): boolean =>
    field.wireType === 2 && (levels === 2 ? field.number === 1 : field.number === 2)
  const before = rawFields(request)
  const after = rawFields(parcel)
  const others = (fields: readonly RawField[]) => fields.filter((one) => !isNested(one)).map((one) => one.raw)
  deepStrictEqual(others(after), others(before))
  const candidates = before.filter(isNested)
  let next = 0
  for (const kept of after.filter(isNested)) {
    while (next < candidates.length && !isSame(kept, candidates[next], levels)) next++
    ok(next < candidates.length, 'what stays is a field of the request')
    next++
  }
}

function isSame(kept: RawField, candidate: RawField, levels: number): boolean {
  if (kept.raw === candidate.raw) return true
  try {
    if (levels > 0) assertVerbatim(kept.payload, candidate.payload, levels - 1)
    else assertSpanVerbatim(kept.payload, candidate.payload)
    return true
  } catch {
    return false
  }
}

function assertSpanVerbatim(kept: Uint8Array, candidate: Uint8Array): void {
  const isEvent = (field: RawField): boolean => field.number === SPAN_EVENT && field.wireType === 2
  const isCount = (field: RawField): boolean => field.number === DROPPED_EVENTS && field.wireType === 0
  const before = rawFields(candidate)
  const after = rawFields(kept)
  const others = (fields: readonly RawField[]) =>
    fields.filter((one) => !isEvent(one) && !isCount(one)).map((one) => one.raw)
  deepStrictEqual(others(after), others(before))
  const events = before.filter(isEvent).map((one) => one.raw)
  const eventsKept = after.filter(isEvent).map((one) => one.raw)
  ok(eventsKept.length < events.length, 'only a span that lost an event differs')
  let next = 0
  for (const event of eventsKept) {
    next = events.indexOf(event, next) + 1
    ok(next > 0, 'an event that stays is an event of the span')
  }
}
