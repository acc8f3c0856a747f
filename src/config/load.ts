/**
 * The configuration, loaded: text → tree → checked → Config, frozen, or every problem at once.
 *
 * Reads files, and nothing else of the world but what it is given. Throws ConfigError and no other error for
 * whatever a file holds. What it reports never shows a secret.
 */
import { dirname, isAbsolute, relative, resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { ConfigError, type Position, type Problem } from '../errors.ts'
import { compilePolicy } from '../policy/compile.ts'
import { applyReviews } from '../policy/reviews.ts'
import { checkTree, loadSchema } from './check.ts'
import { type Config, HASH_KEY_BYTES_MIN, type PolicySpec } from './config.ts'
import { reportDoubts } from './doubts.ts'
import { reportFieldDoubts } from './field-doubts.ts'
import { canonicalExporter, mapExporters } from './map-exporters.ts'
import { hasUrlFor } from './map-otlp-http.ts'
import { mapPolicy } from './map-policy.ts'
import { mapProcess, secretOf } from './map-process.ts'
import { reportPending } from './pending.ts'
import { type ResolvedTree, resolveTree } from './resolve.ts'
import { readReviews } from './reviews-file.ts'
import type { ConfigInput, SourceFile } from './sources.ts'
import { entriesOf, type Node, nodeAt, type Report, textOf } from './tree.ts'

export type { ConfigInput } from './sources.ts'

/** Throws ConfigError with all errors and warnings; a Config that is returned has only warnings. */
export function loadConfig(input: ConfigInput): Config {
  return loadResolved(input).config
}

export interface Loaded {
  readonly config: Config
  /** What it was made of. */
  readonly tree: ResolvedTree
  /** The policy as the configuration says, without any review. */
  readonly written: PolicySpec
}

/** The Config with what it was made of, for the commands that ask. Throws as `loadConfig` does. */
export function loadResolved(input: ConfigInput): Loaded {
  const steps = loadInSteps(input)
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

/** The same beside other work, which goes on between one step and the next: some milliseconds each. */
export async function loadBeside(input: ConfigInput): Promise<Loaded> {
  const steps = loadInSteps(input)
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
    await setImmediate()
  }
}

function* loadInSteps(input: ConfigInput): Generator<void, Loaded> {
  const problems: Problem[] = []
  const report: Report = (severity, position, key, message) => {
    problems.push({ severity, position, key, message })
  }
  const tree = resolveTree(input, report)
  if (tree === undefined) throw new ConfigError(tidy(problems))
  const { root, source, directoryOf } = tree
  yield
  checkTree(root, loadSchema(), report)
  yield
  const process = mapProcess(root, directoryOf, report)
  const exporters = mapExporters(root, { directoryOf, storage: process.storage, report })
  const reviewsFile = reviewsFileOf(tree, input.cwd)
  const reviews = readReviews(reviewsFile, report)
  yield
  const written = mapPolicy(root, report)
  const { spec: policySpec, problems: reviewProblems } = applyReviews(written, reviews)
  problems.push(...reviewProblems)
  checkUrls(tree, policySpec.lanes, report)
  checkHashKey(tree, problems, report)
  yield
  const { policy, problems: policyProblems } = compilePolicy(policySpec)
  problems.push(...withoutOutsideText(policyProblems, root))
  yield
  // Last: what is wrong in itself is said before what is only too early.
  reportPending(root, report)
  if (!problems.some(isError)) {
    reportDoubts({ spec: policySpec, policy, exporters }, report)
    reportFieldDoubts(policySpec.lanes, report)
  }
  const all = tidy(problems)
  if (all.some(isError)) throw new ConfigError(all)
  const hashKey = secretOf(nodeAt(root, 'hash_key'))
  return {
    config: freeze({
      source,
      ...process,
      policy: policySpec,
      reviews,
      reviewsFile: reviewsFile.path,
      files: [...tree.files, reviewsFile.path],
      hashKey,
      exporters,
      warnings: all,
    }),
    tree,
    written,
  }
}

/** Relative to the file that names it; where none does, beside the first. */
function reviewsFileOf({ root, directoryOf }: ResolvedTree, cwd: string): SourceFile {
  const node = nodeAt(root, 'policy', 'reviews')
  const path = resolve(directoryOf((node ?? root).position.file), textOf(node) ?? REVIEWS_FILE)
  const near = relative(cwd, path)
  const name = near.startsWith('..') || isAbsolute(near) ? path : near
  return { name, path, directory: dirname(path) }
}

/** What `policy.reviews` is where nobody says it. */
const REVIEWS_FILE = './reviews.yaml'

function checkUrls({ root }: ResolvedTree, lanes: Config['policy']['lanes'], report: Report): void {
  const exporters = new Map(
    entriesOf(nodeAt(root, 'exporters')).map(([name, { value }]) => [canonicalExporter(name), value]),
  )
  for (const lane of lanes) {
    for (const { name, position } of lane.exporters) {
      const node = exporters.get(name)
      if (node === undefined || name.split('/', 1)[0] !== 'otlp_http' || hasUrlFor(node, lane.signal))
        continue
      report(
        'error',
        position,
        `lanes.${lane.name}.exporters`,
        `exporter \`${name}\` has no URL for ${lane.signal}; give it \`endpoint\` or \`${lane.signal}_endpoint\``,
      )
    }
  }
}

function checkHashKey({ root }: ResolvedTree, problems: readonly Problem[], report: Report): void {
  const node = nodeAt(root, 'hash_key')
  const key = textOf(node)
  if (node === undefined || key === undefined || Buffer.byteLength(key) >= HASH_KEY_BYTES_MIN) return
  // Of a key that cannot be read yet nothing is known; it is measured again where it is used.
  if (problems.some((problem) => problem.key === 'hash_key')) return
  report(
    'error',
    node.position,
    'hash_key',
    `is shorter than ${HASH_KEY_BYTES_MIN} bytes; make one with \`openssl rand -hex 32\``,
  )
}

/** The policy's compiler quotes the words that it judges; a word that came from outside may not be quoted. */
function withoutOutsideText(problems: readonly Problem[], root: Node): readonly Problem[] {
  const places = new Set(outsidePlaces(root))
  return problems.map((problem) => {
    const message =
      'what the reference gives is not valid here; write a word that is, or mend what it refers to'
    return places.has(placeOf(problem.position)) ? { ...problem, message } : problem
  })
}

function outsidePlaces(node: Node): readonly string[] {
  if (node.kind === 'scalar') return node.outside ? [placeOf(node.position)] : []
  if (node.kind === 'list') return node.items.flatMap(outsidePlaces)
  return [...node.entries.values()].flatMap(({ value }) => outsidePlaces(value))
}

function placeOf({ file, line, column }: Position): string {
  return `${file}:${line}:${column}`
}

function isError({ severity }: Problem): boolean {
  return severity === 'error'
}

/** In the order of the files; what follows from a problem at the same place with the same key is left out. */
function tidy(problems: readonly Problem[]): readonly Problem[] {
  const seen = new Set<string>()
  const kept = problems.filter(({ severity, position, key }) => {
    const id = `${severity} ${placeOf(position)} ${key}`
    return !seen.has(id) && seen.add(id)
  })
  const files = [...new Set(kept.map(({ position }) => position.file))]
  return kept.toSorted(({ position: one }, { position: other }) => {
    const byFile = files.indexOf(one.file) - files.indexOf(other.file)
    return byFile || one.line - other.line || one.column - other.column
  })
}

function freeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) freeze(inner)
  }
  return value
}
