/**
 * `laneway explain`: where each item of a captured request would go, which line of the policy says so, and what
 * becomes of each field. Nothing is sent, nothing is stored, and no value is shown.
 *
 * Text: kinds of items and a summary. `--format json`: `{"items": [{carriage, target, target_from, family, lanes, lane,
 * outcome, reason, rule, fields: [{place, key, action, rule}]}]}`, each field with its `lane` where several lanes
 * take the item; null for what is not there. Exit code 1 if the request cannot be read.
 */
import { loadConfig } from '../config/load.ts'
import { CommandError, MalformedRequest, type Position, TooLarge } from '../errors.ts'
import { SIGNALS } from '../otlp/signal.ts'
import { parseArgument, parseWord } from './config-options.ts'
import { readCapture } from './explain-input.ts'
import { type ExplainedItem, explainItems, hasFieldPolicy } from './explain-items.ts'
import { formatExplanation } from './explain-text.ts'
import type { Io } from './io.ts'

const FORMATS = ['text', 'json'] as const

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const { argument: file, values } = parseArgument('explain', argv, {
    options: {
      config: { type: 'string', multiple: true, short: 'c' },
      set: { type: 'string', multiple: true },
      signal: { type: 'string' },
      format: { type: 'string' },
    },
    what: 'FILE with a captured request, or `-` for standard input',
  })
  const command = 'explain'
  const format = parseWord('format', values.format ?? 'text', { command, known: FORMATS })
  const signal =
    values.signal === undefined ? undefined : parseWord('signal', values.signal, { command, known: SIGNALS })
  const { policy, receiver } = loadConfig({
    files: values.config ?? [],
    set: values.set ?? [],
    env: io.env,
    cwd: io.cwd,
  })
  const request = await readCapture({ file, signal, bytesMax: receiver.requestBodyBytesMax }, io)
  let items: readonly ExplainedItem[]
  try {
    items = request === undefined ? [] : explainItems(request, policy)
  } catch (error) {
    if (!(error instanceof MalformedRequest || error instanceof TooLarge)) throw error
    throw new CommandError(`${file === '-' ? 'standard input' : file}: ${error.code}: ${error.message}`)
  }
  if (format === 'json') io.stdout(`${JSON.stringify({ items: items.map(toJson) })}\n`)
  else {
    const passing = policy.lanes.filter((lane) => !hasFieldPolicy(lane)).map(({ name }) => name)
    io.stdout(formatExplanation(items, new Set(passing)))
  }
  return 0
}

function toJson(item: ExplainedItem): unknown {
  const { carriage, target, targetFrom, family, ways, lane, outcome, reason, rule, fields } = item
  return {
    carriage,
    target: target ?? null,
    target_from: targetFrom ?? null,
    family,
    lanes: ways.map((way) => way.lane),
    lane: lane || null,
    outcome,
    reason: reason || null,
    rule: toPlace(rule),
    fields: fields.map((field) => ({
      ...(ways.length > 1 ? { lane: field.lane } : {}),
      place: field.place,
      key: field.key,
      action: field.action,
      rule: toPlace(field.rule),
    })),
  }
}

function toPlace(position: Position | undefined): Position | null {
  return position === undefined ? null : { file: position.file, line: position.line, column: position.column }
}
