/**
 * Sessions of clients that put everything in the wrong place, through a whole sidecar under preset `codex`: each
 * event ends on its lane, and nothing that belongs to the log lane leaves on the trace lane.
 */
import t from 'tap'
import { readCorpus } from '../oracle/corpus.ts'
import { messagesOf } from '../oracle/oracle.ts'
import { arrivedAt, drained, receivedItems, rowItems, startFlow, startSink } from './flow.ts'
import { attributeOf, recordsIn, scopesIn, spansIn } from './records.ts'

/** No filter, a logger that was shut, an exporter in the middle of an event. */
const MISPLACED: readonly string[] = [
  'rust-nofilter/01-traces-session.pb',
  'rust-nofilter/02-logs-session.pb',
  'rust-nofilter/06-traces-burst.pb.gz',
  'rust-nofilter/09-logs-subsystems.pb',
  'rust-0.30/06-traces-logger-shut.pb',
  'rust/26-traces-simple-exporter.pb',
]

/** What belongs on the log lane only, by test/corpus/README.md. */
const LOG_LANE_ONLY =
  /CANARY-(?:PROMPT|ARGUMENTS|OUTPUT|CONTENT|EMAIL|ACCOUNT|FILE-PATH|HOST|MCP-SERVER|MCP-ORIGIN|SERVER)/

t.test('a session with everything in the wrong place ends with each event on its lane', async (t) => {
  const sink = await startSink(t)
  const flow = await startFlow(
    t,
    `
policy: { preset: codex }
exporters: { otlp_http: { endpoint: "${sink.url}", compression: none } }
lanes: { log: { exporters: [otlp_http] }, trace: { exporters: [otlp_http] } }
`,
  )
  const requests = readCorpus().filter(({ file }) => MISPLACED.includes(file))
  t.equal(requests.length, MISPLACED.length)
  let hasCanaries = false
  for (const { signal, body } of requests) {
    hasCanaries ||= signal === 'traces' && LOG_LANE_ONLY.test(Buffer.from(body).toString('latin1'))
    t.equal((await flow.post(`/v1/${signal}`, body)).status, 200)
  }
  t.ok(hasCanaries, 'such texts came on spans')
  const ledger = await drained(flow)
  const [logs, traces] = [arrivedAt(sink, '/v1/logs'), arrivedAt(sink, '/v1/traces')]

  const targets = spansIn(traces)
    .flatMap((span) => messagesOf(span, 'events'))
    .map((event) => attributeOf(event, 'target'))
  t.ok(targets.length > 100)
  t.strictSame(
    targets.filter((target) => !/^codex_otel\.trace_safe(?:\.|$)/.test(target)),
    [],
    'only trace-safe events ride on the trace lane',
  )
  const scopes = scopesIn(logs)
  t.ok(scopes.includes('codex_otel.log_only'))
  t.strictSame(
    scopes.filter(
      (scope) => !scope.startsWith('codex_otel.') || /^codex_otel\.trace_safe(?:\.|$)/.test(scope),
    ),
    [],
    'only events of the namespace that are not trace-safe are on the log lane',
  )
  t.notMatch(traces.toString('latin1'), LOG_LANE_ONLY)

  const rehomed = recordsIn(logs).filter((record) => attributeOf(record, 'laneway.rehomed') === 'span_event')
  t.equal(rehomed.length, rowItems(ledger, { carriage: 'span_event', lane: 'log', outcome: 'rehomed' }))
  t.equal(
    receivedItems(ledger, 'span_event'),
    rowItems(ledger, { carriage: 'span_event', outcome: 'rehomed' }) +
      rowItems(ledger, { carriage: 'span_event', outcome: 'forwarded' }),
    'no event of a span is lost',
  )
  t.equal(rowItems(ledger, { reason: 'wrong_carriage' }), 0)

  const findings = await (await fetch(`${flow.running.admin}/api/v1/findings`)).text()
  t.match(findings, 'codex_otel.newthing', 'the new subsystem is listed')
  t.notMatch(findings, /CANARY/, 'by name, not by content')
  const { code, stderr } = await flow.stop()
  t.equal(code, 0)
  t.notMatch(stderr, /CANARY/)
})
