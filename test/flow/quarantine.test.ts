/**
 * Quarantine, from a new subsystem's first request to its release: held durably, in the ledger at every moment, released
 * by the policy as it is then, and never the reason why a request is refused.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { encode, messagesOf } from '../oracle/oracle.ts'
import {
  arrivedAt,
  drained,
  exporterItems,
  type Flow,
  freePort,
  postTo,
  receivedItems,
  rowItems,
  startFlow,
  startFlowIn,
  startSink,
  watchLedger,
} from './flow.ts'
import { attributeOf, attributesOf, bodiesIn, logsOf, spansIn } from './records.ts'

const NEW = 'codex_otel.newthing'

interface Setting {
  readonly port: number
  /** Families of NEW. */
  readonly policy?: string
  readonly storage?: string
  readonly queue?: string
}

const configOf = ({ port, policy = '', storage = '', queue = '' }: Setting): string => `
receivers: { otlp: { protocols: { http: { endpoint: "127.0.0.1:0" } } } }
admin: { endpoint: "127.0.0.1:0" }
shutdown_delay: 0s
shutdown_grace: 200ms
storage: { ${storage} }
policy: { preset: codex, unreviewed: quarantine, foreign: quarantine, ${policy} }
exporters:
  otlp_http:
    endpoint: "http://127.0.0.1:${port}"
    compression: none
    sending_queue: { ${queue} }
    retry_on_failure: { initial_interval: 20ms, max_interval: 100ms }
lanes: { log: { exporters: [otlp_http] }, trace: { exporters: [otlp_http] } }
`

const ON_LOGS = `families: { log_only: { targets: [codex_otel.log_only, ${NEW}] } }`
const ON_TRACES = `families: { trace_safe: { targets: [codex_otel.trace_safe, ${NEW}] } }`

interface Answer {
  readonly items: number
  readonly kept: number
  readonly left: number
  readonly done: boolean
  readonly message?: string
}

