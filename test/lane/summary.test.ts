/** The lanes as the admin port shows them. */
import t from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { summariseLanes } from '../../src/lane/summary.ts'

const CONFIG = `policy: { preset: none }
exporters: { debug: {}, debug/b: {} }
lanes:
  log:
    signal: logs
    accept: [{ events: [any] }]
    exporters: [debug, debug/b]
  metric: { signal: metrics, accept: [{ points: [foreign] }, { points: [any] }] }
`

t.test('a lane is shown with its exporters, what waits there, and how much policy guards it', async (t) => {
  const cwd = t.testdir({ 'laneway.yaml': CONFIG })
  const { policy } = loadConfig({ files: [], set: [], env: {}, cwd })
  const stats = { queuedItems: 3, queuedBytes: 400, oldestMs: 5, down: false }
  const exporters = new Map([
    ['debug', { stats: () => stats }],
    ['debug/b', { stats: () => ({ ...stats, queuedItems: 0, queuedBytes: 0, down: true }) }],
  ])
  const nothing = { field_rules: 0, unlisted_fields: 'keep', wire: 'as_is' }
  t.strictSame(summariseLanes(policy.lanes, exporters), {
    lanes: [
      {
        name: 'log',
        signal: 'logs',
        state: 'on',
        exporters: [
          { name: 'debug', state: 'up', queued: { items: 3, bytes: 400 } },
          { name: 'debug/b', state: 'down', queued: { items: 0, bytes: 0 } },
        ],
        policy: { accept_lines: 1, ...nothing },
      },
      {
        name: 'metric',
        signal: 'metrics',
        state: 'off',
        exporters: [],
        policy: { accept_lines: 2, ...nothing },
      },
    ],
  })
})
