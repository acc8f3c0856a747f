/**
 * For any sequence of requests, backends' moods and limits: admitted = queued + sent + rejected + dead + lost at every
 * event, no queue passes its bound, and in the end all memory is given back.
 */
import fc from 'fast-check'
import t from 'tap'
import { createAdmission } from '../../src/lane/admission.ts'
import { createExporter, type Exporter } from '../../src/lane/exporter.ts'
import { CountedPin, createRecorder, httpConfig, parcelOf, QUEUE, RETRY, startBackend } from './support.ts'

const MOODS = ['ok', 'ok', 'partial', 'bad', 'busy', 'hang', 'reset'] as const

const step = fc.record({
  byteLength: fc.integer({ min: 1, max: 3000 }),
  pinBytes: fc.integer({ min: 0, max: 6000 }),
  items: fc.integer({ min: 1, max: 9 }),
  lane: fc.constantFrom('log', 'both'),
  mood: fc.constantFrom(...MOODS),
  pauseMs: fc.constantFrom(0, 0, 0, 1, 3),
})

const scene = fc.record({
  steps: fc.array(step, { maxLength: 30 }),
  queueBytesMax: fc.constantFrom(3000, 10_000, 1_000_000),
  onFull: fc.constantFrom('refuse', 'drop_oldest'),
  batchBytesMax: fc.constantFrom(1, 4000, 1_000_000),
  consumers: fc.constantFrom(1, 3),
  maxElapsedTimeMs: fc.constantFrom(10, 0),
  graceMs: fc.constantFrom(0, 20),
})

t.test('the ledger of an exporter balances at every event, and memory is given back', async (t) => {
  let mood: (typeof MOODS)[number] = 'ok'
  const backend = await startBackend((response) => {
    switch (mood) {
      case 'ok':
        return response.end()
      case 'partial':
        return response
          .writeHead(200, { 'content-type': 'application/json' })
          .end('{"partialSuccess":{"rejectedLogRecords":"2"}}')
      case 'bad':
        return response.writeHead(400).end()
      case 'busy':
        return response.writeHead(503).end()
      case 'hang':
        return undefined
      case 'reset':
        return response.socket?.resetAndDestroy()
    }
  })
  t.teardown(backend.close)

  await fc.assert(
    fc.asyncProperty(scene, async ({ steps, queueBytesMax, onFull, batchBytesMax, consumers, ...rest }) => {
      const exporters: Exporter[] = []
      const recorders = ['a', 'b'].map((name) => {
        const recorder = createRecorder()
        const batch = { bytesMin: 0, bytesMax: batchBytesMax, flushTimeoutMs: 2 }
        const exporter = createExporter(
          httpConfig(backend.url, {
            name,
            timeoutMs: 10,
            queue: { ...QUEUE, bytesMax: queueBytesMax, onFull, consumers, batch },
            retry: { ...RETRY, initialIntervalMs: 1, maxElapsedTimeMs: rest.maxElapsedTimeMs },
          }),
          {
            emit(event) {
              recorder.emit(event)
              const { admitted, sent, rejected, dead, lost } = recorder.totals
              const { queuedItems } = exporter.stats()
              if (admitted !== queuedItems + sent + rejected + dead + lost)
                throw new Error('does not balance')
              const { usedBytes, reservedBytes } = exporter.queue
              // While room is made for a reservation, both count.
              if (usedBytes - reservedBytes > queueBytesMax) throw new Error('passed its bound')
            },
            clock: Date.now,
            random: Math.random,
            stderr: () => {},
          },
        )
        exporters.push(exporter)
        return recorder
      })
      const [a, b] = exporters
      const admit = createAdmission(
        new Map([
          ['log', [a.queue]],
          ['both', [a.queue, b.queue]],
        ]),
      )
      const pins: CountedPin[] = []
      let admittedItems = 0
      for (const { byteLength, pinBytes, items, lane, mood: next, pauseMs } of steps) {
        mood = next
        const pin = new CountedPin(Math.max(byteLength, pinBytes))
        pins.push(pin)
        const { admitted } = await admit([parcelOf(Buffer.alloc(byteLength), { lane, items, pin })])
        if (admitted) admittedItems += lane === 'both' ? 2 * items : items
        pin.release()
        if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
      }
      await Promise.all(exporters.map((exporter) => exporter.close(rest.graceMs)))
      let settledItems = 0
      for (const { totals } of recorders) {
        settledItems += totals.sent + totals.rejected + totals.dead + totals.lost
      }
      if (settledItems !== admittedItems) throw new Error(`${settledItems} settled of ${admittedItems}`)
      if (pins.some(({ owners }) => owners !== 0)) throw new Error('memory was kept')
      for (const { queue } of exporters) {
        if (queue.usedBytes !== 0 || queue.queuedBytes !== 0) throw new Error('bytes are left over')
      }
    }),
    { numRuns: 60 },
  )
  t.pass('60 random sequences')
})
