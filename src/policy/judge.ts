/**
 * Judges items: reads the target of each where the policy says, and asks the policy what it thinks of it.
 *
 * Goes along with a walk, which tells it the envelopes that it enters. What is in doubt is judged as such (rule 6),
 * and what a person should review is noted as a finding. Scratch of one walk.
 */
import { MalformedRequest } from '../errors.ts'
import { LEN, tagOf } from '../otlp/cursor.ts'
import type { Carriage, Signal } from '../otlp/signal.ts'
import type { Facts } from './accept.ts'
import type { Policy } from './compile.ts'
import type { Judged, Subject } from './decide.ts'
import { type ByteString, fromByteString } from './family.ts'
import type { FindingKind } from './finding.ts'
import { EVENT_NAME } from './keys.ts'
import { EVENT_PLAN, LOG_RECORD_PLAN, SPAN_PLAN } from './plan.ts'
import type { Notes, Reading } from './reading.ts'
import type { TargetReader } from './target.ts'
import type { Verdict } from './verdict.ts'

/** Where an item's attributes are, by carriage; 0 where it has none. */
const ATTRIBUTES: Readonly<Record<Carriage, number>> = {
  log_record: tagOf(6, LEN),
  span_event: tagOf(3, LEN),
  span: tagOf(9, LEN),
  data_point: 0,
}

