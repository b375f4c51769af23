import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CrewScript } from './crew-script.js'

const three = [
  { name: 'H' },
  { name: 'A', parent: 'H' },
  { name: 'B', parent: 'H' },
  { name: 'C', parent: 'H' },
]

/** Gives the page to the site exclusively, durable, with nothing left to do. */
function own(script: CrewScript, name: string, page = 0): void {
  const section = script.lock(name, 'write', page)
  script.run()
  script.unlock(section)
  script.finish()
  assert.equal(section.state, 'done')
}

test('a recall that names the next holder goes after the grant that it follows', () => {
  const script = new CrewScript(three)
  const home = script.lock('H', 'write', 0)
  const first = script.lock('A', 'write', 0)
  const second = script.lock('B', 'write', 0)
  script.run()
  script.unlock(home)
  script.finish()
  script.unlock(first)
  script.finish()
  assert.equal(second.state, 'open')
})

test('a reader that is recalled while it asks to write is not given the page before it has obeyed', () => {
  const script = new CrewScript(three)
  own(script, 'A')
  const reader = script.lock('B', 'read', 0)
  script.run()
  script.unlock(reader)
  // Both readers now want to write. A is first: B is recalled, and its question is already there.
  const first = script.lock('A', 'write', 0)
  const second = script.lock('B', 'write', 0)
  script.arrive('A', 'H')
  script.arrive('B', 'H')
  script.finish()
  script.unlock(first)
  script.finish()
  assert.equal(second.state, 'open')
})

test('a token from a sibling does not overtake the news that a commit failed', () => {
  const script = new CrewScript(three)
  own(script, 'B')
  // B writes, and gives the page up to A before its commit is durable. Then it wants it back.
  const failing = script.lock('B', 'write', 0)
  script.unlock(failing)
  const other = script.lock('A', 'write', 0)
  script.run()
  const again = script.lock('B', 'write', 0)
  script.arrive('B', 'H')
  // The commit fails: B is told, slowly. A gets the page meanwhile, and hands it to B.
  script.fail()
  script.arrive('H', 'A')
  script.arrive('H', 'A')
  script.release(other)
  script.arrive('A', 'B')
  script.finish()
  assert.equal(failing.state, 'failed')
  assert.equal(again.state, 'open')
  const last = script.lock('C', 'write', 0)
  script.unlock(again)
  script.finish()
  assert.equal(last.state, 'open')
})

test('an order to hand a page over, overtaken by a later token of the same page, harms nobody', () => {
  const script = new CrewScript(three)
  own(script, 'B')
  // B is told to hand the page to C, but has just given it up of its own accord.
  const wanting = script.lock('C', 'write', 0)
  script.arrive('C', 'H')
  script.evict('B', 0)
  script.arrive('B', 'H')
  script.arrive('H', 'C')
  script.release(wanting)
  // B wants it again, and C hands it over while the old order still travels.
  const again = script.lock('B', 'write', 0)
  script.arrive('B', 'H')
  script.arrive('H', 'C')
  script.arrive('C', 'B')
  if (again.state === 'open') script.release(again)
  while (script.isOnItsWay('B', 'H')) script.arrive('B', 'H')
  // Now A wants it: B gets the old order first.
  const next = script.lock('A', 'write', 0)
  script.arrive('A', 'H')
  script.finish()
  assert.equal(next.state, 'open')
})
