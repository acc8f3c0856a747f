/**
 * Holds back a log line that comes too often.
 *
 * In: the kind of line and the time. Out: whether to write it, and how many of its kind were held back before it.
 * The kinds come from the code, so their number is bounded.
 */

/** So many lines of one kind in a window … */
export const LINES_MAX: number = 10
/** … of this length. */
export const WINDOW_MS: number = 10_000

export interface RateLimit {
  /** Undefined: hold it back. Else how many of the kind were held back since the last one written. */
  admit(kind: string, nowMs: number): number | undefined
}

export function createRateLimit(options: {
  readonly linesMax: number
  readonly windowMs: number
}): RateLimit {
  const windows = new Map<string, { startMs: number; lines: number; heldBack: number }>()
  return {
    admit(kind, nowMs) {
      let window = windows.get(kind)
      if (window === undefined) {
        window = { startMs: nowMs, lines: 0, heldBack: 0 }
        windows.set(kind, window)
      }
      if (nowMs - window.startMs >= options.windowMs) {
        window.startMs = nowMs
        window.lines = 0
      }
      if (window.lines === options.linesMax) {
        window.heldBack += 1
        return undefined
      }
      window.lines += 1
      const { heldBack } = window
      window.heldBack = 0
      return heldBack
    },
  }
}
