import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCell, writeCell } from '../../src/testing/protocol/cells.js'
import { ProtocolWorld } from '../../src/testing/protocol/protocol-world.js'
import { transcriptOf } from '../../src/testing/protocol/world-log.js'
import { toyWith } from './toy-protocol.js'

test('a section at one site sees what one at another wrote', () => {
  const world = new ProtocolWorld({ protocol: toyWith(undefined) })
  const writer = world.lock('A', 'write', 1)
  world.settle()
  writeCell(writer, 1, 2, 7)
  world.unlock(writer)
  world.settle()
  assert.equal(writer.state, 'done')
  const reader = world.lock('B', 'read', 1)
  world.settle()
  assert.equal(readCell(reader, 1, 2), 7)
  world.unlock(reader)
  assert.equal(
    transcriptOf(world),
    `A: lock write p1
A -> H: ask id=1 first=1 count=1
H: load p1
H -> A: granted id=1 +p1
A: apply to p1
A: the lock is granted (1)
A: unlock p1
A -> H: commit id=1 pages=[1] +patch(6B)
A: drop p1
H: persist c2 p1@v1
H: (the disk is done)
H -> A: committed id=1
A: the write of p1 is done
B: lock read p1
B -> H: ask id=1 first=1 count=1
H: load p1
H -> B: granted id=1 +p1
B: apply to p1
B: the lock is granted (1)
B: unlock p1
B: drop p1
B -> H: release id=1
`,
  )
  assert.deepEqual(
    [...world.counts()],
    [
      ['ask', 2],
      ['granted', 2],
      ['commit', 1],
      ['committed', 1],
    ]
      .slice(0, 4)
      .concat([['release', 1]]),
  )
})
