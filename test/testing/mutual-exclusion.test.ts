import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findConflict } from '../../src/testing/protocol/mutual-exclusion.js'
import type { Held } from '../../src/testing/protocol/mutual-exclusion.js'

function held(name: string, claim: 'read' | 'write', from: number, until: number): Held<string> {
  return { name, claim, from, until }
}

const readersAndWriters = (a: string, b: string): boolean => a === 'write' || b === 'write'

test('those that conflict are never held at once', () => {
  const one = held('one', 'write', 0, 4)
  const two = held('two', 'read', 3, 6)
  assert.deepEqual(findConflict([two, one], readersAndWriters), [one, two])
  assert.equal(
    findConflict([held('one', 'write', 0, 3), held('two', 'read', 4, 6)], readersAndWriters),
    undefined,
  )
})

test('those that do not conflict may be', () => {
  assert.equal(
    findConflict([held('one', 'read', 0, 9), held('two', 'read', 3, 6)], readersAndWriters),
    undefined,
  )
})

test('one that never ends is in the way of all later ones, however short those between were', () => {
  const first = held('first', 'read', 0, Infinity)
  const last = held('last', 'write', 9, 10)
  assert.deepEqual(findConflict([first, held('short', 'read', 2, 3), last], readersAndWriters), [first, last])
})
