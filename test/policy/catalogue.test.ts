/**
 * Each event that Codex is known to emit, under each preset as it ships: which lane it is on, in whichever carriage it
 * came, and with which fields.
 */
import t, { type Test } from 'tap'
import type { Signal } from '../../src/otlp/signal.ts'
import type { Policy } from '../../src/policy/compile.ts'
import { route } from '../../src/policy/route.ts'
import { PRESETS, type Preset, presetSpec } from '../leak-hunt/presets.ts'
import { decode, messageOf, messagesOf, type OracleMessage } from '../oracle/oracle.ts'
import { compile } from './agree.ts'
import { ACCOUNT, SESSION_EVENTS, SHARED, SUBSYSTEM_EVENTS } from './catalogue.ts'
import { attribute, logRequest, spanRequest } from './fates.ts'
import { bytesOf } from './parcel-bytes.ts'
import { TARGET_TABLE } from './target-table.ts'

const IDS = { traceId: '01'.repeat(16), spanId: '02'.repeat(8) }
const policies: Readonly<Record<Preset, Policy>> = {
  codex: compile(presetSpec('codex')),
  'codex-strict': compile(presetSpec('codex-strict')),
}

interface Emitted {
  readonly target: string
  readonly name: string
  readonly fields: readonly string[]
}

/** The event in each carriage. A value says which field it is of. */
function carriagesOf({ target, name, fields }: Emitted): readonly (readonly [Signal, Uint8Array])[] {
  const own = [
    ...(name === '' ? [] : [attribute('event.name', name)]),
    ...fields.map((key) => attribute(key, `value of ${key}`)),
  ]
  const event = {
    name: 'event src/x.rs:1',
    attributes: [attribute('level', 'INFO'), attribute('target', target), ...own],
  }
  return [
    ['logs', logRequest(target, { severityText: 'INFO', attributes: own, ...IDS })],
    [
      'traces',
      spanRequest({
        ...IDS,
        name: 'turn',
        attributes: [attribute('target', 'codex_core::x')],
        events: [event],
      }),
    ],
  ]
}

/** The events that leave on each lane: key → value of their attributes. */
function arrivals(
  preset: Preset,
  signal: Signal,
  request: Uint8Array,
): Readonly<Record<'log' | 'trace', readonly ReadonlyMap<string, string>[]>> {
  const found: Record<'log' | 'trace', ReadonlyMap<string, string>[]> = { log: [], trace: [] }
  for (const parcel of route(request, signal, policies[preset]).parcels) {
    const bytes = bytesOf(parcel, request)
    const nested = (messages: readonly OracleMessage[], key: string) =>
      messages.flatMap((one) => messagesOf(one, key))
    if (parcel.lane === 'log') {
      const resources = messagesOf(decode('ExportLogsServiceRequest', bytes), 'resourceLogs')
      found.log.push(...nested(nested(resources, 'scopeLogs'), 'logRecords').map(fieldsOf))
    } else {
      const resources = messagesOf(decode('ExportTraceServiceRequest', bytes), 'resourceSpans')
      found.trace.push(...nested(nested(nested(resources, 'scopeSpans'), 'spans'), 'events').map(fieldsOf))
    }
  }
  return found
}

function fieldsOf(event: OracleMessage): ReadonlyMap<string, string> {
  const body = messageOf(event, 'body').stringValue
  const own = messagesOf(event, 'attributes').map((one): [string, string] => [
    String(one.key),
    String(messageOf(one, 'value').stringValue),
  ])
  return new Map(typeof body === 'string' ? [...own, ['message', body]] : own)
}

/** What the trace lane of preset `codex` removes of these events, and what it hashes. */
const REMOVED = new Set([
  'prompt',
  'arguments',
  'output',
  'content',
  'file.path',
  'user.email',
  'user.account_id',
  'mcp_servers',
  'mcp_server',
  'mcp_server_origin',
  'server.address',
  'client.address',
  'auth.cf_ray',
  'auth.env_provider_key_name',
])
const HASHED = new Set(['error.message', 'auth.request_id'])

