/**
 * Every captured request through `route`: the counts are those of corpus.json, and the bytes those of the reference.
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts'
import { SIGNAL_TRAITS, SIGNALS, type Signal } from '../../src/otlp/signal.ts'
import { route } from '../../src/policy/route.ts'
import type { TallyRow } from '../../src/telemetry/tally.ts'
import { decode, isMessage, messagesOf, type OracleMessage } from '../oracle/oracle.ts'
import { assertAgrees, compile } from './agree.ts'
import { witness } from './fates.ts'
import { createSpec, type PolicyText } from './spec.ts'
import { TARGET_TABLE } from './target-table.ts'

interface Entry {
  readonly file: string
  readonly signal: Signal
  readonly counts: ReadonlyMap<string, number>
  readonly targets: ReadonlyMap<string, ReadonlyMap<string, number>>
  readonly conflicts: number
}

const folder = new URL('../corpus/', import.meta.url)

function readEntries(): readonly Entry[] {
  const json: unknown = JSON.parse(readFileSync(new URL('corpus.json', folder), 'utf8'))
  if (!Array.isArray(json)) throw new Error('corpus.json is a list')
  return json.map((entry): Entry => {
    const { file, signal, items, targets, conflicts } = entry
    const found = SIGNALS.find((one) => one === signal)
    if (found === undefined) throw new Error(`${file}: no signal`)
    return {
      file,
      signal: found,
      counts: counts(items),
      targets: new Map(Object.entries(targets).map(([key, value]) => [key, counts(value)])),
      conflicts,
    }
  })
}

function counts(value: unknown): ReadonlyMap<string, number> {
  return new Map(Object.entries(value ?? {}).map(([key, count]) => [key, Number(count)]))
}

function readBody({ file, signal }: Entry): Uint8Array {
  const raw = readFileSync(new URL(file, folder))
  const body = file.endsWith('.gz') ? gunzipSync(raw) : raw
  return file.includes('.json') ? jsonToProtobuf(body, signal) : body
}

/** The paths that the corpus was counted by. */
const asCounted: PolicyText = {
  target: {
    log_record: ['scope.name'],
    span_event: ['attributes["target"]'],
    span: ['attributes["target"]', 'attributes["code.module.name"]', 'attributes["code.namespace"]'],
  },
}
const policies: readonly PolicyText[] = [
  {},
  { match: 'prefix' },
  { unreviewed: 'drop', foreign: 'forward' },
  {
    lanes: {
      audit: {
        signal: 'logs',
        accept: [{ events: [{ event_name: '*.user_prompt' }, 'codex_otel.network_proxy'] }],
      },
      rest: {
        signal: 'logs',
        accept: [{ except: { events: ['log_only', 'foreign'] } }, { events: ['any'] }],
      },
      safe: { signal: 'traces', accept: [{ spans: ['*', 'foreign'] }, { events: ['trace_safe'] }] },
      libraries: {
        signal: 'traces',
        accept: [{ spans: ['dependency'] }, { events: ['foreign', 'log_only'] }],
      },
      metric: { signal: 'metrics', accept: [{ points: ['any'] }] },
    },
  },
]

const families = new Map(TARGET_TABLE.map(([target, segment]) => [target, segment]))

