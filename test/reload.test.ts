/** When a configuration is read again, beside what else goes on: never two at once, never too late, never for nothing. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { type Loaded, loadResolved } from '../src/config/load.ts'
import { createReload, type Reload, type ReloadOptions } from '../src/reload.ts'

type Reading = PromiseWithResolvers<Loaded>

interface Bench {
  readonly file: string
  readonly reload: Reload
  /** One a reading, in order. */
  readonly readings: readonly Reading[]
  readonly takenUp: string[]
  readonly failures: unknown[]
  loaded(family: string): Loaded
}

function bench(t: { testdir(files: Readonly<Record<string, string>>): string }): Bench {
  const yamlOf = (family: string): string =>
    `policy: { preset: none, namespace: app, families: { ${family}: { targets: [app.x] } } }\nexporters: { debug: {} }\n`
  const cwd = t.testdir({ 'laneway.yaml': yamlOf('a') })
  const loaded = (family: string): Loaded => {
    writeFileSync(join(cwd, 'laneway.yaml'), yamlOf(family))
    return loadResolved({ files: ['laneway.yaml'], set: [], env: {}, cwd })
  }
  const readings: Reading[] = []
  const takenUp: string[] = []
  const failures: unknown[] = []
  let { config } = loaded('a')
  const options: ReloadOptions = {
    load: () => {
      const reading = Promise.withResolvers<Loaded>()
      readings.push(reading)
      return reading.promise
    },
    inForce: () => config,
    refuse: () => [],
    takeUp: (next) => {
      config = next
      takenUp.push(next.policy.families.map(({ name }) => name).join())
    },
    tell: () => {},
    fail: (error) => failures.push(error),
  }
  const reload = createReload(options)
  return { file: join(cwd, 'laneway.yaml'), reload, readings, takenUp, failures, loaded }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await delay(0)
}

t.test('whoever asks while files are read shares one further reading, which begins behind it', async (t) => {
  const { reload, readings, takenUp, loaded } = bench(t)
  const first = reload.reload()
  await settled()
  const later = [reload.reload(), reload.reload(), reload.reload()]
  await settled()
  t.equal(readings.length, 1)
  readings[0].resolve(loaded('b'))
  t.strictSame(await first, ['policy'])
  await settled()
  t.equal(readings.length, 2)
  readings[1].resolve(loaded('c'))
  t.strictSame(await Promise.all(later), [['policy'], ['policy'], ['policy']])
  t.strictSame(takenUp, ['b', 'c'])
})

t.test('what is written while files are read is noticed', async (t) => {
  const { file, reload, readings, loaded } = bench(t)
  reload.start()
  t.teardown(() => reload.stop())
  const next = loaded('b')
  const asked = reload.reload()
  await settled()
  writeFileSync(file, '# another\n')
  readings[0].resolve(next)
  await asked
  for (let tries = 0; readings.length < 2 && tries < 100; tries++) await delay(50)
  t.equal(readings.length, 2)
})

t.test('what is read when the sidecar stops is not taken up', async (t) => {
  const { reload, readings, takenUp, loaded } = bench(t)
  const asked = reload.reload()
  await settled()
  reload.stop()
  readings[0].resolve(loaded('b'))
  await t.rejects(asked, { code: 'command', message: /stopping/ })
  t.strictSame(takenUp, [])
})

t.test('what nobody expected is told where nobody waits for it, and the next reading works', async (t) => {
  const { reload, readings, takenUp, failures, loaded } = bench(t)
  reload.ask()
  await settled()
  const broken = new Error('broken')
  readings[0].reject(broken)
  await settled()
  t.strictSame(failures, [broken])
  reload.ask()
  await settled()
  readings[1].resolve(loaded('b'))
  await settled()
  t.strictSame(takenUp, ['b'])
})
