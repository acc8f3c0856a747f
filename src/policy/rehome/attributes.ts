/**
 * Moves the attributes of an item into a message where their field has another number.
 *
 *     3 KeyValue 3 KeyValue 1 time 3 KeyValue   ─►   6 KeyValue 6 KeyValue 6 KeyValue
 *
 * Those that stand next to each other are copied at once, and their tags are written anew in the copy. Keys are
 * looked at only as long as one that is left out is still to come: SDKs write those first, if at all.
 */
import { Cursor } from '../../otlp/cursor.ts'
import type { ProtobufWriter } from '../../otlp/protobuf-writer.ts'

export interface Attributes {
  readonly bytes: Uint8Array
  /** Payload of the message that they are in. */
  readonly start: number
  readonly end: number
  /** Their tag there, and where they go; one byte each. */
  readonly from: number
  readonly to: number
  /** How many are left out, */
  readonly replaced: number
  /** and whether the one whose payload is `[start, end)` is. */
  readonly isReplaced: (start: number, end: number) => boolean
}

/** Scratch of one builder. */
export class AttributeMover {
  readonly #cursor = new Cursor()
  readonly #copied = new Cursor()

  move(writer: ProtobufWriter, attributes: Attributes): void {
    const { bytes, end, from, to } = attributes
    const cursor = this.#cursor
    cursor.reset(bytes, attributes.start)
    let left = attributes.replaced
    let run = cursor.at
    while (cursor.at < end) {
      const field = cursor.at
      const tag = cursor.tag(end)
      if (tag === from) {
        const payloadEnd = cursor.payloadEnd(end)
        const start = cursor.at
        cursor.at = payloadEnd
        const isReplaced = left > 0 && attributes.isReplaced(start, payloadEnd)
        if (isReplaced) left--
        else if (bytes[field] === from) continue
        this.#copy(writer, attributes, run, field)
        // A tag that is longer than it needs to be cannot be written over.
        if (!isReplaced) {
          writer.byte(to)
          writer.delimited(bytes, start, payloadEnd)
        }
      } else {
        this.#copy(writer, attributes, run, field)
        cursor.skip(tag, end)
      }
      run = cursor.at
    }
    this.#copy(writer, attributes, run, end)
  }

  /** Copies the attributes in `[start, end)`, nothing else being there. */
  #copy(writer: ProtobufWriter, { bytes, to }: Attributes, start: number, end: number): void {
    if (start === end) return
    const copied = this.#copied
    const before = writer.at
    writer.raw(bytes, start, end)
    copied.reset(writer.bytes, before)
    while (copied.at < writer.at) {
      writer.bytes[copied.at++] = to
      copied.at = copied.payloadEnd(writer.at)
    }
  }
}
