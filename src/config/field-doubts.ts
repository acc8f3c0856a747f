/**
 * Warnings about `fields`: lines that can do nothing where they stand.
 *
 * Two kinds: what a line names is never found where it looks, or an earlier line has decided it. Nothing is
 * wrong with such a file, but somebody believes in a protection that is not there.
 */
import type { Position } from '../errors.ts'
import type { Signal } from '../otlp/signal.ts'
import type { FieldRuleSpec, LaneSpec, Place } from './config.ts'
import type { Report } from './tree.ts'

const PLACES_OF_SIGNAL: Readonly<Record<Signal, readonly Place[]>> = {
  logs: ['resource', 'scope', 'log_record', 'body'],
  traces: ['resource', 'scope', 'span', 'span_link', 'span_event'],
  metrics: ['resource', 'scope', 'data_point', 'exemplar'],
}

/** Where each text is found. */
const PLACES_OF_TEXT: ReadonlyMap<string, readonly Place[]> = new Map([
  ['@name', ['span', 'span_event']],
  ['@status.message', ['span']],
  ['@trace_state', ['span', 'span_link']],
  ['@body', ['log_record']],
  ['@event_name', ['log_record']],
  ['@severity_text', ['log_record']],
  ['@schema_url', ['resource', 'scope']],
  ['@scope.name', ['scope']],
  ['@scope.version', ['scope']],
  ['@metric.name', ['data_point']],
  ['@metric.description', ['data_point']],
])

export function reportFieldDoubts(lanes: readonly LaneSpec[], report: Report): void {
  for (const { name, signal, fields } of lanes) {
    const warn = (position: Position, message: string): void =>
      report('warning', position, `lanes.${name}.fields`, message)
    for (const rule of fields) reportUnreachable(rule, signal, warn)
    fields.forEach((rule, index) => {
      reportShadow(rule, fields.slice(index + 1), signal, warn)
    })
  }
}

type Warn = (position: Position, message: string) => void

/** The places that a line looks at on a lane of this signal. */
function placesOf({ on }: FieldRuleSpec, signal: Signal): readonly Place[] {
  return PLACES_OF_SIGNAL[signal].filter((place) => on.length === 0 || on.includes(place))
}

function reportUnreachable(rule: FieldRuleSpec, signal: Signal, warn: Warn): void {
  const places = placesOf(rule, signal)
  if (places.length === 0) {
    warn(
      rule.position,
      `looks only at ${rule.on.join(', ')}, and a lane of ${signal} has ${PLACES_OF_SIGNAL[signal].join(', ')}`,
    )
    return
  }
  for (const { key, position } of rule.keys) {
    const found = PLACES_OF_TEXT.get(key)
    if (found === undefined || found.some((place) => places.includes(place))) continue
    warn(
      position,
      `\`${key}\` is never there: it is found on ${found.join(' and ')}, and this line looks at ${places.join(', ')}`,
    )
  }
}

/** Says of a line with `*` which later lines it leaves nothing to do. */
function reportShadow(
  rule: FieldRuleSpec,
  later: readonly FieldRuleSpec[],
  signal: Signal,
  warn: Warn,
): void {
  const isTotal =
    rule.keys.some(({ key }) => key === '*') && rule.families.length + rule.eventNames.length === 0
  if (!isTotal || (rule.verb !== 'keep' && rule.verb !== 'remove')) return
  const places = placesOf(rule, signal)
  // Behind `remove` only a `keep` is disappointed; behind `keep` whatever was to protect something.
  const dead = later.filter((candidate) => {
    const shared = placesOf(candidate, signal).filter((place) => places.includes(place))
    const isLost = rule.verb === 'keep' ? candidate.verb !== 'keep' : candidate.verb === 'keep'
    return isLost && shared.length > 0 && candidate.keys.some(({ key }) => isDecidedByGlob(key))
  })
  if (dead.length === 0) return
  const { file, line } = dead[0].position
  const lines =
    dead.length === 1 ? `the line at ${file}:${line}` : `${dead.length} later lines, from ${file}:${line} on,`
  warn(
    rule.position,
    `\`${rule.verb}: ["*"]\` decides every attribute on ${places.join(', ')}: there ${lines} cannot ${rule.verb === 'keep' ? 'remove or change' : 'keep'} any; put it last, or narrow it`,
  )
}

/** Texts, and attributes that only a line that names them exactly touches, are not decided by `*`. */
function isDecidedByGlob(key: string): boolean {
  return !key.startsWith('@') && key !== 'event.name' && key !== 'level' && !key.startsWith('laneway.')
}
