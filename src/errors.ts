/**
 * Every error class of Laneway, each with a stable `code`, the place and the remedy.
 *
 * An error class exists here only if somebody catches it. Expected outcomes of the flow (a full queue, a
 * backend that refuses) are values, not errors. No message may hold record content: bytes of a request
 * are named by offset or path, never quoted.
 */

/** A place in a configuration file; `line` and `column` count from 1. `file` is `preset` for a shipped preset. */
export interface Position {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** Where a malformed request went wrong: a byte offset (protobuf) or a path such as `resourceLogs[0].scopeLogs` (JSON). */
export type MalformedPlace = { readonly offset: number } | { readonly path: string }

/** The request cannot be read. Answered 400; the sender must not send it again. */
export class MalformedRequest extends Error {
  readonly code = 'malformed'
  readonly place: MalformedPlace
  constructor(fact: string, place: MalformedPlace) {
    super(
      'offset' in place ? `${fact} at byte ${place.offset}` : `${fact} at ${place.path || 'the top level'}`,
    )
    this.place = place
  }
}

/** The request is larger than a named limit. Answered 413. */
export class TooLarge extends Error {
  readonly code = 'too_large'
}

/** One thing that is wrong, or doubtful, in a configuration. */
export interface Problem {
  readonly severity: 'error' | 'warning'
  readonly position: Position
  /** The key concerned, joined by dots: `lanes.log.accept`. Empty for the file as a whole. */
  readonly key: string
  /** What is wrong and what to write instead, in one sentence. */
  readonly message: string
}

/** The configuration cannot be used. Carries all problems at once; exit code 2. */
export class ConfigError extends Error {
  readonly code = 'config'
  readonly problems: readonly Problem[]
  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'))
    this.problems = problems
  }
}

/** `file:line:column: error: key: message`, the form that editors and terminals turn into a link. */
export function formatProblem(problem: Problem): string {
  const { file, line, column } = problem.position
  const key = problem.key === '' ? '' : `${problem.key}: `
  return `${file}:${line}:${column}: ${problem.severity}: ${key}${problem.message}`
}

/** A command cannot go on for a reason that its user can mend. `exitCode` is the process's. */
export class CommandError extends Error {
  readonly code = 'command'
  readonly exitCode: number
  constructor(message: string, exitCode = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

/** What is wrong with the store. `size` is our own limit, `disk_full` the disk's; `gone`: what was to be moved is not there. */
export type StorageFault =
  | 'size'
  | 'disk_full'
  | 'io'
  | 'read_only'
  | 'lost'
  | 'in_use'
  | 'corrupt'
  | 'newer'
  | 'busy'
  | 'gone'
  | 'stopped'

/** The store cannot take or give something. Requests that need it are answered 503; the message names the directory. */
export class StorageError extends Error {
  readonly code = 'storage'
  readonly fault: StorageFault
  constructor(fault: StorageFault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.fault = fault
  }
}
