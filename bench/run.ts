/**
 * `npm run bench`: Laneway beside a blind proxy and its peers, in one run.
 *
 * In: options (below) and the environment: BENCH_COLLECTOR, BENCH_ROTEL, BENCH_OTEL_ARROW (where peers are), BENCH_CORPUS
 * (a folder of captured requests), BENCH_PACKAGE (Laneway's package form). Out: Markdown tables on stdout
 * and in bench/results.md. What it does not do: say anything of another machine; only ratios travel.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Body, type Comparison, createBodies, readCorpusBodies } from './bodies.ts'
import { GROWTH_COUNTS, GROWTHS, type Growth, type GrowthCost, measureGrowth } from './growth.ts'
import { claimLoaderCore, cpuModel } from './machine.ts'
import { measureBody, type Outcome, type Plan } from './measure.ts'
import { profileBody } from './profile.ts'
import { formatGrowth, formatOutcomes, formatStartups } from './report.ts'
import { measureStartup, type Startup } from './startup.ts'
import { findSubjects, LANEWAY_CONFIGS, lanewayCommand, packageCommand, type Subject } from './subjects.ts'
import { formatTargets } from './targets.ts'

const FULL: Plan = { rounds: 5, connections: 8, warmUpMs: 3000, closedLoopMs: 3000, fixedRateMs: 5000 }
const SHORT: Plan = { rounds: 5, connections: 8, warmUpMs: 1500, closedLoopMs: 1000, fixedRateMs: 600 }
const QUICK: Plan = { rounds: 2, connections: 8, warmUpMs: 1500, closedLoopMs: 1000, fixedRateMs: 1000 }
const RESULTS_FILE = join(import.meta.dirname, 'results.md')
/** Starting, looking and stopping, for all subjects of a body. */
const OVERHEAD_MS = 12_000
/** What the parts compare. Other parts: `start`, and the growths by their names; `policy` has the growth of rules with it. */
const COMPARISONS: Readonly<Record<string, readonly Comparison[]>> = {
  main: ['peers'],
  policy: ['policy', 'variants'],
}
const PARTS = ['main', 'start', 'families', 'policy', 'rules']

const USAGE = `node bench/run.ts [options]
  --quick               two short rounds: to see that it works
  --short               five short rounds
  --only logs512,…      these bodies
  --subjects laneway,…  these subjects
  --parts main,…        of: main, start, families, policy (with rules), rules (default: all)
  --list                what would be measured, and how long that takes
  --profile             a CPU profile of Laneway (or of the variant in --subjects) on the first body, and nothing else
  --output FILE         default bench/results.md`

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    short: { type: 'boolean', default: false },
    only: { type: 'string' },
    subjects: { type: 'string' },
    parts: { type: 'string', default: PARTS.join() },
    list: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    output: { type: 'string', default: RESULTS_FILE },
    help: { type: 'boolean', default: false },
  },
})

if (options.help) console.log(USAGE)
else await run()

async function run(): Promise<void> {
  claimLoaderCore()
  const plan = options.quick ? QUICK : options.short ? SHORT : FULL
  const corpus = process.env.BENCH_CORPUS
  const allBodies = [...createBodies(), ...(corpus === undefined ? [] : readCorpusBodies(corpus))]
  const bodies = choose(allBodies, options.only)
  const found = findSubjects(process.env)
  const subjects = choose(found.subjects, options.subjects)
  if (options.profile) return printProfile(bodies[0], subjects[0], plan)

  const parts = choose(
    PARTS.map((name) => ({ name })),
    options.parts,
  ).map(({ name }) => name)
  const hasLaneway = subjects.some(({ name }) => name === 'laneway')
  const meetings = meetingsOf(parts, bodies, subjects)
  const growths = hasLaneway ? growthsOf(parts) : []
  const growthPlan = { ...plan, closedLoopMs: plan.closedLoopMs + plan.fixedRateMs, fixedRateMs: 0 }
  console.error(`about ${minutesOf(meetings, growths, plan).toFixed(0)} minutes`)
  if (options.list) return printMeetings(meetings, growths)

  // First, for it takes seconds: a command that does not start should not cost the minutes before it.
  const startups = parts.includes('start') && hasLaneway ? await measureStartups() : []
  const outcomes: Outcome[] = []
  for (const { body, subjects } of meetings) {
    console.error(`${body.name} …`)
    outcomes.push(...(await measureBody(subjects, body, planFor(body, plan))))
  }
  for (const { subject, body, unable } of outcomes) {
    if (unable !== undefined) console.error(`${subject.name} on ${body.name}: ${unable}`)
  }
  const growthCosts: GrowthCost[] = []
  for (const growth of growths) {
    console.error(`${growth.name} …`)
    growthCosts.push(...(await measureGrowth(growth, allBodies, growthPlan)))
  }

  const report = [
    formatTargets({ outcomes, startups, growthCosts }),
    ...(outcomes.length === 0 ? [] : [formatOutcomes(outcomes)]),
    ...(growthCosts.length === 0 ? [] : [formatGrowth(growthCosts)]),
    ...(startups.length === 0 ? [] : [formatStartups(startups)]),
    formatConditions(plan, meetings, found.missing),
    '',
  ].join('\n\n')
  console.log(report)
  writeFileSync(options.output, report)
}

