/**
 * The files of a store as they may be found after the power failed at a given moment.
 *
 * What was written before a sync that has ended is there. What was written later may be there or not, in any
 * combination, and each write may be torn at a sector. Whether a file exists is not part of it.
 */
import type { DiskStep } from './syscalls.ts'

const SECTOR_BYTES = 512

/** `line` is the moment. Files by name. */
export function filesAfterPowerLoss(
  steps: readonly DiskStep[],
  line: number,
  random: () => number,
): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>()
  for (const file of new Set(steps.map((step) => step.file))) {
    const own = steps.filter((step) => step.file === file && step.begin <= line)
    const syncs = own.filter(({ kind, end }) => kind === 'sync' && end <= line)
    const syncedUntil = Math.max(0, ...syncs.map(({ begin }) => begin))
    let content: Buffer = Buffer.alloc(0)
    for (const step of own) {
      if (step.end < syncedUntil) content = apply(content, step, step.data.length)
      else if (random() < 0.5) content = apply(content, step, tornLength(step.data.length, random))
    }
    files.set(file, content)
  }
  return files
}

function tornLength(length: number, random: () => number): number {
  if (random() < 0.7) return length
  return Math.floor((random() * length) / SECTOR_BYTES) * SECTOR_BYTES
}

function apply(content: Buffer, { kind, offset, data }: DiskStep, length: number): Buffer {
  if (kind === 'sync') return content
  if (kind === 'truncate') {
    return offset <= content.length ? content.subarray(0, offset) : grown(content, offset)
  }
  const target = grown(content, offset + length)
  data.copy(target, offset, 0, length)
  return target
}

function grown(content: Buffer, size: number): Buffer {
  if (size <= content.length) return content
  return Buffer.concat([content, Buffer.alloc(size - content.length)])
}
