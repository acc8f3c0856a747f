/**
 * The walk that tells whether bytes are canonical: `kernel/canonical.ts`, with the request in its memory.
 *
 * Scratch state: one request at a time. A large one does not keep its memory for ever.
 */
import { TABLE } from './canonical-plan.ts'
import { createKernel, type Kernel, moduleOf } from './kernel.ts'

/** Compiled once; it has no state. */
const module = moduleOf(new URL('./canonical.wasm', import.meta.url))

const pageBytes = 1 << 16
/** Behind a request above this size the next one gets a new instance. */
const keptBytesMax = 4 << 20
/** What may be read beyond the end of a request, to be thrown away. */
const slackBytes = 16

export class CanonicalWalk {
  #kernel: Kernel | undefined
  #isCanonical: (...values: readonly number[]) => number = () => 0
  /** Where a request starts in the memory. */
  #start = 0

  /** Points the walk at a request. */
  load(request: Uint8Array): void {
    const kernel = this.#kernel ?? this.#make()
    const bytesMissing = this.#start + request.length + slackBytes - kernel.bytes.length
    if (bytesMissing > 0) kernel.grow(Math.ceil(bytesMissing / pageBytes))
    kernel.bytes.set(request, this.#start)
    if (request.length > keptBytesMax) this.#kernel = undefined
  }

  /** Whether the message of `row` in `[start, end)` of the request is canonical. `levels` is how deep messages may nest in it. */
  isCanonical(row: number, start: number, end: number, levels: number): boolean {
    return this.#isCanonical(row, this.#start + start, this.#start + end, levels) !== 0
  }

  #make(): Kernel {
    const kernel = createKernel(module)
    const table = kernel.constant('TABLE')
    new Int32Array(kernel.bytes.buffer).set(TABLE, table >> 2)
    this.#start = table + TABLE.byteLength
    this.#isCanonical = kernel.call('isCanonical')
    this.#kernel = kernel
    return kernel
  }
}