for (const entry of readEntries()) {
  t.test(`${entry.file}: items are counted by target as they were captured`, async (t) => {
    const bytes = readBody(entry)
    const heard = witness(bytes, entry.signal, createSpec(asCounted))
    const of = (carriage: string) => heard.filter((item) => item.carriage === carriage)
    const totals = {
      logs: { records: of('log_record').length },
      traces: { spans: of('span').length, spanEvents: of('span_event').length },
      metrics: { dataPoints: of('data_point').length },
    }[entry.signal]
    for (const [key, total] of Object.entries(totals)) t.equal(total, entry.counts.get(key), key)
    for (const [key, carriage] of [
      ['records', 'log_record'],
      ['spans', 'span'],
      ['spanEvents', 'span_event'],
    ]) {
      const expected = entry.targets.get(key)
      if (expected === undefined) continue
      const inDoubt = of(carriage).filter(({ verdict }) => verdict.family === 'ambiguous').length
      const told = new Map<string, number>()
      for (const item of of(carriage)) {
        if (item.verdict.family === 'ambiguous') continue
        const target = Buffer.from(
          item.target ?? (carriage === 'log_record' ? '' : '(none)'),
          'latin1',
        ).toString()
        told.set(target, (told.get(target) ?? 0) + 1)
      }
      let missing = 0
      for (const [target, count] of expected) missing += count - (told.get(target) ?? 0)
      t.equal(missing, inDoubt, `${key} with a target beyond doubt`)
      t.ok([...told].every(([target, count]) => count <= (expected.get(target) ?? 0)))
    }
    const notStrings = entry.targets.get('spanEvents')?.get('(not a string)') ?? 0
    const inDoubt = heard.filter(({ verdict }) => verdict.family === 'ambiguous').length
    t.ok(inDoubt <= entry.conflicts + notStrings && inDoubt >= Math.max(entry.conflicts, notStrings))
  })

  t.test(`${entry.file}: each lane gets what the policy says, byte for byte`, async (t) => {
    const bytes = readBody(entry)
    for (const text of policies) assertAgrees({ bytes, signal: entry.signal, spec: createSpec(text) })
    t.pass('under every policy')
  })

  if (entry.signal === 'metrics') continue
  t.test(
    `${entry.file}: the log lane gets the targets of the table, and the trace lane its own`,
    async (t) => {
      const bytes = readBody(entry)
      const { parcels, tally } = route(bytes, entry.signal, compile(createSpec()))
      const [key, home, carriage] =
        entry.signal === 'logs'
          ? (['records', 'log', 'log_record'] as const)
          : (['spanEvents', 'trace', 'span_event'] as const)
      const expected = [...(entry.targets.get(key) ?? [])]
        .filter(([target]) => families.get(target)?.[1] === home)
        .reduce((sum, [, count]) => sum + count, 0)
      const forwarded = sumOf(tally, (row) => row.carriage === carriage && row.outcome === 'forwarded')
      // A conflict is counted by its first target, and goes to the log lane.
      t.ok(forwarded <= expected && forwarded >= expected - entry.conflicts, `${forwarded} of ${expected}`)
      t.equal(
        sumOf(tally, (row) => row.carriage === carriage),
        entry.counts.get(key),
        'the tally balances',
      )
      const [parcel] = parcels
      if (entry.signal === 'logs') t.equal(parcel?.items ?? 0, forwarded)
      else t.equal(parcel?.items ?? 0, entry.counts.get('spans'))
      t.notOk(entry.signal === 'logs' && forwarded > 0 && parcels.length !== 1)
    },
  )
}

function sumOf(tally: readonly TallyRow[], wanted: (row: TallyRow) => boolean): number {
  return tally
    .filter((row) => row.outcome !== 'copied' && wanted(row))
    .reduce((sum, row) => sum + row.items, 0)
}

t.test('no event with a prompt, an argument or an address of a person rides on the trace lane', async (t) => {
  const canaries = /CANARY-(PROMPT|ARGUMENTS|OUTPUT|CONTENT|EMAIL|ACCOUNT)/
  let misplaced = 0
  for (const entry of readEntries().filter((one) => one.signal === 'traces')) {
    const bytes = readBody(entry)
    const message = SIGNAL_TRAITS.traces.requestMessage
    const { parcels } = assertAgrees({ bytes, signal: 'traces', spec: createSpec() })
    misplaced += Number(canaries.test(JSON.stringify(eventsOf(decode(message, bytes)), writeBigInt)))
    for (const { request } of parcels)
      t.notMatch(JSON.stringify(eventsOf(request), writeBigInt), canaries, entry.file)
  }
  t.ok(misplaced > 0, 'there were such events on spans')
})

function eventsOf(request: OracleMessage): readonly OracleMessage[] {
  return messagesOf(request, 'resourceSpans')
    .flatMap((one) => messagesOf(one, 'scopeSpans'))
    .flatMap((one) => messagesOf(one, 'spans'))
    .flatMap((one) => messagesOf(one, 'events'))
    .filter(isMessage)
}

function writeBigInt(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
