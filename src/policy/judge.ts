/**
 * Judges items: reads the target of each where the policy says, and asks the policy what it thinks of it.
 *
 * Goes along with a walk, which tells it the envelopes that it enters. What is in doubt is judged as such (rule 6),
 * and what a person should review is noted as a finding. Scratch of one walk.
 */
import { MalformedRequest } from '../errors.ts'
import { skipUnwanted } from '../otlp/attribute.ts'
import { LEN, tagOf, VARINT } from '../otlp/cursor.ts'
import type { Carriage } from '../otlp/signal.ts'
import type { Facts } from './accept.ts'
import type { Policy } from './compile.ts'
import type { Judged, Subject } from './decide.ts'
import { type ByteString, fromByteString } from './family.ts'
import type { FindingKind } from './finding.ts'
import type { TargetReader } from './target.ts'
import type { Verdict } from './verdict.ts'

const LOG_ATTRIBUTE = tagOf(6, LEN)
const SPAN_ATTRIBUTE = tagOf(9, LEN)
const SPAN_EVENT = tagOf(11, LEN)
const SPAN_DROPPED_EVENTS = tagOf(12, VARINT)
const EVENT_ATTRIBUTE = tagOf(3, LEN)

/** Where an item's attributes and its own name are, by carriage; 0 where it has none. */
const TAGS: Readonly<Record<Carriage, { readonly attribute: number; readonly name: number }>> = {
  log_record: { attribute: LOG_ATTRIBUTE, name: tagOf(12, LEN) },
  span_event: { attribute: EVENT_ATTRIBUTE, name: tagOf(2, LEN) },
  span: { attribute: SPAN_ATTRIBUTE, name: 0 },
  data_point: { attribute: 0, name: 0 },
}

const conflicted: readonly FindingKind[] = ['conflicted_target']

/** How an item that was rehomed to a lane is taken by it. */
const taken = { rehomed: 0, carried: 0, outcome: 'forwarded', reason: '' } as const

export class Judge {
  readonly #request: Uint8Array
  readonly #policy: Policy
  /** The lane that every item is taken by already; 0 if each is to be judged. */
  readonly #onlyBit: number
  readonly #resourceReaders: readonly TargetReader[]
  /** Index of the current resource and scope in the scan. */
  #resource = 0
  #scope = 0

  constructor(request: Uint8Array, readers: readonly TargetReader[], policy: Policy, onlyBit: number) {
    this.#request = request
    this.#policy = policy
    this.#onlyBit = onlyBit
    this.#resourceReaders = readers.filter(({ usesResource }) => usesResource)
  }

