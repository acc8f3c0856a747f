/**
 * A start that fails ends the process: whoever started it must see that, and the next one must not find its lock.
 */
import { createServer } from 'node:net'
import t from 'tap'
import { checkoutMain, runToEnd } from '../cli/process.ts'

t.test('a receiver whose port is taken ends Laneway with 1, and says what to do', async (t) => {
  const other = createServer()
  const port = await new Promise<number>((resolve) => {
    other.listen(0, '127.0.0.1', () => {
      const address = other.address()
      resolve(address !== null && typeof address === 'object' ? address.port : 0)
    })
  })
  t.teardown(() => other.close())
  const cwd = t.testdir({
    'laneway.yaml': `
receivers: { otlp: { protocols: { http: { endpoint: "127.0.0.1:${port}" } } } }
admin: { endpoint: "127.0.0.1:0" }
policy: { preset: codex }
exporters: { otlp_http: { endpoint: "http://127.0.0.1:1" } }
lanes: { log: { exporters: [otlp_http] } }
`,
  })
  const { code, stderr } = await runToEnd({ main: checkoutMain, cwd }, ['--config', 'laneway.yaml'])
  t.equal(code, 1)
  t.match(stderr, 'cannot listen')
  t.match(stderr, 'stop it, or set receivers.otlp.protocols.http.endpoint')
})
