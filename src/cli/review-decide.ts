/**
 * `laneway review accept|reject|accept-field|reject-field|dismiss`: a decision, written into the reviews file and taken up.
 *
 * Judged before it is written: a target that the policy names, a family that is not there, a field on which a line
 * decides already are refused. The sidecar that runs is asked to take the file up. Where the file cannot be written the
 * lines to commit are printed, and the exit code is 3. Source: contract section 3; decision 0012.
 */
import type { Config, PolicySpec } from '../config/config.ts'
import { type NewReview, reviewLines, withReview } from '../config/edit-reviews.ts'
import { loadResolved } from '../config/load.ts'
import { keyFault } from '../config/reviews-file.ts'
import { CommandError } from '../errors.ts'
import { compilePolicy } from '../policy/compile.ts'
import { toByteString } from '../policy/family.ts'
import { didYouMean } from '../policy/nearest.ts'
import { TRACE_PLACES } from '../policy/place.ts'
import { applyReviews, faultOf, NO_REVIEWS } from '../policy/reviews.ts'
import { parsePositionals, parseWord } from './config-options.ts'
import { findingsOf } from './finding-source.ts'
import type { Io } from './io.ts'
import { takeUp } from './review-reload.ts'
import { rewriteFile } from './rewrite-file.ts'

const OPTIONS = {
  config: { type: 'string', multiple: true, short: 'c' },
  set: { type: 'string', multiple: true },
  admin: { type: 'string' },
  family: { type: 'string' },
  new: { type: 'boolean' },
  'onto-trace-lane': { type: 'boolean' },
  on: { type: 'string' },
  by: { type: 'string' },
  reason: { type: 'string' },
} as const

type Options = ReturnType<typeof parsePositionals<typeof OPTIONS>>['values']

/** Who decided, when, and why. */
interface Decided {
  readonly by: string
  readonly at: string
  readonly reason: string
}

interface Asked {
  readonly subject: string
  readonly options: Options
  readonly decided: Decided
}

interface Ground {
  readonly config: Config
  /** The policy without reviews. */
  readonly written: PolicySpec
}

/** What a decision takes beside `--by` and `--reason`. */
const USAGES: Readonly<Record<string, string>> = {
  accept: 'write `review accept TARGET --family NAME --by WHO --reason WHY`',
  reject: 'write `review reject TARGET --by WHO --reason WHY`',
  'accept-field': 'write `review accept-field KEY --on PLACE [--family NAME] --by WHO --reason WHY`',
  'reject-field': 'write `review reject-field KEY --on PLACE [--family NAME] --by WHO --reason WHY`',
  dismiss: 'write `review dismiss ID --by WHO --reason WHY`; `review list` shows the ids',
}

const NOT_WRITTEN_CODE = 3

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const { positionals, values: options } = parsePositionals('review', argv, OPTIONS)
  const [verb, subject, ...rest] = positionals
  const usage = USAGES[verb]
  if (subject === undefined || rest.length > 0) throw new CommandError(`review: ${usage}`, 2)
  const decided = decidedOf(options, usage)
  const input = { files: options.config ?? [], set: options.set ?? [], env: io.env, cwd: io.cwd }
  const { config, written } = loadResolved(input)
  const decision = await decisionOn(verb, { subject, options, decided }, { config, written })
  const rewritten = await rewriteFile(config.reviewsFile, (text) => withReview(text, decision))
  if (!rewritten.isWritten) {
    const { why } = rewritten
    io.stderr(`laneway: ${config.reviewsFile} cannot be written: ${why}; commit these lines to it\n`)
    io.stdout(reviewLines(decision))
    return NOT_WRITTEN_CODE
  }
  io.stdout(`Written to ${config.reviewsFile}:\n\n${reviewLines(decision)}\n`)
  return takeUp(options.admin, config, io)
}

function decidedOf({ by, reason }: Options, usage: string): Decided {
  const missing = [...(by?.trim() ? [] : ['--by']), ...(reason?.trim() ? [] : ['--reason'])]
  if (by === undefined || reason === undefined || missing.length > 0) {
    throw new CommandError(
      `review: ${missing.join(' and ')} missing: who decides, and why, is kept; ${usage}`,
      2,
    )
  }
  const at = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
  return { by: by.trim(), at, reason: reason.trim() }
}

async function decisionOn(verb: string, asked: Asked, ground: Ground): Promise<NewReview> {
  switch (verb) {
    case 'accept':
      return acceptance(asked, ground)
    case 'reject':
      return rejection(asked, ground)
    case 'dismiss':
      return dismissal(asked, ground)
    default:
      return fieldDecision(verb === 'accept-field' ? 'accept' : 'reject', asked, ground)
  }
}

// Targets.