  enterResource(resource: number): void {
    this.#resource = resource
    if (this.#resourceReaders.length > 0) this.#readResource()
  }

  enterScope(scope: number): void {
    this.#scope = scope
  }

  /** The judgment on all log records of the current scope, if its name decides. */
  judgeScope(): Judged | undefined {
    const { logRecordTarget, workspace, subjects, decider } = this.#policy
    const { scan } = workspace
    const start = scan.nameStarts[this.#scope]
    const end = scan.nameEnds[this.#scope]
    if (!logRecordTarget.settleByScope(this.#request, start, end)) return undefined
    const isEmpty = logRecordTarget.start === logRecordTarget.end
    const subject = isEmpty ? decider.none : subjects.of(this.#policy.workspace.cursor, start, end)
    const isDoubted = scan.nameDoubts[this.#scope] === 1 && subject.isTraceSafe
    return isDoubted ? this.#doubtful([subject.text], 'log_record') : this.#sure(subject, 'log_record')
  }

  /** The judgment on the log record in `[start, end)`, by its attributes. */
  judgeLogRecord(start: number, end: number): Judged {
    const { logRecordTarget } = this.#policy
    logRecordTarget.clear('attribute')
    this.#seeAttributes('attribute', logRecordTarget, LOG_ATTRIBUTE, start, end)
    return this.#judge('log_record', logRecordTarget, start, end)
  }

  /** The judgment on data points, which have no target. */
  judgePoints(): Judged {
    return this.#sure(this.#policy.decider.none, 'data_point')
  }

  /** Walks a span once: the attributes that may hold its target, and its events, each judged. */
  judgeSpan(start: number, end: number): Judged {
    const { spanTarget, workspace } = this.#policy
    const { cursor, attribute, events } = workspace
    spanTarget.clear('attribute')
    events.clear()
    cursor.at = start
    while (cursor.at < end) {
      const field = skipUnwanted(this.#request, cursor.at, end, SPAN_ATTRIBUTE, spanTarget.keyEnds)
      cursor.at = field
      if (field === end) break
      const tag = cursor.tag(end)
      if (tag === SPAN_ATTRIBUTE) {
        const attributeEnd = cursor.payloadEnd(end)
        attribute.read(cursor, cursor.at, attributeEnd)
        spanTarget.see('attribute', cursor, attribute)
      } else if (tag === SPAN_EVENT) {
        const eventEnd = cursor.payloadEnd(end)
        this.#readEvent(field, cursor.at, eventEnd)
        cursor.at = eventEnd
      } else if (tag === SPAN_DROPPED_EVENTS) {
        events.droppedCount = cursor.uint32(end)
        events.countField = field
        events.countEnd = cursor.at
      } else {
        cursor.skip(tag, end)
      }
    }
    return this.#judge('span', spanTarget, start, end)
  }

  /** Judges a span event, its span not yet considered. */
  #readEvent(field: number, start: number, end: number): void {
    const { spanEventTarget, workspace } = this.#policy
    const { events } = workspace
    spanEventTarget.clear('attribute')
    this.#seeAttributes('attribute', spanEventTarget, EVENT_ATTRIBUTE, start, end)
    const judged = this.#judge('span_event', spanEventTarget, start, end)
    const index = events.add(field, start, end)
    events.verdicts[index] = this.verdict(judged, 'span_event', start, end)
    events.targetStarts[index] = spanEventTarget.start
    events.targetEnds[index] = spanEventTarget.end
    events.paths[index] = spanEventTarget.path
    events.standIns[index] = judged.standIn
  }

  /** Lets `reader` see every attribute of the message in `[start, end)`. */
  #seeAttributes(
    kind: 'attribute' | 'resource_attribute',
    reader: TargetReader,
    attributeTag: number,
    start: number,
    end: number,
  ): void {
    const { cursor, attribute } = this.#policy.workspace
    cursor.at = start
    while (cursor.at < end) {
      cursor.at = skipUnwanted(this.#request, cursor.at, end, attributeTag, reader.keyEnds)
      if (cursor.at === end) break
      const tag = cursor.tag(end)
      if (tag === attributeTag) {
        const attributeEnd = cursor.payloadEnd(end)
        attribute.read(cursor, cursor.at, attributeEnd)
        reader.see(kind, cursor, attribute)
      } else {
        cursor.skip(tag, end)
      }
    }
  }

  #judge(carriage: Carriage, reader: TargetReader, start: number, end: number): Judged {
    const { workspace, decider, subjects } = this.#policy
    const { scan, cursor, attribute, lookup } = workspace
    const nameStart = scan.nameStarts[this.#scope]
    const nameEnd = scan.nameEnds[this.#scope]
    const reading = reader.settle(this.#request, nameStart, nameEnd, scan.nameDoubts[this.#scope] === 1)
    if (reading === 'absent') return this.#sure(decider.none, carriage)
    if (reading === 'conflict') {
      const isOfResource = reader.paths[reader.path].kind === 'resource_attribute'
      const ranges = isOfResource
        ? lookup.resourceAttributes(this.#resource)
        : lookup.fields(TAGS[carriage].attribute, start, end)
      const at = cursor.at
      const values = reader.stringsOf(cursor, attribute, ranges)
      cursor.at = at
      return this.#doubtful(values, carriage)
    }
    const isEmpty = reader.start === reader.end
    const subject = isEmpty
      ? decider.none
      : subjects.of(this.#policy.workspace.cursor, reader.start, reader.end)
    const isDoubted = reading === 'doubted' && carriage !== 'span' && subject.isTraceSafe
    return isDoubted ? this.#doubtful([subject.text], carriage) : this.#sure(subject, carriage)
  }

  #sure(subject: Subject, carriage: Carriage): Judged {
    let judged = subject.judged[carriage]
    if (judged === undefined) {
      const isEvent = carriage === 'log_record' || carriage === 'span_event'
      const decision = this.#policy.decider.decide(subject, carriage)
      judged = {
        decision,
        standIn: undefined,
        findings: isEvent ? subject.findings : [],
        about: subject.text,
      }
      subject.judged[carriage] = judged
    }
    return judged
  }

  #doubtful(values: readonly ByteString[], carriage: Carriage): Judged {
    const { decision, target } = this.#policy.decider.decideDoubtful(values, carriage)
    return { decision, standIn: target, findings: conflicted, about: target }
  }

  /** The verdict on the item in `[start, end)`, with its findings noted. */
  verdict(judged: Judged, carriage: Carriage, start: number, end: number): Verdict {
    const { decision, findings } = judged
    const verdict = decision.verdict ?? decision.ask(this.#facts(carriage, start, end))
    if (this.#onlyBit !== 0) return { ...verdict, ...taken, native: this.#onlyBit }
    for (const finding of findings) this.#note(finding, judged.about, verdict, carriage, start, end)
    return verdict
  }

  #note(
    kind: FindingKind,
    target: ByteString,
    verdict: Verdict,
    carriage: Carriage,
    start: number,
    end: number,
  ): void {
    const { findings, lookup } = this.#policy.workspace
    const { attribute } = TAGS[carriage]
    const isDescribed = kind === 'unreviewed_subsystem'
    // A record that no rule looks into may be unreadable: that is for the backend to say, not for a finding.
    const [eventName = ''] = isDescribed ? readable(() => this.eventNames(carriage, start, end)) : []
    const { family } = verdict
    findings.add(
      {
        kind,
        target: fromByteString(target),
        family,
        eventName: fromByteString(eventName),
        place: undefined,
      },
      () => (isDescribed ? readable(() => lookup.keys(lookup.fields(attribute, start, end))) : []),
    )
  }

  #facts(carriage: Carriage, start: number, end: number): Facts {
    const { lookup } = this.#policy.workspace
    const { attribute, name } = TAGS[carriage]
    return {
      eventNames: () => lookup.eventNames(attribute, name, start, end),
      resourceValues: (key) => lookup.strings(lookup.resourceAttributes(this.#resource), key),
    }
  }

  #readResource(): void {
    const { cursor, attribute, lookup } = this.#policy.workspace
    for (const reader of this.#resourceReaders) {
      reader.clear('resource_attribute')
      for (const [start, end] of lookup.resourceAttributes(this.#resource)) {
        attribute.read(cursor, start, end)
        reader.see('resource_attribute', cursor, attribute)
      }
    }
  }
  /** The names of an event, its effective one first. */
  eventNames(carriage: Carriage, start: number, end: number): readonly ByteString[] {
    const { attribute, name } = TAGS[carriage]
    return this.#policy.workspace.lookup.eventNames(attribute, name, start, end)
  }
}

/** What can be read of names that are wanted but not needed. */
function readable(read: () => readonly string[]): readonly string[] {
  try {
    return read()
  } catch (error) {
    if (error instanceof MalformedRequest) return []
    throw error
  }
}
