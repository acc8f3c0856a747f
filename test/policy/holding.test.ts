/**
 * What is held of a request: as it came, by target, and at a bounded price however many targets its sender invents.
 */
import t from 'tap'
import {
  copiedBytesSpare,
  heldTargetBytesMax,
  heldTargetsMax,
  MIXED_TARGET,
} from '../../src/policy/holding.ts'
import { route } from '../../src/policy/route.ts'
import { decode, encode, type OracleMessage } from '../oracle/oracle.ts'
import { compile } from './agree.ts'
import { attribute } from './fates.ts'
import { createSpec } from './spec.ts'

const policy = compile(createSpec({ unreviewed: 'quarantine', foreign: 'quarantine' }))

function logs(names: readonly string[], resource: OracleMessage = {}): Uint8Array {
  const scopeLogs = names.map((name) => ({
    scope: { name },
    logRecords: [{ severityText: name.slice(0, 9) }],
  }))
  return encode('ExportLogsServiceRequest', { resourceLogs: [{ resource, scopeLogs }] })
}

const named = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `codex_otel.new_${index}`)

t.test('so many targets are held apart, and what comes behind them together', async (t) => {
  const exact = route(logs(named(heldTargetsMax)), 'logs', policy).held
  t.equal(exact.length, heldTargetsMax)
  t.notOk(exact.some(({ target }) => target === MIXED_TARGET))
  const more = route(logs([...named(heldTargetsMax + 3), 'other', 'codex_otel.new_0']), 'logs', policy).held
  const mixed = more.filter(({ target }) => target === MIXED_TARGET)
  t.match(mixed, [
    { family: 'unreviewed', items: 3 },
    { family: 'foreign', items: 1 },
  ])
  t.equal(more.find(({ target }) => target === 'codex_otel.new_0')?.items, 2, 'who has a place keeps it')
  t.equal(
    more.reduce((sum, { items }) => sum + items, 0),
    heldTargetsMax + 5,
  )
})

t.test('a large resource is not copied for every target', async (t) => {
  const resource = { attributes: [attribute('big', 'x'.repeat(100_000))] }
  const request = logs(named(500), resource)
  const { held, tally } = route(request, 'logs', policy)
  const bytes = held.reduce((sum, parcel) => sum + parcel.bytes.byteLength, 0)
  t.ok(bytes < 4 * request.length + copiedBytesSpare, `${bytes} bytes held of ${request.length}`)
  t.equal(
    held.reduce((sum, { items }) => sum + items, 0),
    500,
  )
  t.match(tally, [{ outcome: 'quarantined', items: 500 }])
  const mixed = held.find(({ target }) => target === MIXED_TARGET)
  t.match(decode('ExportLogsServiceRequest', mixed?.bytes ?? new Uint8Array(0)), {
    resourceLogs: [{ resource }],
  })
})

t.test('nor what a span leaves behind', async (t) => {
  const events = named(500).map((target) => ({ attributes: [attribute('target', target)] }))
  const span = { traceState: 'x'.repeat(100_000), events }
  const request = encode('ExportTraceServiceRequest', {
    resourceSpans: [{ scopeSpans: [{ spans: [span] }] }],
  })
  const { held } = route(request, 'traces', policy)
  const bytes = held.reduce((sum, parcel) => sum + parcel.bytes.byteLength, 0)
  t.ok(bytes < 4 * request.length + copiedBytesSpare, `${bytes} bytes held of ${request.length}`)
  t.equal(
    held.reduce((sum, { items }) => sum + items, 0),
    500,
  )
})

t.test('a target that is too long for a key is held with the mixed ones', async (t) => {
  const long = (bytes: number) => 'codex_otel.'.padEnd(bytes, 'x')
  const { held } = route(logs([long(heldTargetBytesMax), long(heldTargetBytesMax + 1)]), 'logs', policy)
  t.same(
    held.map(({ target }) => target),
    [long(heldTargetBytesMax), MIXED_TARGET],
  )
})

t.test('what stands around an item is held with it, unknown fields too', async (t) => {
  const unknown = Buffer.from('fa3f036d7967', 'hex')
  const record = Buffer.from('12050a03696e78', 'hex')
  const scope = Buffer.concat([Buffer.from('0a0c0a0a', 'hex'), Buffer.from('codex_otel'), record, unknown])
  const inResource = Buffer.concat([Buffer.from([0x12, scope.length]), scope, unknown])
  const request = Buffer.concat([Buffer.from([0x0a, inResource.length]), inResource])
  const [{ bytes }] = route(request, 'logs', policy).held
  t.equal(Buffer.from(bytes).toString('hex').split(unknown.toString('hex')).length, 3)
  t.equal(bytes.byteLength, request.byteLength, 'nothing is added')
})

t.test('items of a target in doubt are held under what stands for it', async (t) => {
  const twice = [attribute('target', 'codex_otel.one'), attribute('target', 'codex_otel.two')]
  const request = encode('ExportTraceServiceRequest', {
    resourceSpans: [{ scopeSpans: [{ spans: [{ events: [{ attributes: twice }] }] }] }],
  })
  t.match(route(request, 'traces', policy).held, [
    { target: 'codex_otel.one', family: 'ambiguous', items: 1 },
  ])
})
