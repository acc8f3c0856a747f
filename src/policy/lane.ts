/** A lane as the policy sees it: what it accepts, which fields may leave on it, and whether it leads anywhere. */
import type { Signal } from '../otlp/signal.ts'
import type { AcceptLine } from './accept.ts'
import type { FieldPolicy } from './fields.ts'

export interface PolicyLane {
  readonly name: string
  readonly signal: Signal
  /** False for a lane without exporters. */
  readonly isOn: boolean
  readonly accept: readonly AcceptLine[]
  readonly fields: FieldPolicy
  readonly wire: 'as_is' | 'canonical'
}
