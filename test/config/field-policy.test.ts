/** config/field-policy.yaml does what its comments say, and config/no-rehoming.yaml what its own. */
import t from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { compilePolicy } from '../../src/policy/compile.ts'
import { type Preset, type Sent, send } from '../docs/preset-run.ts'
import { messageOf, messagesOf, type OracleMessage } from '../oracle/oracle.ts'
import { attribute, logRequest, spanRequest } from '../policy/fates.ts'

function load(name: string): Preset {
  const file = new URL(`../../config/${name}`, import.meta.url).pathname
  const { policy: spec } = loadConfig({ files: [file], set: [], env: {}, cwd: '/' })
  return { name, spec, policy: compilePolicy(spec).policy }
}

const example = load('field-policy.yaml')

/** Attributes of the one log record that leaves, by key. */
function recordOf(sent: Sent): Readonly<Record<string, unknown>> {
  const [envelope = {}] = messagesOf(sent.leaves('logs'), 'resourceLogs')
  const [scope = {}] = messagesOf(envelope, 'scopeLogs')
  return attributesOf(messagesOf(scope, 'logRecords')[0] ?? {})
}

function spanOf(sent: Sent): OracleMessage {
  const [envelope = {}] = messagesOf(sent.leaves('traces'), 'resourceSpans')
  const [scope = {}] = messagesOf(envelope, 'scopeSpans')
  return messagesOf(scope, 'spans')[0] ?? {}
}

function attributesOf(item: OracleMessage): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    messagesOf(item, 'attributes').map((one) => [String(one.key), messageOf(one, 'value').stringValue]),
  )
}

t.test('addresses are hashed, prompts removed at any depth, outputs cut', async (t) => {
  const nested = { kvlistValue: { values: [attribute('prompt', 'hush'), attribute('length', 'four')] } }
  const attributes = [
    attribute('user.email', 'a@b.example'),
    attribute('prompt', 'hush'),
    attribute('payload', nested),
    attribute('output', 'x'.repeat(2000)),
    attribute('model', 'gpt-5.1'),
  ]
  const sent = send(example, 'logs', logRequest('codex_otel.log_only', { attributes }))
  const left = recordOf(sent)
  t.same(Object.keys(left), ['user.email', 'payload', 'output', 'model'])
  t.match(left['user.email'], /^hmac:[0-9a-f]{32}$/)
  t.equal(String(left.output).length, 1024)
  t.notMatch(Buffer.from(sent.bytes('logs')).toString('latin1'), /hush/)
})

t.test("of the network proxy's decisions only what was decided leaves", async (t) => {
  const attributes = ['network.policy.decision', 'server.address', 'conversation.id', 'event.name'].map(
    (key) => attribute(key, 'x'),
  )
  const left = recordOf(send(example, 'logs', logRequest('codex_otel.network_proxy', { attributes })))
  t.same(Object.keys(left), ['network.policy.decision', 'event.name'])
})

t.test('a line of its own comes before the preset, on the trace lane too', async (t) => {
  const error = attribute('error.message', 'refused '.repeat(20))
  const event = (name: string): OracleMessage => ({
    attributes: [attribute('target', 'codex_otel.trace_safe'), attribute('event.name', name), error],
  })
  const attributes = ['deployment.ring', 'code.file.path', 'target'].map((key) => attribute(key, 'x'))
  const request = spanRequest({
    attributes,
    events: [event('codex.websocket_connect'), event('codex.api_request')],
  })
  const sent = send(example, 'traces', request)
  const [connect, apiRequest] = messagesOf(spanOf(sent), 'events').map(attributesOf)
  t.equal(connect['error.message'], 'refused '.repeat(8))
  t.match(apiRequest['error.message'], /^hmac:/)
  t.same(Object.keys(attributesOf(spanOf(sent))), ['deployment.ring', 'target'])
  t.same(sent.findings, [])
})

t.test('without rehoming, an event in the wrong carriage is dropped as wrong_carriage', async (t) => {
  const attributes = [attribute('target', 'codex_otel.log_only')]
  const { items } = send(load('no-rehoming.yaml'), 'traces', spanRequest({ events: [{ attributes }] }))
  t.match(items.at(-1)?.verdict, { outcome: 'dropped', reason: 'wrong_carriage' })
})
