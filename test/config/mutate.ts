// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are among the words
/**
 * Arbitrary damage to YAML texts: lines lost, doubled, moved, indented otherwise; words, numbers and
 * punctuation put in; characters cut out.
 */
import fc from 'fast-check'

const WORDS = [
  'null',
  '~',
  '[]',
  '{}',
  '5',
  '-1',
  '1e400',
  '0x1F',
  'true',
  '"',
  "'",
  '*',
  '&a',
  '*a',
  '!tag',
  '<<: *a',
  '- ',
  ': ',
  '\t',
  '#',
  '---',
  '...',
  '${env:X}',
  '${',
  '$$',
  '[REDACTED]',
  '64MiB',
  '30s',
  '99999999999999999999h',
  'constructor',
  '__proto__:',
  'toString',
  '\u0000',
  '\ufeff',
  '🛣',
  'otlp_http/x:',
  'debug:',
]

type Damage = (text: string) => string

const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.tuple(fc.nat(), fc.constantFrom(...WORDS)).map(
    ([at, word]): Damage =>
      (text) => {
        const offset = at % (text.length + 1)
        return text.slice(0, offset) + word + text.slice(offset)
      },
  ),
  fc.tuple(fc.nat(), fc.nat(20)).map(
    ([at, count]): Damage =>
      (text) => {
        const offset = at % (text.length + 1)
        return text.slice(0, offset) + text.slice(offset + count)
      },
  ),
  fc.tuple(fc.nat(), fc.nat()).map(
    ([from, to]): Damage =>
      (text) => {
        const lines = text.split('\n')
        lines.splice(to % lines.length, 0, lines[from % lines.length])
        return lines.join('\n')
      },
  ),
  fc.nat().map(
    (at): Damage =>
      (text) =>
        text
          .split('\n')
          .toSpliced(at % text.split('\n').length, 1)
          .join('\n'),
  ),
  fc.tuple(fc.nat(), fc.constantFrom(...WORDS)).map(
    ([at, word]): Damage =>
      (text) => {
        const values = [...text.matchAll(/(?<=: )[^{}[\],\n]+/g)]
        const value = values[at % Math.max(1, values.length)]
        return value === undefined
          ? text
          : text.slice(0, value.index) + word + text.slice(value.index + value[0].length)
      },
  ),
)

/** One of `texts`, damaged one to four times. */
export function mutations(texts: readonly string[]): fc.Arbitrary<string> {
  return fc
    .tuple(fc.constantFrom(...texts), fc.array(damage, { minLength: 1, maxLength: 4 }))
    .map(([text, damages]) => damages.reduce((damaged, damageOnce) => damageOnce(damaged), text))
}
