/**
 * Lets so many tasks in at once; the others wait in order.
 */
export type Gate = <T>(task: () => Promise<T>) => Promise<T>

export function createGate(countMax: number): Gate {
  const waiting: (() => void)[] = []
  let count = 0
  return async (task) => {
    if (count === countMax) await new Promise<void>((resolve) => waiting.push(resolve))
    else count += 1
    try {
      return await task()
    } finally {
      // A place passes straight to the next in line: nobody who comes later can slip in between.
      const next = waiting.shift()
      if (next === undefined) count -= 1
      else next()
    }
  }
}
