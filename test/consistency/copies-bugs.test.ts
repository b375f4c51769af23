import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { plantedBugs } from '../../src/consistency/copies/planted-bug.js'
import type { PlantedBug } from '../../src/consistency/copies/planted-bug.js'
import { readCell, writeCell } from '../../src/testing/protocol/cells.js'
import type { CopiesWorld, CopiesWorldOptions } from './copies-world.js'
import { boundedWorld, objectsWorld, opened, releaseWorld, seenBy, written } from './copies-world.js'

/** A run that ends well, unless the protocol has the bug. */
interface Case {
  readonly make: (options: CopiesWorldOptions) => CopiesWorld
  readonly run: (world: CopiesWorld) => void
}

const cases: Readonly<Record<PlantedBug, Case>> = {
  'skip-an-update': {
    make: releaseWorld,
    run: (world) => {
      seenBy(world, 'A', 0, 0)
      written(world, 'B', 'write-shared', 0, 0, 1)
      assert.equal(seenBy(world, 'A', 0, 0), 1)
    },
  },
  'grant-before-release': {
    make: boundedWorld,
    run: (world) => {
      opened(world, 'A', 'write', 0)
      const other = world.lock('B', 'write', 0)
      world.settle()
      assert.equal(other.state, 'waiting')
    },
  },
  'acknowledge-before-holders': {
    make: releaseWorld,
    run: (world) => {
      seenBy(world, 'A', 0, 0)
      const writer = opened(world, 'B', 'write-shared', 0)
      writeCell(writer, 0, 0, 1)
      world.unlock(writer)
      world.deliverAll()
      world.endCommit()
      while (world.deliver('H', 'B'));
      if (writer.state !== 'done') return
      const reader = world.lock('A', 'read', 0)
      assert.equal(readCell(reader, 0, 0), 1)
    },
  },
  'acknowledge-before-durable': {
    make: releaseWorld,
    run: (world) => {
      const writer = opened(world, 'B', 'write-shared', 0)
      writeCell(writer, 0, 0, 1)
      world.unlock(writer)
      world.deliverAll()
      const wasDone = writer.state === 'done'
      world.crashHome(0)
      for (const child of ['A', 'B', 'C']) world.childNotices(child)
      for (const child of ['A', 'B', 'C']) world.connect(child)
      world.endGrace()
      world.settle()
      if (wasDone) assert.equal(seenBy(world, 'B', 0, 0), 1)
    },
  },
  'stale-past-bound': {
    make: boundedWorld,
    run: (world) => {
      seenBy(world, 'A', 0, 0)
      written(world, 'B', 'write', 0, 0, 1)
      world.tick(1001)
      assert.equal(seenBy(world, 'A', 0, 0), 1)
    },
  },
  'ignore-conflict': {
    make: objectsWorld,
    run: (world) => {
      opened(world, 'A', 'write', 0, 1, { tag: 'x' })
      const other = world.lock('B', 'read', 0, 1, { terms: { tag: 'x' } })
      world.settle()
      assert.equal(other.state, 'waiting')
    },
  },
  'forget-own-write': {
    make: releaseWorld,
    run: (world) => {
      const writer = opened(world, 'A', 'write-shared', 0)
      writeCell(writer, 0, 0, 1)
      world.unlock(writer)
      const reader = world.lock('A', 'read', 0)
      world.settle()
      assert.equal(readCell(reader, 0, 0), 1)
    },
  },
  'mix-moments': {
    make: boundedWorld,
    run: (world) => {
      seenBy(world, 'A', 0, 0)
      const writer = opened(world, 'B', 'write', 0, 2)
      writeCell(writer, 0, 0, 1)
      writeCell(writer, 1, 0, 1)
      world.unlock(writer)
      world.settle()
      seenBy(world, 'A', 1, 0)
      const reader = opened(world, 'A', 'read', 0, 2)
      assert.equal(readCell(reader, 0, 0), readCell(reader, 1, 0))
    },
  },
  'take-older-bytes': {
    make: boundedWorld,
    run: (world) => {
      written(world, 'B', 'write', 0, 0, 1)
      seenBy(world, 'A', 0, 0)
      world.lose('A')
      written(world, 'B', 'write', 0, 0, 2)
      world.connect('A')
      world.tick(1001)
      assert.equal(seenBy(world, 'A', 0, 0), 2)
    },
  },
}

describe('A bug planted in a protocol with copies', () => {
  for (const plantedBug of plantedBugs) {
    const { make, run } = cases[plantedBug]
    it(`is caught: ${plantedBug}`, () => {
      run(make({}))
      assert.throws(() => {
        run(make({ plantedBug }))
      })
    })
  }
})
