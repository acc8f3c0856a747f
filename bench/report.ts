/**
 * The bench's results as Markdown, ready for the README.
 *
 * In: outcomes. Out: tables of medians over rounds; a ratio is the median of the ratios within each round.
 */
import type { GrowthCost } from './growth.ts'
import type { Outcome, Sample } from './measure.ts'
import type { Startup } from './startup.ts'

const YARDSTICK = 'blind'

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right)
  const middle = sorted.length / 2
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2
}

export function formatOutcomes(outcomes: readonly Outcome[]): string {
  const atFixedRate = outcomes.filter(({ body }) => body.comparisons.includes('peers'))
  return [
    '### CPU seconds per million items (ratio to the blind proxy)',
    matrix(outcomes, (outcome) =>
      withRatio(outcome, outcomes, (sample) => sample.cpuSecondsPerMillionItems, 2),
    ),
    '### CPU seconds per GB of bodies, uncompressed',
    matrix(outcomes, (outcome) => medianOf(outcome, (sample) => sample.cpuSecondsPerGigabyte).toFixed(2)),
    '### Peak resident memory, MiB (ratio to the blind proxy)',
    matrix(outcomes, (outcome) => {
      const yardstick = yardstickOf(outcome, outcomes)?.peakResidentKiB ?? Number.NaN
      return `${(outcome.peakResidentKiB / 1024).toFixed(0)}${inParentheses(outcome.peakResidentKiB / yardstick)}`
    }),
    '### Latency with all connections busy, p50 / p99 ms; requests a second',
    matrix(outcomes, (outcome) => {
      const perSecond = medianOf(outcome, ({ closedLoop }) => closedLoop.accepted / closedLoop.seconds)
      return `${latency(outcome, (sample) => sample.closedLoop)}; ${perSecond.toFixed(0)}/s`
    }),
    ...(atFixedRate.length === 0
      ? []
      : [
          '### Latency at a fixed rate, p50 / p99 ms',
          matrix(atFixedRate, (outcome) => latency(outcome, (sample) => sample.fixedRate)),
        ]),
    '### What one request comes to at the backend: log records + spans (span events)',
    matrix(outcomes, ({ delivered, samples }) => {
      const lost = samples.reduce((sum, sample) => sum + sample.lostItems, 0)
      const refused = samples.reduce(
        (sum, { closedLoop, fixedRate }) => sum + closedLoop.refused + fixedRate.refused,
        0,
      )
      const failed = samples.reduce(
        (sum, { closedLoop, fixedRate }) => sum + closedLoop.failed + fixedRate.failed,
        0,
      )
      const remarks = [
        ...(lost === 0 ? [] : [`${lost} items lost`]),
        ...(refused === 0 ? [] : [`${refused} requests refused`]),
        ...(failed === 0 ? [] : [`${failed} requests failed`]),
      ]
      const counts = `${delivered.logRecords} + ${delivered.spans} (${delivered.spanEvents})`
      return [counts, ...remarks].join('; ')
    }),
  ].join('\n\n')
}

export function formatStartups(startups: readonly Startup[]): string {
  const rows = startups.map(({ name, readyMs, readyOneCoreMs, idleResidentMiB }) => [
    name,
    readyMs.toFixed(0),
    readyOneCoreMs.toFixed(0),
    idleResidentMiB.toFixed(0),
  ])
  const heads = ['form', 'ready, ms after exec (all cores)', 'the same, one core', 'idle RSS, MiB']
  return ['### Start', table(heads, rows)].join('\n\n')
}

export function formatGrowth(costs: readonly GrowthCost[]): string {
  const rows = costs.map(({ growth, count, body, cpuSecondsPerMillionItems, ratio }) => [
    body,
    `${count} ${growth}`,
    `${cpuSecondsPerMillionItems.toFixed(2)}${inParentheses(ratio)}`,
  ])
  return [
    '### CPU by what is configured and does not apply (ratio to the fewest)',
    table(['body', 'configured', 'CPU-s per million items'], rows),
  ].join('\n\n')
}

/** One row a body, one column a subject. */
function matrix(outcomes: readonly Outcome[], cell: (outcome: Outcome) => string): string {
  const bodies = [...new Set(outcomes.map((outcome) => outcome.body))]
  // A body that meets more subjects may come later: the longest list has them in the report's order.
  const met = bodies.map((body) => outcomes.filter((outcome) => outcome.body === body))
  const [longest = []] = met.toSorted((left, right) => right.length - left.length)
  const subjects = [...new Set([...longest, ...outcomes].map((outcome) => outcome.subject))]
  const rows = bodies.map((body) => {
    const cells = subjects.map((subject) => {
      const outcome = outcomes.find((candidate) => candidate.body === body && candidate.subject === subject)
      if (outcome === undefined) return ''
      return outcome.unable === undefined ? cell(outcome) : '–'
    })
    return [body.name, ...cells]
  })
  return table(['body', ...subjects.map((subject) => subject.name)], rows)
}

export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  return [heads, heads.map(() => '---'), ...rows].map(row).join('\n')
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

/** The median over the rounds. */
export function medianOf(outcome: Outcome, value: (sample: Sample) => number): number {
  return median(outcome.samples.map(value))
}

function yardstickOf(outcome: Outcome, outcomes: readonly Outcome[]): Outcome | undefined {
  return outcomes.find(({ body, subject }) => body === outcome.body && subject.name === YARDSTICK)
}

/** The median of the ratios within each round: only what ran side by side compares. */
export function ratioOf(outcome: Outcome, beside: Outcome, value: (sample: Sample) => number): number {
  const ratios = outcome.samples.flatMap((sample) => {
    const other = beside.samples.find(({ round }) => round === sample.round)
    return other === undefined ? [] : [value(sample) / value(other)]
  })
  return median(ratios)
}

function withRatio(
  outcome: Outcome,
  outcomes: readonly Outcome[],
  value: (sample: Sample) => number,
  digits: number,
): string {
  const yardstick = yardstickOf(outcome, outcomes)
  const ratio = yardstick === undefined ? Number.NaN : ratioOf(outcome, yardstick, value)
  return `${medianOf(outcome, value).toFixed(digits)}${inParentheses(ratio)}`
}

function inParentheses(value: number): string {
  return Number.isNaN(value) ? '' : ` (${value.toFixed(2)} ×)`
}

function latency(
  outcome: Outcome,
  pick: (sample: Sample) => { readonly p50Ms: number; readonly p99Ms: number },
): string {
  const p50 = medianOf(outcome, (sample) => pick(sample).p50Ms)
  const p99 = medianOf(outcome, (sample) => pick(sample).p99Ms)
  return `${p50.toFixed(1)} / ${p99.toFixed(1)}`
}
