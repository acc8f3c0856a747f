/**
 * Writes a decision into the text of a reviews file: sorted, the comments of others kept.
 *
 * In: the text as it is (empty: a new file) and a decision. Out: the text with it, in the place of the one that there was
 * about the same thing; or the lines alone, for whoever must commit them elsewhere. Pure.
 */
import {
  type Document,
  isMap,
  isNode,
  isScalar,
  type Pair,
  parseDocument,
  stringify,
  YAMLMap,
  YAMLSeq,
} from 'yaml'
import type { Decided, DismissedFinding, FieldReview, TargetReview } from '../policy/reviews.ts'

type Without<Review> = Omit<Review, 'position'>

export type NewReview =
  | { readonly section: 'targets'; readonly review: Without<TargetReview> }
  | { readonly section: 'fields'; readonly review: Without<FieldReview> }
  | { readonly section: 'dismissed'; readonly review: Without<DismissedFinding> }

const HEAD =
  '# What was decided of new subsystems and fields. `laneway review` writes it; review it like code.\n'

/** One entry a line of a diff is long enough: lines are not folded. */
const STYLE = { lineWidth: 0 } as const

export function withReview(text: string, decision: NewReview): string {
  const isNew = text.trim() === ''
  const document: Document = parseDocument(isNew ? `${HEAD}{}` : text)
  if (!isMap(document.contents)) document.contents = document.createNode({})
  if (isMap(document.contents)) document.contents.flow = false
  if (decision.section === 'fields') putField(document, decision.review)
  else if (decision.section === 'targets')
    putNamed(document, 'targets', decision.review.target, plainOf(decision))
  else putNamed(document, 'dismissed', decision.review.id, plainOf(decision))
  return document.toString(STYLE)
}

/** The decision alone, as it would stand in a file. */
export function reviewLines(decision: NewReview): string {
  const plain = plainOf(decision)
  switch (decision.section) {
    case 'targets':
      return stringify({ targets: { [decision.review.target]: plain } }, STYLE)
    case 'fields':
      return stringify({ fields: [plain] }, STYLE)
    case 'dismissed':
      return stringify({ dismissed: { [decision.review.id]: plain } }, STYLE)
  }
}

/** What is written of a decision, in the order in which people read it. */
function plainOf(decision: NewReview): Readonly<Record<string, string | boolean>> {
  switch (decision.section) {
    case 'targets': {
      const { decision: word, family, newFamily } = decision.review
      return {
        decision: word,
        ...(family !== undefined && { family }),
        ...(newFamily && { new_family: true }),
        ...decidedOf(decision.review),
      }
    }
    case 'fields': {
      const { key, place, family, decision: word } = decision.review
      const about = { key, on: place, ...(family !== undefined && { family }) }
      return { ...about, decision: word, ...decidedOf(decision.review) }
    }
    case 'dismissed':
      return decidedOf(decision.review)
  }
}

function decidedOf({ by, at, reason }: Without<Decided>): Readonly<Record<string, string>> {
  return { by, at, reason }
}

function putNamed(
  document: Document,
  section: 'targets' | 'dismissed',
  name: string,
  plain: Readonly<Record<string, string | boolean>>,
): void {
  const map = sectionOf(document, section, () => new YAMLMap())
  if (!isMap(map)) return
  const known = map.items.find(({ key }) => keyText(key) === name)
  if (known !== undefined) {
    known.value = document.createNode(plain)
    return
  }
  const pair: Pair = document.createPair(name, plain)
  const at = map.items.findIndex(({ key }) => keyText(key) > name)
  if (at === 0) keepComment(map, map.items[0].key)
  if (at < 0) map.items.push(pair)
  else map.items.splice(at, 0, pair)
}

function putField(document: Document, review: Without<FieldReview>): void {
  const list = sectionOf(document, 'fields', () => new YAMLSeq())
  if (!(list instanceof YAMLSeq)) return
  const name = nameOf(review.key, review.place, review.family)
  const node = document.createNode(plainOf({ section: 'fields', review }))
  const names = list.items.map((item) => {
    const text = (key: string): string => (isMap(item) ? String(item.get(key) ?? '') : '')
    return nameOf(text('key'), text('on'), text('family') || undefined)
  })
  const known = names.indexOf(name)
  if (known < 0 && names.findIndex((other) => other > name) === 0) keepComment(list, list.items[0])
  const at = names.findIndex((other) => other > name)
  if (known >= 0) list.items[known] = node
  else if (at < 0) list.items.push(node)
  else list.items.splice(at, 0, node)
}

/** A comment above the first entry is read as the section's; it goes on to speak of the entry that it stands above. */
function keepComment(section: YAMLMap | YAMLSeq, first: unknown): void {
  if (!isNode(first) || section.commentBefore == null) return
  first.commentBefore = section.commentBefore
  section.commentBefore = null
}

/** By what fields are sorted: the key first, for that is what a reader looks for. */
function nameOf(key: string, place: string, family: string | undefined): string {
  return `${key}\n${place}\n${family ?? ''}`
}

/** The section, made where it is missing, in the order of a file that was written from scratch. */
function sectionOf(document: Document, name: string, create: () => YAMLMap | YAMLSeq): unknown {
  const root = document.contents
  if (!isMap(root)) return undefined
  const known = root.get(name, true)
  if (known instanceof YAMLMap || known instanceof YAMLSeq) {
    known.flow = false
    return known
  }
  const made = create()
  root.delete(name)
  const order = ['targets', 'fields', 'dismissed']
  const at = root.items.findIndex(({ key }) => order.indexOf(keyText(key)) > order.indexOf(name))
  const pair = document.createPair(name, made)
  if (at < 0) root.items.push(pair)
  else root.items.splice(at, 0, pair)
  return made
}

function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key)
}
