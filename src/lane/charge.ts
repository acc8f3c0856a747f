/**
 * What a parcel costs while it is queued. Pure.
 */
import type { Parcel } from '../otlp/parcel.ts'

/** What a waiting parcel costs beside its bytes; without it a flood of tiny parcels would pass any bound. */
export const ENTRY_OVERHEAD_BYTES = 256

/** Whether a parcel would keep much more memory than its own bytes; then it is copied. */
export function wastesItsPin(parcel: Parcel): boolean {
  return parcel.byteLength * 2 < parcel.pin.bytes
}

export function memoryBytesOf(parcel: Parcel): number {
  return (wastesItsPin(parcel) ? parcel.byteLength : parcel.pin.bytes) + ENTRY_OVERHEAD_BYTES
}
