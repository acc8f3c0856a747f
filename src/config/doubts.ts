/**
 * Warnings: a configuration that can run, but hardly means what it says.
 *
 * Whether two lanes take one item is asked of the compiled policy itself, with made items for each target,
 * event name and resource that the accept lines speak of; no second reading of the rules is kept here.
 */
import type { Signal } from '../otlp/signal.ts'
import type { Policy } from '../policy/compile.ts'
import { toByteString } from '../policy/family.ts'
import type { ExporterConfig, LaneSpec, PolicySpec, SelectorSpec } from './config.ts'
import type { Report } from './tree.ts'

/** Enough for every line of a policy written by people; the bound keeps start quick. */
const SAMPLES_MAX = 5_000

interface Doubtful {
  readonly spec: PolicySpec
  readonly policy: Policy
  readonly exporters: readonly ExporterConfig[]
}

export function reportDoubts({ spec, policy, exporters }: Doubtful, report: Report): void {
  for (const lane of spec.lanes) {
    const key = `lanes.${lane.name}`
    if (!lane.accept.some((line) => !line.except && line.selectors.length > 0)) {
      report(
        'warning',
        lane.position,
        key,
        'can get nothing: no line of `accept` takes anything; write one, such as `- { events: ["*"] }`',
      )
    } else if (lane.exporters.length === 0) {
      report(
        'warning',
        lane.position,
        key,
        'is off: it has no exporters, and its items will be dropped as no_exporter; write `exporters: […]`',
      )
    }
  }
  const used = new Set(spec.lanes.flatMap((lane) => lane.exporters.map(({ name }) => name)))
  for (const { name, position } of exporters) {
    if (!used.has(name))
      report(
        'warning',
        position,
        `exporters.${name}`,
        "is used by no lane; name it in a lane's `exporters`, or leave it out",
      )
  }
  reportDoubles({ spec, policy, exporters }, report)
}

function reportDoubles({ spec, policy, exporters }: Doubtful, report: Report): void {
  const pairs = spec.lanes.flatMap((one, index) =>
    spec.lanes.slice(index + 1).flatMap((other) => {
      const backend = one.signal === other.signal ? sharedBackend(one, other, exporters) : undefined
      return backend === undefined
        ? []
        : [{ one, other, backend, bits: bitOf(spec, one) | bitOf(spec, other) }]
    }),
  )
  if (pairs.length === 0) return
  const taken = lanesTaken(spec, policy)
  for (const { one, other, backend, bits } of pairs) {
    if (!taken.some((lanes) => (lanes & bits) === bits)) continue
    const position = other.exporters.find(({ name }) => name === backend)?.position ?? other.position
    report(
      'warning',
      position,
      `lanes.${other.name}.exporters`,
      `an item that lanes \`${one.name}\` and \`${other.name}\` both take arrives at one backend twice; narrow one lane's \`accept\`, or send it elsewhere`,
    )
  }
}

function bitOf(spec: PolicySpec, lane: LaneSpec): number {
  return 1 << spec.lanes.indexOf(lane)
}

/** The exporter of `other` that reaches a backend of `one` too. */
function sharedBackend(
  one: LaneSpec,
  other: LaneSpec,
  exporters: readonly ExporterConfig[],
): string | undefined {
  const backends = new Set(one.exporters.map(({ name }) => backendOf(name, one.signal, exporters)))
  return other.exporters.find(({ name }) => backends.has(backendOf(name, other.signal, exporters)))?.name
}

function backendOf(name: string, signal: Signal, exporters: readonly ExporterConfig[]): string {
  const exporter = exporters.find((candidate) => candidate.name === name)
  if (exporter?.kind === 'otlp_http') return exporter.urls[signal] ?? name
  return exporter?.kind === 'file' ? `file:${exporter.path}` : name
}

/** For made items of every kind that the policy tells apart: the lanes that take each, as bits. */
function lanesTaken(spec: PolicySpec, policy: Policy): readonly number[] {
  const selectors = spec.lanes.flatMap((lane) => lane.accept.flatMap((line) => line.selectors))
  const targets = new Set(['', 'some.other.target', `${spec.namespace}.some_subsystem`])
  for (const { targets: owned } of spec.families)
    for (const { target } of owned.slice(0, 1)) targets.add(target)
  for (const { word, target } of selectors)
    if (word !== undefined || target !== undefined) targets.add(word ?? target ?? '')
  const facts = [undefined, ...selectors.filter(isConditional)].map(factsOf)
  const samples = [...targets]
    .flatMap((target) => facts.map((fact) => ({ target, fact })))
    .slice(0, SAMPLES_MAX)
  return samples.flatMap(({ target, fact }) => {
    const subject = policy.decider.subject(toByteString(target))
    const carriages = ['log_record', 'span_event', 'span', 'data_point'] as const
    return carriages.map((carriage) => {
      const { native, rehomed } = policy.decider.decide(subject, carriage).ask(fact)
      return native | rehomed
    })
  })
}

function isConditional(selector: SelectorSpec): boolean {
  return selector.eventNames.length > 0 || Object.keys(selector.resource).length > 0
}

type Facts = Parameters<ReturnType<Policy['decider']['decide']>['ask']>[0]

/** The facts of an item that meets the selector's conditions. */
function factsOf(selector: SelectorSpec | undefined): Facts {
  const sample = (globs: readonly string[] = []): readonly string[] =>
    globs.slice(0, 1).map((glob) => toByteString(glob.replaceAll('*', 'x')))
  const resource = new Map(
    Object.entries(selector?.resource ?? {}).map(([key, globs]) => [toByteString(key), sample(globs)]),
  )
  const eventNames = sample(selector?.eventNames)
  return { eventNames: () => eventNames, resourceValues: (key) => resource.get(key) ?? [] }
}
