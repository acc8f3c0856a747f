/**
 * Batches: how many parcels of a queue go into one request, and the bytes of that request.
 *
 * A request of one signal holds only repeated field 1, so joined parcels are a valid request: nothing is decoded
 * or re-encoded here. Pure.
 *
 * Source: opentelemetry-proto collector/{logs,trace,metrics}/v1; DESIGN, "How bytes flow".
 */
import type { Parcel } from '../otlp/parcel.ts'

/** No request larger than this is ever sent, before compression. Source: specification, protocol/exporter.md. */
export const REQUEST_BYTES_MAX: number = 64 * 1024 * 1024

/**
 * How many parcels from the head fit into `bytesMax` together: at least one if there is any, so that a parcel
 * larger than a batch goes alone. `bytesMax` 0 leaves only the protocol's limit.
 */
export function countForBatch(byteLengths: Iterable<number>, bytesMax: number): number {
  const limit = bytesMax === 0 ? REQUEST_BYTES_MAX : Math.min(bytesMax, REQUEST_BYTES_MAX)
  let count = 0
  let bytes = 0
  for (const byteLength of byteLengths) {
    bytes += byteLength
    if (count > 0 && bytes > limit) break
    count++
  }
  return count
}

/** The chunks of all parcels in order: joined, they are one request. */
export function batchChunks(parcels: readonly Parcel[]): readonly Uint8Array[] {
  if (parcels.length === 1) return parcels[0].chunks
  const chunks: Uint8Array[] = []
  for (const parcel of parcels) {
    for (const chunk of parcel.chunks) chunks.push(chunk)
  }
  return chunks
}

/** Copies the chunks one behind the other to the start of `target`, which must be long enough. */
export function copyChunks(chunks: readonly Uint8Array[], target: Uint8Array): void {
  let offset = 0
  for (const chunk of chunks) {
    target.set(chunk, offset)
    offset += chunk.byteLength
  }
}
