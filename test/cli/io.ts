/** A command's surroundings in a test: a folder, an environment, and what was written. */
import type { Io } from '../../src/cli/io.ts'

export interface TestIo {
  readonly io: Io
  readonly out: () => string
  readonly err: () => string
}

export function createIo(cwd: string, env: Io['env'] = {}, stdin: readonly Uint8Array[] = []): TestIo {
  const out: string[] = []
  const err: string[] = []
  const io: Io = {
    stdout: (text) => out.push(text),
    stderr: (text) => err.push(text),
    stdin: async function* () {
      yield* stdin
    },
    env,
    cwd,
    onStopSignal: () => {},
    onReloadSignal: () => {},
    onReady: () => {},
    exitNow: () => {},
  }
  return { io, out: () => out.join(''), err: () => err.join('') }
}
