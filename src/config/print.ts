// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this file is about that syntax
/**
 * The effective configuration as YAML: files merged, presets expanded, references as they were written,
 * literal secrets as `[REDACTED]`.
 *
 * Read again from any folder it means the same, so relative paths become absolute; but for `[REDACTED]`,
 * which is refused. Defaults that nobody wrote are not in it, except the storage folder and the reviews file, whose
 * defaults depend on where the file lies.
 */
import { isAbsolute, resolve } from 'node:path'
import { stringify } from 'yaml'
import type { ResolvedTree } from './resolve.ts'
import { isSecretPath, partsOf, type TextPart } from './substitute.ts'
import { entriesOf, isNull, type Node, nodeAt, type ScalarNode } from './tree.ts'

const REDACTED = '[REDACTED]'

/** Places of paths, `*` for any key. */
const PATH_KEYS: readonly (readonly string[])[] = [
  ['storage', 'directory'],
  ['policy', 'reviews'],
  ['exporters', '*', 'path'],
  ['exporters', '*', 'tls', 'ca_file'],
  ['exporters', '*', 'tls', 'cert_file'],
  ['exporters', '*', 'tls', 'key_file'],
]

type Plain = string | number | boolean | null | readonly Plain[] | ReadonlyMap<string, Plain>

export function printConfig({ root, directoryOf }: ResolvedTree): string {
  const plain = (node: Node, path: readonly string[]): Plain => {
    if (node.kind === 'list') return node.items.map((item, index) => plain(item, [...path, String(index)]))
    if (node.kind === 'map') {
      const entries = [...node.entries].filter(([, { value }]) => !isNull(value) || path[0] === 'exporters')
      return new Map(entries.map(([key, { value }]) => [key, plain(value, [...path, key])]))
    }
    if (typeof node.value !== 'string') return node.value
    return printScalar(node, path, directoryOf(node.position.file))
  }
  const printed = new Map(entriesOf(root).map(([key, { value }]) => [key, plain(value, [key])]))
  const policy = new Map(
    entriesOf(nodeAt(root, 'policy')).map(([key, { value }]) => [key, plain(value, ['policy', key])]),
  )
  if (nodeAt(root, 'policy', 'reviews') === undefined) {
    policy.set('reviews', escapeDollars(resolve(directoryOf(root.position.file), 'reviews.yaml')))
  }
  // The preset's lines stand in the text already.
  printed.set('policy', new Map([['preset', 'none'], ...[...policy].filter(([key]) => key !== 'preset')]))
  if (nodeAt(root, 'storage', 'directory') === undefined) {
    const storage = new Map(
      entriesOf(nodeAt(root, 'storage')).map(([key, { value }]) => [key, plain(value, ['storage', key])]),
    )
    const directory = escapeDollars(resolve(directoryOf(root.position.file), 'laneway-data'))
    printed.set(
      'storage',
      new Map([['directory', directory], ...[...storage].filter(([key]) => key !== 'directory')]),
    )
  }
  return stringify(printed, { lineWidth: 0, flowCollectionPadding: true, aliasDuplicateObjects: false })
}

function printScalar(node: ScalarNode, path: readonly string[], directory: string): string {
  const parts = partsOf(node.source).map((part) => absoluteReference(part, directory))
  if (isSecretPath(path)) return redactSecret(parts)
  const isPath = PATH_KEYS.some(
    (keys) => keys.length === path.length && keys.every((key, index) => key === '*' || key === path[index]),
  )
  if (isPath && typeof node.value === 'string' && !isAbsolute(node.value)) {
    const isLiteral = parts.every(({ kind }) => kind === 'text')
    return isLiteral
      ? escapeDollars(resolve(directory, node.value))
      : `${escapeDollars(directory)}/${writeParts(parts)}`
  }
  return path[0] === 'exporters' && /(^|_)endpoint$/.test(path[2] ?? '')
    ? redactUrl(writeParts(parts))
    : writeParts(parts)
}

function absoluteReference(part: TextPart, directory: string): TextPart {
  return part.kind === 'file' ? { ...part, path: resolve(directory, part.path) } : part
}

function writeParts(parts: readonly TextPart[]): string {
  return parts.map(writePart).join('')
}

function writePart(part: TextPart): string {
  if (part.kind === 'text') return escapeDollars(part.text)
  if (part.kind === 'file') return `\${file:${part.path}}`
  if (part.kind === 'env')
    return part.fallback === undefined ? `\${env:${part.name}}` : `\${env:${part.name}:-${part.fallback}}`
  return ''
}

function escapeDollars(text: string): string {
  return text.replaceAll('$', '$$$$')
}

/** Only references and the word of an authorization scheme before one are shown; a default is a literal too. */
function redactSecret(parts: readonly TextPart[]): string {
  return parts
    .map((part, index) => {
      if (part.kind === 'env' && part.fallback) return `\${env:${part.name}:-${REDACTED}}`
      if (part.kind !== 'text') return writePart(part)
      const isScheme =
        index === 0 && parts.length > 1 && /^(Bearer|Basic|Token|ApiKey|Api-Token) $/i.test(part.text)
      return isScheme || part.text === '' ? part.text : REDACTED
    })
    .join('')
}

/** Hides user, password and the values of the query, as far as they are written out; a default is written out. */
function redactUrl(url: string): string {
  const hide = (text: string): string =>
    text.replaceAll(/\$\{(env:[A-Za-z0-9_]+|file:[^}]*)\}|:/g, '') === '' ? text : REDACTED
  return url
    .replace(/\/\/([^/?#]*)@/g, (_match, userinfo: string) => `//${hide(userinfo)}@`)
    .replace(/([?&][^=&]*=)([^&]*)/g, (_match, name: string, value: string) => `${name}${hide(value)}`)
}
