/** The circuit: who may try while a destination fails. */
import t from 'tap'
import { createCircuit } from '../../src/lane/circuit.ts'

t.test('while a destination fails one try at a time goes on, and all after the first success', async (t) => {
  const circuit = createCircuit(2)
  for (let count = 0; count < 4; count++) t.equal(circuit.enter(), undefined, 'closed: all go on')
  for (let count = 0; count < 4; count++) circuit.leave(false)
  t.equal(circuit.enter(), undefined, 'the probe')
  const turns: number[] = []
  for (const number of [1, 2, 3]) void circuit.enter()?.then(() => turns.push(number))
  await null
  t.strictSame(turns, [])
  circuit.leave(false)
  await null
  t.strictSame(turns, [1], 'the next one probes')
  t.ok(circuit.enter(), 'nobody slips in between')
  circuit.leave(true)
  await null
  t.strictSame(turns, [1, 2, 3])
  t.equal(circuit.enter(), undefined)
})