/** A body, and the subjects that meet it. */
interface Meeting {
  readonly body: Body
  readonly subjects: readonly Subject[]
}

/** A body that two parts compare is measured once, with the subjects of both. */
function meetingsOf(
  parts: readonly string[],
  bodies: readonly Body[],
  subjects: readonly Subject[],
): readonly Meeting[] {
  const wanted = new Set(parts.flatMap((part) => COMPARISONS[part] ?? []))
  return bodies
    .map((body) => {
      const comparisons = body.comparisons.filter((comparison) => wanted.has(comparison))
      const meets = ({ comparisons: theirs }: Subject): boolean =>
        theirs.some((comparison) => comparisons.includes(comparison))
      return { body, subjects: subjects.filter(meets) }
    })
    .filter((meeting) => meeting.subjects.length > 0)
}

/** Latency at a fixed rate is compared where peers are: among variants CPU is the question. */
function planFor(body: Body, plan: Plan): Plan {
  return body.comparisons.includes('peers') ? plan : { ...plan, fixedRateMs: 0 }
}

function growthsOf(parts: readonly string[]): readonly Growth[] {
  return Object.values(GROWTHS).filter(
    ({ name }) => parts.includes(name) || (name === 'rules' && parts.includes('policy')),
  )
}

function minutesOf(meetings: readonly Meeting[], growths: readonly Growth[], plan: Plan): number {
  const turnMs = ({ warmUpMs, rounds, closedLoopMs, fixedRateMs }: Plan): number =>
    warmUpMs + rounds * (closedLoopMs + fixedRateMs)
  const bodiesMs = [
    ...meetings.map(({ body, subjects }) => subjects.length * turnMs(planFor(body, plan))),
    ...growths.flatMap(({ bodies }) => bodies.map(() => GROWTH_COUNTS.length * turnMs(plan))),
  ]
  return bodiesMs.reduce((sum, ms) => sum + ms + OVERHEAD_MS, 0) / 60_000
}

function printMeetings(meetings: readonly Meeting[], growths: readonly Growth[]): void {
  for (const { body, subjects } of meetings)
    console.log(`${body.name}: ${subjects.map(({ name }) => name).join(' ')}`)
  for (const { name, bodies } of growths)
    console.log(`${GROWTH_COUNTS.join(', ')} ${name}: ${bodies.join(' ')}`)
}

async function measureStartups(): Promise<readonly Startup[]> {
  console.error('start …')
  const runs = options.quick ? 3 : options.short ? 5 : 9
  const packaged = process.env.BENCH_PACKAGE
  const checkout = await measureStartup('checkout', lanewayCommand(LANEWAY_CONFIGS.laneway), runs)
  if (packaged === undefined) return [checkout]
  return [checkout, await measureStartup('package', packageCommand(packaged), runs)]
}

function choose<T extends { readonly name: string }>(
  all: readonly T[],
  names: string | undefined,
): readonly T[] {
  if (names === undefined) return all
  return names.split(',').map((name) => {
    const chosen = all.find((one) => one.name === name)
    if (chosen === undefined)
      throw new Error(`no "${name}" here; there is ${all.map((one) => one.name).join(', ')}`)
    return chosen
  })
}

function formatConditions(plan: Plan, meetings: readonly Meeting[], missing: readonly string[]): string {
  const subjects = new Set(meetings.flatMap((meeting) => meeting.subjects))
  return [
    '### How it was measured',
    '',
    `${new Date().toISOString().slice(0, 10)}, ${cpuModel()}, Node ${process.version}: the subject pinned to one core, loader and sink`,
    `to another; ${plan.connections} kept-alive connections, nothing compressed on the way out, medians of ${plan.rounds} interleaved`,
    `rounds of ${plan.closedLoopMs / 1000} s. CPU is user + system time of the subject until all that it accepted is delivered.`,
    '',
    ...[...subjects].map(({ name, description }) => `- \`${name}\`: ${description}`),
    ...(missing.length === 0 ? [] : [`- not installed here: ${missing.join('; ')}`]),
    '',
    ...meetings.map(
      ({ body: { name, bytes, items, ratePerSecond, signal, comparisons } }) =>
        `- \`${name}\`: ${items} ${signal === 'logs' ? 'log records' : 'spans'}, ${(bytes.length / 1000).toFixed(0)} kB${comparisons.includes('peers') ? `; fixed rate ${ratePerSecond} requests/s` : ''}`,
    ),
  ].join('\n')
}

async function printProfile(body: Body, { name }: Subject, plan: Plan): Promise<void> {
  const variant = Object.entries(LANEWAY_CONFIGS).find(([known]) => known === name)
  if (variant === undefined) throw new Error(`only Laneway can be profiled, not ${name}`)
  const { file, heaviest } = await profileBody(body, plan, variant[1])
  console.log([`${name} on ${body.name}: ${file}`, ...heaviest].join('\n'))
}
