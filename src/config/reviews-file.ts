/**
 * A reviews file, read: text → tree → checked → Reviews, with every problem at its line.
 *
 * An absent file, or one without a decision, is no decision. What a review says of the policy (families, namespace) is
 * judged where it is applied; here only what the file says in itself. Source: contract section 3.
 */
import { existsSync, readFileSync } from 'node:fs'
import type { Position } from '../errors.ts'
import { TRACE_PLACES } from '../policy/place.ts'
import type { Decided, DismissedFinding, FieldReview, Reviews, TargetReview } from '../policy/reviews.ts'
import { checkTree, type SchemaNode } from './check.ts'
import { readSource, type SourceFile } from './sources.ts'
import { booleanOf, entriesOf, itemsOf, type Node, nodeAt, type Report, textOf, wordOf } from './tree.ts'

const NO_TREE = { kind: 'map', position: { file: '', line: 1, column: 1 }, entries: new Map() } as const

/** What the file decides; what cannot be read is reported, and left out. */
export function readReviews(file: SourceFile, report: Report): Reviews {
  const tree = existsSync(file.path) && !isBlank(file.path) ? readSource(file, report) : NO_TREE
  if (tree === undefined) return { targets: [], fields: [], dismissed: [] }
  checkTree(tree, loadReviewsSchema(), report)
  const fields = itemsOf(nodeAt(tree, 'fields')).flatMap((node) => fieldOf(node, report))
  reportTwins(fields, report)
  return {
    targets: entriesOf(nodeAt(tree, 'targets')).flatMap(([target, { keyPosition, value }]) =>
      targetOf(target, keyPosition, value, report),
    ),
    fields,
    dismissed: entriesOf(nodeAt(tree, 'dismissed')).map(([id, { keyPosition, value }]): DismissedFinding => {
      return { id, ...decidedOf(value, keyPosition) }
    }),
  }
}

function loadReviewsSchema(): SchemaNode {
  return JSON.parse(readFileSync(new URL('../../config/reviews.schema.json', import.meta.url), 'utf8'))
}

/** Whether a file holds comments and blanks alone. A folder, or what cannot be read, is not for this to say. */
function isBlank(path: string): boolean {
  try {
    return /^(\s*(#.*)?(\n|$))*(---\s*(\n|$))?(\s*(#.*)?(\n|$))*$/.test(
      readFileSync(path, 'utf8').slice(0, 4096),
    )
  } catch {
    return false
  }
}

function targetOf(target: string, position: Position, node: Node, report: Report): readonly TargetReview[] {
  const decision = wordOf(nodeAt(node, 'decision'), ['accept', 'reject'] as const)
  const family = textOf(nodeAt(node, 'family'))
  const newFamily = booleanOf(nodeAt(node, 'new_family')) ?? false
  if (decision === undefined) return []
  const key = `targets.${target}`
  if (decision === 'accept' && family === undefined) {
    report('error', position, key, 'is accepted into no family; write `family:` and one of policy.families')
  }
  if (decision === 'reject' && (family !== undefined || newFamily)) {
    report('error', position, key, 'is rejected, so it has no family; take `family` out, or write `accept`')
  }
  return [{ target, decision, family, newFamily, ...decidedOf(node, position) }]
}

function fieldOf(node: Node, report: Report): readonly FieldReview[] {
  const decision = wordOf(nodeAt(node, 'decision'), ['accept', 'reject'] as const)
  const place = wordOf(nodeAt(node, 'on'), TRACE_PLACES)
  const key = textOf(nodeAt(node, 'key'))
  if (decision === undefined || place === undefined || key === undefined) return []
  const fault = keyFault(key)
  if (fault !== undefined) report('error', nodeAt(node, 'key')?.position ?? node.position, 'fields', fault)
  const family = textOf(nodeAt(node, 'family'))
  return [{ key, place, family, decision, ...decidedOf(node, node.position) }]
}

/** Why a key is none that a review can decide on. */
export function keyFault(key: string): string | undefined {
  if (key.includes('*'))
    return 'a review decides on one key by its name; a glob belongs in a `fields` line of the lane'
  if (key.startsWith('@'))
    return 'a review decides on attributes; a text such as `@name` belongs in a `fields` line of the lane'
  return undefined
}

function reportTwins(fields: readonly FieldReview[], report: Report): void {
  const seen = new Set<string>()
  for (const { key, place, family, position } of fields) {
    const name = JSON.stringify([key, place, family])
    if (seen.has(name))
      report('error', position, 'fields', `\`${key}\` on ${place} is decided twice; keep one`)
    seen.add(name)
  }
}

function decidedOf(node: Node, position: Position): Decided {
  return {
    by: textOf(nodeAt(node, 'by')) ?? '',
    at: textOf(nodeAt(node, 'at')) ?? '',
    reason: textOf(nodeAt(node, 'reason')) ?? '',
    position,
  }
}
