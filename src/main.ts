#!/usr/bin/env node
/**
 * The process edge: arguments, environment, signals and exit codes. The only file that touches `process`.
 *
 * It must load on any Node, to say which one is needed; so it imports the rest only after looking.
 */
import { writeSync } from 'node:fs'
import * as nodeModule from 'node:module'

const nodeMajorMin = 24

async function main(): Promise<number> {
  if (Number.parseInt(process.versions.node, 10) < nodeMajorMin) {
    process.stderr.write(
      `laneway needs Node ${nodeMajorMin} or newer and this is ${process.version}: install it, or run \`npx node@${nodeMajorMin}\` with this file\n`,
    )
    return 1
  }
  nodeModule.enableCompileCache()
  const { holdNewSpace, letNewSpaceGrow } = await import('./cli/new-space.ts')
  holdNewSpace()
  const { runCommandLine } = await import('./cli/command-line.ts')
  return runCommandLine(process.argv.slice(2), {
    stdout: (text) => writeWhole(1, text),
    stderr: (text) => writeWhole(2, text),
    stdin: () => process.stdin,
    env: process.env,
    cwd: process.cwd(),
    onStopSignal: (listener) => {
      process.on('SIGTERM', listener)
      process.on('SIGINT', listener)
    },
    onReloadSignal: (listener) => {
      process.on('SIGHUP', listener)
    },
    onReady: () => {
      letNewSpaceGrow()
      // Node would write it at exit, which a process that is killed never reaches.
      nodeModule.flushCompileCache()
    },
    exitNow: (code) => process.exit(code),
  })
}

/** Writes before it returns, so that nothing is lost at exit; a pipe that nobody reads is no reason to die. */
function writeWhole(descriptor: number, text: string): void {
  let rest = Buffer.from(text)
  for (let tries = 0; rest.length > 0 && tries < 1000; tries++) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest))
    } catch (error) {
      const isBusy = error instanceof Error && 'code' in error && error.code === 'EAGAIN'
      if (!isBusy) return
    }
  }
}

process.exitCode = await main()
