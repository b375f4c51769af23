import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkAttributes } from '../../src/address/attributes.js'
import type { SiteId } from '../../src/address/identity.js'
import type { PageIndex, Version } from '../../src/address/page.js'
import { eventual } from '../../src/consistency/eventual/eventual.js'
import { readCell, writeCell } from '../../src/testing/protocol/cells.js'
import { boundedWorld, objectsWorld, opened, releaseWorld, seenBy, written } from './copies-world.js'
import type { CopiesWorld } from './copies-world.js'
import { CrewScript } from './crew-script.js'

/** Bytes of pages that come with what the home says to the child from now on. */
function bytesTo(world: CopiesWorld, name: string): () => number {
  const from = world.sent.length
  return () =>
    world.sent.slice(from).reduce((sum, { to, parcelBytes }) => sum + (to === name ? parcelBytes : 0), 0)
}

function restartHome(world: CopiesWorld): void {
  world.crashHome(0, 'new-reign')
  for (const child of ['A', 'B', 'C']) world.childNotices(child)
  for (const child of ['A', 'B', 'C']) world.connect(child)
  world.endGrace()
  world.settle()
}

describe('copies under a home that begins a new reign', () => {
  for (const [name, make] of [
    ['release', releaseWorld],
    ['bounded', boundedWorld],
    ['objects', objectsWorld],
  ] as const) {
    it(`are not sent again where nothing was written, however many reigns begin: ${name}`, () => {
      const world = make({})
      written(world, 'B', 'write', 0, 0, 1)
      assert.equal(seenBy(world, 'A', 0, 0), 1)
      assert.equal(seenBy(world, 'A', 1, 0), 0)
      for (let reign = 0; reign < 3; reign++) {
        restartHome(world)
        world.tick(2000)
        const bytes = bytesTo(world, 'A')
        assert.equal(seenBy(world, 'A', 0, 0), 1)
        assert.equal(seenBy(world, 'A', 1, 0), 0)
        assert.equal(bytes(), 0)
      }
      written(world, 'B', 'write', 0, 0, 2)
      world.tick(2000)
      assert.equal(seenBy(world, 'A', 0, 0), 2)
    })

    it(`are sent where something was: ${name}`, () => {
      const world = make({})
      written(world, 'B', 'write', 0, 0, 1)
      seenBy(world, 'A', 0, 0)
      world.lose('A')
      restartHome(world)
      world.lose('A')
      written(world, 'B', 'write', 0, 0, 2)
      world.connect('A')
      world.tick(2000)
      const bytes = bytesTo(world, 'A')
      assert.equal(seenBy(world, 'A', 0, 0), 2)
      assert.equal(bytes(), world.pageSize)
    })

    it(`are sent where the page was freed meanwhile, and has storage again: ${name}`, () => {
      const world = make({})
      written(world, 'B', 'write', 0, 0, 1)
      seenBy(world, 'A', 0, 0)
      world.lose('A')
      const seizure = world.seize(0)
      world.settle()
      world.free(seizure)
      world.allocate(0)
      world.settle()
      restartHome(world)
      world.tick(2000)
      const section = world.lock('A', 'read', 0)
      world.settle()
      assert.equal(readCell(section, 0, 0), 0)
    })
  }
})

describe('a commit that storage refuses', () => {
  it('is not the version of the next one, where the page is told under a later one since', () => {
    const world = releaseWorld({})
    written(world, 'B', 'write', 0, 0, 1)
    const refused = opened(world, 'B', 'write', 0)
    writeCell(refused, 0, 0, 2)
    world.unlock(refused)
    world.deliverAll()
    assert.equal(world.storage.waiting, 1)
    world.storage.beginReign()
    world.failCommit()
    world.settle()
    assert.equal(seenBy(world, 'A', 0, 0), 1)
    const told = world.storage.versionOf(0 as PageIndex)
    written(world, 'B', 'write', 0, 0, 3)
    assert.equal(world.storage.versionOf(0 as PageIndex), told + 1)
    assert.equal(seenBy(world, 'A', 0, 0), 3)
  })
})

describe('pages of crew under a home that begins a new reign', () => {
  const places = [
    { name: 'H' },
    { name: 'A', parent: 'H' },
    { name: 'B', parent: 'H' },
    { name: 'C', parent: 'A' },
  ]

  function reignBegins(script: CrewScript): void {
    script.happens('(another is the home)', (network) => {
      network.crashHome(0)
      for (const { name } of places.slice(1)) {
        const link = script.link(name)
        network.lose(link)
        network.tellChild(link)
        network.tellParent(link)
      }
      for (const { name } of places.slice(1)) network.connect(script.link(name))
      network.endGrace()
    })
    script.finish()
  }

  /** What was carried while the site read the page. */
  function readIt(script: CrewScript, site: string): string[] {
    const from = script.lines.length
    const section = script.lock(site, 'read', 0)
    script.finish()
    assert.equal(section.state, 'open')
    script.unlock(section)
    script.finish()
    return script.lines.slice(from).filter((line) => line.includes('+bytes'))
  }

  it('are not sent again, neither to a node nor by it to its clients', () => {
    const script = new CrewScript(places)
    const section = script.lock('B', 'write', 0)
    script.finish()
    script.unlock(section)
    script.finish()
    assert.equal(readIt(script, 'C').length, 2)
    for (let reign = 0; reign < 3; reign++) {
      reignBegins(script)
      assert.deepEqual(readIt(script, 'A'), [])
      assert.deepEqual(readIt(script, 'C'), [])
      assert.deepEqual(readIt(script, 'B'), [])
    }
  })

  it('are not sent by the one that owns them to one that has them already', () => {
    const script = new CrewScript(places)
    readIt(script, 'B')
    reignBegins(script)
    const section = script.lock('A', 'write', 0)
    script.finish()
    script.release(section)
    script.finish()
    assert.deepEqual(readIt(script, 'B'), [])
  })

  it('are sent where they were written', () => {
    const script = new CrewScript(places)
    readIt(script, 'C')
    reignBegins(script)
    const section = script.lock('B', 'write', 0)
    script.finish()
    script.unlock(section)
    script.finish()
    assert.equal(readIt(script, 'C').length, 2)
  })
})

describe('a home of an eventual region', () => {
  it('sends nothing to who has what is durable, under whichever version it was told so', () => {
    const told = 1000 as Version
    const home = eventual.create(
      {
        ...{ parent: undefined, now: 0, wallTime: 0, parentSession: -1 },
        ...{
          isAllocated: () => true,
          siblingSession: () => undefined,
          fenceLimit: () => 0,
          canReach: () => false,
        },
        versionOf: () => told,
        isCurrent: (_page, version) => version === 500,
      },
      {
        ...{ grace: 'none', pageSize: 4096, conflicts: undefined, merges: false },
        attributes: checkAttributes({ consistency: { preset: 'eventual' } }),
      },
    )
    const held = (stamp: number): readonly unknown[] =>
      home.step({
        ...{ kind: 'message', from: stamp as SiteId, parcels: [] },
        message: { kind: 'hold', pages: [{ page: 0 as PageIndex, stamp: stamp as Version }] },
      })
    assert.deepEqual(held(told), [])
    assert.deepEqual(held(500), [])
    assert.equal(home.isQuiet(), true)
    assert.deepEqual(held(499), [{ kind: 'load', load: 1, range: { first: 0, count: 1 } }])
  })
})
