/**
 * Small requests to a backend follow each other no faster than PACE_MS.
 *
 * Behind a backend that answers at once there is never much in flight, and nothing would be joined: a request of 12 KB
 * to it costs more than all else that is done for its items.
 */
export const PACE_MS = 10

export interface Pace {
  /** A small request was sent a moment ago. */
  isHolding(): boolean
  /** One is sent now. */
  hold(): void
}

/** `onEnd` is called when another small request may be sent. */
export function createPace(onEnd: () => void): Pace {
  let isHolding = false
  return {
    isHolding: () => isHolding,
    hold() {
      if (isHolding) return
      isHolding = true
      setTimeout(() => {
        isHolding = false
        onEnd()
      }, PACE_MS)
    },
  }
}
