/**
 * The log: JSON lines on stderr for the person who runs Laneway.
 *
 * In: events, and lines of other parts. Out: one line for what changes or fails; nothing for a record and, unless
 * the level is `debug`, nothing for a request that went well. Lines of one kind are limited. Record content never
 * reaches a line: a backend's own message, which may quote what it refused, is written at `debug` only.
 */
import { pino } from 'pino'
import type { Config } from '../config/config.ts'
import type { TelemetryEvent } from './events.ts'
import type { Finding, FindingKind } from './finding.ts'
import { createRateLimit, LINES_MAX, WINDOW_MS } from './rate-limit.ts'

export type Facts = Readonly<Record<string, string | number | boolean>>
type Level = 'debug' | 'info' | 'warn' | 'error'

/** Each writes one line; `message` is a fixed text, what varies belongs in `facts`. */
export type Log = Readonly<Record<Level, (message: string, facts?: Facts) => void>> & {
  /** Takes the events that concern it and leaves the others. */
  readonly record: (event: TelemetryEvent) => void
  /** One line for a finding that was never seen before, where its kind is about a target. */
  readonly recordNew: (finding: Finding) => void
}

/** Kinds that are about who emits; the others are many and are listed only. */
const NEWS: Readonly<Partial<Record<FindingKind, string>>> = {
  unreviewed_subsystem: 'a subsystem that nobody has reviewed',
  near_miss: 'a target that is nearly one of the policy',
}

export interface LogOptions {
  readonly level: Config['telemetry']['logLevel']
  /** Milliseconds. */
  readonly clock: () => number
  /** Where lines go; written to at once, so that the last line before an exit is not lost. */
  readonly destination: { write(line: string): void }
}

export function createLog({ level, clock, destination }: LogOptions): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
  const limit = createRateLimit({ linesMax: LINES_MAX, windowMs: WINDOW_MS })

  function write(at: Level, message: string, facts: Facts = {}): void {
    if (!logger.isLevelEnabled(at)) return
    const heldBack = limit.admit(`${at} ${message} ${facts.exporter ?? ''}`, clock())
    if (heldBack === undefined) return
    logger[at](heldBack === 0 ? facts : { ...facts, heldBack }, message)
  }

  function record(event: TelemetryEvent): void {
    switch (event.type) {
      case 'backend_down':
        write('warn', 'backend is down', { exporter: event.exporter, detail: event.detail })
        break
      case 'backend_up':
        write('info', 'backend is up', { exporter: event.exporter })
        break
      case 'backend_refused': {
        const { exporter, status, items, message } = event
        write('warn', 'backend refused items', { exporter, status, items })
        write('debug', 'what the backend said', { exporter, status, message })
        break
      }
      case 'storage_refusing':
        write('error', 'storage refuses', { fault: event.fault, detail: event.detail })
        break
      case 'storage_recovered':
        write('info', 'storage takes again')
        break
      case 'storage_replaced':
        if (event.cause === 'damaged') {
          write('error', 'the store was damaged: it is set aside and a new one is made', { path: event.path })
        } else
          write('error', 'the store was removed: it is made again, with all it held', { path: event.path })
        break
      case 'dead_letters_gone':
        write('warn', 'dead letters are gone', { count: event.count, reason: event.reason })
        break
      case 'held_dropped': {
        const { items, reason } = event
        write('warn', 'quarantined items are dropped', { items, reason })
        break
      }
      case 'fault':
        write('error', 'unexpected failure', { place: event.place, detail: event.detail })
        break
      case 'request_answered':
        recordAnswer(event)
        break
    }
  }

  function recordAnswer(event: TelemetryEvent & { readonly type: 'request_answered' }): void {
    if (event.code === 200) return
    const { signal, code, reason } = event
    if (code === 500) write('error', 'request failed', { signal, code })
    else if (code === 503) write('warn', 'request refused', { signal, code, reason })
    else write('info', 'request not understood', { signal, code, reason })
  }

  function recordNew({ kind, target }: Finding): void {
    const message = NEWS[kind]
    if (message !== undefined) write('info', message, { target })
  }

  return {
    debug: (message, facts) => write('debug', message, facts),
    info: (message, facts) => write('info', message, facts),
    warn: (message, facts) => write('warn', message, facts),
    error: (message, facts) => write('error', message, facts),
    record,
    recordNew,
  }
}
