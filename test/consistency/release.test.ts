import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { idleUpdatesMax } from '../../src/consistency/copies/child/child-copies.js'
import { readCell, writeCell } from '../../src/testing/protocol/cells.js'
import { opened, releaseWorld, seenBy, written } from './copies-world.js'

describe('release', () => {
  it('lets write-shared and read locks of one page be held at once, everywhere', () => {
    const world = releaseWorld()
    const sections = ['H', 'A', 'B', 'C'].flatMap((site) => [
      opened(world, site, 'write-shared', 0),
      opened(world, site, 'read', 0),
    ])
    assert.ok(sections.every(({ state }) => state === 'open'))
  })

  it('serves write locks one after the other, in the order of asking, each with what the last wrote', () => {
    const world = releaseWorld()
    const sites = ['B', 'H', 'A', 'C']
    const sections = sites.map((site) => {
      const section = world.lock(site, 'write', 0)
      world.deliverAll()
      return section
    })
    sections.forEach((section, at) => {
      world.settle()
      assert.deepEqual(
        sections.map(({ state }) => state === 'open'),
        sites.map((_, index) => index === at),
      )
      const before = readCell(section, 0, 0)
      assert.equal(before, at)
      writeCell(section, 0, 0, before + 1)
      world.unlock(section)
    })
    world.settle()
    assert.equal(seenBy(world, 'A', 0, 0), 4)
  })

  it('merges what several write-shared sections wrote in one page', () => {
    const world = releaseWorld()
    const sites = ['H', 'A', 'B', 'C']
    const sections = sites.map((site) => opened(world, site, 'write-shared', 1))
    sections.forEach((section, cell) => writeCell(section, 1, cell, cell + 1))
    for (const section of sections) world.unlock(section)
    world.settle()
    for (const site of sites) {
      assert.deepEqual(
        sites.map((_, cell) => seenBy(world, site, 1, cell)),
        [1, 2, 3, 4],
      )
    }
  })

  it('does not resolve an unlock before every holder of a copy has what was written', () => {
    const world = releaseWorld()
    assert.equal(seenBy(world, 'A', 0, 0), 0)
    const writer = opened(world, 'B', 'write-shared', 0)
    writeCell(writer, 0, 0, 5)
    world.unlock(writer)
    world.deliverAll()
    world.endCommit()
    while (world.deliver('H', 'B'));
    assert.equal(writer.state, 'ending')
    world.deliver('H', 'A')
    world.deliver('A', 'H')
    world.deliver('H', 'B')
    assert.equal(writer.state, 'done')
    const before = world.sent.length
    assert.equal(seenBy(world, 'A', 0, 0), 5)
    assert.equal(world.sent.length, before, 'A needs to ask nobody')
  })

  it('lets a site see what it wrote before, also where its unlock was not awaited', () => {
    const world = releaseWorld()
    for (const [site, value] of [
      ['A', 8],
      ['H', 9],
    ] as const) {
      const writer = opened(world, site, 'write-shared', 0)
      writeCell(writer, 0, 1, value)
      world.unlock(writer)
      const next = world.lock(site, 'read', 0)
      assert.equal(next.state, 'waiting')
      world.settle()
      assert.equal(readCell(next, 0, 1), value)
      world.unlock(next)
    }
  })

  it('does not wait for a holder that is lost', () => {
    const world = releaseWorld()
    assert.equal(seenBy(world, 'A', 0, 0), 0)
    world.cut('A')
    const writer = opened(world, 'B', 'write-shared', 0)
    writeCell(writer, 0, 0, 5)
    world.unlock(writer)
    world.settle()
    assert.equal(writer.state, 'ending')
    world.homeNotices('A')
    world.settle()
    assert.equal(writer.state, 'done')
    world.childNotices('A')
    const late = world.lock('A', 'read', 0)
    world.settle()
    assert.equal(late.state, 'waiting', 'what A has may be old')
    world.connect('A')
    world.settle()
    assert.equal(readCell(late, 0, 0), 5)
  })

  it('gives up a copy that nobody reads, after so many updates', () => {
    const world = releaseWorld()
    assert.equal(seenBy(world, 'A', 0, 0), 0)
    for (let value = 1; value <= idleUpdatesMax; value++) written(world, 'B', 'write-shared', 0, 0, value)
    assert.equal(world.site('A').manager.inspect(0 as never).right, 'none')
    const updates = world.counts().get('update')
    written(world, 'B', 'write-shared', 0, 0, 100)
    assert.equal(world.counts().get('update'), updates, 'A is not told any more')
    assert.equal(seenBy(world, 'A', 0, 0), 100)
  })

  it('shows a section over several pages in all of them or in none', () => {
    const world = releaseWorld({ pages: 200 })
    const reader = opened(world, 'A', 'read', 0, 150)
    const writer = opened(world, 'B', 'write-shared', 0, 150)
    for (let page = 0; page < 150; page++) writeCell(writer, page, 0, 7)
    world.unlock(reader)
    world.unlock(writer)
    world.deliverAll()
    world.endCommit()
    let seen = 0
    for (;;) {
      const section = world.lock('A', 'read', 0, 150)
      assert.equal(section.state, 'open')
      const values = new Set(Array.from({ length: 150 }, (_, page) => readCell(section, page, 0)))
      assert.equal(values.size, 1)
      seen += 1
      world.unlock(section)
      if (!world.deliver('H', 'A')) break
    }
    assert.ok(seen > 3, 'the update came in several messages')
    world.settle()
    assert.equal(writer.state, 'done')
    assert.equal(seenBy(world, 'A', 149, 0), 7)
  })

  it('tells why a section cannot be kept, and goes on from what is durable', () => {
    const world = releaseWorld()
    for (const site of ['A', 'H']) {
      const writer = opened(world, site, 'write', 0)
      writeCell(writer, 0, 0, 5)
      world.unlock(writer)
      world.deliverAll()
      world.failCommit()
      world.settle()
      assert.equal(writer.state, 'failed')
      assert.equal(seenBy(world, site, 0, 0), 0)
      assert.equal(seenBy(world, 'B', 0, 0), 0)
    }
    written(world, 'A', 'write', 0, 0, 6)
    assert.equal(seenBy(world, 'B', 0, 0), 6)
  })

  it('refuses locks on pages without storage, and only those', () => {
    const world = releaseWorld()
    const seizure = world.seize(2)
    world.settle()
    world.free(seizure)
    world.settle()
    const bad = world.lock('A', 'read', 1, 2)
    const good = world.lock('A', 'read', 1)
    world.settle()
    assert.equal(bad.failure?.code, 'not-allocated')
    assert.equal(good.state, 'open')
  })

  it('takes storage away only when no lock uses the pages, what those wrote is kept, and nobody begins', () => {
    const world = releaseWorld()
    const writer = opened(world, 'A', 'write-shared', 0)
    const reader = opened(world, 'B', 'read', 0)
    const own = opened(world, 'H', 'read', 0)
    const seizure = world.seize(0)
    world.settle()
    const late = world.lock('C', 'read', 0)
    const lateAtB = world.lock('B', 'read', 0)
    const lateAtHome = world.lock('H', 'read', 0)
    world.settle()
    assert.deepEqual([late.state, lateAtB.state, lateAtHome.state], ['waiting', 'waiting', 'waiting'])
    writeCell(writer, 0, 0, 3)
    world.unlock(writer)
    world.unlock(reader)
    world.settle()
    assert.equal(writer.state, 'done')
    assert.equal(seizure.state, 'waiting')
    world.unlock(own)
    world.settle()
    assert.notEqual(seizure.state, 'waiting')
    world.free(seizure)
    world.settle()
    for (const section of [late, lateAtB, lateAtHome]) assert.notEqual(section.failure, undefined)
    world.allocate(0)
    assert.equal(seenBy(world, 'B', 0, 0), 0)
  })

  it('waits with a commit for a copy that is being called in, as long as it may be used', () => {
    const world = releaseWorld()
    const writer = opened(world, 'B', 'write-shared', 0)
    assert.equal(seenBy(world, 'A', 0, 0), 0)
    writeCell(writer, 0, 0, 7)
    world.seize(0)
    world.unlock(writer)
    world.deliver('B', 'H')
    world.endCommit()
    while (world.deliver('H', 'B') || world.deliver('B', 'H'));
    const reader = world.lock('A', 'read', 0)
    assert.equal(reader.state, 'open', 'A has not heard of it')
    assert.equal(readCell(reader, 0, 0), 0)
    assert.equal(writer.state, 'ending')
    world.unlock(reader)
    world.settle()
    assert.equal(writer.state, 'done')
  })

  it('goes on where the storage is not taken away after all', () => {
    const world = releaseWorld()
    const reader = opened(world, 'B', 'read', 0)
    const seizure = world.seize(0)
    world.settle()
    const late = world.lock('C', 'read', 0)
    world.settle()
    assert.equal(late.state, 'waiting')
    world.cancel(seizure)
    world.settle()
    assert.equal(late.state, 'open')
    assert.equal(reader.state, 'open')
  })

  it('acknowledges nothing after a restart of the home before the rights of before have ended', () => {
    const world = releaseWorld()
    assert.equal(seenBy(world, 'A', 0, 0), 0)
    world.crashHome(0)
    for (const child of ['A', 'B', 'C']) world.childNotices(child)
    for (const child of ['B', 'C']) world.connect(child)
    const writer = world.lock('B', 'write-shared', 0)
    world.settle()
    assert.equal(writer.state, 'open')
    writeCell(writer, 0, 0, 4)
    world.unlock(writer)
    const exclusive = world.lock('C', 'write', 1)
    world.settle()
    assert.deepEqual([writer.state, exclusive.state], ['ending', 'waiting'])
    world.endGrace()
    world.settle()
    assert.deepEqual([writer.state, exclusive.state], ['done', 'open'])
  })

  it('breaks the locks of a site that has lost the home: it would not be told what happens to the pages', () => {
    const world = releaseWorld()
    const writer = opened(world, 'A', 'write-shared', 0)
    writeCell(writer, 0, 0, 8)
    const reader = opened(world, 'A', 'read', 1)
    world.lose('A')
    assert.deepEqual([writer.state, reader.state], ['failed', 'failed'])
    written(world, 'B', 'write-shared', 0, 1, 9)
    world.connect('A')
    world.settle()
    assert.deepEqual([seenBy(world, 'A', 0, 0), seenBy(world, 'A', 0, 1)], [0, 9])
  })

  it('breaks write locks with the session that gave them, and frees them for others', () => {
    const world = releaseWorld()
    const writer = opened(world, 'A', 'write', 0)
    writeCell(writer, 0, 0, 8)
    const next = world.lock('B', 'write', 0)
    world.settle()
    assert.equal(next.state, 'waiting')
    world.lose('A')
    world.settle()
    assert.equal(writer.state, 'failed')
    assert.equal(readCell(next, 0, 0), 0)
  })

  it('serves nobody with what is lost while the storage has it', () => {
    const world = releaseWorld()
    const writer = opened(world, 'A', 'write', 0)
    writeCell(writer, 0, 0, 8)
    world.unlock(writer)
    world.deliverAll()
    const next = world.lock('B', 'write', 0)
    world.deliverAll()
    world.lose('A')
    world.deliverAll()
    assert.equal(next.state, 'waiting', 'what A wrote may yet become durable')
    world.settle()
    assert.equal(readCell(next, 0, 0), 8)
    assert.equal(writer.state, 'unknown')
  })

  it('forgets a lock that is given up while its grant is on its way', () => {
    const world = releaseWorld()
    const holder = opened(world, 'B', 'write', 0)
    const waiting = world.lock('A', 'write', 0)
    world.settle()
    world.discard(holder)
    world.deliver('B', 'H')
    world.endLoad()
    world.cancel(waiting)
    const next = world.lock('C', 'write', 0)
    world.settle()
    assert.equal(next.state, 'open')
    writeCell(next, 0, 0, 2)
    world.unlock(next)
    world.settle()
    assert.equal(seenBy(world, 'A', 0, 0), 2)
  })

  it('keeps no parcel when all is done', () => {
    const world = releaseWorld()
    for (const site of ['A', 'B', 'H']) {
      seenBy(world, site, 0, 0)
      written(world, site, 'write-shared', 0, 0, 3)
      written(world, site, 'write', 0, 1, 3)
    }
    world.settle()
    for (const site of world.sites) assert.equal(site.keptParcels, 0, site.name)
  })
})
