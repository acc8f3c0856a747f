/**
 * A circuit: while a destination keeps failing, only one try at a time is in flight, as a probe.
 *
 * Without it every consumer of a hanging backend holds a connection and a request body for its whole timeout,
 * again and again. The first success lets all go on. Callers enter before a try and leave behind it, exactly once.
 */

/** This many failures one behind the other, and the circuit opens. */
export const CIRCUIT_FAILURES_MAX = 3

export interface Circuit {
  /** Undefined: go on at once. Else a promise that settles when it is this try's turn. */
  enter(): Promise<void> | undefined
  leave(succeeded: boolean): void
  /** Whether `enter` would make one wait. */
  isBlocked(): boolean
}

export function createCircuit(failuresMax: number = CIRCUIT_FAILURES_MAX): Circuit {
  let failures = 0
  let tries = 0
  let waiting: (() => void)[] = []

  const isBlocked = (): boolean => failures >= failuresMax && tries > 0

  return {
    isBlocked,
    enter() {
      if (!isBlocked()) {
        tries++
        return undefined
      }
      return new Promise((resolve) => {
        waiting.push(resolve)
      })
    },
    leave(succeeded) {
      tries--
      failures = succeeded ? 0 : failures + 1
      const turns = failures < failuresMax ? waiting : tries === 0 ? waiting.slice(0, 1) : []
      waiting = waiting.slice(turns.length)
      // Counted here, not where the waiter wakes: another try may enter before its microtask runs.
      tries += turns.length
      for (const turn of turns) turn()
    },
  }
}
