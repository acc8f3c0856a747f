/**
 * Whether the cost of an item grows with the number of families that are configured. It must not.
 *
 * In: the bench's configuration of Laneway, and a number of families. Out: CPU seconds per million items for
 * each number, measured side by side.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Body } from './bodies.ts'
import { measureBody, type Plan } from './measure.ts'
import { median } from './report.ts'
import { LANEWAY_CONFIG, lanewayCommand, type Subject } from './subjects.ts'

export interface FamilyCost {
  readonly body: string
  readonly families: number
  readonly cpuSecondsPerMillionItems: number
}

const FAMILY_COUNTS = [10, 100, 1000]

export async function measureFamilies(bodies: readonly Body[], plan: Plan): Promise<readonly FamilyCost[]> {
  const directory = mkdtempSync(join(tmpdir(), 'laneway-bench-families-'))
  try {
    const subjects = FAMILY_COUNTS.map((count): Subject => {
      const file = join(directory, `${count}.yaml`)
      writeFileSync(file, familiesYaml(count))
      return {
        name: String(count),
        description: `Laneway with ${count} families`,
        command: lanewayCommand([LANEWAY_CONFIG, file]),
        environment: () => ({}),
      }
    })
    const costs: FamilyCost[] = []
    for (const body of bodies) {
      for (const { subject, samples, unable } of await measureBody(subjects, body, plan)) {
        if (unable !== undefined) throw new Error(`with ${subject.name} families: ${unable}`)
        const perSample = samples.map((sample) => sample.cpuSecondsPerMillionItems)
        costs.push({
          body: body.name,
          families: Number(subject.name),
          cpuSecondsPerMillionItems: median(perSample),
        })
      }
    }
    return costs
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Families of subsystems, of one and of two segments, so that the longest match has something to choose from. */
function familiesYaml(count: number): string {
  const lines = Array.from({ length: count }, (_, index) => {
    const target = `codex_otel.bench_${Math.floor(index / 2)}${index % 2 === 0 ? '' : '.part'}`
    return `    bench_${index}: { targets: [${target}] }`
  })
  return ['policy:', '  families:', ...lines, ''].join('\n')
}
