/**
 * Field policies as the contract tells them, on decoded objects: what the edits of bytes are compared with.
 *
 * One attribute after the other, one rule after the other; no tables, no memory, no ranges. In: a decoded message, the
 * lane's rules and what is known of the item. Out: the message as it may leave.
 */
import { createHmac } from 'node:crypto'
import type { FieldRuleSpec, LaneSpec, Place } from '../../src/config/config.ts'
import { isMessage, messageOf, messagesOf, type OracleMessage, type OracleValue } from '../oracle/oracle.ts'

/** What a filter may ask of an item. Undefined: the item cannot answer. */
export interface ItemFacts {
  readonly families: readonly string[] | undefined
  readonly eventNames: readonly string[] | undefined
  /** Key of the attribute that gave the target, if one did. */
  readonly targetKey: string | undefined
  /** The target as it was read, where it is a string. */
  readonly target: string | undefined
}

export const unanswered: ItemFacts = {
  families: undefined,
  eventNames: undefined,
  targetKey: undefined,
  target: undefined,
}

export class FieldsReference {
  readonly #lane: LaneSpec
  readonly #hashKey: Uint8Array

  constructor(lane: LaneSpec, hashKey: Uint8Array) {
    this.#lane = lane
    this.#hashKey = hashKey
  }

