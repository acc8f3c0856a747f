/**
 * Keeps the findings over restarts: reads those of the run before, writes what is new now and then, and at the end.
 *
 * Behind the requests, never in their way. A file that cannot be written is told once, and tried again. Source: decision 0014.
 */
import type { FindingsFile } from './store/findings-file.ts'
import type { Findings } from './telemetry/findings.ts'

/** Counts that are younger than this may be lost by a crash. */
const WRITE_INTERVAL_MS = 2000

export interface FindingsKeeper {
  start(): void
  /** Writes what is not written yet. */
  stop(): Promise<void>
}

export function createFindingsKeeper(
  findings: Findings,
  file: FindingsFile,
  tellFailure: (error: unknown) => void,
): FindingsKeeper {
  let written = 0
  let hasFailed = false
  let timer: NodeJS.Timeout | undefined
  let writing = Promise.resolve()

  async function write(): Promise<void> {
    const revision = findings.revision()
    if (revision === written) return
    try {
      await file.write(findings.snapshot())
      written = revision
      hasFailed = false
    } catch (error) {
      if (!hasFailed) tellFailure(error)
      hasFailed = true
    }
  }

  function writeNext(): Promise<void> {
    writing = writing.then(write)
    return writing
  }

  return {
    start() {
      findings.restore(file.read())
      timer = setInterval(() => void writeNext(), WRITE_INTERVAL_MS)
      timer.unref()
    },
    stop() {
      clearInterval(timer)
      return writeNext()
    },
  }
}
