/**
 * Moves the attributes of an item into a message where their field has another number.
 *
 *     3 KeyValue 3 KeyValue 1 time 3 KeyValue   ─►   6 KeyValue 6 KeyValue 6 KeyValue
 *
 * Those that stand next to each other are copied at once, and their tags are written over in the copy.
 */
import type { ProtobufWriter } from '../../otlp/protobuf-writer.ts'
import type { Key } from '../keys.ts'
import type { Reading } from '../reading.ts'

export interface Attributes {
  /** Of the message that they are in, and of all that is in it. */
  readonly reading: Reading
  /** Their tag there, and where they go; one byte each. */
  readonly from: number
  readonly to: number
}

/** Writes the attributes, but for those whose key `isLeftOut` names. */
export function moveAttributes(
  writer: ProtobufWriter,
  attributes: Attributes,
  isLeftOut: (key: Key) => boolean,
): void {
  const { reading, from } = attributes
  const { tags, keys, count } = reading
  let row = 0
  while (row < count) {
    const start = row
    while (row < count && tags[row] === from && !isLeftOut(keys[row]) && isNext(reading, start, row)) row++
    if (row > start) copyRun(writer, attributes, start, row)
    else row++
  }
}

/** Whether the attribute in `row` can be copied with those from `start` on: it stands behind them, its tag in one byte. */
function isNext({ fields, ends, cursor, tags }: Reading, start: number, row: number): boolean {
  if (row === start) return true
  const isOfOneByte = cursor.bytes[fields[row]] === tags[row] && cursor.bytes[fields[start]] === tags[start]
  return fields[row] === ends[row - 1] && isOfOneByte
}

function copyRun(writer: ProtobufWriter, { reading, to }: Attributes, first: number, last: number): void {
  const { fields, starts, ends, tags, cursor } = reading
  const start = fields[first]
  // A tag that is longer than it needs to be cannot be written over.
  if (cursor.bytes[start] !== tags[first]) {
    writer.byte(to)
    writer.delimitedRange(cursor, starts[first], ends[first])
    return
  }
  const shift = writer.at - start
  writer.range(cursor, start, ends[last - 1])
  for (let row = first; row < last; row++) writer.bytes[fields[row] + shift] = to
}
