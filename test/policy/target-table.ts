/**
 * Targets at the borders of families, and what the preset makes of an event of each, by segments and by prefix.
 *
 * The contract's wording and upstream's raw prefix, side by side; the captured requests hold each of them.
 */
export type Fate = readonly [family: string, lane: 'log' | 'trace' | 'none']

const LOG_ONLY = ['log_only', 'log'] as const
const TRACE_SAFE = ['trace_safe', 'trace'] as const
const PROXY = ['network_proxy', 'log'] as const
const UNREVIEWED = ['unreviewed', 'log'] as const
const FOREIGN = ['foreign', 'none'] as const

export const TARGET_TABLE: readonly (readonly [target: string, segment: Fate, prefix: Fate])[] = [
  ['codex_otel', UNREVIEWED, UNREVIEWED],
  ['codex_otel.', UNREVIEWED, UNREVIEWED],
  ['codex_otel..log_only', UNREVIEWED, UNREVIEWED],
  ['codex_otel..x', UNREVIEWED, UNREVIEWED],
  ['codex_otel.log', UNREVIEWED, UNREVIEWED],
  ['codex_otel.log_only', LOG_ONLY, LOG_ONLY],
  ['codex_otel.log_only.x', LOG_ONLY, LOG_ONLY],
  ['codex_otel.log_only.audit', LOG_ONLY, LOG_ONLY],
  ['codex_otel.log_only..x', UNREVIEWED, LOG_ONLY],
  ['codex_otel.log_only::x', UNREVIEWED, LOG_ONLY],
  ['codex_otel.log_onlyx', UNREVIEWED, LOG_ONLY],
  ['codex_otel.network_proxy', PROXY, PROXY],
  ['codex_otel.network_proxy.audit', PROXY, PROXY],
  ['codex_otel.network_proxy.policy', PROXY, PROXY],
  ['codex_otel.network_proxyx', UNREVIEWED, PROXY],
  ['codex_otel.newthing', UNREVIEWED, UNREVIEWED],
  ['codex_otel.agent_communication', UNREVIEWED, UNREVIEWED],
  ['codex_otel.sandbox_violation', UNREVIEWED, UNREVIEWED],
  ['codex_otel.trace_saf', UNREVIEWED, UNREVIEWED],
  ['codex_otel.trace_safe', TRACE_SAFE, TRACE_SAFE],
  ['codex_otel.trace_safe ', UNREVIEWED, TRACE_SAFE],
  ['codex_otel.trace_safe.', UNREVIEWED, TRACE_SAFE],
  ['codex_otel.trace_safe.debug', TRACE_SAFE, TRACE_SAFE],
  ['codex_otel.trace_safe.summary', TRACE_SAFE, TRACE_SAFE],
  ['codex_otel.trace_safe::x', UNREVIEWED, TRACE_SAFE],
  ['codex_otel.trace_safe_extra', UNREVIEWED, TRACE_SAFE],
  ['codex_otel.trace_safely', UNREVIEWED, TRACE_SAFE],
  ['codex_otel.trace_safety', UNREVIEWED, TRACE_SAFE],
  ['codex_otel.tracé_safe', UNREVIEWED, UNREVIEWED],
  ['codex_otel.TRACE_SAFE', UNREVIEWED, UNREVIEWED],
  ['codex_otel::events::session_telemetry', FOREIGN, UNREVIEWED],
  ['codex_otel::provider', FOREIGN, UNREVIEWED],
  ['codex_otel_unrelated', FOREIGN, UNREVIEWED],
  ['codex_otelx', FOREIGN, UNREVIEWED],
  ['CODEX_OTEL.trace_safe', FOREIGN, FOREIGN],
  [' codex_otel.trace_safe', FOREIGN, FOREIGN],
  ['my.codex_otel.trace_safe', FOREIGN, FOREIGN],
  ['codex_core::codex', FOREIGN, FOREIGN],
  ['codex_core::tasks', FOREIGN, FOREIGN],
  ['opentelemetry_sdk', FOREIGN, FOREIGN],
  ['h2::client', FOREIGN, FOREIGN],
  ['hyper::client', FOREIGN, FOREIGN],
  ['hyper_util::client::legacy::pool', FOREIGN, FOREIGN],
  ['reqwest::connect', FOREIGN, FOREIGN],
  ['rustls::client::hs', FOREIGN, FOREIGN],
  ['log', FOREIGN, FOREIGN],
  ['unknown', FOREIGN, FOREIGN],
  ['', FOREIGN, FOREIGN],
]
