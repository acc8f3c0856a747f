/**
 * Preset `codex` as the contract writes it, with its field rules and rehoming, and the strictest policy that can be said:
 * data for tests that must not change when a preset does.
 */
import type { FieldLine, PolicyText } from './spec.ts'
import { CODEX_LANES } from './spec.ts'

export const CODEX_TRACE_FIELDS: readonly FieldLine[] = [
  {
    remove: [
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
    ],
  },
  {
    remove: [
      'server_name',
      'server.address',
      'client.address',
      'cwd',
      'url',
      'url.*',
      'http.url',
      'http.target',
      'auth.cf_ray',
      'auth.env_provider_key_name',
    ],
  },
  {
    remove: [
      'exception',
      'exception.message',
      'exception.stacktrace',
      'exception.chain',
      'otel.status_*',
      'host.*',
      'process.command*',
      'process.executable.path',
      'process.owner',
      'enduser.*',
    ],
  },
  { on: ['span_link', 'scope'], remove: ['*'] },
  { on: 'span', remove: ['@status.message'] },
  { on: 'span_event', remove: ['@name'] },
  { hash: ['error.message', '*.request_id'] },
]

const CODEX_METRIC_FIELDS: readonly FieldLine[] = [
  { remove: ['host.*', 'user.email', 'user.account_id'] },
  { on: 'exemplar', remove: ['*'] },
]

const { log, trace, metric } = CODEX_LANES

export const CONTRACT_CODEX: PolicyText = {
  rehome: true,
  lanes: {
    log,
    trace: { ...trace, fields: CODEX_TRACE_FIELDS },
    metric: { ...metric, fields: CODEX_METRIC_FIELDS },
  },
}

/** Nothing passes but a few numbers of known events; canonical. */
export const STRICTEST: PolicyText = {
  rehome: true,
  lanes: {
    log,
    trace: {
      signal: 'traces',
      accept: [{ except: { spans: ['dependency'] } }, { spans: ['any'] }, { events: ['trace_safe'] }],
      fields: [
        ...CODEX_TRACE_FIELDS,
        {
          on: 'span_event',
          family: 'trace_safe',
          event_name: 'codex.user_prompt',
          only: ['prompt_length', 'conversation.id', 'model'],
        },
        {
          on: 'span_event',
          family: 'trace_safe',
          event_name: ['codex.tool_result', 'codex.api_request'],
          only: ['duration_ms', 'success'],
        },
        { on: 'span', only: ['turn.id', 'thread.id', 'busy_ns', 'idle_ns'] },
        { on: 'resource', only: ['service.name', 'service.version'] },
      ],
      unlisted_fields: 'remove',
      wire: 'canonical',
    },
    metric: { ...metric, fields: CODEX_METRIC_FIELDS },
  },
}
