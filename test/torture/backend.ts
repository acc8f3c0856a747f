/**
 * The sink's process, as the harness holds it: started, told how to behave, killed, started again on its port.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { SinkMode } from './sink.ts'

export interface SinkBackend {
  readonly port: number
  setMode(mode: SinkMode): Promise<void>
  /** SIGKILL, with requests in hand; the same port is taken again. Written into the journal. */
  restart(): Promise<void>
  arrivals(): readonly Arrival[]
  stop(): Promise<void>
}

/** One line of the journal; `killed`: the sink was, and may not have answered what it wrote down just before. */
export interface Arrival {
  readonly life: number
  readonly exporter: string
  readonly answer: 'answered' | 'cut' | 'killed'
  readonly ids: readonly number[]
}

const sinkFile = fileURLToPath(new URL('./sink.ts', import.meta.url))

export async function startSinkBackend(journal: string): Promise<SinkBackend> {
  let sink = await startSink(journal, 0)
  const { port } = sink

  async function stop(): Promise<void> {
    if (sink.child.exitCode !== null || sink.child.signalCode !== null) return
    const ended = once(sink.child, 'exit')
    sink.child.kill('SIGKILL')
    await ended
  }

  return {
    port,
    async setMode(mode) {
      await (await fetch(`http://127.0.0.1:${port}/mode/${mode}`, { method: 'PUT' })).arrayBuffer()
    },
    async restart() {
      await stop()
      appendFileSync(journal, '0 - killed \n')
      sink = await startSink(journal, port)
    },
    arrivals: () => readJournal(journal),
    stop,
  }
}

async function startSink(
  journal: string,
  port: number,
): Promise<{ readonly child: ReturnType<typeof fork>; readonly port: number }> {
  const child = fork(sinkFile, [journal, String(port)], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  const said = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (data: Buffer) => resolve(data.toString()))
    child.once('exit', (code) => reject(new Error(`the sink ended with ${code}`)))
  })
  return { child, port: Number(said) }
}

function readJournal(journal: string): readonly Arrival[] {
  return readFileSync(journal, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [life, exporter, answer, ids] = line.split(' ')
      return {
        life: Number(life),
        exporter,
        answer: answer === 'cut' || answer === 'killed' ? answer : 'answered',
        ids: ids === '' ? [] : ids.split(',').map(Number),
      }
    })
}
