/**
 * `laneway review check --reviews F --corpus DIR`: whether captured requests hold what nobody has reviewed.
 *
 * For the CI of an application that emits: it fails when a new subsystem, or a new field on a traces lane, is in what was
 * captured, and prints the commands that decide. Every file of the folder is read as `explain` reads one. Nothing is sent.
 * Exit codes: 0 clean, 1 something is to be decided, 2 a file or the configuration cannot be read. Names only, no value.
 *
 * Source: contract section 3.
 */
import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Config, PolicySpec } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { CommandError, MalformedRequest, TooLarge } from '../errors.ts'
import { compilePolicy } from '../policy/compile.ts'
import { faultOf } from '../policy/reviews.ts'
import { route } from '../policy/route.ts'
import { createFindings, type FindingRow } from '../telemetry/findings.ts'
import { parsePositionals } from './config-options.ts'
import { readCapture } from './explain-input.ts'
import type { Io } from './io.ts'

const OPTIONS = {
  config: { type: 'string', multiple: true, short: 'c' },
  set: { type: 'string', multiple: true },
  reviews: { type: 'string' },
  corpus: { type: 'string' },
} as const

const USAGE = 'write `review check --reviews FILE --corpus FOLDER [--config FILE]`'

/** What is no request beside captures: indexes, notes. */
const CAPTURE = /\.(pb|bin|json|jsonl|gz|zst)$/

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const { positionals, values } = parsePositionals('review', argv, OPTIONS)
  const { reviews, corpus, config: files = [], set = [] } = values
  if (corpus === undefined || positionals.length > 1) throw new CommandError(`review: ${USAGE}`, 2)
  const named = reviews === undefined ? [] : [`policy.reviews=${JSON.stringify(resolve(io.cwd, reviews))}`]
  const config = loadConfig({ files, set: [...set, ...named], env: io.env, cwd: io.cwd })
  const captures = capturesIn(resolve(io.cwd, corpus), corpus)
  const found = await findingsIn(captures, config, io)
  if (found.length === 0) {
    io.stdout(`${captures.length} captured requests: nothing in them is waiting for a review.\n`)
    return 0
  }
  io.stdout(found.map((finding) => toDecide(finding, config.policy)).join('\n'))
  io.stderr(`laneway: ${found.length} things are to be decided before this may leave\n`)
  return 1
}

function capturesIn(folder: string, name: string): readonly string[] {
  let found: readonly string[]
  try {
    found = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && CAPTURE.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .toSorted()
  } catch {
    throw new CommandError(`review: ${name} cannot be read; name the folder with the captured requests`, 2)
  }
  if (found.length === 0) {
    throw new CommandError(`review: ${name} holds no captured request (.pb, .json, or compressed)`, 2)
  }
  return found
}

/** Subsystems and fields that are not reviewed, in the order of the files. */
async function findingsIn(
  captures: readonly string[],
  config: Config,
  io: Io,
): Promise<readonly FindingRow[]> {
  const { policy } = compilePolicy(config.policy)
  const findings = createFindings()
  const bytesMax = config.receiver.requestBodyBytesMax
  for (const file of captures) {
    try {
      const request = await readCapture({ file, signal: undefined, bytesMax }, io)
      if (request === undefined) continue
      findings.record(route(request.bytes, request.signal, policy).findings, Date.now())
    } catch (error) {
      if (error instanceof CommandError) throw new CommandError(error.message, 2)
      const isBad = error instanceof MalformedRequest || error instanceof TooLarge
      throw isBad ? new CommandError(`${file}: ${error.message}`, 2) : error
    }
  }
  return findings
    .snapshot()
    .findings.filter(({ kind }) => kind === 'unreviewed_subsystem' || kind === 'undecided_field')
    .toReversed()
}

/** A finding, and the commands that decide on it. */
function toDecide(
  { kind, target, family, place, key, event_names, fields, count }: FindingRow,
  policy: PolicySpec,
): string {
  const who = '--by WHO --reason WHY'
  const names = (list: readonly string[]): string => list.map(printable).join(', ')
  const events = event_names.length === 0 ? '' : ` in ${names(event_names)}`
  if (kind === 'unreviewed_subsystem') {
    const subject = quoted(target ?? '')
    const fault = faultOf(policy, target ?? '')
    const commands = [
      `  laneway review accept ${subject} --family NAME ${who}`,
      `  laneway review reject ${subject} ${who}`,
    ]
    return [
      `subsystem ${printable(target ?? '')}, ${count} times${events}`,
      ...(fields.length === 0 ? [] : [`  fields: ${names(fields)}`]),
      ...(fault === undefined ? commands : [`  it ${fault.message}: mend it where it is emitted`]),
      '',
    ].join('\n')
  }
  const where = `--on ${place}${family === null ? '' : ` --family ${quoted(family)}`}`
  return [
    `field ${printable(key ?? '')} on ${place}${family === null ? '' : ` of ${family}`}, ${count} times${events}`,
    `  laneway review accept-field ${quoted(key ?? '')} ${where} ${who}`,
    `  laneway review reject-field ${quoted(key ?? '')} ${where} ${who}`,
    '',
  ].join('\n')
}

function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
}

/** For a shell. */
function quoted(text: string): string {
  const plain = printable(text)
  return /^[\w./@:-]+$/.test(plain) ? plain : `'${plain.replaceAll("'", "'\\''")}'`
}
