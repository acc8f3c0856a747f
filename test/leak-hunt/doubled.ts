/**
 * Says twice what preset `codex` removes: an earlier occurrence, which the last one overrides for a decoder.
 *
 * Every occurrence of a removed field goes, though nobody may read it: bytes that leave are bytes that have left.
 */
import { messageType } from '../oracle/oracle.ts'
import { readTree, type WireField, writeTree } from '../oracle/wire-tree.ts'
import type { Random } from './random.ts'

const CANARY = Buffer.from('CANARY-R999')

function field(number: number, payload: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([number * 8 + 2, payload.length]), payload])
}

/** An AnyValue: a string, or a kvlist with the entry `user.email`. */
const STRING = field(1, CANARY)
const KVLIST = field(6, field(1, Buffer.concat([field(1, Buffer.from('user.email')), field(2, STRING)])))

/** Removed on the trace lane and on the metric lane. */
const REMOVED = ['user.email', 'host.name']

export function doubled(bytes: Uint8Array, message: string, random: Random): Uint8Array {
  return writeTree(visit(messageType(message).name, readTree(messageType(message), bytes), random))
}

function visit(type: string, fields: readonly WireField[], random: Random): WireField[] {
  const key =
    type === 'KeyValue' ? Buffer.from(fields.find((one) => one.number === 1)?.payload ?? []).toString() : ''
  return fields.flatMap((one): WireField[] => {
    const whole =
      one.children === undefined || one.type === undefined
        ? one
        : { ...one, children: visit(one.type.name, one.children, random) }
    if (one.wireType !== 2 || !random.chance(1, 3)) return [whole]
    const earlier = (payload: Uint8Array): WireField[] => [
      { number: one.number, wireType: 2, payload },
      whole,
    ]
    if ((type === 'Status' && one.number === 2) || (type === 'Event' && one.number === 2))
      return earlier(CANARY)
    // Values: of a removed key in any shape; of any other, a kvlist that holds a removed key.
    if (type === 'KeyValue' && one.number === 2) return earlier(REMOVED.includes(key) ? STRING : KVLIST)
    return [whole]
  })
}
