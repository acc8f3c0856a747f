/**
 * What a sidecar asked of its disk and its sockets, in order, as strace saw it.
 *
 * In: the output of `strace` with STRACE_ARGUMENTS. Out: steps with the lines at which they began and ended. Calls of
 * several threads overlap: a step that ended before another began came before it, nothing else is known.
 */
import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import { idsIn } from './items.ts'

const TEXT_BYTES_MAX = 4_000_000

/** To be followed by the command. */
export const straceCommand = (output: string): readonly string[] => [
  'strace',
  ...['-f', '-y', '-qq', '-xx', '-s', String(TEXT_BYTES_MAX), '-o', output, '-e', 'signal=none'],
  ...['-e', 'trace=read,write,writev,pwrite64,pwritev,fsync,fdatasync,ftruncate'],
]

interface Span {
  /** Line numbers. */
  readonly begin: number
  readonly end: number
}

export interface DiskStep extends Span {
  readonly kind: 'write' | 'sync' | 'truncate'
  /** `laneway.db`, `laneway.db-wal`, or a file of the journal. */
  readonly file: string
  readonly offset: number
  /** Of a write. */
  readonly data: Buffer
}

/** A reply of 200 to a sender, and the items of the request that it answers. */
export interface Acknowledgement extends Span {
  readonly ids: readonly number[]
}

export interface Syscalls {
  readonly disk: readonly DiskStep[]
  readonly acknowledgements: readonly Acknowledgement[]
}

const CALL = /^(\w+)\(\d+<([^>]*)>(?:, ([\s\S]*))?\)\s+= (-?\d+)/
const UNFINISHED = ' <unfinished ...>'
const NOTHING = Buffer.alloc(0)

export async function readSyscalls(file: string): Promise<Syscalls> {
  const disk: DiskStep[] = []
  const acknowledgements: Acknowledgement[] = []
  const unfinished = new Map<string, { readonly text: string; readonly begin: number }>()
  const requestIds = new Map<string, number[]>()

  function take(text: string, span: Span): void {
    const found = CALL.exec(text)
    if (found === null || Number(found[4]) < 0) return
    const [, call, target, args = ''] = found
    const path = unescapeHex(target).toString()
    if (path.startsWith('socket:')) takeSocket({ call, socket: path, data: dataOf(args), span })
    else if (/laneway\.(?:db|db-wal|journal-\d)$/.test(path))
      takeDisk({ call, file: basename(path), args, span })
  }

  function takeDisk(step: { call: string; file: string; args: string; span: Span }): void {
    const { call, file, args, span } = step
    const offset = Number(/(\d+)$/.exec(args)?.[1] ?? 0)
    if (call === 'pwrite64' || call === 'pwritev') {
      // What strace has cut ends in dots; neither a page nor a part of the journal is so long.
      if (args.includes('"...')) throw new Error(`a write to ${file} is cut`)
      disk.push({ kind: 'write', file, offset, data: dataOf(args), ...span })
    } else if (call === 'ftruncate') disk.push({ kind: 'truncate', file, offset, data: NOTHING, ...span })
    else if (call.endsWith('sync')) disk.push({ kind: 'sync', file, offset: 0, data: NOTHING, ...span })
  }

  function takeSocket(step: { call: string; socket: string; data: Buffer; span: Span }): void {
    const { call, socket, data, span } = step
    if (call === 'read') {
      const ids = requestIds.get(socket) ?? []
      ids.push(...idsIn(data))
      requestIds.set(socket, ids)
    } else if (data.subarray(0, 12).toString('latin1') === 'HTTP/1.1 200') {
      acknowledgements.push({ ids: [...new Set(requestIds.get(socket) ?? [])], ...span })
      requestIds.delete(socket)
    } else if (data.subarray(0, 5).toString('latin1') === 'HTTP/') requestIds.delete(socket)
  }

  let line = 0
  for await (const text of createInterface({ input: createReadStream(file) })) {
    line++
    const [, thread, rest] = /^(\d+)\s+([\s\S]*)$/.exec(text) ?? []
    if (thread === undefined) continue
    const resumed = /^<\.\.\. \w+ resumed>/.exec(rest)
    if (rest.endsWith(UNFINISHED)) {
      unfinished.set(thread, { text: rest.slice(0, -UNFINISHED.length), begin: line })
    } else if (resumed !== null) {
      const first = unfinished.get(thread)
      unfinished.delete(thread)
      if (first !== undefined)
        take(first.text + rest.slice(resumed[0].length), { begin: first.begin, end: line })
    } else {
      take(rest, { begin: line, end: line })
    }
  }
  return { disk, acknowledgements }
}

/** All strings among the arguments, joined: writev has several. */
function dataOf(args: string): Buffer {
  const parts: Buffer[] = []
  for (let start = args.indexOf('"'); start !== -1; start = args.indexOf('"', start)) {
    const end = args.indexOf('"', start + 1)
    parts.push(unescapeHex(args.slice(start + 1, end)))
    start = end + 1
  }
  return Buffer.concat(parts)
}

function unescapeHex(text: string): Buffer {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex')
}
