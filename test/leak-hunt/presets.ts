/**
 * The presets under the hunt, as the loader gives them to the policy: each lane with one exporter.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PolicySpec } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'

export const PRESETS = ['codex', 'codex-strict'] as const
export type Preset = (typeof PRESETS)[number]

/** The preset's policy, from the file as a user would write it. */
export function presetSpec(preset: Preset): PolicySpec {
  const cwd = mkdtempSync(join(tmpdir(), 'leak-hunt-'))
  try {
    const exporters = ['log', 'trace', 'metric']
      .map((lane) => `  file/${lane}: { path: ./${lane}.jsonl }\n`)
      .join('')
    const lanes = ['log', 'trace', 'metric']
      .map((lane) => `  ${lane}: { exporters: [file/${lane}] }\n`)
      .join('')
    const file = join(cwd, 'laneway.yaml')
    writeFileSync(
      file,
      `policy: { preset: ${preset} }\nhash_key: ${'k'.repeat(32)}\nexporters:\n${exporters}lanes:\n${lanes}`,
    )
    return loadConfig({ files: [file], set: [], env: {}, cwd }).policy
  } finally {
    rmSync(cwd, { recursive: true })
  }
}
