/** Trees from YAML: positions, and the limits on what a text may unfold to. */
import t from 'tap'
import { DEPTH_MAX, FILE_BYTES_MAX, NODES_MAX, parseYaml } from '../../src/config/parse-yaml.ts'
import { findSources, readSource } from '../../src/config/sources.ts'
import { itemsOf, type Node, nodeAt, textOf } from '../../src/config/tree.ts'

function parse(text: string): { readonly root: Node | undefined; readonly said: readonly string[] } {
  const said: string[] = []
  const root = parseYaml(text, 'f', (_severity, { line, column }, _key, message) =>
    said.push(`${line}:${column} ${message}`),
  )
  return { root, said }
}

t.test('every key, item and value knows its line and column', async (t) => {
  const { root } = parse('a:\n  - x\n  - { b: "y" }\nc:\n')
  const list = nodeAt(root, 'a')
  t.same(
    itemsOf(list).map(({ position }) => [position.line, position.column]),
    [
      [2, 5],
      [3, 5],
    ],
  )
  t.match(nodeAt(itemsOf(list)[1], 'b'), { value: 'y', position: { file: 'f', line: 3, column: 10 } })
  t.match(root?.kind === 'map' && root.entries.get('c'), {
    keyPosition: { line: 4, column: 1 },
    value: { value: null },
  })
})

t.test('names of Object.prototype are keys like others', async (t) => {
  const { root } = parse('__proto__: { x: 1 }\nconstructor: y\n')
  t.equal(textOf(nodeAt(root, 'constructor')), 'y')
  t.equal(nodeAt(root, 'toString'), undefined)
})

t.test('syntax errors say what and where, and never quote the text', async (t) => {
  for (const text of [
    'a: "hunter2',
    'a: b: hunter2',
    '- [hunter2\n',
    'a: !hunter2 x',
    'a: *hunter2',
    '? [hunter2]\n: x',
    'a: @hunter2',
    '%hunter2\n---\na: b',
    'a: "\\hunter2"',
  ]) {
    const { said } = parse(text)
    t.ok(said.length > 0, text)
    t.notMatch(said.join('\n'), /hunter2/)
  }
})

t.test('a text at the limit of depth is read, one past it is refused', async (t) => {
  const nested = (depth: number): string => `a: ${'['.repeat(depth)}${']'.repeat(depth)}`
  t.same(parse(nested(DEPTH_MAX)).said, [])
  t.match(parse(nested(DEPTH_MAX + 1)).said, [/nested more than/])
  t.match(parse(nested(100_000)).said, [/nested/])
})

t.test('a text at the limit of values is read, one past it is refused', async (t) => {
  const listOf = (count: number): string => `a: [${'x,'.repeat(count)}]`
  t.same(parse(listOf(NODES_MAX - 2)).said, [])
  t.match(parse(listOf(NODES_MAX - 1)).said, [/more than 50000 values/])
})

t.test('a file at the limit of size is read, one past it is refused', async (t) => {
  const read = (size: number): readonly string[] => {
    const cwd = t.testdir({ 'laneway.yaml': `a: b${'\n'.repeat(size - 4)}` })
    const said: string[] = []
    readSource(findSources({ files: [], set: [], env: {}, cwd })[0], (_severity, _position, _key, message) =>
      said.push(message),
    )
    return said
  }
  t.same(read(FILE_BYTES_MAX), [])
  t.same(read(FILE_BYTES_MAX + 1), ['is larger than 1 MiB, so it is no configuration'])
})
