/**
 * When to try again: exponential backoff with jitter, and what the destination asks for by Retry-After.
 *
 * Pure: time and randomness are passed in. The longer of our own delay and the destination's is taken; the
 * limit on elapsed time holds for both, as users of the Collector know it.
 *
 * Source: opentelemetry-proto docs/specification.md (OTLP/HTTP throttling), RFC 9110 sections 5.6.7 and 10.2.3.
 */
import type { RetryConfig } from '../config/config.ts'

/** The longest that a destination can make us wait by Retry-After; beyond it a typing error would stall a lane. */
export const RETRY_AFTER_MS_MAX: number = 60 * 60 * 1000

export interface RetryQuestion {
  /** How many tries have failed so far, at least 1. */
  readonly failures: number
  /** Time since the first try. */
  readonly elapsedMs: number
  /** What the destination asked for, if it did. */
  readonly retryAfterMs: number | undefined
  /** In [0, 1). */
  readonly random: number
}

/** Milliseconds until the next try; undefined: give up. */
export function retryDelayMs(config: RetryConfig, question: RetryQuestion): number | undefined {
  if (!config.enabled) return undefined
  const { failures, elapsedMs, retryAfterMs, random } = question
  // A high count of failures would overflow to Infinity; min takes care of it.
  const interval = Math.min(
    config.initialIntervalMs * config.multiplier ** (failures - 1),
    config.maxIntervalMs,
  )
  const spread = interval * config.randomizationFactor
  const delay = Math.max(0, interval - spread + 2 * spread * random, retryAfterMs ?? 0)
  if (config.maxElapsedTimeMs > 0 && elapsedMs + delay > config.maxElapsedTimeMs) return undefined
  return delay
}

/** Milliseconds that a Retry-After header asks for, within our limit; undefined if it cannot be read. */
export function parseRetryAfter(value: string, nowMs: number): number | undefined {
  const text = value.trim()
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, RETRY_AFTER_MS_MAX)
  const atMs = parseHttpDate(text, nowMs)
  return atMs === undefined ? undefined : Math.min(Math.max(0, atMs - nowMs), RETRY_AFTER_MS_MAX)
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
/** `Sun, 06 Nov 1994 08:49:37 GMT` and, RFC 850, `Sunday, 06-Nov-94 08:49:37 GMT`. */
const DATE_DAY_FIRST = /^[a-z]+, (\d{2})[ -]([a-z]{3})[ -](\d{4}|\d{2}) (\d{2}):(\d{2}):(\d{2}) gmt$/i
/** asctime: `Sun Nov  6 08:49:37 1994`. */
const DATE_MONTH_FIRST = /^[a-z]{3} ([a-z]{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/i

function parseHttpDate(text: string, nowMs: number): number | undefined {
  const dayFirst = DATE_DAY_FIRST.exec(text)
  if (dayFirst !== null) {
    const [, day, month, year, ...time] = dayFirst
    return timeOf(fullYear(year, nowMs), month, day, time)
  }
  const monthFirst = DATE_MONTH_FIRST.exec(text)
  if (monthFirst === null) return undefined
  const [, month, day, hours, minutes, seconds, year] = monthFirst
  return timeOf(Number(year), month, day, [hours, minutes, seconds])
}

/** RFC 9110: a two-digit year that seems over 50 years ahead means the past century. */
function fullYear(year: string, nowMs: number): number {
  if (year.length === 4) return Number(year)
  const thisYear = new Date(nowMs).getUTCFullYear()
  const sameCentury = thisYear - (thisYear % 100) + Number(year)
  return sameCentury > thisYear + 50 ? sameCentury - 100 : sameCentury
}

function timeOf(year: number, monthName: string, day: string, time: readonly string[]): number | undefined {
  const month = MONTHS.indexOf(monthName.toLowerCase())
  if (month === -1) return undefined
  const [hours, minutes, seconds] = time
  return Date.UTC(year, month, Number(day), Number(hours), Number(minutes), Number(seconds))
}
