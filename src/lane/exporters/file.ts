/**
 * The `file` exporter: one OTLP/JSON request a line, appended; rotated by size to `path.1`, `path.2`, ….
 *
 * A line is whole or not there. A write that fails half-way is taken back, and a torn last line that a crash left
 * behind is removed when the file is opened, so that no line follows another's half. Files are 0600, folders that
 * have to be made 0700: what is in them is as private as what was sent. What the disk refuses may succeed later.
 * Nothing is synced: this exporter promises what its queue promises, no more.
 */
import { type FileHandle, mkdir, open, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { FileExporterConfig } from '../../config/config.ts'
import { MalformedRequest } from '../../errors.ts'
import { protobufToJson } from '../../otlp/protobuf-to-json.ts'
import { SIGNAL_TRAITS } from '../../otlp/signal.ts'
import { batchChunks } from '../batch.ts'
import { type DeliveryOutcome, SENT, type Sender } from '../outcome.ts'

/** How often we look whether somebody moved or removed the file under us. */
const LOOK_INTERVAL_MS = 1000
const NEWLINE = 0x0a
const BRACE = 0x7b
const TAIL_BLOCK_BYTES: number = 64 * 1024

const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'free some space',
  EDQUOT: 'free some space or raise the quota',
  EROFS: 'mount it writable or change `path`',
  EACCES: 'make it writable for this user or change `path`',
  EPERM: 'make it writable for this user or change `path`',
  EISDIR: '`path` must be a file, not a folder',
  ENOTDIR: 'a part of `path` is no folder',
}

interface OpenFile {
  readonly handle: FileHandle
  readonly inode: number
  size: number
}

/** Expects one `send` at a time. */
export function createFileSender(
  config: FileExporterConfig,
  { clock }: { readonly clock: () => number },
): Sender {
  const { path, fileBytesMax, backupsMax } = config
  let file: OpenFile | undefined
  let lookedAtMs = 0

  async function append(line: Buffer): Promise<void> {
    if (file !== undefined && (await wasMoved(file))) await closeFile()
    file ??= await openForAppend(path)
    if (file.size > 0 && file.size + line.byteLength > fileBytesMax) {
      await closeFile()
      await rotate(path, backupsMax)
      file = await openForAppend(path)
    }
    await writeWhole(file, line)
  }

  async function wasMoved({ inode }: OpenFile): Promise<boolean> {
    if (Math.abs(clock() - lookedAtMs) < LOOK_INTERVAL_MS) return false
    lookedAtMs = clock()
    const found = await stat(path).catch(() => undefined)
    return found?.ino !== inode
  }

  async function closeFile(): Promise<void> {
    const closing = file
    file = undefined
    await closing?.handle.close()
  }

  return {
    joinsParcels: false,
    async send(signal, parcels) {
      try {
        const json = protobufToJson(batchChunks(parcels), SIGNAL_TRAITS[signal].requestMessage)
        await append(Buffer.from(`${json}\n`))
        return SENT
      } catch (error) {
        if (error instanceof MalformedRequest) return notJson(error)
        if (!isSystemError(error)) throw error
        // Opened anew for the next try: the folder may have been remounted, the file replaced.
        await closeFile().catch(() => {})
        return { kind: 'retryable', detail: describe(path, error), retryAfterMs: undefined }
      }
    },
    close: closeFile,
  }
}

async function openForAppend(path: string): Promise<OpenFile> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const handle = await open(path, 'a+', 0o600)
  try {
    const { ino, size } = await handle.stat()
    return { handle, inode: ino, size: await endLastLine(handle, size) }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Removes a torn last line if it is ours, ends it if it is not. Returns the file's size. */
async function endLastLine(handle: FileHandle, size: number): Promise<number> {
  const block = Buffer.alloc(TAIL_BLOCK_BYTES)
  let end = size
  let firstByteOfLine = NEWLINE
  while (end > 0) {
    const start = Math.max(0, end - block.byteLength)
    const { bytesRead } = await handle.read(block, 0, end - start, start)
    const newline = block.subarray(0, bytesRead).lastIndexOf(NEWLINE)
    if (newline !== -1) {
      if (newline + 1 < bytesRead) firstByteOfLine = block[newline + 1]
      end = start + newline + 1
      break
    }
    firstByteOfLine = block[0]
    end = start
  }
  if (end === size) return size
  if (firstByteOfLine === BRACE) {
    await handle.truncate(end)
    return end
  }
  await handle.write('\n')
  return size + 1
}

async function writeWhole(file: OpenFile, line: Buffer): Promise<void> {
  try {
    let written = 0
    while (written < line.byteLength) {
      const { bytesWritten } = await file.handle.write(line, written)
      written += bytesWritten
    }
  } catch (error) {
    await file.handle.truncate(file.size).catch(() => {})
    throw error
  }
  file.size += line.byteLength
}

/** `path.2` → `path.3`, `path.1` → `path.2`, `path` → `path.1`; the oldest goes. */
async function rotate(path: string, backupsMax: number): Promise<void> {
  if (backupsMax === 0) return unlink(path)
  for (let backup = backupsMax - 1; backup >= 1; backup--) {
    await rename(`${path}.${backup}`, `${path}.${backup + 1}`).catch(ignoreMissing)
  }
  await rename(path, `${path}.1`)
}

function ignoreMissing(error: unknown): void {
  if (!isSystemError(error) || error.code !== 'ENOENT') throw error
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && 'syscall' in error
}

function describe(path: string, { code }: { readonly code: string }): string {
  return `cannot write ${path}: ${code}; ${REMEDIES[code] ?? 'see that it can be written'}`
}

function notJson(error: MalformedRequest): DeliveryOutcome {
  return { kind: 'permanent', status: 0, message: `cannot be written as JSON: ${error.message}` }
}
