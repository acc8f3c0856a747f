/**
 * A module of the kernel as it is loaded: an instance with memory of its own, and its exports under their names.
 *
 * In: a `.wasm` file, which is what a part of `kernel/` compiles to. Out: numbers and functions; nothing is interpreted
 * here. Offsets are of the instance's memory, in bytes.
 */
import { readFileSync } from 'node:fs'

export interface Kernel {
  /** The memory. Another one after `grow`. */
  readonly bytes: Uint8Array<ArrayBuffer>
  grow(pages: number): void
  /** An export that never changes: where a table starts, how large it is. */
  constant(name: string): number
  /** An export that a call may have changed. */
  variable(name: string): () => number
  call(name: string): (...values: readonly number[]) => number
}

export function moduleOf(file: URL): WebAssembly.Module {
  return new WebAssembly.Module(new Uint8Array(readFileSync(file)))
}

/** Throws if the module lacks what it is asked for. */
export function createKernel(module: WebAssembly.Module): Kernel {
  const { exports } = new WebAssembly.Instance(module)
  const { memory } = exports
  if (!(memory instanceof WebAssembly.Memory)) throw new Error('a module of the kernel has no memory')
  let bytes = new Uint8Array(memory.buffer)
  const globalOf = (name: string): WebAssembly.Global => {
    const found = exports[name]
    if (!(found instanceof WebAssembly.Global)) throw new Error(`the kernel has no value \`${name}\``)
    return found
  }
  return {
    get bytes() {
      return bytes
    },
    grow: (pages) => {
      memory.grow(pages)
      bytes = new Uint8Array(memory.buffer)
    },
    constant: (name) => Number(globalOf(name).value),
    variable: (name) => {
      const global = globalOf(name)
      return () => Number(global.value)
    },
    call: (name) => {
      const found = exports[name]
      if (typeof found !== 'function') throw new Error(`the kernel has no function \`${name}\``)
      return (...values) => Number(found(...values))
    },
  }
}
