import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { eventual, eventualWith } from '../../src/consistency/eventual/eventual.js'
import { stampEpochMs, stampsPerMs } from '../../src/consistency/eventual/hybrid-clock.js'
import type { EventualMessage } from '../../src/consistency/eventual/message.js'
import type { EventualBug } from '../../src/consistency/eventual/planted-bug.js'
import type { PageIndex } from '../../src/address/page.js'
import { readCell, writeCell } from '../../src/testing/protocol/cells.js'
import type { ProtocolClaims } from '../../src/testing/protocol/protocol-claims.js'
import { runProtocolSeed } from '../../src/testing/protocol/protocol-run.js'
import { ProtocolWorld } from '../../src/testing/protocol/protocol-world.js'
import { runProtocolTests } from '../../src/testing/protocol/run-protocol-tests.js'

const claims: ProtocolClaims = {
  reads: 'eventual',
  writes: 'local',
  unlockMeans: 'accepted',
  hits: ['read', 'write', 'write-shared'],
}
const merging: ProtocolClaims = { ...claims, merge: true }
const steps = 150

describe('eventual, where the last writer wins', () => {
  runProtocolTests({ describe, it }, eventual, claims, { seeds: 150 })
})

describe('eventual, where the application merges', () => {
  runProtocolTests({ describe, it }, eventual, merging, { seeds: 150 })
})

describe('What each planted bug would break', () => {
  const broken: Readonly<Record<EventualBug, (world: ProtocolWorld<EventualMessage>) => void>> = {
    // B's write comes to A while A's own, which is later, is on its way.
    'lower-stamp-wins': (world) => {
      write(world, 'B', 1)
      world.deliver('B', 'H')
      world.endCommit()
      world.endLoad()
      write(world, 'A', 2)
      world.deliver('H', 'A')
    },
    'forget-a-holder': (world) => {
      write(world, 'H', 2)
    },
    'drop-a-dirty-page': (world) => {
      world.lose('A')
      write(world, 'A', 2)
      world.evict('A', 0)
      world.connect('A')
    },
    'no-sync-after-loss': (world) => {
      world.lose('A')
      write(world, 'B', 2)
      world.settle()
      world.connect('A')
    },
  }
  for (const [bug, play] of Object.entries(broken)) {
    it(`${bug}: a site is left without the last write`, () => {
      const seenWith = (planted: EventualBug | undefined): number[] => {
        const world = worldWith({ A: 1000, B: 0 }, planted)
        play(world)
        world.settle()
        return seenEverywhere(world)
      }
      assert.deepEqual(seenWith(undefined), [2, 2, 2])
      assert.notDeepEqual(seenWith(bug as EventualBug), [2, 2, 2])
    })
  }

  it('random runs find it where a holder is forgotten, or nothing is compared after a loss', () => {
    for (const bug of ['forget-a-holder', 'no-sync-after-loss'] as const) {
      assert.throws(() => {
        for (let seed = 0; seed < 60; seed++) runProtocolSeed(eventualWith(bug), claims, seed, steps)
      }, /converge/)
    }
  })
})

describe('Eventual consistency', () => {
  it('orders two writes by what their authors had seen, whatever their clocks say', () => {
    const hour = 3_600_000
    const world = worldWith({ A: 9 * hour, B: -9 * hour })
    write(world, 'A', 1)
    world.settle()
    write(world, 'B', 2)
    world.settle()
    assert.deepEqual(seenEverywhere(world), [2, 2, 2])
  })

  it('lets no site win for years because its clock is wrong for a moment', () => {
    const year = 366 * 86_400_000
    const world = worldWith({ A: 10 * year, B: 0 })
    write(world, 'A', 1)
    world.settle()
    assert.ok(world.storage.versionOf(0 as PageIndex) < 86_400_000 * stampsPerMs)
    world.lose('B')
    write(world, 'B', 2)
    world.connect('B')
    world.settle()
    assert.deepEqual(seenEverywhere(world), [2, 2, 2])
  })

  it('says how fresh a copy is: as of when it was asked for', () => {
    const world = worldWith({})
    world.tick(1000)
    const section = world.lock('A', 'read', 0)
    world.tick(50)
    world.settle()
    world.unlock(section)
    assert.equal(world.site('A').manager.inspect(0 as PageIndex).freshAt, world.site('A').now - 50)
    assert.equal(world.home.manager.inspect(0 as PageIndex).freshAt, undefined)
  })

  it('sends a page that is written again and again only as often as it is taken', () => {
    const world = worldWith({})
    read(world, 'B')
    for (let value = 1; value <= 100; value++) write(world, 'A', value)
    assert.equal(world.inFlight('A', 'H'), 1)
    world.settle()
    assert.deepEqual(seenEverywhere(world), [100, 100, 100])
    assert.ok((world.counts().get('push') ?? 0) <= 2)
  })

  it('does not let who writes at the home without pause keep the page from others', () => {
    const world = worldWith({})
    read(world, 'A')
    let open = world.lock('H', 'write', 0)
    for (let value = 1; value <= 50; value++) {
      world.deliverAll()
      if (open.state === 'open') {
        writeCell(open, 0, 0, value)
        world.unlock(open)
        open = world.lock('H', 'write', 0)
      }
      world.endLoad()
      world.endCommit()
    }
    assert.ok((world.counts().get('update') ?? 0) > 10)
  })

  it('drops a page that was freed, with what was written to it', () => {
    const world = worldWith({})
    read(world, 'A')
    world.lose('A')
    write(world, 'A', 7)
    const seizure = world.seize(0)
    world.settle()
    world.free(seizure)
    world.connect('A')
    world.settle()
    assert.equal(world.site('A').frames.size, 0)
    const refused = world.lock('A', 'read', 0)
    world.settle()
    assert.equal(refused.failure?.code, 'not-allocated')
  })

  it('keeps what was accepted at a home without room, and stores it when there is some', () => {
    const world = worldWith({})
    write(world, 'H', 5)
    world.failCommit()
    assert.equal(world.evict('H', 0), false)
    assert.equal(world.storage.versionOf(0 as PageIndex), 0)
    world.settleFor(300)
    assert.ok(world.storage.versionOf(0 as PageIndex) > 0)
    assert.deepEqual(seenEverywhere(world), [5, 5, 5])
  })
})

/** A, B and the home, all at the beginning of stamps, but for what their wall clocks are wrong by. */
function worldWith(
  offsets: Readonly<Record<string, number>>,
  bug?: EventualBug,
): ProtocolWorld<EventualMessage> {
  const wallOfWorld = 1_700_000_000_000
  const world = new ProtocolWorld({
    protocol: eventualWith(bug),
    children: ['A', 'B'],
    clocks: (site) => ({ offsetMs: 0, wallOffsetMs: stampEpochMs - wallOfWorld + (offsets[site] ?? 0) }),
  })
  for (const site of ['A', 'B']) if (site in offsets) read(world, site)
  return world
}

function read(world: ProtocolWorld<EventualMessage>, site: string): number {
  const section = world.lock(site, 'read', 0)
  world.settle()
  const value = readCell(section, 0, 0)
  world.unlock(section)
  return value
}

function write(world: ProtocolWorld<EventualMessage>, site: string, value: number): void {
  const section = world.lock(site, 'write', 0)
  if (section.state !== 'open') world.settle()
  writeCell(section, 0, 0, value)
  world.unlock(section)
}

function seenEverywhere(world: ProtocolWorld<EventualMessage>): number[] {
  return world.sites.map(({ name }) => read(world, name))
}
