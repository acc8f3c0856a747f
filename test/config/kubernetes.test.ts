/**
 * The Kubernetes example: the configuration in it is valid, and the pod around it agrees with it and with the image.
 */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'

interface Container {
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
  readonly securityContext: Readonly<Record<string, unknown>>
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
  readonly env: readonly { readonly name: string; readonly value: string }[]
}
interface Pod {
  readonly spec: {
    readonly terminationGracePeriodSeconds: number
    readonly initContainers: readonly Container[]
    readonly containers: readonly Container[]
    readonly securityContext: { readonly fsGroup: number }
  }
}

const file = new URL('../../config/kubernetes/pod.yaml', import.meta.url)
const [map, pod]: readonly [{ readonly data: Readonly<Record<string, string>> }, Pod] = JSON.parse(
  JSON.stringify(parseAllDocuments(readFileSync(file, 'utf8')).map((one) => one.toJS())),
)
const [laneway] = pod.spec.initContainers
const [application] = pod.spec.containers

t.test('the configuration is valid, and no lane of it is off', async (t) => {
  const config = loadConfig({ files: [], set: [], env: {}, cwd: t.testdir(map.data) })
  t.strictSame(
    config.warnings.filter(({ key }) => key !== ''),
    [],
  )
  t.strictSame(
    config.policy.lanes.map(({ exporters }) => exporters.length),
    [1, 1, 1],
  )
})

t.test('the pod agrees with it', async (t) => {
  const config = loadConfig({ files: [], set: [], env: {}, cwd: t.testdir(map.data) })
  t.match(config.admin.healthEndpoint, { port: laneway.ports[0].containerPort })
  t.match(config.receiver.endpoint, { host: 'localhost', port: 4318 })
  t.ok(application.env.some(({ value }) => value === 'http://localhost:4318'))
  t.ok(pod.spec.terminationGracePeriodSeconds * 1000 > config.shutdownGraceMs)
  t.ok(laneway.volumeMounts.some(({ mountPath }) => mountPath === config.storage.directory))
})

t.test('the pod agrees with the image', async (t) => {
  const dockerfile = readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8')
  t.ok(laneway.volumeMounts.some(({ mountPath }) => mountPath === '/etc/laneway'))
  t.match(dockerfile, `USER ${pod.spec.securityContext.fsGroup}:`)
  t.match(laneway.securityContext, { runAsNonRoot: true, readOnlyRootFilesystem: true })
})
