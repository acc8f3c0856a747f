/**
 * The lanes as `/api/v1/lanes` shows them: what leads where, what waits, and how much policy guards it.
 *
 * Source: contract section 4.
 */
import type { LaneSpec } from '../config/config.ts'
import type { Signal } from '../otlp/signal.ts'
import type { ExporterStats } from './exporter.ts'

export interface LaneSummary {
  readonly name: string
  readonly signal: Signal
  /** `off`: no exporters, so what it would take is dropped as `no_exporter`. */
  readonly state: 'on' | 'off'
  /** `queued` is the exporter's whole queue, in flight included: lanes may share one. */
  readonly exporters: readonly {
    readonly name: string
    readonly state: 'up' | 'down'
    readonly queued: { readonly items: number; readonly bytes: number }
  }[]
  readonly policy: {
    readonly accept_lines: number
    readonly field_rules: number
    readonly unlisted_fields: 'keep' | 'remove'
    readonly wire: 'as_is' | 'canonical'
  }
}

export function summariseLanes(
  lanes: readonly LaneSpec[],
  exporters: ReadonlyMap<string, { stats(): ExporterStats }>,
): { readonly lanes: readonly LaneSummary[] } {
  return { lanes: lanes.map((lane) => summarise(lane, exporters)) }
}

function summarise(
  { name, signal, accept, fields, unlistedFields, wire, exporters: used }: LaneSpec,
  exporters: ReadonlyMap<string, { stats(): ExporterStats }>,
): LaneSummary {
  return {
    name,
    signal,
    state: used.length === 0 ? 'off' : 'on',
    exporters: used.flatMap((exporter) => {
      const stats = exporters.get(exporter.name)?.stats()
      if (stats === undefined) return []
      const queued = { items: stats.queuedItems, bytes: stats.queuedBytes }
      return [{ name: exporter.name, state: stats.down ? 'down' : 'up', queued } as const]
    }),
    policy: {
      accept_lines: accept.length,
      field_rules: fields.length,
      unlisted_fields: unlistedFields,
      wire,
    },
  }
}
