/**
 * The events that Codex is known to emit, field by field: on both lanes, on the log lane only, on traces only.
 *
 * Data for tests; values say which field they are of. The optional fields are all there.
 */

/** On every event of a session, on both lanes. */
export const SHARED = [
  'event.timestamp',
  'conversation.id',
  'app.version',
  'auth_mode',
  'originator',
  'terminal.type',
  'model',
  'slug',
] as const

/** On every event of a session, on the log lane. */
export const ACCOUNT = ['user.account_id', 'user.email'] as const

export interface CatalogueEvent {
  readonly name: string
  readonly common: readonly string[]
  readonly logOnly?: readonly string[]
  readonly traceSafe?: readonly string[]
  /** Set where the event is not emitted for traces. */
  readonly isLogOnly?: true
}

const ENV = [
  'auth.env_openai_api_key_present',
  'auth.env_codex_api_key_present',
  'auth.env_codex_api_key_enabled',
  'auth.env_provider_key_name',
  'auth.env_provider_key_present',
  'auth.env_refresh_token_url_override_present',
] as const
const REQUEST = [
  'duration_ms',
  'http.response.status_code',
  'error.message',
  'auth.header_attached',
  'auth.header_name',
  'auth.retry_after_unauthorized',
  'auth.recovery_mode',
  'auth.recovery_phase',
  'endpoint',
  ...ENV,
  'auth.request_id',
  'auth.cf_ray',
  'auth.error',
  'auth.error_code',
] as const
const PLUGIN = ['plugin_install.tool_type', 'plugin_install.tool_id', 'plugin_install.tool_name'] as const

export const SESSION_EVENTS: readonly CatalogueEvent[] = [
  { name: 'codex.startup_phase', common: ['startup.phase', 'startup.status', 'duration_ms'] },
  { name: 'codex.turn_ttft', common: ['duration_ms'] },
  {
    name: 'codex.conversation_starts',
    common: [
      'provider_name',
      ...ENV,
      'reasoning_effort',
      'reasoning_summary',
      'context_window',
      'auto_compact_token_limit',
      'approval_policy',
      'sandbox_policy',
    ],
    logOnly: ['mcp_servers'],
    traceSafe: ['mcp_server_count'],
  },
  { name: 'codex.api_request', common: [...REQUEST, 'attempt'] },
  { name: 'codex.websocket_connect', common: [...REQUEST, 'success', 'auth.connection_reused'] },
  {
    name: 'codex.websocket_request',
    common: ['duration_ms', 'success', 'error.message', ...ENV, 'auth.connection_reused'],
  },
  { name: 'codex.websocket_event', common: ['event.kind', 'duration_ms', 'success', 'error.message'] },
  {
    name: 'codex.auth_recovery',
    common: [
      'auth.mode',
      'auth.step',
      'auth.outcome',
      'auth.request_id',
      'auth.cf_ray',
      'auth.error',
      'auth.error_code',
      'auth.recovery_reason',
      'auth.state_changed',
    ],
  },
  { name: 'codex.sse_event', common: [], logOnly: ['event.kind', 'duration_ms'], isLogOnly: true },
  { name: 'codex.sse_event', common: ['event.kind', 'duration_ms', 'error.message'] },
  {
    name: 'codex.sse_event',
    common: [
      'event.kind',
      'input_token_count',
      'output_token_count',
      'cached_token_count',
      'reasoning_token_count',
      'tool_token_count',
    ],
  },
  {
    name: 'codex.user_prompt',
    common: ['prompt_length'],
    logOnly: ['prompt'],
    traceSafe: ['text_input_count', 'image_input_count', 'local_image_input_count'],
  },
  { name: 'codex.tool_decision', common: ['tool_name', 'call_id', 'decision', 'source'], isLogOnly: true },
  {
    name: 'codex.sandbox_outcome',
    common: ['tool_name', 'call_id', 'outcome', 'initial_duration_ms', 'escalated_duration_ms'],
  },
  {
    name: 'codex.tool_result',
    common: ['tool_name', 'call_id', 'duration_ms', 'success'],
    logOnly: ['arguments', 'output', 'mcp_server', 'mcp_server_origin'],
    traceSafe: ['arguments_length', 'output_length', 'output_line_count', 'tool_origin', 'mcp_tool'],
  },
  {
    name: 'codex.tool_result',
    common: ['tool_name', 'duration_ms', 'success'],
    logOnly: ['output', 'mcp_server', 'mcp_server_origin'],
    traceSafe: ['output_length', 'output_line_count', 'tool_origin', 'error.message'],
  },
  { name: 'codex.plugin_install_elicitation_sent', common: PLUGIN },
  {
    name: 'codex.plugin_install_suggestion',
    common: [
      ...PLUGIN,
      'plugin_install.response_action',
      'plugin_install.user_confirmed',
      'plugin_install.completed',
    ],
  },
]

const DECISION = [
  'network.policy.scope',
  'network.policy.decision',
  'network.policy.source',
  'network.policy.reason',
  'network.transport.protocol',
  'server.address',
  'server.port',
  'http.request.method',
  'client.address',
  'network.policy.override',
] as const

export interface SubsystemEvent {
  readonly target: string
  /** Empty where the event has none. */
  readonly name: string
  readonly fields: readonly string[]
}

/** Events of other targets. */
export const SUBSYSTEM_EVENTS: readonly SubsystemEvent[] = [
  ...['policy_decision', 'domain_policy_decision', 'block_decision'].map((name) => ({
    target: 'codex_otel.network_proxy',
    name: `codex.network_proxy.${name}`,
    fields: [...SHARED, ...ACCOUNT, ...DECISION],
  })),
  {
    target: 'codex_otel.log_only',
    name: 'codex.network_proxy.policy_decision',
    fields: [...SHARED, ...ACCOUNT, ...DECISION, 'execution.id'],
  },
  ...['', 'codex.agent_communication'].map((name) => ({
    target: 'codex_otel.agent_communication',
    name,
    fields: [
      'message',
      'communication_id',
      'kind',
      'state',
      'sender_thread_id',
      'receiver_thread_id',
      'content',
    ],
  })),
  {
    target: 'codex_otel.sandbox_violation',
    name: 'codex.sandbox.violation',
    fields: [
      ...SHARED,
      ...ACCOUNT,
      'security.event.kind',
      'sandbox.resource',
      'sandbox.type',
      'sandbox.reason',
      'tool.call_id',
      'tool.name',
      'turn.id',
      'file.path',
      'server.address',
      'server.port',
      'network.mode',
      'network.policy.decision',
      'network.policy.source',
    ],
  },
  { target: 'codex_otel.log_only', name: 'codex.api_request', fields: REQUEST },
  { target: 'codex_otel.trace_safe', name: 'codex.api_request', fields: REQUEST },
  ...['log_only', 'trace_safe'].flatMap((family) =>
    ['registered', 'registration_failed'].map((what) => ({
      target: `codex_otel.${family}`,
      name: `codex.exec_server.remote_environment_${what}`,
      fields: ['message', 'environment_id'],
    })),
  ),
  {
    target: 'codex_otel.trace_safe',
    name: 'mcp.binding_catalog',
    fields: [
      'message',
      'product_sku',
      'server_kind',
      'plugin_id',
      'catalog_source',
      'tool_count',
      'tool_definition_json_bytes',
    ],
  },
  {
    target: 'codex_otel.trace_safe',
    name: 'codex.retry',
    fields: ['retry.attempt', 'retry.delay_ms', 'retry.layer', 'retry.operation'],
  },
]
