/**
 * What a queue is made of: its bounds, who hears of it, and what stands behind it.
 */
import type { QueueConfig } from '../config/config.ts'
import type { Emit } from '../telemetry/events.ts'
import type { QueueStore } from './backlog.ts'
import type { Review } from './review.ts'

/** What may change while it runs. */
export type QueueSettings = Pick<QueueConfig, 'bytesMax' | 'onFull'> &
  Partial<Pick<QueueConfig, 'waitsForResult'>>

export interface QueueOptions {
  readonly exporter: string
  readonly config: QueueSettings
  readonly emit: Emit
  readonly clock: () => number
  /** Given: the queue is durable. */
  readonly store?: QueueStore | undefined
  /** Where a queue in memory puts what was refused for good; not given: it is counted, and gone. */
  readonly deadLetters?: Pick<QueueStore, 'settle'> | undefined
  /** How to judge again what was admitted under another policy than that in force; not given: it leaves as it came. */
  readonly review?: (() => Review) | undefined
}
