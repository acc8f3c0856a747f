import { createServer } from 'node:http'
import t from 'tap'
import { run } from '../../src/cli/health.ts'
import type { Io } from '../../src/cli/io.ts'

function createIo(cwd: string): { readonly io: Io; readonly lines: string[] } {
  const lines: string[] = []
  const io: Io = {
    stdout: (text) => lines.push(text),
    stderr: (text) => lines.push(text),
    stdin: async function* () {},
    env: {},
    cwd,
    onStopSignal: () => {},
    onReloadSignal: () => {},
    onReady: () => {},
    exitNow: () => {},
  }
  return { io, lines }
}

t.test('the exit code says whether the sidecar of a configuration lives, in one line', async (t) => {
  let status = 200
  const asked: (string | undefined)[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.authorization}`)
    response.writeHead(status)
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  const directory = t.testdir({
    'laneway.yaml': `
policy: { preset: codex }
exporters: { debug: {} }
lanes: { log: { exporters: [debug] }, trace: { exporters: [debug] } }
admin: { endpoint: "127.0.0.1:${port}", token: secret }
`,
  })
  const { io, lines } = createIo(directory)
  t.equal(await run([], io), 0)
  t.same(asked, ['/livez Bearer secret'])
  t.equal(await run(['--admin', `http://127.0.0.1:${port}`], io), 0)
  status = 503
  t.equal(await run(['--config', 'laneway.yaml'], io), 1)
  server.close()
  server.closeAllConnections()
  t.equal(await run([], io), 1)
  t.same(lines, [
    'laneway is alive\n',
    'laneway is alive\n',
    'laneway does not answer\n',
    'laneway does not answer\n',
  ])
})

t.test('an address that is none is an error that says how to write it', async (t) => {
  await t.rejects(run(['--admin', 'https://x'], createIo(t.testdir()).io), { message: /unix:\/\/\/PATH/ })
})
