import * as fc from 'fast-check'
import t from 'tap'
import { CARRIAGES, SIGNALS } from '../../src/otlp/signal.ts'
import { createLedger, SETTLEMENTS } from '../../src/telemetry/ledger.ts'

const OUTCOMES = ['forwarded', 'rehomed', 'quarantined', 'dropped', 'refused', 'copied'] as const

const request = fc.record({
  type: fc.constant('request_decided' as const),
  signal: fc.constantFrom(...SIGNALS),
  tally: fc.array(
    fc.record({
      carriage: fc.constantFrom(...CARRIAGES),
      family: fc.constantFrom('log_only', 'foreign', ''),
      lane: fc.constantFrom('', 'log'),
      outcome: fc.constantFrom(...OUTCOMES),
      reason: fc.constantFrom('', 'no_lane' as const),
      items: fc.integer({ min: 0, max: 1000 }),
    }),
    { maxLength: 5 },
  ),
})

t.test('received is the sum of what became of the items, at every read', async () => {
  fc.assert(
    fc.property(fc.array(request), (requests) => {
      const ledger = createLedger({ exporters: [], sinceMs: 0 })
      for (const event of requests) {
        ledger.record(event)
        const { rows } = ledger.snapshot()
        for (const signal of SIGNALS) {
          for (const carriage of CARRIAGES) {
            const of = rows.filter((row) => row.signal === signal && row.carriage === carriage)
            const sum = (isCounted: (outcome: string) => boolean) =>
              of.filter(({ outcome }) => isCounted(outcome)).reduce((total, { items }) => total + items, 0)
            if (sum((o) => o === 'received') !== sum((o) => o !== 'received' && o !== 'copied')) return false
          }
        }
      }
      return true
    }),
  )
})

t.test('rows carry the words of the contract, and copies stay outside received', async (t) => {
  const ledger = createLedger({ exporters: [], sinceMs: 0 })
  const row = { carriage: 'log_record', family: 'log_only', lane: 'log', reason: '' } as const
  ledger.record({
    type: 'request_decided',
    signal: 'logs',
    tally: [
      { ...row, outcome: 'forwarded', items: 3 },
      { ...row, lane: 'audit', outcome: 'copied', items: 3 },
      { ...row, lane: '', outcome: 'dropped', reason: 'foreign', items: 2, family: 'foreign' },
    ],
  })
  t.same(ledger.snapshot(), {
    since: '1970-01-01T00:00:00.000Z',
    exporters: [],
    rows: [
      {
        signal: 'logs',
        carriage: 'log_record',
        family: 'log_only',
        lane: '',
        outcome: 'received',
        reason: '',
        items: 3,
      },
      {
        signal: 'logs',
        carriage: 'log_record',
        family: 'foreign',
        lane: '',
        outcome: 'received',
        reason: '',
        items: 2,
      },
      { signal: 'logs', ...row, outcome: 'forwarded', items: 3 },
      { signal: 'logs', ...row, lane: 'audit', outcome: 'copied', items: 3 },
      {
        signal: 'logs',
        carriage: 'log_record',
        family: 'foreign',
        lane: '',
        outcome: 'dropped',
        reason: 'foreign',
        items: 2,
      },
    ],
  })
})

t.test('an item that leaves quarantine changes its outcome, not what was received', async (t) => {
  const ledger = createLedger({ exporters: [], sinceMs: 0 })
  const row = { carriage: 'span', family: 'unreviewed', lane: '', reason: '' } as const
  const record = (outcome: 'quarantined' | 'forwarded', items: number) =>
    ledger.record({ type: 'request_decided', signal: 'traces', tally: [{ ...row, outcome, items }] })
  record('quarantined', 4)
  record('quarantined', -4)
  record('forwarded', 4)
  t.same(
    ledger.snapshot().rows.map(({ outcome, items }) => [outcome, items]),
    [
      ['received', 4],
      ['forwarded', 4],
    ],
  )
})

t.test('a snapshot does not change afterwards', async (t) => {
  const ledger = createLedger({ exporters: ['a'], sinceMs: 0 })
  const event = {
    type: 'request_decided',
    signal: 'logs',
    tally: [{ carriage: 'log_record', family: 'x', lane: 'log', outcome: 'forwarded', reason: '', items: 1 }],
  } as const
  ledger.record(event)
  const before = JSON.stringify(ledger.snapshot())
  const snapshot = ledger.snapshot()
  ledger.record(event)
  t.equal(JSON.stringify(snapshot), before)
})

t.test('what an exporter admitted is queued or settled', async (t) => {
  const ledger = createLedger({ exporters: ['otlp_http/a', 'file/b'], sinceMs: 0 })
  ledger.record({ type: 'parcel_admitted', exporter: 'otlp_http/a', items: 10, bytes: 1000 })
  for (const [index, outcome] of SETTLEMENTS.entries()) {
    ledger.record({ type: 'parcel_settled', exporter: 'otlp_http/a', outcome, items: index + 1, bytes: 100 })
  }
  ledger.record({ type: 'parcel_admitted', exporter: 'otlp_http/a', items: 5, bytes: 500 })
  const rows = ledger.snapshot().exporters
  t.same(
    rows.filter(({ exporter }) => exporter === 'otlp_http/a'),
    [
      { exporter: 'otlp_http/a', outcome: 'queued', items: 5, bytes: 1100 },
      { exporter: 'otlp_http/a', outcome: 'sent', items: 1, bytes: 100 },
      { exporter: 'otlp_http/a', outcome: 'rejected', items: 2, bytes: 100 },
      { exporter: 'otlp_http/a', outcome: 'dead', items: 3, bytes: 100 },
      { exporter: 'otlp_http/a', outcome: 'lost', items: 4, bytes: 100 },
    ],
  )
  t.equal(rows.filter(({ exporter, items }) => exporter === 'file/b' && items === 0).length, 5)
})
