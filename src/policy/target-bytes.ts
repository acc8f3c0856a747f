/** An item's target as bytes. */
import type { ByteString } from './family.ts'

/** Those of the request; or, for a target in doubt, those of what stands for it. */
export function targetBytes(
  request: Uint8Array,
  start: number,
  end: number,
  standIn: ByteString | undefined,
): Uint8Array {
  return standIn === undefined ? request.subarray(start, end) : Buffer.from(standIn, 'latin1')
}
