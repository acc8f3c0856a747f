/**
 * Severity numbers of OTLP's log data model for the words that `level` holds.
 *
 * Source: opentelemetry-proto 1.11, logs/v1: SeverityNumber; contract, section "Rehomed items".
 */

/** Words of `level`, in capitals, and the severity numbers of OTLP's log data model. */
const SEVERITIES: readonly { readonly word: Uint8Array; readonly number: number }[] = [
  { word: Buffer.from('TRACE'), number: 1 },
  { word: Buffer.from('DEBUG'), number: 5 },
  { word: Buffer.from('INFO'), number: 9 },
  { word: Buffer.from('WARN'), number: 13 },
  { word: Buffer.from('WARNING'), number: 13 },
  { word: Buffer.from('ERROR'), number: 17 },
  { word: Buffer.from('FATAL'), number: 21 },
]

/** The severity of a level in any case; 0 for a word that is none. */
export function severityNumber(bytes: Uint8Array, start: number, end: number): number {
  next: for (const { word, number } of SEVERITIES) {
    if (word.length !== end - start) continue
    for (let index = 0; index < word.length; index++) {
      if ((bytes[start + index] & 0xdf) !== word[index]) continue next
    }
    return number
  }
  return 0
}
