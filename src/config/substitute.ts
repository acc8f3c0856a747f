// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this file is about that syntax
/**
 * `${env:X}`, `${env:X:-default}` and `${file:/path}` in values; `$$` is a literal `$`.
 *
 * Runs on the parsed tree, on values only, so what comes from outside is text and never structure; it is
 * not looked into again. A value with a reference is a text from then on, converted where a number or a
 * boolean is due. Secrets keep their `${file:…}` parts, which are read when they are used. What was read
 * never appears in a message. Syntax: the Collector's, but an unset variable without a default is an error.
 */
import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { SecretText } from './config.ts'
import type { Node, Report, ScalarNode } from './tree.ts'

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The folder that relative paths of a file start from. */
  readonly directoryOf: (file: string) => string
}

/** A file that holds one value is small. */
export const VALUE_FILE_BYTES_MAX: number = 64 * 1024

export type TextPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'env'; readonly name: string; readonly fallback: string | undefined }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'fault'; readonly message: string }

const REFERENCE = /\$\$|\$\{[^}]*\}?/g

/** The parts of a text, in order. Shared with print-config, which shows references and hides texts. */
export function partsOf(source: string): readonly TextPart[] {
  const parts: TextPart[] = []
  let end = 0
  for (const match of source.matchAll(REFERENCE)) {
    if (match.index > end) parts.push({ kind: 'text', text: source.slice(end, match.index) })
    parts.push(match[0] === '$$' ? { kind: 'text', text: '$' } : referenceOf(match[0]))
    end = match.index + match[0].length
  }
  if (end < source.length) parts.push({ kind: 'text', text: source.slice(end) })
  return parts
}

function referenceOf(written: string): TextPart {
  if (!written.endsWith('}'))
    return { kind: 'fault', message: 'a `${` without its `}`; a literal `$` is written `$$`' }
  const inner = written.slice(2, -1)
  if (inner.includes('${'))
    return {
      kind: 'fault',
      message: 'a `${…}` inside another is not read; give one variable a plain default',
    }
  if (inner.startsWith('file:')) {
    const path = inner.slice('file:'.length)
    return path === ''
      ? { kind: 'fault', message: '`${file:}` names no file; write `${file:/path}`' }
      : { kind: 'file', path }
  }
  const [, name, fallback] = /^env:([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inner) ?? []
  if (name !== undefined) return { kind: 'env', name, fallback }
  const bare = /^[A-Za-z_][A-Za-z0-9_]*$/.test(inner)
    ? `write \`\${env:${inner}}\``
    : 'write `${env:NAME}`, `${env:NAME:-default}` or `${file:/path}`'
  return {
    kind: 'fault',
    message: `not a reference that is known here: ${bare}; a literal \`$\` is written \`$$\``,
  }
}

/** Values that may hold secrets whose files change while Laneway runs. */
export function isSecretPath(path: readonly string[]): boolean {
  return (
    path.join('.') === 'admin.token' ||
    path.join('.') === 'hash_key' ||
    (path.length === 4 && path[0] === 'exporters' && path[2] === 'headers')
  )
}

export function substitute(
  node: Node,
  surroundings: Surroundings,
  report: Report,
  path: readonly string[] = [],
): Node {
  if (node.kind === 'map') {
    const entries = [...node.entries].map(([key, entry]) => {
      return [
        key,
        { ...entry, value: substitute(entry.value, surroundings, report, [...path, key]) },
      ] as const
    })
    return { ...node, entries: new Map(entries) }
  }
  if (node.kind === 'list') {
    const items = node.items.map((item, index) =>
      substitute(item, surroundings, report, [...path, String(index)]),
    )
    return { ...node, items }
  }
  return typeof node.value === 'string' ? substituteScalar(node, surroundings, report, path) : node
}

function substituteScalar(
  node: ScalarNode,
  surroundings: Surroundings,
  report: Report,
  path: readonly string[],
): ScalarNode {
  const key = path.join('.')
  const fail = (message: string): void => report('error', node.position, key, message)
  if (node.source.includes('[REDACTED]')) {
    fail(
      'holds `[REDACTED]`, as print-config writes it for a secret; put the secret back, best as `${file:/path}`',
    )
    return { ...node, value: '', outside: true }
  }
  if (!node.source.includes('$')) return isSecretPath(path) ? { ...node, secret: [node.source] } : node
  const secret: (string | { readonly file: string })[] = []
  let value = ''
  let outside = false
  for (const part of partsOf(node.source)) {
    if (part.kind === 'fault') fail(part.message)
    else if (part.kind === 'text') {
      value += part.text
      secret.push(part.text)
    } else if (part.kind === 'env') {
      // `process.env` answers to names of its prototype, such as `toString`, too.
      const isSet = Object.hasOwn(surroundings.env, part.name)
      const found = (isSet ? surroundings.env[part.name] : undefined) ?? part.fallback
      if (found === undefined)
        fail(
          `environment variable ${part.name} is not set; set it, or write \`\${env:${part.name}:-default}\``,
        )
      value += found ?? ''
      secret.push(found ?? '')
    } else {
      const file = resolve(surroundings.directoryOf(node.position.file), part.path)
      secret.push({ file })
      const read = readValueFile(file)
      if (typeof read === 'string') value += read
      // A secret may be mounted later than this runs (validate in CI): it is read when it is used.
      else
        report(
          isSecretPath(path) ? 'warning' : 'error',
          node.position,
          key,
          `cannot read \`\${file:${part.path}}\`: ${read.fault}`,
        )
    }
    outside ||= part.kind !== 'text'
  }
  return { ...node, value, outside, secret: isSecretPath(path) ? joinTexts(secret) : undefined }
}

function joinTexts(parts: SecretText): SecretText {
  const joined: (string | { readonly file: string })[] = []
  for (const part of parts) {
    const last = joined.at(-1)
    if (typeof part === 'string' && typeof last === 'string') joined[joined.length - 1] = last + part
    else if (part !== '') joined.push(part)
  }
  return joined
}

function readValueFile(path: string): string | { readonly fault: string } {
  try {
    const stat = statSync(path)
    if (stat.isDirectory()) return { fault: 'it is a folder' }
    if (stat.size > VALUE_FILE_BYTES_MAX) return { fault: `it is larger than ${VALUE_FILE_BYTES_MAX} bytes` }
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path)).replace(/\r?\n$/, '')
  } catch (error) {
    return { fault: readFault(error) }
  }
}

/** Why a file cannot be read, in words. */
export function readFault(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'no such file'
  if (code === 'EACCES' || code === 'EPERM') return 'no permission'
  if (code === 'EISDIR') return 'it is a folder'
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'it is not UTF-8'
  return typeof code === 'string' ? code : 'it cannot be read'
}
