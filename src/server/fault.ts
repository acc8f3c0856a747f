/**
 * Says where an unexpected error came from, without its message, which may quote what was being read.
 */
const FRAMES_MAX = 4

export function describeFault(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const code = 'code' in error && typeof error.code === 'string' ? ` ${error.code}` : ''
  const frames = (error.stack ?? '')
    .split('\n')
    .filter((line) => line.startsWith('    at '))
    .slice(0, FRAMES_MAX)
    .map((line) => line.trim())
  return [`${error.name}${code}`, ...frames].join(' ')
}
