/**
 * `laneway demo`: sends one made session to a running sidecar and shows which lane took what, and why.
 *
 * The session goes in as a real SDK's requests, over the network. What is shown is the sidecar's own ledger,
 * read before and after: the demo decides nothing itself. Traffic of others in between is counted along.
 */
import type { Config, ListenAddress } from '../config/config.ts'
import { CommandError } from '../errors.ts'
import { SIGNAL_TRAITS } from '../otlp/signal.ts'
import { readSecret } from '../server/secret.ts'
import type { ExporterRow, LedgerRow, LedgerSnapshot } from '../telemetry/ledger.ts'
import { call, formatAddress, parseCallAddress } from './call.ts'
import { parseOptions } from './config-options.ts'
import { createDemoRequests, type DemoRequest, readDemoSession } from './demo-session.ts'
import type { Io } from './io.ts'
import { formatTable } from './table.ts'

const endpointDefault = 'http://localhost:4318'
const adminDefault = 'http://127.0.0.1:13133'

/** How long the exporters get to deliver before their counts are shown. */
const settleMs = 2000
const settlePollMs = 50

/** Where the sidecar takes requests, and where it tells of itself. */
interface Sidecar {
  readonly receiver: ListenAddress
  readonly admin: ListenAddress
  readonly adminHeaders: Readonly<Record<string, string>>
}

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const sidecar = await findSidecar(argv, io)
  const before = await readLedger(sidecar)
  const session = readDemoSession()
  const requests = await createDemoRequests(session, Date.now())
  io.stdout(
    `One made session of two turns goes to ${formatAddress(sidecar.receiver)}: ${session.logRecords.length} log records, ` +
      `${session.spans.length} spans with ${session.spans.flatMap(({ events }) => events).length} events, ` +
      `${session.counters.length} data points.\n\n`,
  )
  let isAccepted = true
  for (const request of requests) {
    const status = await send(sidecar, request)
    if (status === 200) continue
    isAccepted = false
    io.stderr(`the sidecar answered ${status} to the ${request.signal} request\n`)
  }
  const after = await readSettledLedger(sidecar, before)
  io.stdout(formatSummary(before, after))
  return isAccepted ? 0 : 1
}

async function findSidecar(argv: readonly string[], io: Io): Promise<Sidecar> {
  const { values } = parseOptions('demo', argv, {
    endpoint: { type: 'string' },
    admin: { type: 'string' },
    config: { type: 'string', multiple: true, short: 'c' },
    set: { type: 'string', multiple: true },
  })
  const config = await loadNamedConfig(values.config ?? [], values.set ?? [], io)
  const token = config?.admin.token
  return {
    receiver:
      values.endpoint === undefined && config !== undefined
        ? config.receiver.endpoint
        : parseCallAddress('--endpoint', values.endpoint ?? endpointDefault),
    admin:
      values.admin === undefined && config !== undefined
        ? config.admin.endpoint
        : parseCallAddress('--admin', values.admin ?? adminDefault),
    adminHeaders: token === undefined ? {} : { authorization: `Bearer ${readSecret(token)}` },
  }
}

/** The configuration is loaded only if it is named: without it, the demo needs nothing but the two addresses. */
async function loadNamedConfig(
  files: readonly string[],
  set: readonly string[],
  { env, cwd }: Io,
): Promise<Config | undefined> {
  if (files.length === 0 && set.length === 0) return undefined
  const { loadConfig } = await import('../config/load.ts')
  return loadConfig({ files, set, env, cwd })
}

async function send({ receiver }: Sidecar, { signal, body }: DemoRequest): Promise<number> {
  const { status } = await call({
    address: receiver,
    method: 'POST',
    path: SIGNAL_TRAITS[signal].path,
    headers: { 'content-type': 'application/x-protobuf', 'user-agent': 'laneway-demo' },
    body,
  })
  return status
}

async function readLedger({ admin, adminHeaders }: Sidecar): Promise<LedgerSnapshot> {
  const { status, body } = await call({
    address: admin,
    method: 'GET',
    path: '/api/v1/ledger',
    headers: adminHeaders,
  })
  if (status === 200) return JSON.parse(body.toString())
  const remedy =
    status === 401 ? 'name its configuration with --config, which holds the token' : 'see --admin'
  throw new CommandError(`the admin port at ${formatAddress(admin)} answered ${status}; ${remedy}`)
}

/** The ledger once no exporter holds more than before the demo, or as it is when the time is up. */
async function readSettledLedger(sidecar: Sidecar, before: LedgerSnapshot): Promise<LedgerSnapshot> {
  for (let waitedMs = 0; ; waitedMs += settlePollMs) {
    const ledger = await readLedger(sidecar)
    if (queuedItems(ledger) <= queuedItems(before) || waitedMs >= settleMs) return ledger
    await new Promise((resolve) => setTimeout(resolve, settlePollMs))
  }
}

function queuedItems({ exporters }: LedgerSnapshot): number {
  return exporters.filter(({ outcome }) => outcome === 'queued').reduce((sum, { items }) => sum + items, 0)
}

function formatSummary(before: LedgerSnapshot, after: LedgerSnapshot): string {
  const rows = difference(before.rows, after.rows, rowName)
  const fates = rows.filter(({ outcome }) => outcome !== 'received')
  const exporters = difference(before.exporters, after.exporters, exporterRowName)
  return [
    'What became of it:\n',
    formatTable(
      ['family', 'carriage', 'items', 'outcome', 'lane', 'reason'],
      fates.map(({ family, carriage, items, outcome, lane, reason }) => [
        family,
        carriage,
        items,
        outcome,
        lane || '-',
        reason || '-',
      ]),
    ),
    exporters.length === 0 ? '' : '\nWhere it is now:\n',
    exporters.length === 0
      ? ''
      : formatTable(
          ['exporter', 'items', 'outcome'],
          exporters.map(({ exporter, items, outcome }) => [exporter, items, outcome]),
        ),
  ].join('')
}

function rowName({ signal, carriage, family, lane, outcome, reason }: LedgerRow): string {
  return JSON.stringify([signal, carriage, family, lane, outcome, reason])
}

function exporterRowName({ exporter, outcome }: ExporterRow): string {
  return JSON.stringify([exporter, outcome])
}

/** The rows whose count has risen, by how much. */
function difference<Row extends { readonly items: number }>(
  before: readonly Row[],
  after: readonly Row[],
  nameOf: (row: Row) => string,
): readonly Row[] {
  const counts = new Map(before.map((row) => [nameOf(row), row.items]))
  return after
    .map((row) => ({ ...row, items: row.items - (counts.get(nameOf(row)) ?? 0) }))
    .filter(({ items }) => items > 0)
}
