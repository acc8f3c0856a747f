/**
 * The captured requests in test/corpus, for tests: bodies as they are after decompression.
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { SIGNALS, type Signal } from '../../src/otlp/signal.ts'

export interface CorpusRequest {
  readonly file: string
  readonly client: string
  readonly scenario: string
  readonly signal: Signal
  readonly encoding: 'proto' | 'json'
  readonly body: Uint8Array
}

const folder = new URL('../corpus/', import.meta.url)

export function readCorpus(): readonly CorpusRequest[] {
  const entries: unknown = JSON.parse(readFileSync(new URL('corpus.json', folder), 'utf8'))
  if (!Array.isArray(entries)) throw new Error('corpus.json is not a list')
  return entries.map((entry: Readonly<Record<string, unknown>>) => {
    const file = String(entry.file)
    const raw = readFileSync(new URL(file, folder))
    const signal = SIGNALS.find((one) => one === entry.signal)
    if (signal === undefined) throw new Error(`${file} has no signal`)
    return {
      file,
      client: String(entry.client),
      scenario: String(entry.scenario),
      signal,
      encoding: file.includes('.json') ? 'json' : 'proto',
      body: file.endsWith('.gz') ? gunzipSync(raw) : raw,
    }
  })
}
