/**
 * Plants recognisable bytes in a request wherever a decoder does not look.
 *
 * The request means the same with and without them, but for ids of a wrong length, which a decoder does read and
 * the contract does not let pass. Deterministic in its seed.
 */
import type protobuf from 'protobufjs'
import { messageType, typeOf } from '../oracle/oracle.ts'
import { readTree, type WireField, wireTypeOf, writeTree } from '../oracle/wire-tree.ts'

/** Eight bytes, so that it fits a fixed64 too. */
export const CANARY: Buffer = Buffer.from('CANARY-7')

export interface Plants {
  readonly bytes: Uint8Array
  readonly count: number
}

export function plantCanaries(bytes: Uint8Array, message: string, seed: number): Plants {
  const type = messageType(message)
  const planter = new Planter(seed)
  return { bytes: writeTree(planter.plant(type, readTree(type, bytes))), count: planter.count }
}

/** A field that this one overrides, be it itself, and that has room for a canary. */
function roomyRival(field: protobuf.Field): protobuf.Field | undefined {
  if (field.repeated) return undefined
  return [field, ...(field.partOf?.fieldsArray ?? [])].find(
    (one) => wireTypeOf(one) === 1 || (wireTypeOf(one) === 2 && typeOf(one) === undefined),
  )
}

function overridden(field: protobuf.Field): WireField {
  return { number: field.id, wireType: wireTypeOf(field), payload: CANARY }
}

/** One plant in so many places: most messages of a request stay canonical, as in life. */
const PLACES_PER_PLANT = 8

class Planter {
  count = 0
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  plant(type: protobuf.Type, fields: readonly WireField[]): WireField[] {
    const out: WireField[] = []
    for (const wire of fields) {
      const field = type.fieldsById[wire.number]
      if (this.#isTime()) out.push(this.#unread(type))
      const overridable = field === undefined ? undefined : roomyRival(field)
      if (overridable !== undefined && this.#isTime()) out.push(overridden(overridable))
      if (wire.children === undefined || wire.type === undefined) out.push(wire)
      else out.push({ ...wire, children: this.plant(wire.type, wire.children) })
    }
    if (this.#isTime()) out.push(this.#unread(type))
    const absentId = type.fieldsArray.find(
      (one) => /(trace|span)Id$/i.test(one.name) && !out.some((wire) => wire.number === one.id),
    )
    if (absentId !== undefined && this.#isTime()) {
      out.push({ number: absentId.id, wireType: 2, payload: Buffer.concat([CANARY, CANARY, CANARY]) })
    }
    return out
  }

  /** A field that no decoder knows, or one that it knows with another wire type. */
  #unread(type: protobuf.Type): WireField {
    const known = type.fieldsArray[this.#below(type.fieldsArray.length)]
    if (this.#below(2) === 0 && wireTypeOf(known) !== 1)
      return { number: known.id, wireType: 1, payload: CANARY }
    const number = [18, 31, 32, 1000, 2 ** 29 - 1][this.#below(5)]
    const nested = Buffer.concat([Buffer.from([0x0a, CANARY.length]), CANARY])
    return this.#below(3) === 0
      ? { number, wireType: 1, payload: CANARY }
      : { number, wireType: 2, payload: nested }
  }

  #isTime(isPossible = true): boolean {
    if (!isPossible || this.#below(PLACES_PER_PLANT) !== 0) return false
    this.count++
    return true
  }

  #below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * limit)
  }
}
