/**
 * The package form: packed by npm, unpacked elsewhere beside copies of the locked production dependencies, started,
 * used and stopped. Proves that the tarball and those dependencies are enough to run on; what it leaves out is
 * the download: the copies come from this checkout's node_modules, not from a registry.
 */
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import t from 'tap'
import { toPackageForm } from '../../scripts/prepack.ts'
import { type Program, runToEnd, startSidecar } from '../cli/process.ts'
import { root } from './source.ts'

const config = `
receivers: { otlp: { protocols: { http: { endpoint: "127.0.0.1:0" } } } }
admin: { endpoint: "127.0.0.1:0" }
policy: { preset: codex }
exporters: { file/logs: { path: ./log.jsonl } }
lanes: { log: { exporters: [file/logs] } }
`

const request = {
  resourceLogs: [
    {
      scopeLogs: [
        { scope: { name: 'codex_otel.log_only' }, logRecords: [{ body: { stringValue: 'made up' } }] },
      ],
    },
  ],
}

/** Packs a copy of what npm would pack, so that `build/` of the checkout is nobody's race; gives the tarball. */
function pack(folder: string): string {
  for (const name of ['package.json', 'LICENSE', 'README.md', 'src', 'config', 'scripts']) {
    if (existsSync(join(root, name))) cpSync(join(root, name), join(folder, name), { recursive: true })
  }
  // `prepack` runs `node`, which must be the one that runs this test.
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  symlinkSync(process.execPath, join(bin, 'node'))
  const path = [bin, process.env.PATH].join(delimiter)
  execFileSync('npm', ['pack', '--loglevel=error'], {
    cwd: folder,
    env: { ...process.env, PATH: path },
    stdio: 'pipe',
  })
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'))
  return join(folder, tarball)
}

/** What `npm install laneway.tgz` would leave in `folder`. */
function install(tarball: string, folder: string): string {
  const installed = join(folder, 'node_modules', 'laneway')
  mkdirSync(installed, { recursive: true })
  execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', installed])
  const lock: { readonly packages: Readonly<Record<string, { readonly dev?: boolean }>> } = JSON.parse(
    readFileSync(join(root, 'package-lock.json'), 'utf8'),
  )
  for (const [path, { dev = false }] of Object.entries(lock.packages)) {
    if (path === '' || dev || !existsSync(join(root, path))) continue
    cpSync(join(root, path), join(folder, path), {
      recursive: true,
      // A package's own node_modules may hold what only development needs; the lock lists them one by one.
      filter: (source) => !source.slice(join(root, path).length).includes('node_modules'),
    })
  }
  const manifest: { readonly bin: { readonly laneway: string } } = JSON.parse(
    readFileSync(join(installed, 'package.json'), 'utf8'),
  )
  return join(installed, manifest.bin.laneway)
}

/** The first Node on PATH that is too old, or undefined. */
function findOldNode(): string | undefined {
  const candidates = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'node'))
  return candidates.filter(existsSync).find((path) => {
    const major = Number(/^v(\d+)/.exec(execFileSync(path, ['--version'], { encoding: 'utf8' }))?.[1])
    return major >= 16 && major < 24
  })
}

t.test('the package, installed elsewhere', async (t) => {
  // Outside the checkout: below it, whatever is missing would be found in the checkout's own node_modules.
  const folder = mkdtempSync(join(tmpdir(), 'laneway-package-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'packed'))
  mkdirSync(join(folder, 'installed'))
  writeFileSync(join(folder, 'installed', 'laneway.yaml'), config)
  const main = install(pack(join(folder, 'packed')), join(folder, 'installed'))
  const program: Program = { main, cwd: join(folder, 'installed') }

  await t.test('holds no TypeScript, and nothing of the tests', async (t) => {
    const names = readdirSync(join(main, '../..'), { recursive: true }).map(String)
    t.ok(names.includes(join('config', 'presets', 'codex.yaml')))
    t.strictSame(
      names.filter((name) => /\.ts$|(?:^|\/)test\//.test(name)),
      [],
    )
  })

  await t.test('says its version', async (t) => {
    const { version }: { readonly version: string } = JSON.parse(
      readFileSync(join(root, 'package.json'), 'utf8'),
    )
    t.match(await runToEnd(program, ['--version']), { code: 0, stdout: `laneway ${version}\n`, stderr: '' })
  })

  await t.test('validates, with its presets', async (t) => {
    t.match(await runToEnd(program, ['validate', '--config', 'laneway.yaml']), {
      code: 0,
      stdout: /valid\n$/,
    })
  })

  await t.test('takes a request, delivers it, shows it, and ends with 0 on SIGTERM', async (t) => {
    const sidecar = await startSidecar(program, ['run'])
    const response = await fetch(`${sidecar.receiver}/v1/logs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
    })
    t.equal(response.status, 200)
    const demo = await runToEnd(program, ['demo', '--endpoint', sidecar.receiver, '--admin', sidecar.admin])
    t.match(demo, { code: 0, stdout: /log_only +log_record +11 +forwarded +log\b/ })
    const health = await runToEnd(program, [
      'health',
      '--set',
      `admin.endpoint=${new URL(sidecar.admin).host}`,
    ])
    t.equal(health.code, 0, health.stdout + health.stderr)
    const { code, stderr } = await sidecar.stop()
    t.equal(code, 0, stderr)
    t.match(readFileSync(join(folder, 'installed', 'log.jsonl'), 'utf8'), /codex_otel\.log_only.*made up/)
  })

  const node = findOldNode()
  await t.test(
    'under a Node that is too old says in one line which one it needs',
    { skip: node === undefined && 'no older Node on PATH' },
    async (t) => {
      const { code, stdout, stderr } = await runToEnd({ ...program, node: node ?? '' }, ['run'])
      t.equal(code, 1)
      t.equal(stdout, '')
      t.match(stderr, /^laneway needs Node 24 or newer[^\n]*\n$/)
    },
  )
})

t.test('stripping keeps lines, and points every import at a .js file', async (t) => {
  const { emitWarning } = process
  process.emitWarning = () => {}
  t.teardown(() => {
    process.emitWarning = emitWarning
  })
  const source = `import type { A } from './a.ts'\nimport { b } from "../b.ts"\nconst c: A = await import('./c.ts')\nnew Worker(new URL('./w.ts', import.meta.url))\n`
  const code = toPackageForm('src/x.ts', source)
  t.strictSame(
    code.split('\n').map((line) => line.replace(/\s+/g, ' ').trim()),
    [
      '',
      'import { b } from "../b.js"',
      "const c = await import('./c.js')",
      "new Worker(new URL('./w.js', import.meta.url))",
      '',
    ],
  )
  t.throws(
    () => toPackageForm('src/x.ts', 'const name = "worker.ts"\n'),
    /src\/x\.ts:1: a path to a \.ts file is left/,
  )
})
