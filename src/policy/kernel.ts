/**
 * The kernel as it is loaded: one instance with memory of its own, and its exports under their names.
 *
 * In: `kernel.wasm`, which is what `kernel/` compiles to. Out: numbers and functions; nothing is interpreted here.
 * The memory has a fixed size, so views of it stay good. Offsets are of that memory, in bytes.
 */
import { readFileSync } from 'node:fs'

/** Compiled once; it has no state. */
const module = new WebAssembly.Module(new Uint8Array(readFileSync(new URL('./kernel.wasm', import.meta.url))))

export interface Kernel {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly numbers: Int32Array<ArrayBuffer>
  /** An export that never changes: where a table starts, how large it is. */
  constant(name: string): number
  /** An export that a call may have changed. */
  variable(name: string): () => number
  call(name: string): (...values: readonly number[]) => number
}

/** Throws if the file is not the kernel that this version was made with. */
export function createKernel(): Kernel {
  const { exports } = new WebAssembly.Instance(module)
  const { memory } = exports
  if (!(memory instanceof WebAssembly.Memory)) throw new Error('kernel.wasm has no memory')
  const globalOf = (name: string): WebAssembly.Global => {
    const found = exports[name]
    if (!(found instanceof WebAssembly.Global)) throw new Error(`kernel.wasm has no value \`${name}\``)
    return found
  }
  const call = (name: string): ((...values: readonly number[]) => number) => {
    const found = exports[name]
    if (typeof found !== 'function') throw new Error(`kernel.wasm has no function \`${name}\``)
    return (...values) => Number(found(...values))
  }
  return {
    bytes: new Uint8Array(memory.buffer),
    numbers: new Int32Array(memory.buffer),
    constant: (name) => Number(globalOf(name).value),
    variable: (name) => {
      const global = globalOf(name)
      return () => Number(global.value)
    },
    call,
  }
}
