/**
 * Made Codex telemetry: log records and spans as `tracing` with OpenTelemetry would send them.
 *
 * In: a seeded stream of draws. Out: OTLP/JSON-shaped objects, the events of Codex's catalogue with their
 * fields on either carriage. All values are invented.
 */
import type { Draws } from './random.ts'

export interface AnyValue {
  readonly stringValue?: string
  readonly intValue?: string
  readonly boolValue?: boolean
}
export interface Attribute {
  readonly key: string
  readonly value: AnyValue
}
export interface LogRecord {
  readonly observedTimeUnixNano: string
  readonly severityNumber: number
  readonly severityText: string
  readonly attributes: readonly Attribute[]
  readonly flags: number
  readonly traceId: string
  readonly spanId: string
  readonly eventName: string
}
export interface SpanEvent {
  readonly timeUnixNano: string
  readonly name: string
  readonly attributes: readonly Attribute[]
}
export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly flags: number
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly Attribute[]
  readonly events: readonly SpanEvent[]
  readonly status: { readonly code?: number; readonly message?: string }
}

type Fields = Readonly<Record<string, string | number | boolean>>

/** The moment that every body starts at. */
const START_MS = Date.UTC(2026, 10, 23, 9, 0, 0)
const CONVERSATIONS = ['0199a213-81a0-7c30-8b1a-6f1b1f2b3c4d', '0199a214-02bb-7e11-93d4-0c55a1b7e9f2']

export function attributes(fields: Fields): readonly Attribute[] {
  return Object.entries(fields).map(([key, value]) => {
    if (typeof value === 'string') return { key, value: { stringValue: value } }
    if (typeof value === 'number') return { key, value: { intValue: String(value) } }
    return { key, value: { boolValue: value } }
  })
}

/** Fields of an event on the log lane: content included. */
const LOG_EVENTS: readonly ((draws: Draws) => Fields)[] = [
  (draws) => ({
    'event.name': 'codex.sse_event',
    'event.kind': 'response.output_text.delta',
    duration_ms: String(draws.integer(1, 900)),
  }),
  (draws) => ({
    'event.name': 'codex.api_request',
    duration_ms: String(draws.integer(80, 9000)),
    'http.response.status_code': 200,
    attempt: 0,
    'auth.header_attached': true,
    'auth.header_name': 'authorization',
    'auth.retry_after_unauthorized': false,
    endpoint: '/responses',
    'auth.env_openai_api_key_present': false,
    'auth.request_id': draws.hex(32),
  }),
  (draws) => ({
    'event.name': 'codex.tool_result',
    tool_name: draws.pick(['shell', 'apply_patch', 'update_plan']),
    call_id: `call_${draws.hex(24)}`,
    arguments: `{"command":["bash","-lc","${draws.text(draws.integer(8, 24))}"]}`,
    duration_ms: String(draws.integer(2, 4000)),
    success: 'true',
    output: draws.text(draws.integer(15, 70)),
    mcp_server: '',
    mcp_server_origin: '',
  }),
  (draws) => ({
    'event.name': 'codex.tool_decision',
    tool_name: 'shell',
    call_id: `call_${draws.hex(24)}`,
    decision: 'approved',
    source: 'config',
  }),
  (draws) => ({
    'event.name': 'codex.user_prompt',
    prompt_length: String(draws.integer(40, 400)),
    prompt: draws.text(draws.integer(10, 50)),
  }),
]

const NETWORK_EVENT = (draws: Draws): Fields => ({
  'event.name': 'codex.network_proxy.policy_decision',
  'network.policy.scope': 'domain',
  'network.policy.decision': draws.pick(['allow', 'deny']),
  'network.policy.source': 'baseline_policy',
  'network.policy.reason': 'not_allowed',
  'network.transport.protocol': 'https_connect',
  'server.address': `${draws.pick(['registry', 'static', 'index'])}.crates.example`,
  'server.port': 443,
  'http.request.method': 'none',
  'client.address': '127.0.0.1:50344',
  'network.policy.override': false,
})

/** Fields of an event on the trace lane: lengths and counts in place of content. */
const TRACE_EVENTS: readonly ((draws: Draws) => Fields)[] = [
  (draws) => ({
    'event.name': 'codex.tool_result',
    tool_name: 'shell',
    duration_ms: String(draws.integer(2, 4000)),
    success: 'true',
    output_length: draws.integer(10, 900),
  }),
  (draws) => ({
    'event.name': 'codex.user_prompt',
    prompt_length: String(draws.integer(40, 400)),
    text_input_count: 1,
  }),
  (draws) => ({ 'event.name': 'codex.turn_ttft', duration_ms: String(draws.integer(80, 9000)) }),
]

/** What correct filters still let through onto spans: an event with content and an e-mail address. */
const MISPLACED_EVENT = (draws: Draws): Fields => ({
  'event.name': 'codex.user_prompt',
  prompt: draws.text(draws.integer(4, 14)),
  'user.email': 'dev@company.example',
})

