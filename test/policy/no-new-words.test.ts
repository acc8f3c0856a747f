/**
 * No verb writes one key from another: under any field policy an attribute that leaves has a key that came at that
 * place, and its value is that key's own, or a part or a digest of it.
 *
 * So three identities stay apart: the session tag `service_name`, a connection's client name and version, and the
 * resource's `service.name`.
 */
import fc from 'fast-check'
import t from 'tap'
import { SIGNAL_TRAITS, SIGNALS, type Signal } from '../../src/otlp/signal.ts'
import { PLACES } from '../../src/policy/place.ts'
import { route } from '../../src/policy/route.ts'
import { decode, encode, isMessage, type OracleMessage, type OracleValue } from '../oracle/oracle.ts'
import { compile } from './agree.ts'
import { bytesOf } from './parcel-bytes.ts'
import { createSpec, type FieldLine } from './spec.ts'

const IDENTITIES = [
  'service_name',
  'service.name',
  'app_server.client_name',
  'app_server.client_version',
] as const
const KEYS = [...IDENTITIES, 'user.email', 'prompt', 'payload'] as const

/** A value says which key it is of. Long enough to be cut. */
const textOf = (key: string): string => `<${key}> ${'é'.repeat(20)}`

const attribute = (key: string): OracleMessage => ({ key, value: { stringValue: textOf(key) } })
const flat = fc.array(fc.constantFrom(...KEYS).map(attribute), { maxLength: 6 })
const nested = flat.map((values): OracleMessage => ({ key: 'payload', value: { kvlistValue: { values } } }))
const attributes = fc
  .tuple(flat, fc.array(nested, { maxLength: 1 }))
  .map(([plain, kvlists]) => [...plain, ...kvlists])

const request = fc
  .record({ resource: attributes, scope: attributes, item: attributes, inner: attributes })
  .map((parts): Readonly<Record<Signal, OracleMessage>> => {
    const resource = { attributes: parts.resource }
    const scope = { name: 'codex', attributes: parts.scope }
    const span = {
      name: 'span',
      attributes: parts.item,
      events: [{ name: 'event', attributes: parts.inner }],
      links: [{ attributes: parts.inner }],
    }
    const point = { asInt: 1n, attributes: parts.item, exemplars: [{ filteredAttributes: parts.inner }] }
    const record = { attributes: parts.item, body: { kvlistValue: { values: parts.inner } } }
    return {
      logs: { resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords: [record] }] }] },
      traces: { resourceSpans: [{ resource, scopeSpans: [{ scope, spans: [span] }] }] },
      metrics: {
        resourceMetrics: [
          { resource, scopeMetrics: [{ scope, metrics: [{ name: 'm', gauge: { dataPoints: [point] } }] }] },
        ],
      },
    }
  })

const keys = fc.array(fc.constantFrom<string>(...KEYS, 'service*', '*name', '*'), {
  minLength: 1,
  maxLength: 3,
})
const line = fc
  .tuple(keys, fc.constantFrom('keep', 'remove', 'only', 'hash', 'truncate'), fc.subarray([...PLACES]))
  .map(([keys, verb, on]): FieldLine => {
    const verbs = {
      keep: { keep: keys },
      remove: { remove: keys },
      only: { only: keys },
      hash: { hash: keys },
      truncate: { truncate: keys, to: 17 },
    }
    return { ...verbs[verb], ...(on.length === 0 ? {} : { on }) }
  })

/** Every attribute, as the names of the fields that lead to it and its key → its value. */
function attributesIn(value: OracleValue, path = ''): readonly (readonly [place: string, value: string])[] {
  if (Array.isArray(value)) return value.flatMap((one) => attributesIn(one, path))
  if (!isMessage(value)) return []
  const { key } = value
  const here = typeof key === 'string' ? `${path}[${key}]` : path
  const text = typeof key === 'string' && isMessage(value.value) ? value.value.stringValue : undefined
  const own = typeof text === 'string' ? [[here, text] as const] : []
  return [...own, ...Object.entries(value).flatMap(([field, one]) => attributesIn(one, `${here}.${field}`))]
}

for (const signal of SIGNALS) {
  t.test(`under no policy does an attribute in ${signal} get a key or a value of another`, async (t) => {
    let kept = 0
    let changed = 0
    fc.assert(
      fc.property(
        request,
        fc.array(line, { maxLength: 5 }),
        fc.constantFrom('keep', 'remove'),
        fc.constantFrom('as_is', 'canonical'),
        (requests, fields, unlisted_fields, wire) => {
          const accept = [{ events: ['any'] }, { spans: ['any'] }, { points: ['any'] }].filter(
            (one) => !('spans' in one && signal === 'logs') && 'points' in one === (signal === 'metrics'),
          )
          const policy = compile(
            createSpec({ lanes: { lane: { signal, accept, fields, unlisted_fields, wire } } }),
          )
          const message = SIGNAL_TRAITS[signal].requestMessage
          const bytes = encode(message, requests[signal])
          const came = new Set(attributesIn(decode(message, bytes)).map(([place]) => place))
          for (const parcel of route(bytes, signal, policy).parcels) {
            for (const [place, value] of attributesIn(decode(message, bytesOf(parcel, bytes)))) {
              const key = /\[([^\]]*)\]$/.exec(place)?.[1] ?? ''
              const isOwn = textOf(key).startsWith(value)
              // A cut may follow a hash.
              const isDigest = /^hmac:[0-9a-f]{12,32}$/.test(value)
              if (!came.has(place) || !(isOwn || isDigest)) return false
              if (value === textOf(key)) kept++
              else changed++
            }
          }
          return true
        },
      ),
      { numRuns: 500 },
    )
    t.ok(kept > 100 && changed > 100, `${kept} kept, ${changed} hashed or cut`)
  })
}

t.test('removing one identity, or hashing it, leaves the two others as they were', async (t) => {
  const bytes = encode('ExportMetricsServiceRequest', {
    resourceMetrics: [
      {
        resource: { attributes: [attribute('service.name')] },
        scopeMetrics: [
          {
            scope: { name: 'codex' },
            metrics: [
              {
                name: 'm',
                gauge: { dataPoints: [{ asInt: 1n, attributes: IDENTITIES.map(attribute) }] },
              },
            ],
          },
        ],
      },
    ],
  })
  for (const verb of ['remove', 'hash'] as const) {
    for (const identity of IDENTITIES) {
      const spec = createSpec({
        lanes: {
          metric: { signal: 'metrics', accept: [{ points: ['any'] }], fields: [{ [verb]: [identity] }] },
        },
      })
      const [parcel] = route(bytes, 'metrics', compile(spec)).parcels
      const left = attributesIn(decode('ExportMetricsServiceRequest', bytesOf(parcel, bytes)))
      for (const other of IDENTITIES.filter((one) => one !== identity)) {
        t.ok(
          left.some(([place, value]) => place.endsWith(`[${other}]`) && value === textOf(other)),
          `${verb} ${identity}: ${other} stays`,
        )
      }
      t.notOk(left.some(([, value]) => value === textOf(identity)))
    }
  }
})
