/**
 * Whether the cost of an item grows with what is configured and does not apply to it. It must not.
 *
 * In: what grows (families, or field rules on the trace lane), bodies, a plan. Out: CPU seconds per million items
 * for each size, measured side by side on the bench's configuration of Laneway, and the ratio to the smallest.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Body } from './bodies.ts'
import { measureBody, type Outcome, type Plan, type Sample } from './measure.ts'
import { medianOf, ratioOf } from './report.ts'
import { LANEWAY_CONFIGS, lanewayCommand, type Subject } from './subjects.ts'

export interface Growth {
  readonly name: 'families' | 'rules'
  readonly bodies: readonly string[]
  /** A configuration file on top of the bench's own. */
  readonly yaml: (count: number) => string
}

export interface GrowthCost {
  readonly growth: Growth['name']
  readonly body: string
  readonly count: number
  readonly cpuSecondsPerMillionItems: number
  /** To the smallest count, within each round; 1 for that one itself. */
  readonly ratio: number
}

export const GROWTH_COUNTS: readonly number[] = [10, 100, 1000]

export const GROWTHS: Readonly<Record<Growth['name'], Growth>> = {
  families: { name: 'families', bodies: ['traces512', 'logs16'], yaml: familiesYaml },
  rules: { name: 'rules', bodies: ['traces512'], yaml: rulesYaml },
}

export async function measureGrowth(
  growth: Growth,
  bodies: readonly Body[],
  plan: Plan,
): Promise<readonly GrowthCost[]> {
  const directory = mkdtempSync(join(tmpdir(), 'laneway-bench-growth-'))
  try {
    const subjects = GROWTH_COUNTS.map((count): Subject => {
      const file = join(directory, `${count}.yaml`)
      writeFileSync(file, growth.yaml(count))
      return {
        name: String(count),
        description: `Laneway with ${count} ${growth.name}`,
        comparisons: [],
        command: lanewayCommand([...LANEWAY_CONFIGS.laneway, file]),
        environment: () => ({}),
      }
    })
    const costs: GrowthCost[] = []
    for (const body of bodies.filter(({ name }) => growth.bodies.includes(name))) {
      costs.push(...costsOf(growth, await measureBody(subjects, body, plan)))
    }
    return costs
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function costsOf(growth: Growth, outcomes: readonly Outcome[]): readonly GrowthCost[] {
  const cpu = (sample: Sample): number => sample.cpuSecondsPerMillionItems
  return outcomes.map((outcome) => {
    const { body, subject, unable } = outcome
    if (unable !== undefined) throw new Error(`with ${subject.name} ${growth.name}: ${unable}`)
    return {
      growth: growth.name,
      body: body.name,
      count: Number(subject.name),
      cpuSecondsPerMillionItems: medianOf(outcome, cpu),
      ratio: ratioOf(outcome, outcomes[0], cpu),
    }
  })
}

/** Families of subsystems, of one and of two segments, so that the longest match has something to choose from. */
function familiesYaml(count: number): string {
  const lines = Array.from({ length: count }, (_, index) => {
    const target = `codex_otel.bench_${Math.floor(index / 2)}${index % 2 === 0 ? '' : '.part'}`
    return `    bench_${index}: { targets: [${target}] }`
  })
  return ['policy:', '  families:', ...lines, ''].join('\n')
}

/** Every way not to apply: another key, another glob, another event, another family. They are asked before the preset's. */
const IDLE_RULES: readonly ((index: number) => string)[] = [
  (index) => `{ remove: [bench.key_${index}] }`,
  (index) => `{ remove: ["bench.prefix_${index}.*"] }`,
  (index) => `{ hash: ["*.bench_suffix_${index}"] }`,
  (index) => `{ on: span_event, event_name: codex.bench_${index}, remove: [prompt, model] }`,
  (index) => `{ on: span_event, family: dependency, truncate: [tool_name], to: ${index + 1}B }`,
]

function rulesYaml(count: number): string {
  const lines = Array.from(
    { length: count },
    (_, index) => `      - ${IDLE_RULES[index % IDLE_RULES.length](index)}`,
  )
  return ['lanes:', '  trace:', '    fields:', ...lines, ''].join('\n')
}
