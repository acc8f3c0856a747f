/** A bag is a set: whatever comes and goes, it holds what was added and not deleted. */
import fc from 'fast-check'
import t from 'tap'
import { Bag, type Placed } from '../src/bag.ts'

interface Numbered extends Placed {
  readonly number: number
}

t.test('whatever is added and deleted, it holds the same as a Set', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(9)), { maxLength: 60 }), (steps) => {
      const members = Array.from({ length: 10 }, (_, number): Numbered => ({ number, at: -1 }))
      const bag = new Bag<Numbered>()
      const model = new Set<Numbered>()
      for (const [isAdded, number] of steps) {
        const member = members[number]
        if (!isAdded) {
          if (bag.delete(member) !== model.delete(member)) return false
        } else if (!model.has(member)) {
          bag.add(member)
          model.add(member)
        }
        const numbersOf = (all: Iterable<Numbered>) => [...all].map((one) => one.number).sort()
        if (bag.size !== model.size || `${numbersOf(bag)}` !== `${numbersOf(model)}`) return false
      }
      return true
    }),
  )
  t.pass()
})

t.test('what is deleted while one looks at all of them hides none of the others', async (t) => {
  const bag = new Bag<Numbered>()
  for (let number = 0; number < 5; number++) bag.add({ number, at: -1 })
  const seen: number[] = []
  for (const member of bag) {
    seen.push(member.number)
    bag.delete(member)
  }
  t.strictSame(seen, [0, 1, 2, 3, 4])
  t.equal(bag.size, 0)
})
