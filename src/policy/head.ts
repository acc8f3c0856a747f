/** What a witness hears of an item beside its fields: its target as it was read, and where from. */
import type { Judged } from './decide.ts'
import { latin1 } from './family.ts'
import type { SpanEvents } from './span-events.ts'
import type { TargetReader } from './target.ts'
import type { Verdict } from './verdict.ts'
import type { WitnessedItem } from './witness.ts'

type WitnessedHead = Omit<WitnessedItem, 'fields'>

/** Of the item whose target `reader` has read last; undefined where items have none. */
export function headOf(
  request: Uint8Array,
  verdict: Verdict,
  reader: TargetReader | undefined,
  { standIn }: Judged,
): WitnessedHead {
  const targetFrom = reader === undefined || reader.path < 0 ? undefined : reader.paths[reader.path].text
  const isKnown = reader !== undefined && reader.path >= 0 && standIn === undefined
  const target = isKnown ? latin1(request, reader.start, reader.end) : undefined
  return { carriage: verdict.carriage, target, targetFrom, verdict }
}

export function eventHeadOf(
  request: Uint8Array,
  verdict: Verdict,
  { paths }: TargetReader,
  { events, index }: { readonly events: SpanEvents; readonly index: number },
): WitnessedHead {
  const path = events.paths[index]
  const isKnown = path >= 0 && events.standIns[index] === undefined
  const target = isKnown ? latin1(request, events.targetStarts[index], events.targetEnds[index]) : undefined
  return { carriage: 'span_event', target, targetFrom: paths[path]?.text, verdict }
}