  /** A whole entry of the request but for what is in it: its resource or scope, and its schema_url. */
  envelope(place: 'resource' | 'scope', entry: OracleMessage): OracleMessage {
    const key = place
    const edited = this.#texts(entry, { schemaUrl: '@schema_url' }, place, unanswered)
    if (entry[key] === undefined) return edited
    let inner = this.#attributes(messageOf(entry, key), 'attributes', place, unanswered)
    if (place === 'scope') {
      inner = this.#texts(inner, { name: '@scope.name', version: '@scope.version' }, place, unanswered)
    } else {
      const kept = messagesOf(inner, 'entityRefs').filter(
        (ref) =>
          this.#lane.unlistedFields === 'keep' &&
          !['idKeys', 'descriptionKeys'].some((list) =>
            stringsIn(ref, list).some((name) => this.#judge(place, [name], unanswered).isRemoved),
          ),
      )
      inner = withList(inner, 'entityRefs', kept)
    }
    return { ...edited, [key]: inner }
  }

  /** A span without a look at its events. */
  span(span: OracleMessage, facts: ItemFacts): OracleMessage {
    let edited = this.#attributes(span, 'attributes', 'span', facts)
    edited = this.#texts(edited, { traceState: '@trace_state' }, 'span', facts)
    edited = this.#name(
      edited,
      'span',
      facts,
      facts.target === undefined || facts.target === '' ? 'span' : facts.target,
    )
    if (span.status !== undefined) {
      const status = this.#texts(messageOf(span, 'status'), { message: '@status.message' }, 'span', facts)
      edited = { ...edited, status }
    }
    const links = messagesOf(span, 'links').map((link) =>
      this.#texts(
        this.#attributes(link, 'attributes', 'span_link', facts),
        { traceState: '@trace_state' },
        'span_link',
        facts,
      ),
    )
    return withList(edited, 'links', links)
  }

  event(event: OracleMessage, facts: ItemFacts): OracleMessage {
    const edited = this.#attributes(event, 'attributes', 'span_event', facts)
    // Called by its `event.name`, if it had one that says something, as the rules left it.
    const attribute = messagesOf(event, 'attributes').find((one) => {
      const name = messageOf(one, 'value').stringValue
      return one.key === 'event.name' && typeof name === 'string' && name !== ''
    })
    const [left] = this.#entries(attribute === undefined ? [] : [attribute], [], 'span_event', facts)
    const name = left === undefined ? 'event' : String(messageOf(left, 'value').stringValue)
    return this.#name(edited, 'span_event', facts, name)
  }

  record(record: OracleMessage, facts: ItemFacts): OracleMessage {
    const texts = { severityText: '@severity_text', eventName: '@event_name' }
    const edited = this.#texts(
      this.#attributes(record, 'attributes', 'log_record', facts),
      texts,
      'log_record',
      facts,
    )
    if (record.body === undefined) return edited
    const { body: _, ...rest } = edited
    const body = this.#body(messageOf(record, 'body'), facts)
    return body === undefined ? rest : { ...rest, body }
  }

  metric(metric: OracleMessage): OracleMessage {
    const place = 'data_point'
    let edited = this.#attributes(metric, 'metadata', place, unanswered, false)
    edited = this.#texts(
      edited,
      { name: '@metric.name', description: '@metric.description' },
      place,
      unanswered,
    )
    for (const kind of ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary']) {
      const data = edited[kind]
      if (!isMessage(data)) continue
      const points = messagesOf(data, 'dataPoints').map((point) => {
        const exemplars = messagesOf(point, 'exemplars').map((exemplar) =>
          this.#attributes(exemplar, 'filteredAttributes', 'exemplar', unanswered, false),
        )
        return withList(
          this.#attributes(point, 'attributes', place, unanswered, false),
          'exemplars',
          exemplars,
        )
      })
      edited = { ...edited, [kind]: withList(data, 'dataPoints', points) }
    }
    return edited
  }

  #applies(rule: FieldRuleSpec, place: Place, facts: ItemFacts): boolean {
    if (rule.on.length > 0 && !rule.on.includes(place)) return false
    const { families, eventNames } = facts
    if (
      rule.families.length > 0 &&
      families !== undefined &&
      !families.some((one) => rule.families.includes(one))
    )
      return false
    if (rule.eventNames.length === 0 || eventNames === undefined) return true
    const isMatch = (name: string): boolean => rule.eventNames.some((glob) => globMatches(glob, name))
    // Of two names the strict reading holds: what keeps must pass both, what takes away one.
    return rule.verb === 'keep' ? eventNames.every(isMatch) : eventNames.some(isMatch)
  }

  /** What the rules say of one attribute or nested entry: `path` is its key, or the keys down to it. */
  #judge(
    place: Place,
    path: readonly string[],
    facts: ItemFacts,
  ): { readonly isRemoved: boolean; readonly changes: readonly FieldRuleSpec[] } {
    const tails = path.map((_, index) => path.slice(index).join('.'))
    const [key] = path
    const isExempt =
      path.length === 1 &&
      ['span', 'span_event', 'log_record', 'data_point'].includes(place) &&
      (key === 'event.name' || key === 'level' || key.startsWith('laneway.') || key === facts.targetKey)
    const changes: FieldRuleSpec[] = []
    let isDecided = false
    for (const rule of this.#lane.fields) {
      if (!this.#applies(rule, place, facts)) continue
      const keys = rule.keys.map((one) => one.key).filter((one) => !one.startsWith('@'))
      const isExact = keys.some((one) => tails.includes(one))
      const isNamed =
        isExact || (!isExempt && keys.some((glob) => tails.some((tail) => globMatches(glob, tail))))
      if (rule.verb === 'only') {
        if (!isNamed && !isExempt) return { isRemoved: true, changes }
        isDecided ||= isNamed
        continue
      }
      if (!isNamed) continue
      isDecided = true
      if (rule.verb === 'remove') return { isRemoved: true, changes }
      if (rule.verb === 'keep') return { isRemoved: false, changes }
      changes.push(rule)
    }
    return { isRemoved: !isDecided && !isExempt && this.#lane.unlistedFields === 'remove', changes }
  }

  #attributes(
    message: OracleMessage,
    field: string,
    place: Place,
    facts: ItemFacts,
    isCounted = true,
  ): OracleMessage {
    const before = messagesOf(message, field)
    const after = this.#entries(before, [], place, facts)
    const edited = withList(message, field, after)
    const removed = before.length - after.length
    if (removed === 0 || !isCounted) return edited
    const count = Math.min(Number(message.droppedAttributesCount ?? 0) + removed, 2 ** 32 - 1)
    return { ...edited, droppedAttributesCount: count }
  }

  #entries(
    entries: readonly OracleMessage[],
    above: readonly string[],
    place: Place,
    facts: ItemFacts,
  ): readonly OracleMessage[] {
    return entries.flatMap((entry) => {
      const path = [...above, typeof entry.key === 'string' ? entry.key : '']
      const { isRemoved, changes } = this.#judge(place, path, facts)
      if (isRemoved) return []
      const changed = this.#change(messageOf(entry, 'value'), changes)
      if (changed === undefined) return []
      const value = this.#nested(changed, path, place, facts)
      return [entry.value === undefined && Object.keys(value).length === 0 ? entry : { ...entry, value }]
    })
  }

  /** Kvlists within a value, at any depth; arrays add no part to the path. */
  #nested(value: OracleMessage, path: readonly string[], place: Place, facts: ItemFacts): OracleMessage {
    if (value.kvlistValue !== undefined) {
      const list = messageOf(value, 'kvlistValue')
      const values = this.#entries(messagesOf(list, 'values'), path, place, facts)
      return { ...value, kvlistValue: withList(list, 'values', values) }
    }
    if (value.arrayValue === undefined) return value
    const list = messageOf(value, 'arrayValue')
    const values = messagesOf(list, 'values').map((one) => this.#nested(one, path, place, facts))
    return { ...value, arrayValue: withList(list, 'values', values) }
  }

  /** The value after `hash` and `truncate`; undefined if it cannot be hashed and goes. */
  #change(value: OracleMessage, changes: readonly FieldRuleSpec[]): OracleMessage | undefined {
    const [kind] = Object.keys(value)
    const isHashed = changes.some(({ verb }) => verb === 'hash')
    if (kind === undefined || changes.length === 0) return value
    if (
      kind === 'stringValueStrindex' ||
      kind === 'arrayValue' ||
      kind === 'kvlistValue' ||
      kind === 'bytesValue'
    )
      return isHashed ? undefined : value
    if (kind !== 'stringValue' && !isHashed) return value
    let text = jsonText(value[kind])
    for (const rule of changes) {
      text = rule.verb === 'hash' ? this.#hash(text) : truncated(text, rule.bytesMax ?? 0)
    }
    return { stringValue: text }
  }

  #hash(text: string): string {
    return `hmac:${createHmac('sha256', this.#hashKey).update(text).digest('hex').slice(0, 32)}`
  }

  #judgeText(
    place: Place,
    name: string,
    facts: ItemFacts,
  ): {
    readonly isRemoved: boolean
    readonly isDecided: boolean
    readonly changes: readonly FieldRuleSpec[]
  } {
    const changes: FieldRuleSpec[] = []
    let isDecided = false
    for (const rule of this.#lane.fields) {
      if (!this.#applies(rule, place, facts) || !rule.keys.some((one) => one.key === name)) continue
      isDecided = true
      if (rule.verb === 'remove') return { isRemoved: true, isDecided, changes }
      if (rule.verb === 'keep') return { isRemoved: false, isDecided, changes }
      if (rule.verb !== 'only') changes.push(rule)
    }
    return { isRemoved: !isDecided && this.#lane.unlistedFields === 'remove', isDecided, changes }
  }

  #texts(
    message: OracleMessage,
    texts: Readonly<Record<string, string>>,
    place: Place,
    facts: ItemFacts,
  ): OracleMessage {
    const edited = { ...message }
    for (const [field, name] of Object.entries(texts)) {
      const text = message[field]
      if (typeof text !== 'string') continue
      const { isRemoved, changes } = this.#judgeText(place, name, facts)
      const changed = isRemoved ? '' : this.#change({ stringValue: text }, changes)?.stringValue
      if (typeof changed === 'string' && changed !== '') edited[field] = changed
      else delete edited[field]
    }
    return edited
  }

  #name(
    message: OracleMessage,
    place: 'span' | 'span_event',
    facts: ItemFacts,
    fallback: string,
  ): OracleMessage {
    if (!this.#judgeText(place, '@name', facts).isRemoved)
      return this.#texts(message, { name: '@name' }, place, facts)
    const { name: _, ...rest } = message
    return fallback === '' ? rest : { ...rest, name: fallback }
  }

  #body(body: OracleMessage, facts: ItemFacts): OracleMessage | undefined {
    const { isRemoved, isDecided, changes } = this.#judgeText('log_record', '@body', facts)
    // A kvlist that no rule speaks of as a whole is judged entry by entry.
    if (isRemoved && (isDecided || body.kvlistValue === undefined)) return undefined
    const changed = this.#change(body, changes)
    return changed === undefined ? undefined : this.#nested(changed, [], 'body', facts)
  }
}

function jsonText(value: OracleValue): string {
  return typeof value === 'number' && !Number.isFinite(value)
    ? String(value)
    : typeof value === 'number'
      ? JSON.stringify(value)
      : String(value)
}

/** At most so many bytes of UTF-8, cut between characters. */
function truncated(text: string, bytesMax: number): string {
  let bytes = 0
  let kept = ''
  for (const character of text) {
    bytes += Buffer.byteLength(character)
    if (bytes > bytesMax) break
    kept += character
  }
  return kept
}

function stringsIn(message: OracleMessage, field: string): readonly string[] {
  const list = message[field]
  return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : []
}

function withList(message: OracleMessage, field: string, list: readonly OracleMessage[]): OracleMessage {
  const { [field]: _, ...rest } = message
  return list.length === 0 ? rest : { ...rest, [field]: [...list] }
}

/** `*` stands for any text, dots too. */
export function globMatches(glob: string, value: string): boolean {
  const source = glob.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${source.join('.*')}$`, 's').test(value)
}
