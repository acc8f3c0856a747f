/**
 * A process that appends as fast as it can and says each number when it is acknowledged: to be killed.
 *
 * Arguments: the folder, bytes of a parcel, how many append at one time, and that of so many
 * one is settled at once (0: none).
 */
import { writeSync } from 'node:fs'
import { createStore } from '../../src/store/store.ts'
import { LIMITS, parcelOf, sentOf } from './support.ts'

const [directory, size, appenders, settledOf = '3'] = process.argv.slice(2)
const store = createStore({ directory, limits: LIMITS, exporters: ['a', 'b'], onEvent: () => {} })
await store.open()
let number = 0

async function appendForever(): Promise<void> {
  for (;;) {
    const mine = ++number
    const ids = await store.append([parcelOf(mine, { size: Number(size) })])
    // One write call a line: a kill leaves whole lines.
    if (mine % Number(settledOf) === 0) store.settle(sentOf('a', ids))
    else writeSync(1, `${mine}\n`)
  }
}

await Promise.all(Array.from({ length: Number(appenders) }, appendForever))
