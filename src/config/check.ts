// biome-ignore-all lint/suspicious/noTemplateCurlyInString: messages show the syntax of references
/**
 * Walks a located tree beside the schema and reports, at once, every key, kind and word that does not fit.
 *
 * Why not ajv: a value from `${env:}` is text that must be read as the schema wants it, a union must be
 * judged by the branch that the user meant, and every message needs a line, the nearest word and a remedy;
 * all of that is a walk over the schema anyway. That this walk and ajv agree on the same schema file is
 * tested. Messages quote a value only where a word of a fixed list was due and the file itself holds it.
 */
import { readFileSync } from 'node:fs'
import { didYouMean, nearestWord } from '../policy/nearest.ts'
import { collectorRemedy } from './collector-words.ts'
import { booleanOf, isNull, type MapNode, type Node, numberOf, type Report, type ScalarNode } from './tree.ts'
import { formatSize, parseDuration, parseSize, TIMER_MS_MAX } from './units.ts'

/** The part of JSON Schema that `schema.ts` uses. */
export interface SchemaNode {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean' | 'null'
  readonly 'x-laneway'?: string
  readonly anyOf?: readonly SchemaNode[]
  readonly enum?: readonly string[]
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly minProperties?: number
  readonly maxProperties?: number
  readonly items?: SchemaNode
  readonly minLength?: number
  readonly minimum?: number
  readonly maximum?: number
}

/** What each kind of text is called in a message. */
const KIND_WORDS: Readonly<Record<string, string>> = {
  text: 'a text',
  size: 'a size with its unit, such as `4MiB`',
  duration: 'a duration with its unit, such as `30s`',
  age: 'a duration with its unit, such as `168h`',
  path: 'the path of a file or folder',
  address: 'an address, such as `localhost:4318`',
  url: 'a URL, such as `http://localhost:4318`',
  secret: 'a text, best as `${file:/path}`',
  selector: 'a family, a target, `"*"`, `foreign`, `any`',
  ottl_path: 'a path, such as `scope.name`',
  field: 'an attribute key, a glob, or `@` and the name of a text',
  family: 'the name of a family',
  target: 'a target',
  glob: 'a text, in which `*` is a wildcard',
  exporter: 'the name of an exporter',
  key: 'the key of an attribute',
  person: 'who decided',
  time: 'a time, such as `2026-01-31T12:00:00Z`',
  reason: 'the reason, in a sentence',
}

export function loadSchema(): SchemaNode {
  return JSON.parse(readFileSync(new URL('../../config/laneway.schema.json', import.meta.url), 'utf8'))
}

export function checkTree(root: Node, schema: SchemaNode, report: Report): void {
  new Walk(report).node(root, schema, [])
}

class Walk {
  private readonly report: Report

  constructor(report: Report) {
    this.report = report
  }

  node(node: Node, schema: SchemaNode, path: readonly string[]): void {
    const branches = branchesOf(schema)
    if (isNull(node)) {
      if (!branches.some(({ type }) => type === 'null'))
        this.fail(node, path, `has no value; write ${dueOf(branches)}`)
    } else if (node.kind === 'scalar') this.scalar(node, branches, path)
    else {
      const branch = branches.find(({ type }) => type === (node.kind === 'map' ? 'object' : 'array'))
      if (branch === undefined) {
        this.fail(node, path, `must be ${dueOf(branches)}, not a ${node.kind}`)
      } else if (node.kind === 'map') this.map(node, branch, path)
      else {
        const { items = {} } = branch
        node.items.forEach((item, index) => {
          this.node(item, items, [...path, String(index)])
        })
      }
    }
  }

  private map(node: MapNode, schema: SchemaNode, path: readonly string[]): void {
    const { properties = {}, patternProperties = {}, required = [] } = schema
    const patterns = Object.entries(patternProperties)
    for (const [key, { keyPosition, value }] of node.entries) {
      const byName = Object.hasOwn(properties, key) ? properties[key] : undefined
      const inner = byName ?? patterns.find(([pattern]) => new RegExp(pattern).test(key))?.[1]
      if (inner !== undefined) this.node(value, inner, [...path, key])
      else this.report('error', keyPosition, [...path, key].join('.'), unknownKeyMessage(path, key, schema))
    }
    for (const key of required) {
      const entry = node.entries.get(key)
      if (entry === undefined)
        this.fail(node, [...path, key], `is missing; write ${dueOf(branchesOf(properties[key]))}`)
    }
    const keys = Object.keys(properties).map((key) => `\`${key}\``)
    if (node.entries.size > (schema.maxProperties ?? Infinity)) {
      this.fail(
        node,
        path,
        `holds ${node.entries.size} keys, and only one of ${keys.join(', ')} can stand in one line; write a line for each`,
      )
    }
    if (node.entries.size < (schema.minProperties ?? 0))
      this.fail(node, path, `is an empty map; write one of ${keys.join(', ')}`)
  }

