/**
 * Compiles a policy: checks what the schema cannot (names that refer to each other), and makes the tables
 * that `route` runs on. All problems are reported at once, each with the line that it stands on.
 */
import type { AcceptLineSpec, LaneSpec, PolicySpec, TargetPathSpec } from '../config/config.ts'
import type { Position, Problem } from '../errors.ts'
import type { Signal } from '../otlp/signal.ts'
import { type AcceptLine, compileSelector, selectorWord } from './accept.ts'
import { Decider, type Subject } from './decide.ts'
import { digestOf } from './digest.ts'
import { createClassifier } from './family.ts'
import { FieldPolicy } from './fields.ts'
import type { PolicyLane } from './lane.ts'
import { Memory } from './memory.ts'
import { didYouMean } from './nearest.ts'
import { parseTargetPath } from './path.ts'
import { createSpanKernel, type SpanKernel } from './span-kernel.ts'
import { TargetReader } from './target.ts'
import { lanesMax, Verdicts } from './verdict.ts'
import { Workspace } from './workspace.ts'

/** A compiled policy. Immutable in meaning; it owns the memory and the scratch space that `route` uses. */
export interface Policy {
  /** Of what it says; see `digestOf`. */
  readonly digest: string
  readonly lanes: readonly PolicyLane[]
  readonly decider: Decider
  readonly verdicts: Verdicts
  readonly subjects: Memory<Subject>
  readonly logRecordTarget: TargetReader
  readonly spanEventTarget: TargetReader
  readonly spanTarget: TargetReader
  /** Whether any event may leave in another carriage than it came in. */
  readonly rehomes: boolean
  /** Whether some rule asks what an event is called. */
  readonly readsEventNames: boolean
  readonly workspace: Workspace
  /** The fast way for spans; undefined if the policy has none. Made when it is first asked for. */
  readonly spanKernel: () => SpanKernel | undefined
}

/** Words of the ledger and of selectors, which no family may take for a name. */
const reservedWords: readonly string[] = ['any', 'foreign', '*', 'unreviewed', 'ambiguous']

/** The items that a lane's accept lines can speak of, by its signal. */
const itemsOf: Readonly<Record<Signal, readonly AcceptLineSpec['items'][]>> = {
  logs: ['events'],
  traces: ['events', 'spans'],
  metrics: ['points'],
}

/** `hashKey`: what `hash` is keyed with; at least 32 bytes wherever a rule hashes. */
export function compilePolicy(
  spec: PolicySpec,
  hashKey: Uint8Array = new Uint8Array(32),
): {
  readonly policy: Policy
  readonly problems: readonly Problem[]
} {
  const problems: Problem[] = []
  const report = (position: Position, key: string, message: string): void => {
    problems.push({ severity: 'error', position, key, message })
  }
  checkFamilies(spec, report)
  checkLanes(spec, report)
  const families = new Set(spec.families.map((family) => family.name))
  const lanes = spec.lanes.map((lane) => ({
    name: lane.name,
    signal: lane.signal,
    isOn: lane.exporters.length > 0,
    accept: lane.accept.map((line) => compileLine(line, families)),
    fields: new FieldPolicy(lane.fields, lane.unlistedFields),
    wire: lane.wire,
  }))
  const verdicts = new Verdicts(lanes, spec.rehome, spec.positions.rehome)
  const decider = new Decider(spec, lanes, verdicts, createClassifier(spec, selectorTargets(lanes)))
  const reader = (paths: readonly TargetPathSpec[]): TargetReader =>
    new TargetReader(
      paths.map((path) => parseTargetPath(path, problems)).filter((path) => path !== undefined),
    )
  const targets = {
    logRecordTarget: reader(spec.target.logRecord),
    spanEventTarget: reader(spec.target.spanEvent),
    spanTarget: reader(spec.target.span),
  }
  // A field policy may call an event by its `event.name`, whatever its lines ask for.
  const readsEventNames = lanes.some(({ accept, fields }) => fields.isActive || accept.some(asksEventName))
  const asksEventNames = lanes.some(
    ({ accept, fields }) => fields.asksEventName || accept.some(asksEventName),
  )
  let spanKernel: { readonly made: SpanKernel | undefined } | undefined
  const policy: Policy = {
    digest: digestOf(spec),
    lanes,
    decider,
    verdicts,
    subjects: new Memory((target) => decider.subject(target)),
    ...targets,
    rehomes: spec.rehome.toLogs || spec.rehome.toTraces,
    readsEventNames,
    workspace: new Workspace(lanes, targets, { hashKey, readsEventNames }),
    spanKernel: () => {
      spanKernel ??= { made: createSpanKernel(policy, asksEventNames) }
      return spanKernel.made
    },
  }
  return { policy: Object.freeze(policy), problems }
}

