/**
 * Looks for canaries in bytes: as they are, and in the spellings that an encoder on the way could give them.
 */
import { type CanaryClass, PREFIX } from './canary.ts'

/** Base64 of the prefix, less the characters that its neighbours decide, at each of the three alignments. */
const BASE64 = [0, 1, 2].map((shift) => {
  const text = Buffer.concat([Buffer.alloc(shift), Buffer.from(PREFIX)]).toString('base64')
  return text.slice(shift === 0 ? 0 : shift + 1, -4)
})

const hex = Buffer.from(PREFIX).toString('hex')

/** Spellings in which no class is told: any canary in them is one that broke out. */
const SPELLINGS: readonly Buffer[] = [
  ...BASE64,
  hex,
  hex.toUpperCase(),
  hex.replace(/../g, '%$&'),
  hex.toUpperCase().replace(/../g, '%$&'),
  hex.replace(/../g, '\\u00$&'),
  [...PREFIX].reverse().join(''),
].map((text) => Buffer.from(text))

const plain = Buffer.from(PREFIX)
const wide = Buffer.from(PREFIX, 'utf16le')

/** The canaries in the bytes that are of none of the allowed classes. */
export function canariesIn(bytes: Uint8Array, allowed: readonly CanaryClass[]): readonly string[] {
  const found: string[] = []
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = buffer.indexOf(plain); at >= 0; at = buffer.indexOf(plain, at + 1)) {
    const text = buffer.toString('latin1', at, at + PREFIX.length + 4)
    const kind = /^[RFX]/.exec(text.slice(PREFIX.length))?.[0] ?? 'U'
    if (!allowed.some((one) => one === kind)) found.push(text)
  }
  return found
}

/** Spellings of any canary but the plain one. */
export function spellingsIn(bytes: Uint8Array): readonly string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const found = SPELLINGS.filter((spelling) => buffer.includes(spelling)).map((spelling) =>
    spelling.toString(),
  )
  return buffer.includes(wide) ? [...found, 'UTF-16'] : found
}
