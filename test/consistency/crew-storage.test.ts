import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PageIndex } from '../../src/address/page.js'
import { CrewScript } from './crew-script.js'

const two = [{ name: 'H' }, { name: 'A', parent: 'H' }]

test('a lock over pages of which some have no storage is refused, and spoils no other that asks for the rest', () => {
  const script = new CrewScript(two)
  script.network.disk.free(1 as PageIndex, 'zeros')
  const tooLong = script.lock('A', 'write', 0, 2)
  const good = script.lock('A', 'write', 0)
  script.finish()
  assert.equal(tooLong.state, 'failed')
  assert.equal(good.state, 'open')
})

test('a lock that waits at a low page is refused when a higher page of it loses its storage', () => {
  const script = new CrewScript(two)
  const holder = script.lock('H', 'write', 0)
  const waiting = script.lock('H', 'write', 0, 2)
  const elsewhere = script.lock('A', 'write', 0, 2)
  script.run()
  // A waits for page 0 and has page 1 already: freeing takes it back.
  script.free(1)
  script.unlock(holder)
  script.finish()
  assert.equal(waiting.state, 'failed')
  assert.equal(elsewhere.state, 'failed')
})

test('freed pages read as zeros once they have storage again, wherever old copies are', () => {
  const script = new CrewScript(two)
  const writer = script.lock('A', 'write', 0)
  script.run()
  script.unlock(writer)
  script.finish()
  script.free(0)
  script.network.disk.allocateAll()
  const reader = script.lock('A', 'read', 0)
  script.finish()
  assert.deepEqual([...reader.seen.values()], ['zeros of p0'])
})
