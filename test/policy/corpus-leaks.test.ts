/**
 * Every captured request under each preset as it ships: what leaves is what the reference says, and no canary is on the
 * trace lane that the corpus marks as content. What came in the wrong carriage ends on its own lane.
 */
import t from 'tap'
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts'
import { route } from '../../src/policy/route.ts'
import { PRESETS, presetSpec } from '../leak-hunt/presets.ts'
import { type CorpusRequest, readCorpus } from '../oracle/corpus.ts'
import { assertAgrees, compile } from './agree.ts'
import { STRICTEST } from './contract-presets.ts'
import { bytesOf } from './parcel-bytes.ts'
import { createSpec } from './spec.ts'

/** Texts of the log lane, and texts that clients themselves put on traces. */
const LOG_ONLY =
  /CANARY-(PROMPT|ARGUMENTS|OUTPUT|CONTENT|EMAIL|ACCOUNT|FILE-PATH|HOST|MCP-SERVER|MCP-ORIGIN|SERVER)[A-Z0-9-]*/g
const ON_TRACES = /CANARY[-_](ERROR|EXCEPTION|STATUS|REQUEST-ID|CF-RAY|CWD|URL|LINK|ENV_KEY_NAME)[A-Z0-9_-]*/g
const ANY = /CANARY[A-Z0-9_-]*/g

const corpus = readCorpus()

function bytesOfRequest({ body, encoding, signal }: CorpusRequest): Uint8Array {
  return encoding === 'json' ? jsonToProtobuf(body, signal) : body
}

function found(pattern: RegExp, bytes: Uint8Array): readonly string[] {
  return [...new Set(Buffer.from(bytes).toString('latin1').match(pattern))]
}

for (const preset of PRESETS) {
  const spec = presetSpec(preset)
  const policy = compile(spec)
  for (const request of corpus) {
    t.test(`${preset}: ${request.file} leaves no content on the trace lane`, async (t) => {
      const bytes = bytesOfRequest(request)
      const { signal } = request
      assertAgrees({ bytes, signal, spec, policy })
      for (const parcel of route(bytes, signal, policy).parcels) {
        if (parcel.lane !== 'trace') continue
        const leaving = bytesOf(parcel, bytes)
        t.same(found(LOG_ONLY, leaving), [])
        t.same(found(ON_TRACES, leaving), [])
        if (preset === 'codex-strict') t.same(found(ANY, leaving), [])
      }
    })
  }
}

t.test(
  'the strictest policy that can be said agrees with the reference on every captured request',
  async (t) => {
    const spec = createSpec(STRICTEST)
    const policy = compile(spec)
    for (const request of corpus) {
      assertAgrees({ bytes: bytesOfRequest(request), signal: request.signal, spec, policy })
    }
    t.pass(`${corpus.length} requests`)
  },
)

t.test(
  'what came in the wrong carriage ends on its own lane, and nothing of the namespace is lost',
  async (t) => {
    const policy = compile(presetSpec('codex'))
    const misplaced = corpus.filter(
      ({ file, signal }) => signal !== 'metrics' && /^(rust-nofilter\/|rust\/26|rust-0\.30\/06)/.test(file),
    )
    t.ok(misplaced.length >= 10)
    let rehomed = 0
    for (const request of misplaced) {
      const bytes = bytesOfRequest(request)
      const { parcels, tally } = route(bytes, request.signal, policy)
      for (const row of tally) {
        if (row.outcome === 'rehomed') {
          rehomed += row.items
          t.equal(row.lane, row.family === 'trace_safe' ? 'trace' : 'log', `${request.file} ${row.family}`)
        }
        if (row.outcome === 'forwarded' && row.carriage !== 'span') {
          t.equal(row.lane, row.family === 'trace_safe' ? 'trace' : 'log', `${request.file} ${row.family}`)
        }
        const isLost = row.outcome === 'dropped' && !['foreign', 'ambiguous'].includes(row.family)
        t.notOk(isLost && row.reason !== 'no_span', `${request.file} ${row.family} ${row.reason}`)
      }
      for (const { lane, signal } of parcels) t.equal(signal, lane === 'log' ? 'logs' : 'traces')
    }
    t.ok(rehomed > 100, `${rehomed} items rehomed`)
  },
)
