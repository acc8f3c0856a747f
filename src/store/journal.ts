/**
 * The journal: what is acknowledged is written here first, with one write and one sync, and most of it never anywhere
 * else, for it is delivered before its place is needed again.
 *
 *     laneway.journal-0   segment 8   records 0, 1, 2, … | what segment 4 left
 *     laneway.journal-1   segment 5
 *     laneway.journal-2   segment 6
 *     laneway.journal-3   segment 7
 *
 * The files are written over and over, so a sync has no size and no place to note. A segment may be written over once
 * nothing of it is wanted, or what still is has moved to the tables; which segments these are is the caller's to know.
 * Only the last record that was written can be torn: it was not acknowledged.
 *
 * All calls block. They throw what the file system throws.
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  openSync,
  readSync,
  unlinkSync,
  writevSync,
} from 'node:fs'
import { join } from 'node:path'
import { FILE_MODE, syncDirectory } from './directory.ts'
import { storageError } from './failure.ts'
import {
  decodeRecord,
  encodeRecord,
  type JournalRecord,
  RECORD_HEAD_BYTES,
  readRecordHead,
} from './journal-record.ts'
import { JOURNAL_GROWTH_BYTES, JOURNAL_SEGMENTS } from './limits.ts'

/** Where the bodies of a record begin. */
export interface JournalPlace {
  readonly segment: number
  readonly offset: number
}

export interface Journal {
  /** The segment that is written to. */
  readonly segment: number
  /** Makes a record durable. Undefined, and nothing written: there is no room for it in this segment. */
  write(record: JournalRecord, bodies: readonly Uint8Array[]): JournalPlace | undefined
  /** Begins the next segment, over what its file held. */
  advance(): void
  /** Memory of its own, which may be transferred to another thread. */
  read(place: JournalPlace, byteLength: number): Uint8Array<ArrayBuffer>
  /** The same in memory that the next call uses again. */
  peek(place: JournalPlace, byteLength: number): Uint8Array
  /** What its files may still grow by. */
  growthBytes(): number
  close(): void
  /** Closes it and deletes its files: nothing in them is wanted. */
  remove(): void
}

export interface JournalOptions {
  readonly directory: string
  readonly segmentBytes: number
  /** Segments up to this one are not wanted any more. */
  readonly foldedThrough: number
  /** Hears every record that is wanted, in the order that they were written in. */
  readonly onRecord: (record: JournalRecord, place: JournalPlace) => void
}

interface JournalFile {
  readonly descriptor: number
  byteLength: number
}