async function acceptance({ subject: target, options, decided }: Asked, ground: Ground): Promise<NewReview> {
  refuseFault(ground.written, target)
  const { family, new: newFamily = false } = options
  if (family === undefined) throw new CommandError(`review: --family is missing; ${USAGES.accept}`, 2)
  const own = ground.written.families.map(({ name }) => name)
  const known = ground.config.policy.families.map(({ name }) => name)
  if (!newFamily && !known.includes(family)) {
    const guess = didYouMean(family, known)
    throw new CommandError(
      `review: there is no family \`${family}\`${guess || `; there are ${known.join(', ')}.`} \`--new\` makes it`,
      2,
    )
  }
  if (newFamily && own.includes(family)) {
    throw new CommandError(`review: the family \`${family}\` is there already; leave --new out`, 2)
  }
  const review = { target, decision: 'accept', family, newFamily, ...decided } as const
  await assertLane(review, options, ground)
  return { section: 'targets', review }
}

/** A target that a traces lane would take is accepted only by whoever says so, and has seen its fields. */
async function assertLane(
  review: Extract<NewReview, { section: 'targets' }>['review'],
  options: Options,
  { config, written }: Ground,
): Promise<void> {
  const position = { file: config.reviewsFile, line: 1, column: 1 }
  const { spec, problems } = applyReviews(written, { ...NO_REVIEWS, targets: [{ ...review, position }] })
  const policyProblems = [...problems, ...compilePolicy(spec).problems]
  const [problem] = policyProblems.filter(({ severity }) => severity === 'error')
  if (problem !== undefined) throw new CommandError(`review: ${problem.message}`, 2)
  const { decider } = compilePolicy(spec).policy
  const isOnTraces = decider.subject(toByteString(review.target)).isTraceSafe
  if (!isOnTraces || options['onto-trace-lane'] === true) return
  const seen = await fieldsSeen(review.target, options.admin, config)
  throw new CommandError(
    `review: events of family \`${review.family}\` leave on a traces lane. ${seen} Say --onto-trace-lane if all of that may leave there`,
    2,
  )
}

async function fieldsSeen(target: string, admin: string | undefined, config: Config): Promise<string> {
  const { findings } = await findingsOf(admin, config)
  const own = findings.filter((finding) => finding.target === target)
  const fields = [...new Set(own.flatMap((finding) => finding.fields))]
  if (fields.length === 0) return `Nothing is known yet of the fields of ${target}.`
  const events = [...new Set(own.flatMap((finding) => finding.event_names))]
  const named = events.length === 0 ? '' : ` in ${events.join(', ')}`
  return `Its events have these fields${named}: ${fields.join(', ')}.`
}

function rejection({ subject: target, decided }: Asked, { written }: Ground): NewReview {
  refuseFault(written, target)
  const review = { target, decision: 'reject', family: undefined, newFamily: false, ...decided } as const
  return { section: 'targets', review }
}

function refuseFault(written: PolicySpec, target: string): void {
  const fault = faultOf(written, target)
  if (fault !== undefined) throw new CommandError(`review: \`${target}\` ${fault.message}`, 2)
}

// Fields and findings.

function fieldDecision(
  decision: 'accept' | 'reject',
  { subject: key, options, decided }: Asked,
  { config, written }: Ground,
): NewReview {
  const fault = keyFault(key)
  if (fault !== undefined) throw new CommandError(`review: ${fault}`, 2)
  if (options.on === undefined) {
    throw new CommandError(`review: --on is missing; ${USAGES[`${decision}-field`]}`, 2)
  }
  const place = parseWord('place', options.on, { command: 'review', known: TRACE_PLACES })
  const review = { key, place, family: options.family, decision, ...decided }
  const position = { file: config.reviewsFile, line: 0, column: 0 }
  // The other decisions make families, too.
  const others = { ...config.reviews, fields: [{ ...review, position }] }
  const { spec, problems } = applyReviews(written, others)
  const [problem] = problems.filter((one) => one.position === position && one.severity === 'error')
  if (problem !== undefined) throw new CommandError(`review: ${problem.message}`, 2)
  const lanes = compilePolicy(spec).policy.lanes.filter(({ signal }) => signal === 'traces')
  for (const { name, fields } of lanes) {
    const { rule } = fields.contexts(options.family, [], '')[place].named(toByteString(key))
    if (rule === undefined || rule === position) continue
    throw new CommandError(
      `review: lane ${name} decides on \`${key}\` already, in ${rule.file}:${rule.line}, and a review never overrides a line; change \`lanes.${name}.fields\``,
      2,
    )
  }
  return { section: 'fields', review }
}

async function dismissal({ subject: id, options, decided }: Asked, { config }: Ground): Promise<NewReview> {
  if (!/^[0-9a-f]{12}$/.test(id)) {
    throw new CommandError(`review: \`${id}\` is no id of a finding; ${USAGES.dismiss}`, 2)
  }
  const { findings } = await findingsOf(options.admin, config)
  if (findings.length > 0 && !findings.some((finding) => finding.id === id)) {
    throw new CommandError(`review: there is no finding ${id}; \`review list\` shows which there are`, 2)
  }
  return { section: 'dismissed', review: { id, ...decided } }
}
