/**
 * What Laneway is meant to cost, beside what it was measured to cost.
 *
 * In: all results of a run. Out: one Markdown table, a row a target, and the names of those that this run did not
 * measure. The targets are data; a ratio is the median of the ratios within each round, as everywhere.
 */
import { GROWTH_COUNTS, type Growth, type GrowthCost } from './growth.ts'
import type { Outcome } from './measure.ts'
import { ratioOf, table } from './report.ts'
import type { Startup } from './startup.ts'

export interface Results {
  readonly outcomes: readonly Outcome[]
  readonly startups: readonly Startup[]
  readonly growthCosts: readonly GrowthCost[]
}

interface Target {
  readonly what: string
  readonly atMost: number
  readonly unit: '×' | 'ms' | 'MiB'
  /** NaN: this run did not measure it. */
  readonly measure: (results: Results) => number
}

/** The bodies that peak memory is compared under. */
const MAIN_BODIES = ['logs512', 'traces512', 'logs16', 'traces16']

/** `collector-queue` answers before its backend did, as Laneway with a memory queue does: the same mode. */
const TARGETS: readonly Target[] = [
  cpu('logs512', 'laneway-plain', 'blind', 0.85),
  cpu('logs512', 'laneway-plain', 'collector-queue', 0.2),
  cpu('logs512', 'laneway-plain', 'otel-arrow', 0.65),
  cpu('traces512', 'laneway-plain', 'blind', 1.15),
  cpu('traces512', 'laneway-plain', 'collector-queue', 0.14),
  cpu('traces512', 'laneway-plain', 'otel-arrow', 0.4),
  ...['logs16', 'traces16'].flatMap((body) => [
    cpu(body, 'laneway-plain', 'blind', 0.55),
    cpu(body, 'laneway-plain', 'collector-queue', 0.3),
    cpu(body, 'laneway-plain', 'otel-arrow', 0.5),
  ]),
  memory('laneway-plain', 'blind', 1),
  memory('laneway-plain', 'collector-queue', 0.2),
  growth('families', 1.05),
  start('checkout', 'readyMs', 450),
  start('checkout', 'idleResidentMiB', 100),
  start('package', 'readyMs', 300),
  start('package', 'idleResidentMiB', 80),
  cpu('traces512', 'laneway', 'blind', 1.5),
  cpu('traces512', 'laneway', 'collector', 0.2),
  cpu('traces512', 'laneway', 'collector-queue', 0.2),
  cpu('traces512', 'laneway-strict', 'blind', 1.8),
  // A lane without a field policy must not pay for the policies of others: as before, less what rounds can tell.
  cpu('logs512clean', 'laneway', 'laneway-plain', 1.02),
  growth('rules', 1.05),
]

export function formatTargets(results: Results): string {
  const rows = TARGETS.map((target) => ({ ...target, measured: target.measure(results) }))
  const measured = rows.filter((row) => !Number.isNaN(row.measured))
  const missing = rows.filter((row) => Number.isNaN(row.measured)).map(({ what }) => what)
  const cells = measured.map((row) => [
    row.what,
    amount(row.atMost, row.unit),
    amount(row.measured, row.unit),
    row.measured <= row.atMost ? 'yes' : '**no**',
  ])
  return [
    '### Targets',
    table(['what', 'at most', 'measured', 'met'], cells),
    ...(missing.length === 0 ? [] : [`Not measured in this run: ${missing.join('; ')}.`]),
  ].join('\n\n')
}

function amount(value: number, unit: Target['unit']): string {
  return `${value.toFixed(unit === '×' ? 2 : 0)} ${unit}`
}

function cpu(body: string, subject: string, beside: string, atMost: number): Target {
  return {
    what: `CPU per item, ${body}: \`${subject}\` / \`${beside}\``,
    atMost,
    unit: '×',
    measure: ({ outcomes }) => {
      const [one, other] = [find(outcomes, body, subject), find(outcomes, body, beside)]
      if (one === undefined || other === undefined) return Number.NaN
      return ratioOf(one, other, (sample) => sample.cpuSecondsPerMillionItems)
    },
  }
}

/** The worst of the main bodies: a body alone would tell too little. */
function memory(subject: string, beside: string, atMost: number): Target {
  return {
    what: `peak memory, worst of ${MAIN_BODIES.join(', ')}: \`${subject}\` / \`${beside}\``,
    atMost,
    unit: '×',
    measure: ({ outcomes }) => {
      const ratios = MAIN_BODIES.flatMap((body) => {
        const [one, other] = [find(outcomes, body, subject), find(outcomes, body, beside)]
        return one === undefined || other === undefined ? [] : [one.peakResidentKiB / other.peakResidentKiB]
      })
      return ratios.length < MAIN_BODIES.length ? Number.NaN : Math.max(...ratios)
    },
  }
}

function growth(name: Growth['name'], atMost: number): Target {
  const [fewest, most] = [GROWTH_COUNTS[0], GROWTH_COUNTS[GROWTH_COUNTS.length - 1]]
  return {
    what: `CPU per item, ${most} ${name} that do not apply / ${fewest}`,
    atMost,
    unit: '×',
    measure: ({ growthCosts }) => {
      const costs = growthCosts.filter(({ growth, count }) => growth === name && count === most)
      return costs.length === 0 ? Number.NaN : Math.max(...costs.map(({ ratio }) => ratio))
    },
  }
}

function start(form: string, figure: 'readyMs' | 'idleResidentMiB', atMost: number): Target {
  return {
    what: figure === 'readyMs' ? `${form}: exec to ready` : `${form}: memory when idle`,
    atMost,
    unit: figure === 'readyMs' ? 'ms' : 'MiB',
    measure: ({ startups }) => startups.find(({ name }) => name === form)?.[figure] ?? Number.NaN,
  }
}

function find(outcomes: readonly Outcome[], body: string, subject: string): Outcome | undefined {
  return outcomes.find(
    (outcome) =>
      outcome.body.name === body && outcome.subject.name === subject && outcome.unable === undefined,
  )
}
