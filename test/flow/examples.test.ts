/**
 * What the examples under config/ promise, proven by traffic: three log lanes, an audit lane, the spans of one
 * service. The files are used as they are; only addresses are set from the command line.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts'
import { arrivedAt, drained, type Flow, rowItems, startFlowIn, startSink, type TestContext } from './flow.ts'
import { bodiesIn, logsOf, spanNamesIn, spansOf } from './records.ts'

async function startExample(
  t: TestContext,
  name: string,
  exporters: Readonly<Record<string, string>>,
): Promise<Flow> {
  const file = fileURLToPath(new URL(`../../config/${name}`, import.meta.url))
  const settings = {
    'receivers.otlp.protocols.http.endpoint': '127.0.0.1:0',
    'admin.endpoint': '127.0.0.1:0',
    shutdown_delay: '0s',
    // Relative to the example it would be shared, and last.
    'storage.directory': join(t.testdir({}), 'data'),
    ...Object.fromEntries(Object.entries(exporters).map(([key, value]) => [`exporters.${key}`, value])),
  }
  const set = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`])
  return startFlowIn(t, t.testdirName, ['--config', file, ...set])
}

t.test('three-log-lanes.yaml: what users typed, what was paid and the rest part ways', async (t) => {
  const sink = await startSink(t)
  const flow = await startExample(t, 'three-log-lanes.yaml', {
    'otlp_http/private.endpoint': `${sink.url}/private`,
    'otlp_http/private.compression': 'none',
    'otlp_http/ledger.endpoint': `${sink.url}/ledger`,
    'otlp_http/ledger.compression': 'none',
    'otlp_http/shared.endpoint': `${sink.url}/shared`,
    'otlp_http/shared.compression': 'none',
  })
  const request = logsOf(
    { target: 'shop.chat', texts: ['typed'] },
    { target: 'shop.payment.card', texts: ['paid'] },
    { target: 'shop.stock', texts: ['restocked'] },
    { target: 'shop.chatter', texts: ['only begins like it'] },
    { target: 'elsewhere', texts: ['not ours'] },
    { target: 'shop.search', texts: ['searched'] },
  )
  t.equal((await flow.post('/v1/logs', request)).status, 200)
  const ledger = await drained(flow)
  const at = (lane: string): readonly string[] => bodiesIn(arrivedAt(sink, `/${lane}/v1/logs`))
  t.strictSame(at('private'), ['typed', 'searched'])
  t.strictSame(at('ledger'), ['paid'])
  t.strictSame(at('shared'), ['restocked', 'only begins like it'])
  t.equal(rowItems(ledger, { outcome: 'dropped', reason: 'foreign' }), 1)
})

t.test(
  'audit-lane.yaml: one subsystem by target, and one event by name, have a lane of their own',
  async (t) => {
    const sink = await startSink(t)
    const audited = join(t.testdirName, 'audit.jsonl')
    const flow = await startExample(t, 'audit-lane.yaml', {
      'otlp_http/logs.endpoint': `${sink.url}/log`,
      'otlp_http/logs.compression': 'none',
      'otlp_http/traces.endpoint': sink.url,
      'file/audit.path': audited,
    })
    const request = logsOf(
      { target: 'codex_otel.network_proxy', texts: ['allowed'] },
      { target: 'codex_otel.network_proxy.audit', texts: ['denied'] },
      { target: 'codex_otel.log_only', eventName: 'codex.tool_decision', texts: ['approved'] },
      { target: 'codex_otel.log_only', eventName: 'codex.user_prompt', texts: ['prompt'] },
      { target: 'codex_otel.newthing', texts: ['new'] },
    )
    t.equal((await flow.post('/v1/logs', request)).status, 200)
    const ledger = await drained(flow)
    t.strictSame(bodiesIn(arrivedAt(sink, '/log/v1/logs')), ['approved', 'prompt', 'new'])
    t.strictSame(bodiesIn(jsonToProtobuf(readFileSync(audited), 'logs')), ['allowed', 'denied', 'approved'])
    t.equal(rowItems(ledger, { lane: 'audit', family: 'network_proxy', outcome: 'forwarded' }), 2)
    t.equal(rowItems(ledger, { family: 'log_only', outcome: 'copied' }), 1, 'two lanes take the decision')
  },
)

t.test('spans-of-one-service.yaml: a resource attribute chooses the lane of a span', async (t) => {
  const sink = await startSink(t)
  const flow = await startExample(t, 'spans-of-one-service.yaml', {
    'otlp_http/checkout.traces_endpoint': `${sink.url}/checkout`,
    'otlp_http/checkout.compression': 'none',
    'otlp_http/staging.traces_endpoint': `${sink.url}/staging`,
    'otlp_http/staging.compression': 'none',
  })
  const request = spansOf(
    { target: 'x', texts: ['pay', 'ship'], resource: { 'service.name': 'checkout' } },
    { target: 'x', texts: ['search'], resource: { 'service.name': 'catalogue' } },
    {
      target: 'x',
      texts: ['try'],
      resource: { 'service.name': 'catalogue', 'deployment.environment.name': 'test-7' },
    },
    {
      target: 'x',
      texts: ['pay on staging'],
      resource: { 'service.name': 'checkout', 'deployment.environment.name': 'staging' },
    },
  )
  t.equal((await flow.post('/v1/traces', request)).status, 200)
  const ledger = await drained(flow)
  t.strictSame(spanNamesIn(arrivedAt(sink, '/checkout')), ['pay', 'ship', 'pay on staging'])
  t.strictSame(spanNamesIn(arrivedAt(sink, '/staging')), ['try', 'pay on staging'])
  t.equal(rowItems(ledger, { carriage: 'span', outcome: 'dropped' }), 1)
})

t.test('prefix-match.yaml: a target that only begins like a family is of it', async (t) => {
  const sink = await startSink(t)
  const flow = await startExample(t, 'prefix-match.yaml', {
    'otlp_http/logs.logs_endpoint': `${sink.url}/log`,
    'otlp_http/logs.compression': 'none',
    'otlp_http/traces.endpoint': sink.url,
    'otlp_http/metrics.metrics_endpoint': sink.url,
  })
  const request = logsOf(
    { target: 'codex_otel.trace_safety', texts: ['taken for trace_safe'] },
    { target: 'codex_otel.log_only', texts: ['log'] },
  )
  t.equal((await flow.post('/v1/logs', request)).status, 200)
  const ledger = await drained(flow)
  t.strictSame(bodiesIn(arrivedAt(sink, '/log')), ['log'])
  t.equal(rowItems(ledger, { family: 'trace_safe', outcome: 'received' }), 1)
})

t.test('quarantine.yaml: a new subsystem waits, and everything else goes its way', async (t) => {
  const sink = await startSink(t)
  const flow = await startExample(t, 'quarantine.yaml', {
    'otlp_http/logs.endpoint': sink.url,
    'otlp_http/logs.compression': 'none',
    'otlp_http/traces.endpoint': sink.url,
    'otlp_http/traces.compression': 'none',
  })
  const request = logsOf(
    { target: 'codex_otel.log_only', texts: ['known'] },
    { target: 'codex_otel.newthing', texts: ['new'] },
    { target: 'elsewhere', texts: ['not ours'] },
  )
  t.equal((await flow.post('/v1/logs', request)).status, 200)
  const ledger = await drained(flow)
  t.strictSame(bodiesIn(arrivedAt(sink, '/v1/logs')), ['known'])
  t.equal(rowItems(ledger, { outcome: 'quarantined', family: 'unreviewed' }), 1)
  t.equal(rowItems(ledger, { outcome: 'dropped', reason: 'foreign' }), 1)
})
