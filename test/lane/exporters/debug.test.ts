/** The debug exporter says counts and names, never content. */
import t from 'tap'
import { enqueue, logsRequest, parcelOf, QUEUE, startExporter } from '../support.ts'

t.test('every parcel is a line of counts', async (t) => {
  const written: string[] = []
  const position = { file: 'test', line: 1, column: 1 }
  const exporter = startExporter(
    { kind: 'debug', name: 'debug', position, queue: QUEUE },
    { stderr: (text) => written.push(text) },
  )
  const request = logsRequest('secret')
  enqueue(exporter, parcelOf(request, { items: 3 }), parcelOf(request, { signal: 'traces', lane: 'trace' }))
  await exporter.close(100)
  t.equal(
    written.join(''),
    `debug lane=log signal=logs items=3 bytes=${request.byteLength}\ndebug lane=trace signal=traces items=1 bytes=${request.byteLength}\n`,
  )
  t.equal(exporter.recorder.totals.sent, 4)
})
