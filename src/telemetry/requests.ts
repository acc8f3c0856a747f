/**
 * Counts of answered requests and a histogram of how long they took, kept so that counting costs almost nothing.
 *
 * In: `request_answered`. Out: plain numbers, which `metrics.ts` turns into Prometheus' form when somebody asks.
 */
import type { TelemetryEvent } from './events.ts'

type Answered = TelemetryEvent & { readonly type: 'request_answered' }

export interface RequestCount {
  readonly signal: Answered['signal']
  readonly code: number
  readonly reason: Answered['reason']
  readonly requests: number
}

export interface Distribution {
  /** How many took at most `boundsMs[index]` and more than the bound before; the last count is of all above. */
  readonly counts: readonly number[]
  readonly sumMs: number
}

/** Upper bounds, rising. */
export const REQUEST_BOUNDS_MS: readonly number[] = [
  0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000,
]

export interface RequestCounts {
  record(event: Answered): void
  counts(): readonly RequestCount[]
  distribution(): Distribution
}

export function createRequestCounts(): RequestCounts {
  const byKey = new Map<string, { -readonly [K in keyof RequestCount]: RequestCount[K] }>()
  const buckets = new Float64Array(REQUEST_BOUNDS_MS.length + 1)
  let sumMs = 0

  function record({ signal, code, reason, durationMs }: Answered): void {
    const key = `${signal} ${code} ${reason}`
    const known = byKey.get(key)
    if (known === undefined) byKey.set(key, { signal, code, reason, requests: 1 })
    else known.requests += 1
    let index = 0
    while (index < REQUEST_BOUNDS_MS.length && durationMs > REQUEST_BOUNDS_MS[index]) index += 1
    buckets[index] += 1
    sumMs += durationMs
  }

  return {
    record,
    counts: () => [...byKey.values()].map((count) => ({ ...count })),
    distribution: () => ({ counts: [...buckets], sumMs }),
  }
}
