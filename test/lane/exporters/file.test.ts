/** The file exporter on real files. */
import { readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { FileExporterConfig } from '../../../src/config/config.ts'
import { CountedPin, enqueue, field, logsRequest, parcelOf, QUEUE, startExporter, until } from '../support.ts'

function fileConfig(path: string, rest: Partial<FileExporterConfig> = {}): FileExporterConfig {
  const position = { file: 'test', line: 1, column: 1 }
  return {
    kind: 'file',
    name: 'file/test',
    position,
    path,
    fileBytesMax: 1e6,
    backupsMax: 3,
    queue: QUEUE,
    ...rest,
  }
}

/** The bodies of the records in a file, one for each line. */
function textsIn(path: string): readonly string[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  if (lines.pop() !== '') throw new Error('the last line is torn')
  return lines.map((line) => JSON.parse(line).resourceLogs[0].scopeLogs[0].logRecords[0].body.stringValue)
}

const parcel = (text: string) => parcelOf(logsRequest(text))

t.test('every parcel is a line, in order, in a private file', async (t) => {
  const path = join(t.testdir({}), 'new/folder/lane.jsonl')
  const exporter = startExporter(fileConfig(path))
  const pin = new CountedPin(10)
  enqueue(exporter, parcel('a'), parcelOf(logsRequest('b\n"'), { pin }), parcel('c'))
  pin.release()
  await exporter.close(1000)
  t.strictSame(textsIn(path), ['a', 'b\n"', 'c'])
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.equal(statSync(join(path, '..')).mode & 0o777, 0o700)
  t.equal(pin.owners, 0)
  t.equal(exporter.recorder.totals.sent, 3)
})

t.test('what is in the file already stays, and a torn last line of ours is removed', async (t) => {
  const line = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"old"}}]}]}]}\n'
  for (const [before, after] of [
    [line, `${line}NEW`],
    [`${line}{"resourceLogs":[{"sc`, `${line}NEW`],
    ['{"resourceLogs":[{"sc', 'NEW'],
    [`${line}{"x":"${'y'.repeat(200_000)}`, `${line}NEW`],
    ['not ours', 'not ours\nNEW'],
    ['', 'NEW'],
  ]) {
    const path = join(t.testdir({ file: before }), 'file')
    const exporter = startExporter(fileConfig(path))
    enqueue(exporter, parcel('new'))
    await exporter.close(1000)
    t.equal(readFileSync(path, 'utf8'), after.replace('NEW', line.replace('old', 'new')))
  }
})

t.test('a file is rotated before the line that would pass its size, and backups are bounded', async (t) => {
  const dir = t.testdir({})
  const path = join(dir, 'lane.jsonl')
  const lineBytes = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"0"}}]}]}]}\n'
    .length
  const exporter = startExporter(fileConfig(path, { fileBytesMax: 2 * lineBytes, backupsMax: 2 }))
  enqueue(exporter, ...[...'0123456'].map(parcel))
  await exporter.close(1000)
  t.strictSame(readdirSync(dir).sort(), ['lane.jsonl', 'lane.jsonl.1', 'lane.jsonl.2'])
  t.strictSame(
    ['', '.1', '.2'].map((suffix) => textsIn(path + suffix)),
    [['6'], ['4', '5'], ['2', '3']],
  )
})

t.test('without backups a full file starts anew', async (t) => {
  const dir = t.testdir({})
  const path = join(dir, 'lane.jsonl')
  const exporter = startExporter(fileConfig(path, { fileBytesMax: 1, backupsMax: 0 }))
  enqueue(exporter, parcel('a'), parcel('b'))
  await exporter.close(1000)
  t.strictSame(readdirSync(dir), ['lane.jsonl'])
  t.strictSame(textsIn(path), ['b'])
})

t.test('a path that cannot be written is retried, and said with the remedy', async (t) => {
  const path = join(t.testdir({ taken: {} }), 'taken')
  const exporter = startExporter(fileConfig(path))
  enqueue(exporter, parcel('a'))
  await until(() => exporter.stats().down)
  const [{ detail }] = exporter.recorder.of('backend_down')
  t.match(detail, `cannot write ${path}: EISDIR; \`path\` must be a file`)
  rmSync(path, { recursive: true })
  await until(() => exporter.recorder.totals.sent === 1)
  t.strictSame(textsIn(path), ['a'])
  t.equal(exporter.recorder.of('backend_up').length, 1)
  await exporter.close(0)
})

t.test('a full disk is waited for', { skip: process.platform !== 'linux' }, async (t) => {
  const exporter = startExporter(fileConfig('/dev/full'))
  enqueue(exporter, parcel('a'))
  await until(() => exporter.stats().down)
  t.match(exporter.recorder.of('backend_down')[0].detail, 'cannot write /dev/full: ENOSPC; free some space')
  await exporter.close(0)
  t.equal(exporter.recorder.totals.lost, 1)
})

t.test('a file that somebody moved away is made again', async (t) => {
  const path = join(t.testdir({}), 'lane.jsonl')
  let nowMs = 1e6
  const exporter = startExporter(fileConfig(path), { clock: () => nowMs })
  enqueue(exporter, parcel('a'))
  await until(() => exporter.recorder.totals.sent === 1)
  renameSync(path, `${path}.moved`)
  nowMs += 1000
  enqueue(exporter, parcel('b'))
  await exporter.close(1000)
  t.strictSame(textsIn(`${path}.moved`), ['a'])
  t.strictSame(textsIn(path), ['b'])
})

t.test('a parcel that cannot be written as JSON is dead, the others are written', async (t) => {
  const path = join(t.testdir({}), 'lane.jsonl')
  const exporter = startExporter(fileConfig(path))
  enqueue(
    exporter,
    parcel('a'),
    parcelOf(field(1, field(2, field(2, Buffer.from([0x2a, 0x7f]))))),
    parcel('b'),
  )
  await exporter.close(1000)
  t.match(exporter.recorder.totals, { sent: 2, dead: 1 })
  t.strictSame(textsIn(path), ['a', 'b'])
})
