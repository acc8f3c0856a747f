/**
 * Every captured request through a whole sidecar: as it was sent, compressed in each way, and posted to `/`.
 *
 * What arrives at a backend is, byte for byte, what `route` says of the lane; the ledger counts what the corpus
 * counts, and balances while requests come in; and none of the planted texts is in anything that Laneway says.
 */
import { readFileSync } from 'node:fs'
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import t from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts'
import { compilePolicy } from '../../src/policy/compile.ts'
import { route } from '../../src/policy/route.ts'
import type { LedgerSnapshot } from '../../src/telemetry/ledger.ts'
import { type CorpusRequest, readCorpus } from '../oracle/corpus.ts'
import { bytesOf } from '../policy/parcel-bytes.ts'
import {
  arrivedAt,
  drained,
  exporterItems,
  receivedItems,
  rowItems,
  startFlow,
  startSink,
  watchLedger,
} from './flow.ts'

const corpus = readCorpus()
const folder = new URL('../corpus/', import.meta.url)

const LANES = { log: '/log/v1/logs', trace: '/trace/v1/traces', metric: '/metric/v1/metrics' } as const

/** One consumer a queue, so that what arrives is in the order in which it was accepted. */
function configOf(url: string): string {
  const exporter = (lane: string): string =>
    `{ endpoint: "${url}/${lane}", compression: none, sending_queue: { num_consumers: 1 } }`
  return `
policy: { preset: codex }
exporters:
  otlp_http/log: ${exporter('log')}
  otlp_http/trace: ${exporter('trace')}
  otlp_http/metric: ${exporter('metric')}
lanes:
  log: { exporters: [otlp_http/log] }
  trace: { exporters: [otlp_http/trace] }
  metric: { exporters: [otlp_http/metric] }
`
}

interface Sent {
  readonly path: string
  readonly body: Uint8Array
  readonly coding: string | undefined
}

/** The ways to post one captured request. */
const WAYS: Readonly<Record<string, (request: CorpusRequest) => Sent>> = {
  'as it was captured': ({ file, signal }) => ({
    path: `/v1/${signal}`,
    body: readFileSync(new URL(file, folder)),
    coding: file.endsWith('.gz') ? 'gzip' : undefined,
  }),
  'with gzip': ({ signal, body }) => ({ path: `/v1/${signal}`, body: gzipSync(body), coding: 'gzip' }),
  'with zstd': ({ signal, body }) => ({
    path: `/v1/${signal}`,
    body: zstdCompressSync(body),
    coding: 'zstd',
  }),
  'with deflate, to /': ({ body }) => ({ path: '/', body: deflateSync(body), coding: 'deflate' }),
  'to /': ({ body }) => ({ path: '/', body, coding: undefined }),
}

for (const [way, send] of Object.entries(WAYS)) {
  t.test(`every captured request, sent ${way}, arrives on its lanes as route says`, async (t) => {
    const sink = await startSink(t)
    const flow = await startFlow(t, configOf(sink.url))
    const watch = watchLedger(flow)
    for (const request of corpus) {
      const { path, body, coding } = send(request)
      const response = await flow.post(path, body, {
        'content-type': request.encoding === 'json' ? 'application/json' : 'application/x-protobuf',
        ...(coding === undefined ? {} : { 'content-encoding': coding }),
      })
      t.equal(response.status, 200, request.file)
    }
    const ledger = await drained(flow)
    t.ok((await watch.stop()) > 5, 'the ledger was read in between')

    const expected = expectedParcels(flow.cwd)
    for (const [lane, path] of Object.entries(LANES)) {
      t.equal(withoutDigests(arrivedAt(sink, path)), withoutDigests(expected(lane)), `lane ${lane}`)
    }
    t.strictSame(
      (['log_record', 'span', 'span_event', 'data_point'] as const).map((one) => receivedItems(ledger, one)),
      [countOf('records'), countOf('spans'), countOf('spanEvents'), countOf('dataPoints')],
    )
    for (const [exporter, items] of Object.entries(takenItems(ledger))) {
      t.ok(items > 0)
      t.equal(exporterItems(ledger, exporter), items, `${exporter} was given what its lane took`)
      t.equal(exporterItems(ledger, exporter, 'sent'), items, `${exporter} sent all of it`)
    }

    const metrics = await (await fetch(`${flow.running.admin}/metrics`)).text()
    const { code, stderr } = await flow.stop()
    t.equal(code, 0)
    t.notMatch(stderr + metrics + JSON.stringify(ledger), /CANARY/, 'Laneway repeats no content')
  })
}

/** What each exporter's lane took, as the items' rows say. A record that is rehomed has a carrier span of its own. */
function takenItems(ledger: LedgerSnapshot): Readonly<Record<string, number>> {
  return {
    'otlp_http/log':
      rowItems(ledger, { lane: 'log', carriage: 'log_record', outcome: 'forwarded' }) +
      rowItems(ledger, { lane: 'log', carriage: 'span_event', outcome: 'rehomed' }),
    'otlp_http/trace':
      rowItems(ledger, { lane: 'trace', carriage: 'span', outcome: 'forwarded' }) +
      rowItems(ledger, { lane: 'trace', carriage: 'log_record', outcome: 'rehomed' }),
    'otlp_http/metric': rowItems(ledger, { lane: 'metric', outcome: 'forwarded' }),
  }
}

/** The parcels of the whole corpus under the sidecar's own configuration, joined by lane. */
function expectedParcels(cwd: string): (lane: string) => Buffer {
  const config = loadConfig({ files: ['laneway.yaml'], set: [], env: {}, cwd })
  const { policy } = compilePolicy(config.policy)
  const parcels = corpus.flatMap(({ body, signal, encoding }) => {
    const bytes = encoding === 'json' ? jsonToProtobuf(body, signal) : body
    return route(bytes, signal, policy).parcels.map((parcel) => ({
      lane: parcel.lane,
      bytes: Uint8Array.from(bytesOf(parcel, bytes)),
    }))
  })
  return (wanted) => Buffer.concat(parcels.filter(({ lane }) => lane === wanted).map(({ bytes }) => bytes))
}

/** Each sidecar makes a key of its own: its digests differ, but not in length. As text, for a readable difference. */
function withoutDigests(bytes: Buffer): string {
  return bytes.toString('latin1').replace(/hmac:[0-9a-f]{32}/g, 'hmac:')
}

function countOf(what: string): number {
  const entries: readonly { readonly items: Readonly<Record<string, number>> }[] = JSON.parse(
    readFileSync(new URL('corpus.json', folder), 'utf8'),
  )
  return entries.reduce((sum, { items }) => sum + (items[what] ?? 0), 0)
}
