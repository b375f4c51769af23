import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { presets } from '../../src/address/consistency-vector.js'
import { eventual } from '../../src/consistency/eventual/eventual.js'
import { readCell, writeCell } from '../../src/testing/protocol/cells.js'
import { largerStands } from '../../src/testing/protocol/protocol-claims.js'
import { ProtocolWorld } from '../../src/testing/protocol/protocol-world.js'
import type { WorldOptions } from '../../src/testing/protocol/world-options.js'
import type { EventualMessage } from '../../src/consistency/eventual/message.js'
import { assertGolden } from '../testing/golden-transcript.js'
import { wordsOfEventual } from './eventual-words.js'

/** Two sites and a home, whose clocks began with the stamps, so that these are small. */
function worldOf(options: Partial<WorldOptions<EventualMessage>> = {}): ProtocolWorld<EventualMessage> {
  return new ProtocolWorld({
    protocol: eventual,
    children: ['A', 'B'],
    attributes: { consistency: presets.eventual },
    words: wordsOfEventual,
    ...options,
  })
}

/** The site has the page already. Not written down. */
function prepare(world: ProtocolWorld<EventualMessage>, ...sites: readonly string[]): void {
  for (const site of sites) {
    const section = world.lock(site, 'read', 0)
    world.settle()
    world.unlock(section)
  }
  world.log.length = 0
}

function write(world: ProtocolWorld<EventualMessage>, site: string, cell: number, value: number): void {
  const section = world.lock(site, 'write', 0)
  writeCell(section, 0, cell, value)
  world.unlock(section)
}

function seenAt(world: ProtocolWorld<EventualMessage>, site: string, cell: number): number {
  const section = world.lock(site, 'read', 0)
  const value = readCell(section, 0, cell)
  world.unlock(section)
  return value
}

describe('The conversations of eventual consistency', () => {
  it('eventual-apart: two sites write while apart, and the later write stands', () => {
    const world = worldOf()
    prepare(world, 'A', 'B')
    world.say('A cannot reach the home. It goes on with the copy that it has: no lock asks anybody.')
    world.lose('A')
    write(world, 'A', 0, 1)
    world.say(
      'B writes the same page, and then once more. What it wrote is done at once, and goes home as it is.',
    )
    write(world, 'B', 0, 2)
    world.settle()
    write(world, 'B', 0, 3)
    world.settle()
    world.say('A is back. It pushes what it wrote. The home has a later write, and sends that instead.')
    world.connect('A')
    world.settle()
    world.say('All have what B wrote last.')
    for (const site of ['A', 'B', 'H']) assert.equal(seenAt(world, site, 0), 3)
    assertGolden('eventual-apart', world)
  })

  it('eventual-merge: two sites write at one time, and the application makes one page of both', () => {
    const world = worldOf({ merge: largerStands })
    prepare(world, 'A', 'B')
    world.say('A and B write, neither having seen the other. The region names a merge function.')
    write(world, 'A', 0, 1)
    write(world, 'B', 1, 2)
    world.say(`A's page was made from what the home has, and is kept as it is. B's was not: the home merges it into what it
      has by then, and B gets what came of it.`)
    world.settle()
    for (const site of ['A', 'B', 'H']) {
      assert.deepEqual([seenAt(world, site, 0), seenAt(world, site, 1)], [1, 2])
    }
    assertGolden('eventual-merge', world)
  })

  it('eventual-full-disk: what the home cannot store stays where it was written, and is pushed again', () => {
    const world = worldOf()
    prepare(world, 'A', 'B')
    world.say(
      'The home has no room for what A wrote. It says so; A keeps the page, and B does not hear of it.',
    )
    write(world, 'A', 0, 1)
    world.deliverAll()
    world.failCommit()
    world.settle()
    assert.equal(seenAt(world, 'B', 0), 0)
    assert.equal(world.evict('A', 0), false)
    world.say('A while later A tries again.')
    world.settleFor(300)
    assert.equal(seenAt(world, 'B', 0), 1)
    assertGolden('eventual-full-disk', world)
  })
})