const conflicted: readonly FindingKind[] = ['conflicted_target']
const noNames: readonly ByteString[] = Object.freeze([])

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
  /** The log record in hand, and whether it has been read. */
  #recordStart = 0
  #recordEnd = 0
  #isRecordRead = false

  constructor(request: Uint8Array, signal: Signal, policy: Policy, onlyBit: number) {
    const { logRecordTarget, spanTarget, spanEventTarget } = policy
    const readers: Readonly<Record<Signal, readonly TargetReader[]>> = {
      logs: [logRecordTarget],
      traces: [spanTarget, spanEventTarget],
      metrics: [],
    }
    this.#request = request
    this.#policy = policy
    this.#onlyBit = onlyBit
    this.#resourceReaders = readers[signal].filter(({ usesResource }) => usesResource)
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

  /** The walk has come to the log record in `[start, end)`, which is read when something of it is asked for. */
  enterRecord(start: number, end: number): void {
    this.#recordStart = start
    this.#recordEnd = end
    this.#isRecordRead = false
  }

  /** Reads the log record in hand, if that has not been done. */
  readRecord(): void {
    if (this.#isRecordRead) return
    this.#policy.workspace.reading.read(LOG_RECORD_PLAN, this.#recordStart, this.#recordEnd)
    this.#isRecordRead = true
  }

  /** The judgment on the log record in hand, by its attributes. */
  judgeLogRecord(): Judged {
    const { logRecordTarget, workspace } = this.#policy
    const { reading } = workspace
    this.readRecord()
    logRecordTarget.clear('attribute')
    logRecordTarget.see(reading, reading.notes, 0, reading.notes.count)
    return this.#judge('log_record', logRecordTarget, this.#recordStart, this.#recordEnd)
  }

  /** The judgment on data points, which have no target. */
  judgePoints(): Judged {
    return this.#sure(this.#policy.decider.none, 'data_point')
  }

  /** Reads a span, and judges it and its events, one by one. */
  judgeSpan(start: number, end: number): Judged {
    const { spanTarget, workspace } = this.#policy
    const { reading } = workspace
    const { events, notes } = reading
    reading.read(SPAN_PLAN, start, end)
    for (let index = 0; index < events.count; index++) this.#judgeEvent(index)
    spanTarget.clear('attribute')
    spanTarget.see(reading, notes, 0, notes.count)
    return this.#judge('span', spanTarget, start, end)
  }

  /** Judges an event of the span in hand, its span not yet considered. */
  #judgeEvent(index: number): void {
    const { spanEventTarget, workspace } = this.#policy
    const { reading } = workspace
    const { events } = reading
    spanEventTarget.clear('attribute')
    spanEventTarget.see(reading, reading.innerNotes, events.firstNotes[index], events.lastNotes[index])
    const judged = this.#judge('span_event', spanEventTarget, events.starts[index], events.ends[index])
    events.names[index] = undefined
    events.verdicts[index] = this.verdict(
      judged,
      'span_event',
      events.starts[index],
      events.ends[index],
      index,
    )
    events.targetStarts[index] = spanEventTarget.start
    events.targetEnds[index] = spanEventTarget.end
    events.paths[index] = spanEventTarget.path
    events.standIns[index] = judged.standIn
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
        : lookup.fields(ATTRIBUTES[carriage], start, end)
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

  /** The verdict on the item in `[start, end)`, with its findings noted; `index` is an event's in its span. */
  verdict(judged: Judged, carriage: Carriage, start: number, end: number, index?: number): Verdict {
    const { decision, findings } = judged
    const verdict = decision.verdict ?? decision.ask(this.#facts(carriage, index))
    if (this.#onlyBit !== 0) return { ...verdict, ...taken, native: this.#onlyBit }
    for (const finding of findings) this.#note(finding, judged.about, verdict, carriage, start, end, index)
    return verdict
  }

  #note(
    kind: FindingKind,
    target: ByteString,
    verdict: Verdict,
    carriage: Carriage,
    start: number,
    end: number,
    index: number | undefined,
  ): void {
    const { findings, lookup } = this.#policy.workspace
    const isDescribed = kind === 'unreviewed_subsystem'
    // A record that no rule looks into may be unreadable: that is for the backend to say, not for a finding.
    const [eventName = ''] = isDescribed ? readable(() => this.eventNames(index)) : noNames
    const { family } = verdict
    findings.add(
      {
        kind,
        target: fromByteString(target),
        family,
        eventName: fromByteString(eventName),
        place: undefined,
      },
      () => (isDescribed ? readable(() => lookup.keys(lookup.fields(ATTRIBUTES[carriage], start, end))) : []),
    )
  }

  #facts(carriage: Carriage, index: number | undefined): Facts {
    const { lookup } = this.#policy.workspace
    const isEvent = carriage === 'log_record' || carriage === 'span_event'
    return {
      eventNames: () => (isEvent ? this.eventNames(index) : noNames),
      resourceValues: (key) => lookup.strings(lookup.resourceAttributes(this.#resource), key),
    }
  }

  /**
   * The names of event `index` of the span in hand, or of the log record in hand, its effective one first: the strings
   * of attribute `event.name`, else the name that it has beside its attributes.
   */
  eventNames(index: number | undefined): readonly ByteString[] {
    const { workspace, readsEventNames } = this.#policy
    const { reading, moving } = workspace
    const { events, innerNotes } = reading
    if (index === undefined) {
      if (readsEventNames) this.readRecord()
      else moving.read(LOG_RECORD_PLAN, this.#recordStart, this.#recordEnd)
      return this.#namesOf(readsEventNames ? reading : moving)
    }
    const known = events.names[index]
    if (known !== undefined) return known
    if (!readsEventNames) {
      moving.read(EVENT_PLAN, events.starts[index], events.ends[index])
      return this.#namesOf(moving)
    }
    const { firstNotes, lastNotes, nameStarts, nameEnds } = events
    const notes = { notes: innerNotes, first: firstNotes[index], last: lastNotes[index] }
    const names = this.#names(reading, notes, nameStarts[index], nameEnds[index])
    events.names[index] = names
    return names
  }

  /** The names of the event that was read, alone. */
  #namesOf(reading: Reading): readonly ByteString[] {
    const { notes, nameStart, nameEnd } = reading
    return this.#names(reading, { notes, first: 0, last: notes.count }, nameStart, nameEnd)
  }

  #names(
    reading: Reading,
    { notes, first, last }: { readonly notes: Notes; readonly first: number; readonly last: number },
    nameStart: number,
    nameEnd: number,
  ): readonly ByteString[] {
    const { names } = this.#policy.workspace
    let found = noNames
    for (let note = first; note < last; note++) {
      const row = notes.rows[note]
      if ((reading.keys[row].role & EVENT_NAME) === 0 || !reading.readText(row)) continue
      if (reading.textStart === reading.textEnd) continue
      const name = names.of(reading.cursor, reading.textStart, reading.textEnd)
      found = found.length === 0 ? name : [...found, ...name]
    }
    if (found.length > 0 || nameStart >= nameEnd) return found
    return names.of(reading.cursor, nameStart, nameEnd)
  }

  #readResource(): void {
    const { cursor, attribute, lookup } = this.#policy.workspace
    for (const reader of this.#resourceReaders) {
      reader.clear('resource_attribute')
      for (const [start, end] of lookup.resourceAttributes(this.#resource)) {
        attribute.read(cursor, start, end)
        reader.seeResource(cursor, attribute)
      }
    }
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
