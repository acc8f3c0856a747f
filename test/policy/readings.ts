/** Readings of single messages, as a policy without lanes has them. Not a test itself. */
import { createKeyTraits, MOVING_EVENT_ROLES } from '../../src/policy/key-traits.ts'
import type { Plan } from '../../src/policy/plan.ts'
import { Reading } from '../../src/policy/reading.ts'
import { TargetReader } from '../../src/policy/target.ts'

const nowhere = new TargetReader([])
const targets = { logRecordTarget: nowhere, spanEventTarget: nowhere, spanTarget: nowhere }

/** A reading that keeps all, and knows what an event takes along when it moves. */
export function createReading(): Reading {
  let keys = 0
  return new Reading(createKeyTraits(targets, [], MOVING_EVENT_ROLES), () => keys++)
}

const reading = createReading()

/** The message in `[start, end)`, all of it; good until the next one is read. */
export function read(plan: Plan, bytes: Uint8Array, start: number = 0, end: number = bytes.length): Reading {
  reading.begin(bytes, 'all')
  reading.read(plan, start, end)
  return reading
}
