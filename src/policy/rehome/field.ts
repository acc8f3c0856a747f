/**
 * The small pieces that rehoming is made of: ids, times, keys, attributes, and fields that come in pieces.
 *
 * Offsets of things that are absent, or no use, are -1. Values are copied as bytes and never read.
 */
import { type Viewed, viewed } from '../../otlp/copy.ts'
import { type Cursor, LEN, tagOf } from '../../otlp/cursor.ts'
import type { ProtobufWriter } from '../../otlp/protobuf-writer.ts'

const KEY = tagOf(1, LEN)
const VALUE = tagOf(2, LEN)
const STRING = tagOf(1, LEN)

/** Sizes of ids in bytes. Ids of another size are no error: they are no link. */
export const traceIdBytes = 16
export const spanIdBytes = 8

const timeBytes = 8

/** A text where it lies: `[start, end)` of `source`. */
export interface TextRange {
  readonly source: Viewed
  readonly start: number
  readonly end: number
}

/** The attribute that says how an item came, as KeyValue bytes. */
export const REHOMED: Readonly<Record<'log_record' | 'span_event', Viewed>> = {
  log_record: viewed(attributeBytes('laneway.rehomed', 'log_record')),
  span_event: viewed(attributeBytes('laneway.rehomed', 'span_event')),
}

/** Offset of an id of `size` bytes that lies in `[start, end)`; -1 if it is of another size, or all zero. */
export function idAt(bytes: Uint8Array, start: number, end: number, size: number): number {
  if (end - start !== size) return -1
  return isZero(bytes, start, end) ? -1 : start
}

/** Offset of a fixed64 time; -1 for zero, which means that it is not known. */
export function timeAt(bytes: Uint8Array, start: number): number {
  return isZero(bytes, start, start + timeBytes) ? -1 : start
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0) return false
  return true
}

/** Whether `bytes[start, end)` is the key, or word, `wanted`. */
export function isText(wanted: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (wanted.length !== end - start) return false
  for (let index = 0; index < wanted.length; index++) if (wanted[index] !== bytes[start + index]) return false
  return true
}

/** Writes an id of `size` bytes as a field with `tag`; nothing if it is absent. All tags here are one byte. */
export function writeId(
  writer: ProtobufWriter,
  tag: number,
  source: Viewed,
  start: number,
  size: number,
): void {
  if (start < 0) return
  writer.byte(tag)
  writer.delimitedRange(source, start, start + size)
}

export function writeTime(writer: ProtobufWriter, tag: number, source: Viewed, start: number): void {
  if (start < 0) return
  writer.byte(tag)
  writer.range(source, start, start + timeBytes)
}

/** Writes a string field; nothing if it is empty. */
export function writeText(
  writer: ProtobufWriter,
  tag: number,
  source: Viewed,
  start: number,
  end: number,
): void {
  if (start >= end) return
  writer.byte(tag)
  writer.delimitedRange(source, start, end)
}

/** Writes a uint32 field; nothing if it is zero. */
export function writeCount(writer: ProtobufWriter, tag: number, count: number): void {
  if (count === 0) return
  writer.byte(tag)
  writer.varint(count)
}

/** Writes an AnyValue that holds a string, as a field with `tag`. */
export function writeStringValue(
  writer: ProtobufWriter,
  tag: number,
  source: Viewed,
  start: number,
  end: number,
): void {
  writer.byte(tag)
  const value = writer.open()
  writer.byte(STRING)
  writer.delimitedRange(source, start, end)
  writer.close(value)
}

/** Writes an attribute with a string for its value, as a field with `tag`. */
export function writeStringAttribute(
  writer: ProtobufWriter,
  tag: number,
  key: Viewed,
  { source, start, end }: TextRange,
): void {
  writer.byte(tag)
  const attribute = writer.open()
  writer.byte(KEY)
  writer.delimitedRange(key, 0, key.bytes.length)
  writeStringValue(writer, VALUE, source, start, end)
  writer.close(attribute)
}

/**
 * Writes a message as a field with `tag`: all its pieces, the fields with `wanted` in `[start, end)`, one behind
 * the other, which is how a decoder merges them. Nothing if there are none.
 */
export function writeMerged(
  writer: ProtobufWriter,
  tag: number,
  source: { readonly cursor: Cursor; readonly wanted: number; readonly start: number; readonly end: number },
): void {
  const { cursor, wanted, start, end } = source
  const before = writer.at
  writer.byte(tag)
  const message = writer.open()
  let pieces = 0
  cursor.at = start
  while (cursor.at < end) {
    const found = cursor.tag(end)
    if (found === wanted) {
      const pieceEnd = cursor.payloadEnd(end)
      writer.range(cursor, cursor.at, pieceEnd)
      cursor.at = pieceEnd
      pieces++
    } else {
      cursor.skip(found, end)
    }
  }
  if (pieces === 0) writer.at = before
  else writer.close(message)
}

function attributeBytes(key: string, value: string): Uint8Array {
  const text = (tag: number, of: Buffer): Buffer => Buffer.concat([Buffer.from([tag, of.length]), of])
  return Buffer.concat([text(KEY, Buffer.from(key)), text(VALUE, text(STRING, Buffer.from(value)))])
}
