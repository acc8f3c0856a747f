// biome-ignore-all lint/suspicious/noTemplateCurlyInString: messages show the syntax of references
/**
 * YAML text → located tree.
 *
 * One document, plain data: no tags, text keys only. Anchors, aliases and `<<` are followed within a
 * bound on the nodes that they may unfold to. No message quotes the text of the file: a line that cannot
 * be read may hold a secret.
 */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseAllDocuments,
  type YAMLMap,
} from 'yaml'
import type { Position } from '../errors.ts'
import { type ListNode, type MapEntry, type MapNode, type Node, type Report, scalarNode } from './tree.ts'

/** A configuration is written by people: more text than this is another kind of file. */
export const FILE_BYTES_MAX: number = 1024 * 1024
/** Nodes after aliases are followed: a chain of aliases can double at every step. */
export const NODES_MAX = 50_000
export const DEPTH_MAX = 64

const SYNTAX: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'a `*` outside quotes starts an alias; put the text in quotes',
  BAD_DQ_ESCAPE: 'this backslash escape is not known; use single quotes, or write `\\\\`',
  BAD_INDENT: 'the indentation does not fit the lines above',
  BAD_SCALAR_START: 'this character cannot start a text; put the text in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a second `: ` on one line; put the text in quotes',
  BLOCK_IN_FLOW: 'a block cannot stand inside `{ }` or `[ ]`',
  DUPLICATE_KEY: 'this key was given before in the same map; keep one of them',
  KEY_OVER_1024_CHARS: 'this key is too long',
  MISSING_CHAR: 'a closing quote, comma, colon or bracket is missing',
  MULTILINE_IMPLICIT_KEY: 'a key must stand on one line, followed by `: `',
  RESOURCE_EXHAUSTION: 'it is nested too deeply',
  TAB_AS_INDENT: 'a tab cannot indent; use spaces',
  TAG_RESOLVE_FAILED: 'tags (`!…`) are not used here; write plain text',
  UNEXPECTED_TOKEN: 'this cannot stand here',
}

class TreeLimit extends Error {}

/** The tree of the file's only document; undefined when it is empty or cannot be read (which is reported). */
export function parseYaml(text: string, file: string, report: Report): Node | undefined {
  const lines = new LineCounter()
  const place = (offset: number): Position => {
    const { line, col } = lines.linePos(offset)
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const top: Position = { file, line: 1, column: 1 }
  try {
    const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, logLevel: 'silent' })
    if (!Array.isArray(documents) || documents.length === 0) {
      report('error', top, '', 'the file is empty; the smallest configuration has `exporters` and `lanes`')
      return undefined
    }
    // One slip in a line makes the parser stumble several times.
    const brokenLines = new Set<number>()
    for (const { code, pos } of documents.flatMap((document) => [...document.errors, ...document.warnings])) {
      if (code === 'MULTIPLE_DOCS') continue
      const position = place(pos[0])
      if (brokenLines.has(position.line)) continue
      brokenLines.add(position.line)
      report(
        'error',
        position,
        '',
        syntaxMessage(code, text.split('\n', position.line)[position.line - 1] ?? ''),
      )
    }
    if (documents.length > 1) {
      const start = documents[1].range[0]
      brokenLines.add(place(start).line)
      report(
        'error',
        place(start),
        '',
        'a second document (`---`); write one document a file, and give several files with --config',
      )
    }
    if (brokenLines.size > 0) return undefined
    return new TreeBuilder(documents[0], place, report).build()
  } catch (error) {
    if (error instanceof TreeLimit) report('error', top, '', error.message)
    // The parser recurses: text nested thousands deep ends its stack, not the process.
    else if (error instanceof RangeError) report('error', top, '', `not YAML: ${SYNTAX.RESOURCE_EXHAUSTION}`)
    else throw error
    return undefined
  }
}

function syntaxMessage(code: string, line: string): string {
  const inBraces = line.includes('${') ? '; inside `{ }` or `[ ]`, a `${…}` must be in quotes' : ''
  return `not YAML: ${SYNTAX[code] ?? code.toLowerCase().replaceAll('_', ' ')}${inBraces}`
}

