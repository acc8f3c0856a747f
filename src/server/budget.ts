/**
 * The bound on all request bytes in flight together, `max_in_flight_size`.
 *
 * A request opens a reservation, which grows as its bytes arrive (and again as they are decompressed or
 * transcoded), and closes it when its fate is known. It is charged what came, not what it announced: a
 * content-length alone must not keep others out.
 */

/** What a request costs besides its bytes, so that a client that pipelines empty requests is bounded too. */
export const REQUEST_BYTES: number = 4 * 1024

export interface Reservation {
  /** Charges further bytes; false, and nothing charged, if they do not fit. */
  grow(bytes: number): boolean
  /** Gives some of the bytes back early. */
  shrink(bytes: number): void
  /** Gives back all that is left. The second call and later ones do nothing. */
  close(): void
}

export interface Budget {
  /** Undefined if not even an empty request fits. */
  open(): Reservation | undefined
  /** Bytes charged just now. */
  usedBytes(): number
}

/** `bytesMax` is asked anew each time: a reload may change it. */
export function createBudget(bytesMax: () => number): Budget {
  let usedBytes = 0

  function open(): Reservation | undefined {
    if (usedBytes + REQUEST_BYTES > bytesMax()) return undefined
    usedBytes += REQUEST_BYTES
    let ownBytes = REQUEST_BYTES
    return {
      grow(bytes) {
        if (usedBytes + bytes > bytesMax()) return false
        usedBytes += bytes
        ownBytes += bytes
        return true
      },
      shrink(bytes) {
        const given = Math.min(bytes, ownBytes)
        usedBytes -= given
        ownBytes -= given
      },
      close() {
        usedBytes -= ownBytes
        ownBytes = 0
      },
    }
  }

  return { open, usedBytes: () => usedBytes }
}
