/**
 * What a command may touch of the process that it runs in. `main.ts` passes the real ones; tests pass others.
 */
export interface Io {
  readonly stdout: (text: string) => void
  readonly stderr: (text: string) => void
  /** Standard input, from where it is now to its end. */
  readonly stdin: () => AsyncIterable<Uint8Array>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Calls `listener` for every SIGTERM and SIGINT. */
  readonly onStopSignal: (listener: () => void) => void
  /** Calls `listener` for every SIGHUP. */
  readonly onReloadSignal: (listener: () => void) => void
  /** A command that stays has loaded all that it needs. */
  readonly onReady: () => void
  /** Ends the process now, whatever is under way. */
  readonly exitNow: (code: number) => void
}

/** A subcommand: arguments behind its name in, exit code out. */
export type Command = (argv: readonly string[], io: Io) => Promise<number>