/** What more the strict preset lets nobody read: free text, and names that people and servers choose. */
const FREE_TEXT = new Set([
  ...REMOVED,
  ...HASHED,
  'auth.error',
  'endpoint',
  'provider_name',
  'tool_name',
  'plugin_install.tool_id',
  'plugin_install.tool_name',
  'message',
  'environment_id',
  'plugin_id',
])

/** Events that the strict preset knows by name. */
const KNOWN = new Set(SESSION_EVENTS.filter(({ isLogOnly }) => isLogOnly !== true).map(({ name }) => name))

function assertOnTraces(t: Test, preset: Preset, event: Emitted, arrived: ReadonlyMap<string, string>): void {
  for (const [key, value] of arrived) {
    t.notOk(REMOVED.has(key), `${key} is removed`)
    if (HASHED.has(key)) t.match(value, /^hmac:[0-9a-f]{32}$/)
    if (preset === 'codex-strict') t.notOk(FREE_TEXT.has(key), `${key} is not on the list`)
  }
  if (preset === 'codex-strict') return
  t.same(
    event.fields.filter((key) => !arrived.has(key)),
    event.fields.filter((key) => REMOVED.has(key)),
    'nothing else is missing',
  )
}

const EMITTED: readonly Emitted[] = [
  ...SESSION_EVENTS.map(({ name, common, logOnly = [] }) => ({
    target: 'codex_otel.log_only',
    name,
    fields: [...SHARED, ...ACCOUNT, ...common, ...logOnly],
  })),
  ...SESSION_EVENTS.filter(({ isLogOnly }) => isLogOnly !== true).map(({ name, common, traceSafe = [] }) => ({
    target: 'codex_otel.trace_safe',
    name,
    fields: [...SHARED, ...common, ...traceSafe],
  })),
  // A client that puts on the trace what belongs in the log.
  ...SESSION_EVENTS.map(({ name, common, logOnly = [], traceSafe = [] }) => ({
    target: 'codex_otel.trace_safe',
    name,
    fields: [...new Set([...SHARED, ...ACCOUNT, ...common, ...logOnly, ...traceSafe])],
  })),
  ...SUBSYSTEM_EVENTS,
]

for (const preset of PRESETS) {
  for (const [index, event] of EMITTED.entries()) {
    const { target, name, fields } = event
    t.test(`${preset}: ${index}. ${target} ${name} with ${fields.length} fields`, async (t) => {
      for (const [signal, request] of carriagesOf(event)) {
        const { log, trace } = arrivals(preset, signal, request)
        const isStrict = preset === 'codex-strict'
        if (target === 'codex_otel.trace_safe') {
          t.equal(log.length, 0, 'not on the log lane')
          t.equal(trace.length, isStrict && !KNOWN.has(name) ? 0 : 1, 'on the trace lane')
          for (const arrived of trace) assertOnTraces(t, preset, event, arrived)
          continue
        }
        const isReviewed = /^codex_otel\.(log_only|network_proxy)$/.test(target)
        t.equal(trace.length, 0, 'not on the trace lane')
        t.equal(log.length, isStrict && !isReviewed ? 0 : 1, 'on the log lane')
        for (const arrived of log) {
          t.same(
            fields.filter((key) => arrived.get(key) !== `value of ${key}`),
            [],
            'with every field as it was',
          )
        }
      }
    })
  }

  t.test(`${preset}: every target goes where the table says, in either carriage`, async (t) => {
    for (const [target, [family, lane]] of TARGET_TABLE) {
      if (target === 'log' || target === 'unknown') continue
      for (const [signal, request] of carriagesOf({
        target,
        name: 'codex.user_prompt',
        fields: ['prompt_length'],
      })) {
        const { log, trace } = arrivals(preset, signal, request)
        const isHeld = preset === 'codex-strict' && family === 'unreviewed'
        t.same(
          [log.length, trace.length],
          isHeld || lane === 'none' ? [0, 0] : lane === 'log' ? [1, 0] : [0, 1],
          `${signal} ${JSON.stringify(target)}`,
        )
      }
    }
  })
}
