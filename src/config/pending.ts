/**
 * Keys of the contract that are read but not enforced yet: accepted at the value that means "off", refused
 * otherwise, so that nobody believes in a protection that is not there. A row goes when its part works.
 */
import { booleanOf, entriesOf, type Node, nodeAt, type Report } from './tree.ts'

interface Pending {
  /** Keys from the top; `*` is any key. */
  readonly path: readonly string[]
  /** The value that asks for what is not there, if the node holds one. */
  readonly asked: (node: Node) => Node | undefined
  readonly what: string
  readonly remedy: string
}

const isTrue = (node: Node): Node | undefined => (booleanOf(node) === true ? node : undefined)

const ROWS: readonly Pending[] = [
  {
    path: ['admin', 'tap_values'],
    asked: isTrue,
    what: '`laneway tap`',
    remedy: 'write `tap_values: false`',
  },
]

/** Refuses what is asked for and not there, and says once what the running program does not do. */
export function reportPending(root: Node, report: Report): void {
  for (const { path, asked, what, remedy } of ROWS) {
    for (const [key, found] of nodesAt(root, path)) {
      const asking = asked(found)
      if (asking !== undefined) report('error', asking.position, key, `not enforced yet: ${what}; ${remedy}`)
    }
  }
  if (ROWS.length > 0) {
    const missing = [...new Set(ROWS.map(({ what }) => what))].join(', ')
    report('warning', root.position, '', `this version does not have yet: ${missing}`)
  }
}

function nodesAt(root: Node, path: readonly string[]): readonly (readonly [string, Node])[] {
  let found: readonly (readonly [string, Node])[] = [['', root]]
  for (const step of path) {
    found = found.flatMap(([key, node]) => {
      const steps = step === '*' ? entriesOf(node).map(([name]) => name) : [step]
      return steps.flatMap((name) => {
        const below = nodeAt(node, name)
        return below === undefined ? [] : [[key === '' ? name : `${key}.${name}`, below] as const]
      })
    })
  }
  return found
}