/** `tracing` names an event by where it is in the source: as many names as there are such places, and no more. */
const callsiteName = (draws: Draws): string =>
  `event otel/src/events/session_telemetry.rs:${100 + 22 * draws.integer(0, 40)}`

const timestampMs = (index: number): number => START_MS + index * 7
const unixNano = (ms: number): string => `${ms}000000`

const sharedFields = (index: number): Fields => ({
  'event.timestamp': new Date(timestampMs(index)).toISOString(),
  'conversation.id': CONVERSATIONS[index % CONVERSATIONS.length],
  'app.version': '0.112.0',
  model: 'gpt-5.1',
})

const sessionFields = (index: number): Fields => ({
  ...sharedFields(index),
  'user.account_id': 'f3a9c1d2-5b7e-4c88-9a10-2d6e8f0b1c34',
  'user.email': 'dev@company.example',
  auth_mode: 'Chatgpt',
  originator: 'codex_cli_rs',
  'terminal.type': 'WezTerm/20240203',
  slug: 'gpt-5.1',
})

/** The fields that an event of the target has as a log record. */
const logFields = (target: string, index: number, draws: Draws): Fields => {
  if (target === 'codex_otel.trace_safe')
    return { ...draws.pick(TRACE_EVENTS)(draws), ...sharedFields(index) }
  const own = target === 'codex_otel.network_proxy' ? NETWORK_EVENT(draws) : draws.pick(LOG_EVENTS)(draws)
  return { ...own, ...sessionFields(index) }
}

export function createLogRecord(target: string, index: number, draws: Draws): LogRecord {
  const fields = logFields(target, index, draws)
  return {
    observedTimeUnixNano: unixNano(timestampMs(index)),
    severityNumber: 9,
    severityText: 'INFO',
    attributes: attributes(fields),
    flags: 1,
    traceId: draws.hex(32),
    spanId: draws.hex(16),
    eventName: callsiteName(draws),
  }
}

/** What SDKs and layers copy to spans and their events, and a trace lane is to withhold or to hash. */
const EXPOSED_SPAN = (draws: Draws): Fields => ({
  prompt: draws.text(draws.integer(4, 14)),
  'user.email': 'dev@company.example',
  cwd: '/home/dev/work',
})
const EXPOSED_EVENT = (draws: Draws): Fields => ({
  'user.email': 'dev@company.example',
  'error.message': draws.text(draws.integer(3, 9)),
})

function createSpanEvent(target: string, index: number, isExposed: boolean, draws: Draws): SpanEvent {
  const own = target === 'codex_otel.log_only' ? MISPLACED_EVENT(draws) : draws.pick(TRACE_EVENTS)(draws)
  const exposed = isExposed ? EXPOSED_EVENT(draws) : {}
  return {
    timeUnixNano: unixNano(timestampMs(index)),
    name: callsiteName(draws),
    attributes: attributes({ level: 'INFO', target, ...own, ...exposed, ...sharedFields(index) }),
  }
}

export interface SpanShares {
  /** Of span events: log-only ones, which do not belong on spans. */
  readonly misplaced: number
  /** Of spans, with their events: those that carry fields which must not leave on a trace. */
  readonly exposed: number
}

/** A span with two or three events. */
export function createSpan(index: number, shares: SpanShares, draws: Draws): Span {
  const startMs = timestampMs(index)
  const isExposed = draws.fraction() < shares.exposed
  const events = Array.from({ length: draws.integer(2, 4) }, () => {
    const isMisplaced = draws.fraction() < shares.misplaced
    return createSpanEvent(
      isMisplaced ? 'codex_otel.log_only' : 'codex_otel.trace_safe',
      index,
      isExposed,
      draws,
    )
  })
  return {
    traceId: draws.hex(32),
    spanId: draws.hex(16),
    parentSpanId: draws.hex(16),
    flags: 257,
    name: draws.pick(['session_task.turn', 'handle_responses', 'submission_dispatch']),
    kind: 1,
    startTimeUnixNano: unixNano(startMs),
    endTimeUnixNano: unixNano(startMs + draws.integer(1, 9000)),
    attributes: attributes({
      'code.file.path': 'core/src/codex.rs',
      'code.module.name': 'codex_core::codex',
      'code.line.number': draws.integer(100, 3000),
      'thread.id': draws.integer(2, 9),
      target: 'codex_core::codex',
      'turn.id': String(index),
      busy_ns: draws.integer(1000, 9_000_000),
      idle_ns: draws.integer(1000, 9_000_000),
      ...(isExposed ? EXPOSED_SPAN(draws) : {}),
    }),
    events,
    status: isExposed ? { code: 2, message: draws.text(draws.integer(3, 9)) } : {},
  }
}
