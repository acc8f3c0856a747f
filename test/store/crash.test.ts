/** Killed at any moment, the store holds every parcel that it acknowledged; and no acknowledgement precedes its sync. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { RECORD_HEAD_BYTES, readRecordHead } from '../../src/store/journal-record.ts'
import { copyStore, newStore, numbersIn, storeFilesIn } from './support.ts'

const appender = fileURLToPath(new URL('./appender.ts', import.meta.url))
const killsMax = 20

interface Killed {
  readonly acknowledged: readonly number[]
}

async function appendAndKill(
  directory: string,
  sizes: { size: number; appenders: number; ms: number },
): Promise<Killed> {
  const args = [appender, directory, String(sizes.size), String(sizes.appenders)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  await once(child.stdout, 'data')
  await delay(sizes.ms)
  child.kill('SIGKILL')
  await once(child, 'close')
  return { acknowledged: text.split('\n').slice(0, -1).map(Number) }
}

t.test(
  `killed ${killsMax} times under load, all that was acknowledged and not settled is there`,
  async (t) => {
    const directory = t.testdir()
    for (let kill = 0; kill < killsMax; kill++) {
      const size = kill % 4 === 3 ? 200_000 : 12_000
      const appenders = [1, 8, 32][kill % 3]
      const { acknowledged } = await appendAndKill(directory, { size, appenders, ms: Math.random() * 60 })
      const store = newStore(t, directory)
      const [{ parcels, queued, settled, lastId }] = await store.open()
      const numbers = await numbersIn(store, 'a')
      const found = new Set(numbers)
      const missing = acknowledged.filter((number) => !found.has(number))
      if (missing.length > 0) t.fail(`kill ${kill}: ${missing.length} of ${acknowledged.length} are missing`)
      if (numbers.includes(Number.NaN)) t.fail(`kill ${kill}: bytes are not what was appended`)
      if (parcels !== numbers.length || queued.items !== numbers.length)
        t.fail('the account does not balance')
      if (settled.sent.items === 0 && lastId > 3000) t.fail('nothing was settled')
      // Emptied for the next round: numbers begin anew with each process.
      const range = { exporter: 'a', after: 0, through: lastId, bytesMax: 1 }
      for (let parcel = await store.load(range); parcel.length > 0; ) {
        const { id } = parcel[0]
        const amounts = [{ outcome: 'sent', items: 1, bytes: 0 }] as const
        store.settle({ exporter: 'a', ids: [id], amounts, death: undefined })
        parcel = await store.load({ ...range, after: id })
      }
      await store.close()
    }
    t.pass()
  },
)

t.test('every acknowledgement comes behind a sync that began after its bytes were written', async (t) => {
  if (spawnSync('strace', ['-V']).error !== undefined) {
    t.pass('there is no strace here')
    return
  }
  const directory = t.testdir()
  const trace = join(directory, 'trace')
  const syscalls = 'trace=pwrite64,pwritev,write,fsync,fdatasync,openat'
  const child = spawn(
    'strace',
    [
      '-f',
      '-y',
      '-s',
      '16',
      '-e',
      syscalls,
      '-o',
      trace,
      process.execPath,
      appender,
      directory,
      '12000',
      '1',
      // Settlements are written between an acknowledgement and its line: they would look like its bytes.
      '0',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  while (text.split('\n').length < 100) await once(child.stdout, 'data')
  const [pid] = readFileSync(trace, 'utf8').match(/^\d+/) ?? []
  process.kill(Number(pid), 'SIGKILL')
  await once(child, 'close')
  let state: 'synced' | 'written' | 'syncing' = 'written'
  let syncingBy = ''
  let acknowledged = 0
  for (const line of readFileSync(trace, 'utf8').split('\n')) {
    const [thread] = line.split(' ', 1)
    if (/pwrite(?:64|v)\(\d+<[^>]*laneway\.(?:db-wal|journal-\d)>/.test(line)) state = 'written'
    if (/\bf(?:data)?sync\(\d+<[^>]*laneway\.(?:db-wal|journal-\d)>/.test(line)) {
      state = line.includes('unfinished') ? 'syncing' : 'synced'
      syncingBy = thread
    } else if (/<\.\.\. f(?:data)?sync resumed>/.test(line) && thread === syncingBy && state === 'syncing') {
      state = 'synced'
    }
    // One appender: what is acknowledged now is the last that was written.
    if (/write\(1<[^>]*>, "\d+\\n"/.test(line)) {
      acknowledged++
      if (state !== 'synced') t.fail(`acknowledged while ${state}: ${line}`)
    }
  }
  t.ok(acknowledged > 50, `${acknowledged} acknowledgements`)
})

t.test(
  'a journal whose last write was torn anywhere opens, and holds every parcel that was acknowledged before it',
  async (t) => {
    const directory = t.testdir({ copy: {} })
    const { acknowledged } = await appendAndKill(directory, { size: 12_000, appenders: 8, ms: 50 })
    const journals = storeFilesIn(directory).filter((name) => name.includes('journal'))
    t.equal(journals.length, 1, 'so little is in one file')
    const [journal] = journals
    const whole = readFileSync(join(directory, journal))
    const ends = recordEnds(whole)
    t.ok(ends.length > 3, `${ends.length} records`)
    const copy = join(directory, 'copy')
    for (const [cut, at] of [
      ['nothing is torn', whole.length],
      ['its last byte', (ends.at(-1) ?? 0) - 1],
      ['its bodies', (ends.at(-2) ?? 0) + 2000],
      ['its head', (ends.at(-2) ?? 0) + 40],
      ['all of it', ends.at(-2) ?? 0],
    ] as const) {
      copyStore(directory, copy)
      // What was there before the write: zeros, or an older segment.
      writeFileSync(join(copy, journal), Buffer.from(whole).fill(cut === 'its bodies' ? 0x5a : 0, at))
      const store = newStore(t, copy)
      await store.open()
      const numbers = await numbersIn(store, 'a')
      await store.close()
      t.same(store.events, [], 'a journal that ends early is no damage')
      t.notOk(numbers.includes(Number.NaN), 'what is there is whole')
      const found = new Set(numbers)
      const missing = acknowledged.filter((number) => !found.has(number)).length
      if (at === whole.length) t.equal(missing, 0, cut)
      else t.ok(missing <= 32, `${cut}: only what the last record held is missing`)
      t.ok(numbers.length > 0)
    }
  },
)

/** Where each record of a journal's first segment ends. */
function recordEnds(bytes: Buffer): readonly number[] {
  const ends: number[] = []
  for (let at = 0; ; ) {
    const head = readRecordHead(bytes.subarray(at))
    if (head === undefined || head.index !== ends.length) return ends
    at += RECORD_HEAD_BYTES + head.headBytes + head.bodyBytes
    ends.push(at)
  }
}
