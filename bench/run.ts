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
import { type Body, createBodies, readCorpusBodies } from './bodies.ts'
import { measureFamilies } from './families.ts'
import { claimLoaderCore, cpuModel } from './machine.ts'
import { measureBody, type Outcome, type Plan } from './measure.ts'
import { profileBody } from './profile.ts'
import { formatFamilyCosts, formatOutcomes, formatStartups } from './report.ts'
import { measureStartup } from './startup.ts'
import { findSubjects, LANEWAY_CONFIG, lanewayCommand, packageCommand, type Subject } from './subjects.ts'

const FULL: Plan = { rounds: 5, connections: 8, warmUpMs: 3000, closedLoopMs: 3000, fixedRateMs: 5000 }
const QUICK: Plan = { rounds: 2, connections: 8, warmUpMs: 1500, closedLoopMs: 1000, fixedRateMs: 1000 }
const RESULTS_FILE = join(import.meta.dirname, 'results.md')
const FAMILY_BODIES = ['traces512', 'logs16']

const USAGE = `node bench/run.ts [options]
  --quick               few and short rounds
  --only logs512,…      these bodies
  --subjects laneway,…  these subjects
  --parts main,…        of: main, start, families (default: all)
  --profile             a CPU profile of Laneway on the first body, and nothing else
  --output FILE         default bench/results.md`

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    subjects: { type: 'string' },
    parts: { type: 'string', default: 'main,start,families' },
    profile: { type: 'boolean', default: false },
    output: { type: 'string', default: RESULTS_FILE },
    help: { type: 'boolean', default: false },
  },
})

if (options.help) console.log(USAGE)
else await run()

async function run(): Promise<void> {
  claimLoaderCore()
  const plan = options.quick ? QUICK : FULL
  const corpus = process.env.BENCH_CORPUS
  const allBodies = [...createBodies(), ...(corpus === undefined ? [] : readCorpusBodies(corpus))]
  const bodies = choose(allBodies, options.only)
  if (options.profile) return printProfile(bodies[0], plan)

  const found = findSubjects(process.env)
  const subjects = choose(found.subjects, options.subjects)
  const parts = options.parts.split(',')
  const hasLaneway = subjects.some(({ name }) => name === 'laneway')
  const sections = [formatConditions(plan, bodies, subjects, found.missing)]

  if (parts.includes('main')) {
    const outcomes: Outcome[] = []
    for (const body of bodies) {
      console.error(`${body.name} …`)
      outcomes.push(...(await measureBody(subjects, body, plan)))
    }
    for (const { subject, body, unable } of outcomes) {
      if (unable !== undefined) console.error(`${subject.name} on ${body.name}: ${unable}`)
    }
    sections.push(formatOutcomes(outcomes))
  }
  if (parts.includes('start') && hasLaneway) {
    console.error('start …')
    const runs = options.quick ? 3 : 9
    const packaged = process.env.BENCH_PACKAGE
    const startups = [await measureStartup('checkout', lanewayCommand([LANEWAY_CONFIG]), runs)]
    if (packaged !== undefined) startups.push(await measureStartup('package', packageCommand(packaged), runs))
    sections.push(formatStartups(startups))
  }
  if (parts.includes('families') && hasLaneway) {
    console.error('families …')
    const familyBodies = allBodies.filter(({ name }) => FAMILY_BODIES.includes(name))
    sections.push(formatFamilyCosts(await measureFamilies(familyBodies, plan)))
  }
  const report = `${sections.join('\n\n')}\n`
  console.log(report)
  writeFileSync(options.output, report)
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

function formatConditions(
  plan: Plan,
  bodies: readonly Body[],
  subjects: readonly Subject[],
  missing: readonly string[],
): string {
  return [
    `Measured ${new Date().toISOString().slice(0, 10)} on ${cpuModel()}, Node ${process.version}: the subject pinned to one`,
    `core, loader and sink to another; ${plan.connections} kept-alive connections, nothing compressed on the way out, medians of ${plan.rounds}`,
    'interleaved rounds. CPU is user + system time of the subject until all that it accepted is delivered.',
    '',
    ...subjects.map(({ name, description }) => `- \`${name}\`: ${description}`),
    ...(missing.length === 0 ? [] : [`- not installed here: ${missing.join('; ')}`]),
    '',
    ...bodies.map(
      ({ name, bytes, items, ratePerSecond, signal }) =>
        `- \`${name}\`: ${items} ${signal === 'logs' ? 'log records' : 'spans'}, ${(bytes.length / 1000).toFixed(0)} kB; fixed rate ${ratePerSecond} requests/s`,
    ),
  ].join('\n')
}

async function printProfile(body: Body, plan: Plan): Promise<void> {
  const { file, heaviest } = await profileBody(body, plan)
  console.log([`${body.name}: ${file}`, ...heaviest].join('\n'))
}