/** Walks one document. It counts what it builds, so that aliases cannot make a small file a large tree. */
class TreeBuilder {
  private readonly document: Document.Parsed
  private readonly place: (offset: number) => Position
  private readonly report: Report
  private nodeCount = 0

  constructor(document: Document.Parsed, place: (offset: number) => Position, report: Report) {
    this.document = document
    this.place = place
    this.report = report
  }

  build(): Node | undefined {
    const { contents } = this.document
    const root = this.node(contents, this.place(0), 0)
    if (root.kind === 'map') return root
    const empty = root.kind === 'scalar' && root.value === null
    const remedy = 'the smallest configuration has `exporters` and `lanes`'
    this.report(
      'error',
      root.position,
      '',
      empty ? `the file is empty; ${remedy}` : `the file is not a map of keys; ${remedy}`,
    )
    return undefined
  }

  private node(parsed: unknown, fallback: Position, depth: number): Node {
    if (++this.nodeCount > NODES_MAX)
      throw new TreeLimit(`aliases unfold to more than ${NODES_MAX} values; write them out`)
    if (depth > DEPTH_MAX)
      throw new TreeLimit(`nested more than ${DEPTH_MAX} deep (does an alias hold itself?)`)
    if (isAlias(parsed)) return this.alias(parsed, this.start(parsed, fallback), depth)
    if (isMap<ParsedNode, ParsedNode | null>(parsed))
      return this.map(parsed, this.start(parsed, fallback), depth)
    if (isSeq<ParsedNode>(parsed)) {
      const position = this.start(parsed, fallback)
      const items = parsed.items.map((item) => this.node(item, this.start(item, position), depth + 1))
      return { kind: 'list', position, items } satisfies ListNode
    }
    if (!isScalar(parsed)) return scalarNode(null, fallback)
    const { value } = parsed
    const position = this.start(parsed, fallback)
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      return scalarNode(value, position, typeof value === 'string' ? value : (parsed.source ?? String(value)))
    }
    return scalarNode(null, position)
  }

  private map(parsed: YAMLMap<ParsedNode, ParsedNode | null>, position: Position, depth: number): MapNode {
    const own = new Map<string, MapEntry>()
    const inherited = new Map<string, MapEntry>()
    for (const { key, value } of parsed.items) {
      const keyPosition = this.start(key, position)
      const name = isScalar(key) && key.value !== null ? (key.source ?? String(key.value)) : undefined
      if (name === undefined) {
        this.report('error', keyPosition, '', 'not a key: a key is one word or text, followed by `: `')
        continue
      }
      const node = this.node(value, keyPosition, depth + 1)
      if (name !== '<<') own.set(name, { keyPosition, value: node })
      else for (const source of node.kind === 'list' ? node.items : [node]) this.inherit(inherited, source)
    }
    for (const [name, entry] of inherited) if (!own.has(name)) own.set(name, entry)
    return { kind: 'map', position, entries: own }
  }

  private inherit(into: Map<string, MapEntry>, source: Node): void {
    if (source.kind !== 'map') {
      this.report(
        'error',
        source.position,
        '<<',
        'merges maps only: write `<<: *anchor` where the anchor names a map',
      )
      return
    }
    for (const [name, entry] of source.entries) if (!into.has(name)) into.set(name, entry)
  }

  private alias(alias: Alias, position: Position, depth: number): Node {
    const target = alias.resolve(this.document)
    if (target !== undefined) return this.node(target, position, depth + 1)
    this.report('error', position, '', `no anchor of this name stands above: ${SYNTAX.BAD_ALIAS}`)
    return scalarNode(null, position)
  }

  private start(parsed: unknown, fallback: Position): Position {
    const isLocated = isScalar(parsed) || isMap(parsed) || isSeq(parsed) || isAlias(parsed)
    return isLocated && parsed.range ? this.place(parsed.range[0]) : fallback
  }
}