export function openJournal({ directory, segmentBytes, foldedThrough, onRecord }: JournalOptions): Journal {
  const files = new Map<number, JournalFile>()
  /** Of the segment that is written to. */
  let segment = foldedThrough
  let index = 0
  let position = 0
  /** For what is looked at and not kept: a segment that is folded would leave all its bytes to be collected. */
  let scratch = Buffer.alloc(0)

  function pathOf(file: number): string {
    return join(directory, `laneway.journal-${file}`)
  }

  function openFile(file: number, flags: 'r+' | 'wx+'): JournalFile {
    const descriptor = openSync(pathOf(file), flags, FILE_MODE)
    const opened = { descriptor, byteLength: fstatSync(descriptor).size }
    files.set(file, opened)
    return opened
  }

  function fileOf(number: number): JournalFile {
    const file = number % JOURNAL_SEGMENTS
    const known = files.get(file)
    if (known !== undefined) return known
    const made = openFile(file, 'wx+')
    syncDirectory(directory)
    return made
  }

  function peekAt(file: JournalFile, offset: number, byteLength: number): Buffer {
    if (scratch.byteLength < byteLength) scratch = Buffer.allocUnsafeSlow(byteLength)
    return readAt(file, offset, scratch.subarray(0, byteLength))
  }

  function whole<T extends Uint8Array>(bytes: T, byteLength: number): T {
    if (bytes.byteLength < byteLength) throw storageError('io', directory)
    return bytes
  }

  function replay(): void {
    const found: number[] = []
    for (let file = 0; file < JOURNAL_SEGMENTS; file++) {
      if (!existsSync(pathOf(file))) continue
      const head = readRecordHead(peekAt(openFile(file, 'r+'), 0, RECORD_HEAD_BYTES))
      const number = head?.segment ?? 0
      if (number > foldedThrough && number % JOURNAL_SEGMENTS === file) found.push(number)
    }
    for (const number of found.sort((left, right) => left - right)) replaySegment(number)
    segment = Math.max(foldedThrough, ...found) + 1
  }

  function replaySegment(number: number): void {
    const file = fileOf(number)
    let offset = 0
    for (let next = 0; ; next++) {
      const head = readRecordHead(peekAt(file, offset, RECORD_HEAD_BYTES))
      if (head === undefined || head.segment !== number || head.index !== next) return
      const byteLength = RECORD_HEAD_BYTES + head.headBytes + head.bodyBytes
      if (offset + byteLength > file.byteLength) return
      const record = decodeRecord(peekAt(file, offset, byteLength), head.headBytes)
      if (record === undefined) return
      onRecord(record, { segment: number, offset: offset + RECORD_HEAD_BYTES + head.headBytes })
      offset += byteLength
    }
  }

  function write(record: JournalRecord, bodies: readonly Uint8Array[]): JournalPlace | undefined {
    const head = encodeRecord({ segment, index }, record, bodies)
    const end = position + bodies.reduce((sum, { byteLength }) => sum + byteLength, head.byteLength)
    if (end > segmentBytes) return undefined
    const file = fileOf(segment)
    if (end > file.byteLength) grow(file, end)
    writeAt(file, [head, ...bodies], position)
    fdatasyncSync(file.descriptor)
    const place = { segment, offset: position + head.byteLength }
    position = end
    index++
    return place
  }

  /** Zeros are written ahead, so that most syncs find the file as long as it was. */
  function grow(file: JournalFile, needed: number): void {
    const grown = Math.min(segmentBytes, Math.ceil(needed / JOURNAL_GROWTH_BYTES) * JOURNAL_GROWTH_BYTES)
    const zeros = Array.from({ length: Math.ceil((grown - file.byteLength) / ZEROS.byteLength) }, (_, at) =>
      ZEROS.subarray(0, grown - file.byteLength - at * ZEROS.byteLength),
    )
    writeAt(file, zeros, file.byteLength)
    file.byteLength = grown
  }

  function growthBytes(): number {
    const grown = [...files.values()].reduce((sum, { byteLength }) => sum + byteLength, 0)
    return Math.max(0, JOURNAL_SEGMENTS * segmentBytes - grown)
  }

  function close(): void {
    for (const { descriptor } of files.values()) closeSync(descriptor)
    files.clear()
  }

  try {
    replay()
  } catch (error) {
    close()
    throw error
  }
  return {
    get segment() {
      return segment
    },
    write,
    advance() {
      segment++
      index = 0
      position = 0
    },
    read(place, byteLength) {
      const bytes = Buffer.allocUnsafeSlow(byteLength)
      return whole(readAt(fileOf(place.segment), place.offset, bytes), byteLength)
    },
    peek: (place, byteLength) => whole(peekAt(fileOf(place.segment), place.offset, byteLength), byteLength),
    growthBytes,
    close,
    remove() {
      const known = [...files.keys()]
      close()
      for (const file of known) unlinkSync(pathOf(file))
      syncDirectory(directory)
    },
  }
}

const ZEROS = Buffer.alloc(64 * 1024)

/** Fills `bytes`; returns less of them where the file ends. */
function readAt(
  { descriptor }: JournalFile,
  offset: number,
  bytes: Buffer<ArrayBuffer>,
): Buffer<ArrayBuffer> {
  let read = 0
  while (read < bytes.byteLength) {
    const count = readSync(descriptor, bytes, read, bytes.byteLength - read, offset + read)
    if (count === 0) break
    read += count
  }
  return bytes.subarray(0, read)
}

function writeAt({ descriptor }: JournalFile, parts: readonly Uint8Array[], offset: number): void {
  let position = offset
  for (let first = 0; first < parts.length; first += PARTS_MAX) {
    let left = parts.slice(first, first + PARTS_MAX)
    while (left.length > 0) {
      let written = writevSync(descriptor, left, position)
      position += written
      left = left.flatMap((part) => {
        const taken = Math.min(written, part.byteLength)
        written -= taken
        return taken === part.byteLength ? [] : [part.subarray(taken)]
      })
    }
  }
}

/** So many parts the kernel takes in one call. */
const PARTS_MAX = 1024
