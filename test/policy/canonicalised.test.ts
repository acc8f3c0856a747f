/** What a lane of canonical wire form removes is a finding of that lane. */
import t from 'tap'
import { route } from '../../src/policy/route.ts'
import { compile } from './agree.ts'
import { attribute, eventRequest } from './fates.ts'
import { createSpec } from './spec.ts'

const spec = createSpec()
const canonical = compile({
  ...spec,
  lanes: spec.lanes.map((lane) => ({ ...lane, wire: 'canonical' as const })),
})

t.test('fields that no decoder reads are counted as a finding of the lane that removed them', async (t) => {
  const clean = eventRequest(attribute('target', 'codex_otel.trace_safe'))
  t.same(route(clean, 'traces', canonical).findings, [])
  const unknown = Buffer.from([0x98, 0x06, 1])
  const { findings } = route(Buffer.concat([clean, unknown, unknown]), 'traces', canonical)
  t.match(findings, [{ kind: 'canonicalised', lane: 'trace', target: '', keys: [], count: 2 }])
  t.equal(findings.length, 1)
  t.same(route(Buffer.concat([clean, unknown]), 'traces', compile(spec)).findings, [])
})