  private scalar(node: ScalarNode, branches: readonly SchemaNode[], path: readonly string[]): void {
    const words = branches.flatMap((branch) => branch.enum ?? [])
    if (words.length > 0) {
      const isWord = typeof node.value === 'string' && words.includes(node.value)
      if (!isWord)
        this.fail(node, path, `${quoted(node)} must be one of ${words.join(', ')}${guess(node, words)}`)
      return
    }
    const numeric = branches.find(({ type }) => type === 'integer' || type === 'number')
    const value = numberOf(node)
    if (numeric !== undefined && value !== undefined) {
      const { minimum = -Infinity, maximum = Infinity } = numeric
      const fits =
        value >= minimum && value <= maximum && (numeric.type === 'number' || Number.isInteger(value))
      if (!fits) this.fail(node, path, `must be ${dueOf([numeric])}`)
      return
    }
    if (branches.some(({ type }) => type === 'boolean') && booleanOf(node) !== undefined) return
    const textual = branches.find((branch) => branch.type === 'string' && branch['x-laneway'] !== 'reference')
    if (textual !== undefined) this.text(node, textual, path)
    else this.fail(node, path, `must be ${dueOf(branches)}${guess(node, [])}`)
  }

  private text(node: ScalarNode, schema: SchemaNode, path: readonly string[]): void {
    const { 'x-laneway': kind = 'text', minLength = 0 } = schema
    const { value } = node
    if (typeof value !== 'string') {
      if (kind === 'size' && typeof value === 'number') this.fail(node, path, bareSizeMessage(value, node))
      else if (kind === 'duration' || kind === 'age') {
        this.fail(node, path, `a bare number has no unit; write ${KIND_WORDS[kind]}`)
      } else this.fail(node, path, `must be ${KIND_WORDS[kind]}; put the value in quotes`)
    } else if (kind === 'size') {
      const bytes = parseSize(value)
      if (bytes === undefined && /^[0-9]+$/.test(value))
        this.fail(node, path, bareSizeMessage(Number(value), node))
      else if (bytes === undefined)
        this.fail(node, path, `must be ${KIND_WORDS.size}; units are B, KB, MB, GB, TB, KiB, MiB, GiB, TiB`)
    } else if (kind === 'duration' || kind === 'age') {
      const ms = parseDuration(value)
      if (ms === undefined) this.fail(node, path, `must be ${KIND_WORDS[kind]}; units are ms, s, m, h`)
      else if (kind === 'duration' && ms > TIMER_MS_MAX)
        this.fail(node, path, 'is too long; write 596h or less')
    } else if (value.length < minLength) {
      this.fail(node, path, `is empty; write ${KIND_WORDS[kind]}`)
    }
  }

  private fail(node: Node, path: readonly string[], message: string): void {
    this.report('error', node.position, path.join('.'), message)
  }
}

function branchesOf(schema: SchemaNode): readonly SchemaNode[] {
  return schema.anyOf === undefined ? [schema] : schema.anyOf.flatMap(branchesOf)
}

/** What is due here, in words: `true or false`, `a list or a map`. */
function dueOf(branches: readonly SchemaNode[]): string {
  const words = branches.flatMap((branch) => {
    const { minimum, maximum } = branch
    if (branch.enum !== undefined) return [`one of ${branch.enum.join(', ')}`]
    if (branch.type === 'object') return ['a map']
    if (branch.type === 'array') return ['a list']
    if (branch.type === 'boolean') return ['true or false']
    if (branch.type === 'integer' || branch.type === 'number') {
      const range = maximum === undefined ? `of ${minimum} or more` : `from ${minimum} to ${maximum}`
      return [`a ${branch.type === 'integer' ? 'whole ' : ''}number ${range}`]
    }
    const kind = branch['x-laneway']
    return kind === undefined || kind === 'reference' ? [] : [KIND_WORDS[kind]]
  })
  return [...new Set(words)].join(' or ')
}

function unknownKeyMessage(path: readonly string[], key: string, schema: SchemaNode): string {
  const { properties = {}, patternProperties = {} } = schema
  const remedy = collectorRemedy(path, key)
  if (remedy !== undefined) return `has no place here: ${remedy}`
  const known = Object.keys(properties)
  if (path.join('.') === 'exporters') {
    const [type, ...name] = key.split('/')
    const types = ['otlp_http', 'file', 'debug']
    const nearest = nearestWord(type, types)
    const suggestion = nearest === undefined ? '' : `, did you mean \`${[nearest, ...name].join('/')}\`?`
    return `unknown type of exporter${suggestion || `; the types are ${types.join(', ')}, as in \`otlp_http/logs\``}`
  }
  if (known.length === 0 && Object.keys(patternProperties).length > 0) {
    return 'cannot be a name; names are letters, digits, `_` and `-`, and start with a letter'
  }
  return `unknown key${didYouMean(key, known) || `; the keys here are ${known.join(', ')}`}`
}

/** The value in quotes where that is safe: written in the file itself, short, and one plain word. */
function quoted(node: ScalarNode): string {
  return !node.outside && /^[\w.-]{1,32}$/.test(node.source) ? `\`${node.source}\`` : 'the value'
}

function guess(node: ScalarNode, words: readonly string[]): string {
  if (node.outside) return ''
  if (words.length > 0) return didYouMean(node.source.toLowerCase(), words)
  const meant = /^(yes|on|y|"?true"?)$/i.test(node.source)
    ? 'true'
    : /^(no|off|n|"?false"?)$/i.test(node.source)
      ? 'false'
      : undefined
  return meant === undefined ? '' : `; write \`${meant}\`, without quotes`
}

function bareSizeMessage(bytes: number, node: ScalarNode): string {
  const exact = Number.isSafeInteger(bytes) && bytes > 0 && !node.outside ? formatSize(bytes) : '4MiB'
  return `a bare number has no unit, and sizes are bytes only: write ${exact === '4MiB' ? '4MiB' : `${exact}, or for example 4MiB`}`
}
