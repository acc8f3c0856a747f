import t from 'tap'
import { createLog, type Log, type LogOptions } from '../../src/telemetry/log.ts'
import { LINES_MAX, WINDOW_MS } from '../../src/telemetry/rate-limit.ts'

function createTestLog(level: LogOptions['level']): {
  log: Log
  lines: Record<string, unknown>[]
  advance: (ms: number) => void
} {
  const lines: Record<string, unknown>[] = []
  let nowMs = 0
  const log = createLog({
    level,
    clock: () => nowMs,
    destination: { write: (line) => lines.push(JSON.parse(line)) },
  })
  return {
    log,
    lines,
    advance: (ms) => {
      nowMs += ms
    },
  }
}

t.test('what changes is one line, what goes well is none', async (t) => {
  const { log, lines } = createTestLog('info')
  log.record({ type: 'backend_down', exporter: 'otlp_http/a', detail: 'ECONNREFUSED' })
  log.record({ type: 'backend_up', exporter: 'otlp_http/a' })
  log.record({ type: 'request_answered', signal: 'logs', code: 200, reason: '', durationMs: 1 })
  log.record({ type: 'parcel_admitted', exporter: 'otlp_http/a', items: 1, bytes: 1 })
  t.match(lines, [
    { level: 'warn', msg: 'backend is down', exporter: 'otlp_http/a', detail: 'ECONNREFUSED' },
    { level: 'info', msg: 'backend is up', exporter: 'otlp_http/a' },
  ])
  t.equal(lines.length, 2)
})

t.test('a line that comes too often is held back and counted', async (t) => {
  const { log, lines, advance } = createTestLog('info')
  const refuse = () =>
    log.record({ type: 'request_answered', signal: 'logs', code: 503, reason: 'full', durationMs: 1 })
  for (let times = 0; times < LINES_MAX + 5; times += 1) refuse()
  t.equal(lines.length, LINES_MAX)
  log.record({ type: 'backend_up', exporter: 'otlp_http/a' })
  t.equal(lines.length, LINES_MAX + 1, 'other lines are not')
  advance(WINDOW_MS)
  refuse()
  t.match(lines.at(-1), { msg: 'request refused', heldBack: 5 })
  refuse()
  t.notOk('heldBack' in (lines.at(-1) ?? {}))
})

t.test("a backend's own words, which may quote records, are written at debug only", async (t) => {
  const event = {
    type: 'backend_refused',
    exporter: 'otlp_http/a',
    status: 400,
    items: 3,
    message: 'CANARY',
  } as const
  const info = createTestLog('info')
  info.log.record(event)
  t.match(info.lines, [{ level: 'warn', status: 400, items: 3 }])
  t.notMatch(JSON.stringify(info.lines), /CANARY/)
  const debug = createTestLog('debug')
  debug.log.record(event)
  t.match(debug.lines[1], { level: 'debug', message: 'CANARY' })
})

t.test('silent says nothing', async (t) => {
  const { log, lines } = createTestLog('silent')
  log.error('x')
  log.record({ type: 'fault', place: 'receiver', detail: 'Error' })
  t.same(lines, [])
})