async function ask(flow: Flow, verb: 'release' | 'discard', target: string): Promise<Answer> {
  for (;;) {
    const response = await fetch(`${flow.running.admin}/api/v1/quarantine/${verb}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ target }),
    })
    if (response.status !== 200) throw new Error(await response.text())
    const answer: Answer = JSON.parse(await response.text())
    if (answer.done) return answer
  }
}

interface Listed {
  readonly target: string
  readonly family: string
  readonly carriage: string
  readonly items: number
}

async function list(flow: Flow): Promise<readonly Listed[]> {
  const response = await fetch(`${flow.running.admin}/api/v1/quarantine`)
  const { targets }: { readonly targets: readonly Listed[] } = JSON.parse(await response.text())
  return targets
}

async function heldItems(flow: Flow): Promise<number> {
  return (await list(flow)).reduce((sum, { items }) => sum + items, 0)
}

/** A span that is nobody's concern, with an event of each target. */
function spanWithEvents(...targets: readonly string[]): Uint8Array {
  const events = targets.map((target) => ({
    timeUnixNano: 7n,
    name: `by ${target}`,
    attributes: attributesOf({ target, 'event.name': 'happened' }),
  }))
  const span = {
    ...{ traceId: '0b'.repeat(16), spanId: '0c'.repeat(8), parentSpanId: '0d'.repeat(8), name: 'span' },
    ...{ flags: 1, events },
  }
  return encode('ExportTraceServiceRequest', {
    resourceSpans: [
      {
        resource: { attributes: attributesOf({ 'service.name': 'app' }) },
        scopeSpans: [{ scope: { name: 'tracer' }, spans: [span] }],
      },
    ],
  })
}

t.test('what is held survives, is listed by target, and leaves by the policy as it is then', async (t) => {
  const sink = await startSink(t)
  const cwd = t.testdir({ 'laneway.yaml': configOf({ port: sink.port }) })
  const first = await startFlowIn(t, cwd, [])
  const watch = watchLedger(first)
  const logs = logsOf(
    { target: NEW, texts: ['one', 'two'] },
    { target: 'codex_otel.log_only', texts: ['plain'] },
  )
  t.equal((await first.post('/v1/logs', logs)).status, 200)
  t.equal((await first.post('/v1/traces', spanWithEvents(NEW, 'other'))).status, 200)
  const held = [
    { target: NEW, family: 'unreviewed', carriage: 'log_record', items: 2 },
    { target: NEW, family: 'unreviewed', carriage: 'span_event', items: 1 },
    { target: 'other', family: 'foreign', carriage: 'span_event', items: 1 },
  ]
  t.match(await list(first), held)
  const before = await drained(first)
  t.equal(rowItems(before, { outcome: 'quarantined' }), 4)
  t.equal(rowItems(before, { outcome: 'quarantined', reason: 'foreign' }), 1)
  t.match(await (await fetch(`${first.running.admin}/metrics`)).text(), /^laneway_quarantine_items 4$/m)
  t.strictSame(bodiesIn(arrivedAt(sink, '/v1/logs')), ['plain'])
  t.match(await ask(first, 'release', NEW), { items: 0, kept: 3, left: 0 }, 'the policy still holds it')
  await watch.stop()
  first.running.signal('SIGKILL')
  await first.running.finished

  writeFileSync(join(cwd, 'laneway.yaml'), configOf({ port: sink.port, policy: ON_LOGS }))
  const second = await startFlowIn(t, cwd, [])
  t.equal(rowItems(await second.ledger(), { outcome: 'quarantined' }), 4, 'counted again')
  t.equal(receivedItems(await second.ledger(), 'span_event'), 2)
  const again = watchLedger(second)
  t.match(await list(second), held)
  t.match(await ask(second, 'release', NEW), { items: 3, kept: 0, left: 0 })
  t.match(await ask(second, 'discard', 'other'), { items: 1 })
  await t.rejects(ask(second, 'release', NEW), /nothing of target/)
  t.strictSame(await list(second), [])
  const after = await drained(second)
  t.equal(rowItems(after, { outcome: 'quarantined' }), 0)
  t.equal(rowItems(after, { carriage: 'log_record', outcome: 'forwarded', lane: 'log' }), 2)
  t.equal(rowItems(after, { carriage: 'span_event', outcome: 'rehomed', lane: 'log' }), 1)
  t.equal(rowItems(after, { outcome: 'dropped', reason: 'discarded' }), 1)
  t.strictSame(bodiesIn(arrivedAt(sink, '/v1/logs')), ['plain', 'one', 'two', `by ${NEW}`])
  await again.stop()
})

t.test('an event whose span has left rides a carrier where a traces lane takes it', async (t) => {
  const sink = await startSink(t)
  const cwd = t.testdir({ 'laneway.yaml': configOf({ port: sink.port }) })
  const first = await startFlowIn(t, cwd, [])
  t.equal((await first.post('/v1/traces', spanWithEvents(NEW, 'codex_otel.trace_safe'))).status, 200)
  await drained(first)
  const [span] = spansIn(arrivedAt(sink, '/v1/traces'))
  t.equal(messagesOf(span, 'events').length, 1)
  t.equal(span.droppedEventsCount, undefined, 'what waits is not dropped')
  await first.stop()

  writeFileSync(join(cwd, 'laneway.yaml'), configOf({ port: sink.port, policy: ON_TRACES }))
  const second = await startFlowIn(t, cwd, [])
  t.match(await ask(second, 'release', NEW), { items: 1 })
  await drained(second)
  const [, carrier] = spansIn(arrivedAt(sink, '/v1/traces'))
  t.equal(attributeOf(carrier, 'laneway.rehomed'), 'span_event')
  t.match(carrier, { traceId: span.traceId, parentSpanId: span.parentSpanId, startTimeUnixNano: 7n })
  const [event] = messagesOf(carrier, 'events')
  t.equal(attributeOf(event, 'target'), NEW)
  t.not(carrier.spanId, span.spanId)
})

t.test('a full quarantine drops the item and not the request, and says so', async (t) => {
  const sink = await startSink(t)
  const cwd = t.testdir({
    'laneway.yaml': configOf({ port: sink.port, storage: 'quarantine_max_size: 8KiB' }),
  })
  const flow = await startFlowIn(t, cwd, [])
  for (let count = 0; count < 40; count++) {
    const body = logsOf(
      { target: NEW, texts: [`${count}`] },
      { target: 'codex_otel.log_only', texts: [`${count}`] },
    )
    t.equal((await flow.post('/v1/logs', body)).status, 200)
  }
  const ledger = await drained(flow)
  const held = rowItems(ledger, { outcome: 'quarantined' })
  t.ok(held > 0 && held < 40)
  t.equal(await heldItems(flow), held)
  t.equal(rowItems(ledger, { outcome: 'dropped', reason: 'quarantine_full' }), 40 - held)
  t.equal(receivedItems(ledger, 'log_record'), 80)
  t.equal(bodiesIn(arrivedAt(sink, '/v1/logs')).length, 40)
  t.match(await ask(flow, 'discard', NEW), { items: held })
  t.equal((await flow.post('/v1/logs', logsOf({ target: NEW, texts: ['again'] }))).status, 200)
  t.equal(await heldItems(flow), 1, 'there is room again')
  t.match((await flow.stop()).stderr, /quarantined items are dropped/)
})

t.test('with all queues in memory what is held is on the disk all the same', async (t) => {
  const cwd = t.testdir({ 'laneway.yaml': configOf({ port: await freePort(), queue: 'storage: memory' }) })
  const first = await startFlowIn(t, cwd, [])
  t.equal((await first.post('/v1/logs', logsOf({ target: NEW, texts: ['one'] }))).status, 200)
  first.running.signal('SIGKILL')
  await first.running.finished
  const second = await startFlowIn(t, cwd, [])
  t.equal(await heldItems(second), 1)
})

t.test(
  'where a backend refuses for now, and its sender waits, nothing of the request stays held',
  async (t) => {
    const port = await freePort()
    const cwd = t.testdir({ 'laneway.yaml': configOf({ port, queue: 'wait_for_result: true' }) })
    const flow = await startFlowIn(t, cwd, [])
    const body = logsOf({ target: NEW, texts: ['held'] }, { target: 'codex_otel.log_only', texts: ['sent'] })
    t.equal((await flow.post('/v1/logs', body)).status, 503)
    t.equal(await heldItems(flow), 0)
    t.equal(rowItems(await flow.ledger(), { outcome: 'refused' }), 2)
    const sink = await startSink(t, port)
    t.equal((await flow.post('/v1/logs', body)).status, 200)
    t.equal(await heldItems(flow), 1)
    t.strictSame(bodiesIn(arrivedAt(sink, '/v1/logs')), ['sent'])
  },
)

const PAD = '.'.repeat(300)
const RECORDS = 20_000

async function hold(flow: Flow): Promise<void> {
  const texts = Array.from({ length: RECORDS }, (_, index) => `${index}${PAD}`)
  for (let at = 0; at < RECORDS; at += 100) {
    const body = logsOf({ target: NEW, texts: texts.slice(at, at + 100) })
    if ((await flow.post('/v1/logs', body)).status !== 200) throw new Error('refused')
  }
}

t.test(
  'kill -9 in the middle of a release under load: nothing is lost, and nothing is there twice',
  async (t) => {
    const port = await freePort()
    const cwd = t.testdir({ 'laneway.yaml': configOf({ port }) })
    const first = await startFlowIn(t, cwd, [])
    await hold(first)
    await first.stop()

    writeFileSync(join(cwd, 'laneway.yaml'), configOf({ port, policy: ON_LOGS }))
    const acknowledged: string[] = []
    let rest = RECORDS
    for (let lives = 0; lives < 3 && rest > 0; lives++) {
      const flow = await startFlowIn(t, cwd, [])
      const load = (async () => {
        for (let count = 0; ; count++) {
          const text = `load ${lives} ${count}`
          const body = logsOf({ target: 'codex_otel.log_only', texts: [text] })
          if ((await postTo(`${flow.running.receiver}/v1/logs`, body)).status === 200) acknowledged.push(text)
        }
      })().catch(() => {})
      const releasing = ask(flow, 'release', NEW).catch(() => {})
      const before = rest
      for (; rest === before; rest = await heldItems(flow)) await delay(1)
      flow.running.signal('SIGKILL')
      await Promise.all([flow.running.finished, load, releasing])
    }

    const sink = await startSink(t, port)
    const last = await startFlowIn(t, cwd, [])
    if ((await heldItems(last)) > 0) t.match(await ask(last, 'release', NEW), { kept: 0, left: 0 })
    t.equal(await heldItems(last), 0)
    await drained(last, 30_000)
    const arrived = bodiesIn(arrivedAt(sink, '/v1/logs'))
    const released = arrived.filter((text) => text.endsWith(PAD))
    t.equal(released.length, RECORDS, 'none twice')
    t.equal(new Set(released).size, RECORDS, 'none lost')
    const missing = new Set(acknowledged)
    for (const text of arrived) missing.delete(text)
    t.strictSame([...missing], [])
  },
)

t.test('a release before a full queue says how far it came, and goes on from there', async (t) => {
  const port = await freePort()
  const cwd = t.testdir({ 'laneway.yaml': configOf({ port }) })
  const first = await startFlowIn(t, cwd, [])
  await hold(first)
  await first.stop()
  const queue = 'queue_size: 3MiB, num_consumers: 1, batch: { max_size: 64KiB }'
  writeFileSync(join(cwd, 'laneway.yaml'), configOf({ port, policy: ON_LOGS, queue }))
  const flow = await startFlowIn(t, cwd, [])
  const stopped = await ask(flow, 'release', NEW)
  t.match(stopped.message, /otlp_http: its queue is full/)
  t.ok(stopped.items > 0)
  t.equal(stopped.items + stopped.left, RECORDS)
  t.equal(await heldItems(flow), stopped.left)
  const sink = await startSink(t, port)
  t.match(await ask(flow, 'release', NEW), { left: 0 })
  const ledger = await drained(flow, 30_000)
  t.equal(exporterItems(ledger, 'otlp_http', 'sent'), RECORDS)
  const bodies = bodiesIn(arrivedAt(sink, '/v1/logs'))
  t.strictSame(
    bodies.map((text) => Number.parseInt(text, 10)),
    Array.from({ length: RECORDS }, (_, index) => index),
    'in the order that they came in',
  )
})

t.test('an item that two lanes take when it is released is counted once, and copied', async (t) => {
  const sink = await startSink(t)
  const yaml = (policy: string) => `
policy: { preset: codex, unreviewed: quarantine, ${policy} }
exporters: { otlp_http: { endpoint: "http://127.0.0.1:${sink.port}", compression: none } }
lanes:
  log: { exporters: [otlp_http] }
  audit: { signal: logs, accept: [{ events: [log_only] }], exporters: [otlp_http] }
`
  const flow = await startFlow(t, yaml(''))
  t.equal((await flow.post('/v1/logs', logsOf({ target: NEW, texts: ['one'] }))).status, 200)
  await flow.stop()
  const head = `receivers: { otlp: { protocols: { http: { endpoint: "127.0.0.1:0" } } } }\nadmin: { endpoint: "127.0.0.1:0" }\nshutdown_delay: 0s\n`
  writeFileSync(join(flow.cwd, 'laneway.yaml'), head + yaml(ON_LOGS))
  const second = await startFlowIn(t, flow.cwd, [])
  t.match(await ask(second, 'release', NEW), { items: 1 })
  const ledger = await drained(second)
  t.equal(rowItems(ledger, { outcome: 'forwarded' }), 1)
  t.equal(rowItems(ledger, { outcome: 'copied' }), 1)
  t.strictSame(bodiesIn(arrivedAt(sink, '/v1/logs')), ['one', 'one'])
})

t.test('invented targets take bounded room, and the sidecar goes on', async (t) => {
  const sink = await startSink(t)
  const storage = 'quarantine_max_size: 4MiB'
  const cwd = t.testdir({ 'laneway.yaml': configOf({ port: sink.port, storage }) })
  const flow = await startFlowIn(t, cwd, [])
  const residentBytes = async (): Promise<number> => {
    const text = await (await fetch(`${flow.running.admin}/metrics`)).text()
    return Number(/^process_resident_memory_bytes (\d+)/m.exec(text)?.[1])
  }
  await flow.post('/v1/logs', logsOf({ target: 'codex_otel.log_only', texts: ['first'] }))
  const beforeBytes = await residentBytes()
  for (let round = 0; round < 50; round++) {
    const emitted = Array.from({ length: 2000 }, (_, index) => ({
      target: `codex_otel.invented_${round}_${index}`,
      texts: ['x'],
    }))
    t.equal((await flow.post('/v1/logs', logsOf(...emitted))).status, 200)
  }
  const ledger = await drained(flow)
  const held = rowItems(ledger, { outcome: 'quarantined' })
  t.equal(held + rowItems(ledger, { reason: 'quarantine_full' }), 100_000)
  t.equal(receivedItems(ledger, 'log_record'), 100_001)
  t.ok((await residentBytes()) - beforeBytes < 300 * 1024 * 1024)
  const [mixed] = await list(flow)
  t.match(
    mixed,
    { target: '*', family: 'unreviewed' },
    'beyond so many of one request they are held together',
  )
  t.match(await ask(flow, 'discard', '*'), { items: mixed.items })
  t.equal(rowItems(await flow.ledger(), { outcome: 'quarantined' }), held - mixed.items)
})

t.test('what is held is never in an answer, a page or the log', async (t) => {
  const sink = await startSink(t)
  const cwd = t.testdir({ 'laneway.yaml': configOf({ port: sink.port }) })
  const flow = await startFlowIn(t, cwd, [])
  t.equal((await flow.post('/v1/logs', logsOf({ target: NEW, texts: ['a secret'] }))).status, 200)
  const shown = JSON.stringify([await list(flow), await ask(flow, 'discard', NEW), await flow.ledger()])
  t.notMatch(shown, /a secret/)
  t.notMatch((await flow.stop()).stderr, /a secret/)
})
