/**
 * docs/presets.md is true: each cell of its tables is what the compiled preset makes of an item with that field.
 */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { attribute, logRequest, spanRequest } from '../policy/fates.ts'
import { type Preset, presets, send } from './preset-run.ts'
import {
  eventField,
  logField,
  metricField,
  resourceField,
  spanField,
  textOrPlace,
  whereTo,
} from './proofs.ts'
import { readTables } from './tables.ts'

const page = readFileSync(new URL('../../docs/presets.md', import.meta.url), 'utf8')
const tables = readTables(page)

/** What a preset makes of the thing that a row is about, in the page's words. `cells` are those before the verdicts. */
type Prove = (preset: Preset, cells: readonly string[]) => string

const code = (cell: string): string => cell.replaceAll('`', '')

const PROOFS: Readonly<Record<string, Prove>> = {
  'Where an item goes': (preset, [target, carriage]) => whereTo(preset, code(target), carriage),
  'The trace lane: resource': (preset, [field]) => resourceField(preset, 'traces', code(field)),
  'The trace lane: spans': (preset, [field]) => spanField(preset, code(field)),
  'The trace lane: events of spans': (preset, [field, events]) =>
    eventField(preset, code(field), eventsOf(events)),
  'Fields of events that are not for traces': (preset, [field]) => spanField(preset, code(field)),
  'The trace lane: texts and places': (preset, [what]) => textOrPlace(preset, what),
  'The metric lane': (preset, [where, what]) => metricField(preset, where, code(what)),
}

const EVENTS = [
  ...['startup_phase', 'turn_ttft', 'conversation_starts', 'api_request', 'websocket_connect'],
  ...['websocket_request', 'websocket_event', 'auth_recovery', 'sse_event', 'user_prompt', 'sandbox_outcome'],
  ...['tool_result', 'plugin_install_elicitation_sent', 'plugin_install_suggestion'],
]

function eventsOf(cell: string): readonly string[] {
  return (cell === 'every' ? EVENTS : code(cell).split(', ')).map((name) => `codex.${name}`)
}

for (const { section, rows } of tables) {
  t.test(`${section}: what the ${rows.length} rows from ${rows[0].cells[0]} on say is so`, async (t) => {
    const prove = PROOFS[section]
    for (const { line, cells } of rows) {
      const proven = presets.map((preset) => prove(preset, cells.slice(0, -2)))
      t.same(cells.slice(-2), proven, `line ${line}: ${cells[0]}`)
    }
  })
}

t.test('the page speaks of every key that a preset names', async (t) => {
  const named = presets.flatMap(({ spec }) =>
    spec.lanes.flatMap(({ fields }) => fields.flatMap(({ keys }) => keys.map(({ key }) => key))),
  )
  const unsaid = named.filter(
    (key) => !key.startsWith('@') && !key.includes('*') && !page.includes(`\`${key}\``),
  )
  t.same(unsaid, [])
})

t.test(
  'an event of a name that strict does not know, and a record without a span, are dropped',
  async (t) => {
    const [, strict] = presets
    const attributes = [attribute('target', 'codex_otel.trace_safe'), attribute('event.name', 'codex.retry')]
    const { items } = send(strict, 'traces', spanRequest({ events: [{ attributes }] }))
    t.match(items.at(-1)?.verdict, { outcome: 'dropped', reason: 'lane_rule' })
    for (const preset of presets) {
      const record = { attributes: [attribute('event.name', 'codex.user_prompt')] }
      const [item] = send(preset, 'logs', logRequest('codex_otel.trace_safe', record)).items
      t.match(item.verdict, { outcome: 'dropped', reason: 'no_span' })
    }
  },
)

t.test('every field of the page stays on the log lane, come as a record or moved to it', async (t) => {
  const fields = tables
    .filter(({ section }) => section.includes('spans') || section.includes('events'))
    .flatMap(({ rows }) => rows.map(({ cells }) => code(cells[0])))
  for (const preset of presets) {
    const touched = [...new Set(fields)].filter((field) => logField(preset, field) !== 'stays')
    t.same(touched, [], preset.name)
  }
})
