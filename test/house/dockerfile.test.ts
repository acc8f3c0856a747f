/**
 * What can be said of the container image without a container engine: its Dockerfile, read instruction by
 * instruction. That the image builds and runs is not shown here.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { root } from './source.ts'

interface Instruction {
  readonly name: string
  readonly text: string
}

const instructions: readonly Instruction[] = readFileSync(join(root, 'Dockerfile'), 'utf8')
  .replace(/^\s*#.*\n/gm, '')
  .replace(/\\\n/g, ' ')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => ({ name: line.split(' ', 1)[0], text: line.slice(line.indexOf(' ') + 1).trim() }))

const lastStage = instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM'))

function textsOf(stage: readonly Instruction[], name: string): readonly string[] {
  return stage.filter((instruction) => instruction.name === name).map(({ text }) => text)
}

t.test('whatever is copied from the checkout is there, and reaches the builder', async (t) => {
  const allowed = readFileSync(join(root, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1))
  const sources = textsOf(instructions, 'COPY')
    .filter((text) => !text.includes('--from='))
    .flatMap((text) => text.split(/\s+/).slice(0, -1))
    .map((source) => source.replace(/\/$/, ''))
  t.ok(sources.length >= 6)
  for (const source of sources) {
    t.ok(existsSync(join(root, source)), `${source} exists`)
    t.ok(
      allowed.some((path) => source === path || source.startsWith(`${path}/`)),
      `.dockerignore lets ${source} in`,
    )
  }
})

t.test('the image has a build stage and a last stage without npm or a shell', async (t) => {
  t.equal(textsOf(instructions, 'FROM').length, 2)
  t.strictSame(textsOf(lastStage, 'RUN'), [])
  t.equal(lastStage[0].text, 'scratch')
  t.match(textsOf(instructions, 'RUN').join('\n'), /npm ci --omit=dev --ignore-scripts/)
})

t.test('an image is named as everybody names it, without the host of a registry', async (t) => {
  for (const text of textsOf(instructions, 'FROM')) t.match(text, /^(?:node:[\w.-]+ AS build|scratch)$/)
})

t.test('names are looked up in /etc/hosts first, where `localhost` stands', async (t) => {
  t.match(textsOf(instructions, 'RUN').join('\n'), /'hosts: files dns' > \/rootfs\/etc\/nsswitch\.conf/)
  t.ok(textsOf(lastStage, 'COPY').includes('--from=build /rootfs /'))
})

t.test('the process is not root, and its user is a number', async (t) => {
  t.match(textsOf(lastStage, 'USER'), [/^[1-9][0-9]*:[1-9][0-9]*$/])
})

t.test('the compile cache is made by the user that reads it', async (t) => {
  t.equal(textsOf(instructions, 'USER')[0], textsOf(lastStage, 'USER')[0])
  t.equal(new Set(textsOf(instructions, 'ENV')).size, 1)
})

t.test('the entry point is node itself, so that signals arrive', async (t) => {
  const [entryPoint] = textsOf(lastStage, 'ENTRYPOINT').map((text): unknown => JSON.parse(text))
  t.strictSame(entryPoint, ['/usr/local/bin/node', '/app/src/main.js'])
})

t.test('the health check is the command of its own, without a shell', async (t) => {
  const [text] = textsOf(lastStage, 'HEALTHCHECK')
  const command: unknown = JSON.parse(text.slice(text.indexOf('CMD ') + 'CMD '.length))
  t.strictSame(command, ['/usr/local/bin/node', '/app/src/main.js', 'health'])
})

t.test('configuration and data are where the contract says', async (t) => {
  t.ok(textsOf(lastStage, 'COPY').some((text) => text.endsWith(' /etc/laneway/laneway.yaml')))
  t.strictSame(textsOf(lastStage, 'VOLUME'), ['/var/lib/laneway'])
  t.strictSame(textsOf(lastStage, 'WORKDIR'), ['/var/lib/laneway'])
  t.match(textsOf(lastStage, 'EXPOSE')[0], /\b4318\b.*\b13133\b/)
  const config = readFileSync(join(root, 'config/container.yaml'), 'utf8')
  for (const [, path] of config.matchAll(/(?:path|directory): ([^\s}]+)/g)) {
    t.match(path, /^\/var\/lib\/laneway/, 'the image writes only to its volume')
  }
})
