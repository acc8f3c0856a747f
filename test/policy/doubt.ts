/**
 * What a decoder cannot tell of a request: where its bytes say a target in pieces that read differently.
 *
 * An attribute whose value is given several times is merged by a correct decoder, and taken from one piece by
 * others; a scope named twice likewise. In: the bytes and what the oracle made of them. Out: the decoded
 * attributes and scope entries that are in doubt.
 */
import { decode, messagesOf, messageType, type OracleMessage } from '../oracle/oracle.ts'
import { readTree, type WireField } from '../oracle/wire-tree.ts'

export function doubtsOf(
  message: string,
  bytes: Uint8Array,
  decoded: OracleMessage,
): ReadonlySet<OracleMessage> {
  const doubts = new Set<OracleMessage>()
  visit(readTree(messageType(message), bytes), decoded, doubts)
  return doubts
}

/** The bytes of each record and each span event, as they came. */
export function payloadsOf(
  message: string,
  bytes: Uint8Array,
  decoded: OracleMessage,
): ReadonlyMap<OracleMessage, Uint8Array> {
  const payloads = new Map<OracleMessage, Uint8Array>()
  const collect = (fields: readonly WireField[], parent: OracleMessage): void => {
    for (const group of groupByNumber(fields).values()) {
      const type = group[0].type?.name ?? ''
      const key = LISTS[type]
      if (key === undefined || type === 'KeyValue') continue
      messagesOf(parent, key).forEach((entry, index) => {
        if (type === 'LogRecord' || type === 'Event') payloads.set(entry, group[index].payload)
        else collect(group[index].children ?? [], entry)
      })
    }
  }
  collect(readTree(messageType(message), bytes), decoded)
  return payloads
}

/** Goes down the wire tree and the decoded object together: the nth occurrence of a repeated field is its nth entry. */
function visit(fields: readonly WireField[], decoded: OracleMessage, doubts: Set<OracleMessage>): void {
  const names = new Set<string>()
  for (const group of groupByNumber(fields).values()) {
    const type = group[0].type?.name ?? ''
    if (type === 'InstrumentationScope') {
      for (const piece of group) {
        for (const one of piece.children ?? []) {
          if (one.number === 1 && one.wireType === 2) names.add(Buffer.from(one.payload).toString('hex'))
        }
      }
    } else if (type === 'Resource') {
      const whole = group.flatMap((piece) => piece.children ?? [])
      if (typeof decoded.resource === 'object' && !Array.isArray(decoded.resource))
        visit(whole, decoded.resource, doubts)
    } else {
      const key = LISTS[type]
      const entries = key === undefined ? [] : messagesOf(decoded, key)
      entries.forEach((entry, index) => {
        const children = group[index].children ?? []
        if (type === 'KeyValue') {
          if (readings(children).size > 1) doubts.add(entry)
        } else visit(children, entry, doubts)
      })
    }
  }
  if (names.size > 1) doubts.add(decoded)
}

/** Where the entries of a repeated message are in its decoded parent. */
const LISTS: Readonly<Record<string, string>> = {
  ResourceLogs: 'resourceLogs',
  ScopeLogs: 'scopeLogs',
  LogRecord: 'logRecords',
  ResourceSpans: 'resourceSpans',
  ScopeSpans: 'scopeSpans',
  Span: 'spans',
  Event: 'events',
  KeyValue: 'attributes',
}

function readings(children: readonly WireField[]): ReadonlySet<string> {
  const pieces = children.filter((one) => one.number === 2 && one.wireType === 2)
  return new Set(
    pieces.map((piece) => {
      const { stringValue } = decode('AnyValue', piece.payload)
      return typeof stringValue === 'string' ? `"${stringValue}` : 'no string'
    }),
  )
}

function groupByNumber(fields: readonly WireField[]): ReadonlyMap<number, readonly WireField[]> {
  const groups = new Map<number, WireField[]>()
  for (const field of fields) {
    if (field.children === undefined) continue
    const group = groups.get(field.number)
    if (group === undefined) groups.set(field.number, [field])
    else group.push(field)
  }
  return groups
}