type Report = (position: Position, key: string, message: string) => void

function compileLine(line: AcceptLineSpec, families: ReadonlySet<string>): AcceptLine {
  return {
    takes: !line.except,
    items: line.items,
    selectors: line.selectors.map((selector) => compileSelector(selector, families)),
    position: line.position,
  }
}

function asksEventName({ selectors }: AcceptLine): boolean {
  return selectors.some(({ condition }) => condition !== undefined && condition.eventNames.length > 0)
}

function selectorTargets(lanes: readonly { readonly accept: readonly AcceptLine[] }[]): ReadonlySet<string> {
  const targets = new Set<string>()
  for (const { accept } of lanes) {
    for (const { selectors } of accept) {
      for (const { subject } of selectors) if (subject.kind === 'target') targets.add(subject.name)
    }
  }
  return targets
}

function checkFamilies(spec: PolicySpec, report: Report): void {
  const owners = new Map<string, string>()
  for (const family of spec.families) {
    const key = `policy.families.${family.name}`
    if (reservedWords.includes(family.name)) {
      report(
        family.position,
        key,
        `\`${family.name}\` has a meaning of its own in rules and counts: choose another name`,
      )
    }
    for (const { target, position } of family.targets) {
      const owner = owners.get(target)
      if (owner !== undefined) {
        report(
          position,
          `${key}.targets`,
          `target \`${target}\` is in family \`${owner}\` already: a target has one family`,
        )
      }
      if (spec.match === 'segment' && target.split('.').includes('')) {
        report(
          position,
          `${key}.targets`,
          `target \`${target}\` has an empty segment, so it would match nothing`,
        )
      }
      owners.set(target, family.name)
    }
  }
}

function checkLanes(spec: PolicySpec, report: Report): void {
  const families = spec.families.map((family) => family.name)
  if (spec.lanes.length > lanesMax) {
    report(spec.lanes[lanesMax].position, 'lanes', `a policy has at most ${lanesMax} lanes`)
  }
  for (const lane of spec.lanes) {
    for (const line of lane.accept) checkLine(lane, line, spec, families, report)
  }
}

function checkLine(
  lane: LaneSpec,
  line: AcceptLineSpec,
  spec: PolicySpec,
  families: readonly string[],
  report: Report,
): void {
  const key = `lanes.${lane.name}.accept`
  const allowed = itemsOf[lane.signal]
  if (!allowed.includes(line.items)) {
    report(
      line.position,
      key,
      `a lane of signal ${lane.signal} cannot take \`${line.items}\`: write ${allowed.map((items) => `\`${items}\``).join(' or ')}`,
    )
    return
  }
  for (const selector of line.selectors) {
    if (line.items !== 'events' && selector.eventNames.length > 0) {
      report(selector.position, key, `\`event_name\` is asked of events only, and ${line.items} have none`)
    }
    if (selector.family !== undefined && selector.target !== undefined) {
      report(selector.position, key, 'a selector names a family or a target: write two of them')
    }
    const word = selectorWord(selector)
    if (word === undefined || reservedSelectors.has(word)) continue
    const isTarget = selector.target !== undefined || looksLikeTarget(word, spec.namespace)
    if (selector.family !== undefined || !isTarget) {
      if (families.includes(word)) continue
      report(
        selector.position,
        key,
        `there is no family \`${word}\`${didYouMean(word, families)} Write a family of policy.families, a target such as \`${spec.namespace || 'app'}.name\`, \`*\`, \`foreign\` or \`any\``,
      )
    }
  }
}

const reservedSelectors: ReadonlySet<string> = new Set(['any', 'foreign', '*'])

/** A word that is no family can only be a target if it looks like one. */
function looksLikeTarget(word: string, namespace: string): boolean {
  return word === namespace || word.includes('.') || word.includes('::')
}
