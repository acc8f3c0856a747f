/**
 * `laneway run`: starts a sidecar, says when it is ready, has it read its files again on SIGHUP, and stops it on SIGTERM
 * or SIGINT.
 *
 * A second signal ends the process at once.
 */
import { loadBeside, loadConfig } from '../config/load.ts'
import { CommandError, StorageError } from '../errors.ts'
import { createSidecar, type Sidecar } from '../sidecar.ts'
import { parseConfigOptions } from './config-options.ts'
import type { Io } from './io.ts'

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const input = { ...parseConfigOptions('run', argv), env: io.env, cwd: io.cwd }
  const config = loadConfig(input)
  const sidecar = createSidecar(config, {
    clock: Date.now,
    random: Math.random,
    stderr: io.stderr,
    load: () => loadBeside(input),
  })
  io.onReloadSignal(sidecar.reload)
  const stopAsked = untilStopSignal(io)
  const { receiver, admin } = await start(sidecar)
  io.onReady()
  io.stderr(
    `laneway ready: OTLP on ${receiver.join(', ')}; admin on ${admin.join(', ')}; config ${config.source}\n`,
  )
  await stopAsked
  await sidecar.stop()
  return 0
}

async function start(sidecar: Sidecar): ReturnType<Sidecar['start']> {
  try {
    return await sidecar.start()
  } catch (error) {
    if (error instanceof StorageError) throw new CommandError(error.message)
    if (!(error instanceof Error) || !('code' in error)) throw error
    const remedy =
      error.code === 'EADDRINUSE'
        ? 'another program listens there: stop it, or set receivers.otlp.protocols.http.endpoint and admin.endpoint'
        : 'see that the address exists on this machine and may be used'
    throw new CommandError(`cannot listen: ${error.message}; ${remedy}`)
  }
}

function untilStopSignal(io: Io): Promise<void> {
  return new Promise((resolve) => {
    let count = 0
    io.onStopSignal(() => {
      count += 1
      if (count > 1) io.exitNow(1)
      resolve()
    })
  })
}
