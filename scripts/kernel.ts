/**
 * Compiles `kernel/` to the WebAssembly modules that src/ loads.
 *
 * In: AssemblyScript, which is TypeScript with the types of the machine. Out: `.wasm` files, which are committed, so that
 * a checkout runs without a build; a test compiles them again and compares.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

export interface KernelModule {
  readonly source: string
  readonly target: string
  /** Of memory, in 64 KiB. */
  readonly pages: number
  /** Whether the memory stays as large as it is. */
  readonly isFixed: boolean
}

export const KERNEL_MODULES: readonly KernelModule[] = [
  { source: 'kernel/spans/index.ts', target: 'src/policy/spans.wasm', pages: 28, isFixed: true },
  { source: 'kernel/canonical.ts', target: 'src/otlp/canonical.wasm', pages: 2, isFixed: false },
]

/** No runtime, no checks that trap, no imports: what comes out is what is written. */
const FLAGS: readonly string[] = [
  '-O3',
  '--noAssert',
  '--runtime',
  'stub',
  '--enable',
  'simd',
  '--use',
  'abort=',
]

/** Compiles one module to `file`. Throws what the compiler says. */
export function compileModule({ source, pages, isFixed }: KernelModule, file: string): void {
  const compiler = join(root, 'node_modules/assemblyscript/bin/asc.js')
  const memory = ['--initialMemory', `${pages}`, ...(isFixed ? ['--maximumMemory', `${pages}`] : [])]
  // The source by its path in the checkout: then the output is the same wherever that is.
  const run = spawnSync(process.execPath, [compiler, source, '--outFile', file, ...FLAGS, ...memory], {
    cwd: root,
    encoding: 'utf8',
  })
  if (run.status !== 0) throw new Error(`${source} does not compile:\n${run.stderr}`)
}

if (import.meta.main) {
  for (const module of KERNEL_MODULES) {
    const file = join(root, module.target)
    compileModule(module, file)
    process.stderr.write(`${module.target}: ${readFileSync(file).length} bytes\n`)
  }
}
