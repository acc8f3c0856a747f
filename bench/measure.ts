/**
 * One body through all subjects, in interleaved rounds.
 *
 * In: subjects, a body, how long. Out: one sample a subject and round, and one summary of what each subject
 * did with the body. In each round every subject has its turn, starting with another one each time, so that noise hits all alike.
 * CPU is read only after a subject has delivered everything that it accepted: a queue defers work, and is not
 * let off it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Body } from './bodies.ts'
import { type LoadResult, runLoad, sendRequests } from './loader.ts'
import { cpuSeconds, residentKiB } from './machine.ts'
import { type Sink, type SinkTotals, startSink } from './sink.ts'
import { type RunningSubject, type Subject, startSubject } from './subjects.ts'

export interface Plan {
  readonly rounds: number
  readonly connections: number
  readonly warmUpMs: number
  readonly closedLoopMs: number
  /** 0: no fixed rate. */
  readonly fixedRateMs: number
}

export interface Sample {
  readonly round: number
  readonly cpuSecondsPerMillionItems: number
  readonly cpuSecondsPerGigabyte: number
  readonly closedLoop: LoadResult
  readonly fixedRate: LoadResult
  /** Items that were accepted and did not reach the sink. */
  readonly lostItems: number
}

export interface Outcome {
  readonly subject: Subject
  readonly body: Body
  /** Why it was not measured, or undefined. */
  readonly unable: string | undefined
  /** What one request comes to at the sink. */
  readonly delivered: Delivered
  readonly samples: readonly Sample[]
  readonly peakResidentKiB: number
}

export interface Delivered {
  readonly logRecords: number
  readonly spans: number
  readonly spanEvents: number
}

const PROBE_REQUESTS = 4
const SETTLE_MS = 1000
const DELIVERY_STALL_MS = 5000
const NOTHING: Delivered = { logRecords: 0, spans: 0, spanEvents: 0 }

interface Started {
  readonly running: RunningSubject
  readonly sink: Sink
}

interface Contender extends Started {
  readonly delivered: Delivered
  readonly samples: Sample[]
}

export async function measureBody(
  subjects: readonly Subject[],
  body: Body,
  plan: Plan,
): Promise<readonly Outcome[]> {
  const contenders: Contender[] = []
  const unable: Outcome[] = []
  try {
    const started: Started[] = []
    const leaveOut = (subject: Subject, why: string): void => {
      unable.push({
        subject,
        body,
        unable: why,
        delivered: NOTHING,
        samples: [],
        peakResidentKiB: Number.NaN,
      })
    }
    for (const subject of subjects) {
      const one = await start(subject)
      if (typeof one === 'string') leaveOut(subject, one)
      else started.push(one)
    }
    // Looking takes seconds of waiting, so all are looked at together.
    const probed = await Promise.all(started.map((one) => probe(one, body)))
    for (const [index, contender] of probed.entries()) {
      if (typeof contender === 'string') leaveOut(started[index].running.subject, contender)
      else contenders.push(contender)
    }
    for (const contender of contenders) await load(contender, body, plan, plan.warmUpMs, undefined)
    for (let round = 0; round < plan.rounds; round += 1) {
      for (let turn = 0; turn < contenders.length; turn += 1) {
        const contender = contenders[(round + turn) % contenders.length]
        contender.samples.push(await takeSample(contender, body, plan, round))
      }
    }
    const measured = contenders.map(({ running, delivered, samples }) => ({
      subject: running.subject,
      body,
      unable: undefined,
      delivered,
      samples,
      peakResidentKiB: residentKiB(running.processId, 'VmHWM'),
    }))
    return subjects.flatMap((subject) =>
      [...measured, ...unable].filter((outcome) => outcome.subject === subject),
    )
  } finally {
    await Promise.all(contenders.map(end))
  }
}

/** A text says why it did not start. */
async function start(subject: Subject): Promise<Started | string> {
  const sink = await startSink()
  try {
    return { running: await startSubject(subject, sink.port), sink }
  } catch (error) {
    sink.close()
    return messageOf(error)
  }
}

/** Looks at what a subject makes of the body. A text says why it cannot be measured; it is stopped then. */
async function probe(started: Started, body: Body): Promise<Contender | string> {
  const { running, sink } = started
  try {
    sink.lookInside(true)
    const statuses = await sendRequests(running.port, body, PROBE_REQUESTS)
    await settled(sink)
    sink.lookInside(false)
    const delivered = {
      logRecords: sink.totals.logRecords / PROBE_REQUESTS,
      spans: sink.totals.spans / PROBE_REQUESTS,
      spanEvents: sink.totals.spanEvents / PROBE_REQUESTS,
    }
    const refusal = statuses.find((status) => status < 200 || status > 299)
    if (refusal === undefined && itemsOf(delivered) > 0) return { ...started, delivered, samples: [] }
    await end(started)
    return refusal === undefined ? 'it delivered nothing' : `it answered ${refusal}`
  } catch (error) {
    await end(started)
    return messageOf(error)
  }
}

async function end({ running, sink }: Started): Promise<void> {
  await running.stop()
  sink.close()
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function takeSample(contender: Contender, body: Body, plan: Plan, round: number): Promise<Sample> {
  const cpuBefore = cpuSeconds(contender.running.processId)
  const closed = await load(contender, body, plan, plan.closedLoopMs, undefined)
  const cpu = cpuSeconds(contender.running.processId) - cpuBefore
  const fixed = await load(contender, body, plan, plan.fixedRateMs, body.ratePerSecond)
  return {
    round,
    cpuSecondsPerMillionItems: (cpu * 1e6) / (closed.result.accepted * body.items),
    cpuSecondsPerGigabyte: (cpu * 1e9) / (closed.result.accepted * body.plainByteLength),
    closedLoop: closed.result,
    fixedRate: fixed.result,
    lostItems: closed.lostItems + fixed.lostItems,
  }
}

/** Loads a subject, and waits until all that it accepted has reached the sink. */
async function load(
  { running, sink, delivered }: Contender,
  body: Body,
  plan: Plan,
  durationMs: number,
  ratePerSecond: number | undefined,
): Promise<{ readonly result: LoadResult; readonly lostItems: number }> {
  const before = itemsOf(sink.totals)
  const { port } = running
  const result = await runLoad({ port, body, connections: plan.connections, durationMs, ratePerSecond })
  const expected = before + Math.round(result.accepted * itemsOf(delivered))
  let lastTotal = itemsOf(sink.totals)
  let lastProgress = performance.now()
  while (itemsOf(sink.totals) < expected && performance.now() - lastProgress < DELIVERY_STALL_MS) {
    await sleep(10)
    if (itemsOf(sink.totals) === lastTotal) continue
    lastTotal = itemsOf(sink.totals)
    lastProgress = performance.now()
  }
  return { result, lostItems: expected - itemsOf(sink.totals) }
}

/** Waits until nothing has come for longer than any subject batches. */
async function settled(sink: Sink): Promise<void> {
  let requests: number
  do {
    requests = sink.totals.requests
    await sleep(SETTLE_MS)
  } while (sink.totals.requests !== requests)
}

function itemsOf(totals: Pick<SinkTotals, 'logRecords' | 'spans'>): number {
  return totals.logRecords + totals.spans
}
