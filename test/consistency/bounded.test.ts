import { plainTerms } from '../../src/address/lock-terms.js'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readCell, writeCell } from '../../src/testing/protocol/cells.js'
import { boundedWorld, opened, seenBy, written } from './copies-world.js'

const fresh = { staleness: { ms: 0, versions: 0 } }

describe('bounded', () => {
  it('serves all that write one after the other, each with what the last wrote', () => {
    const world = boundedWorld()
    const sites = ['A', 'H', 'B']
    const sections = sites.map((site, at) => {
      const section = world.lock(site, at === 1 ? 'write' : 'write-shared', 0)
      world.deliverAll()
      return section
    })
    sections.forEach((section, at) => {
      world.settle()
      assert.equal(sections.filter(({ state }) => state === 'open').length, 1)
      assert.equal(readCell(section, 0, 0), at)
      writeCell(section, 0, 0, at + 1)
      world.unlock(section)
    })
    world.settle()
  })

  it('reads while somebody writes, what is durable', () => {
    const world = boundedWorld()
    const writer = opened(world, 'A', 'write', 0)
    writeCell(writer, 0, 0, 1)
    assert.equal(seenBy(world, 'B', 0, 0), 0)
    assert.equal(seenBy(world, 'H', 0, 0), 0)
  })

  it('takes a copy to be as old as the question that brought it, not as its answer', () => {
    const world = boundedWorld()
    const slow = world.lock('A', 'read', 0)
    world.settleFor(0)
    assert.equal(slow.state, 'open')
    world.unlock(slow)
    world.tick(2000)
    const reader = world.lock('A', 'read', 0)
    world.deliver('A', 'H')
    written(world, 'H', 'write', 0, 0, 1)
    world.tick(900)
    assert.equal(reader.state, 'open', 'the answer is good for who asked')
    world.unlock(reader)
    world.tick(101)
    const next = world.lock('A', 'read', 0)
    assert.equal(next.state, 'waiting')
    world.settle()
    assert.equal(readCell(next, 0, 0), 1)
  })

  it('keeps the bound also where the clock of the copy is slow', () => {
    const world = boundedWorld({ vector: { staleness: { ms: 1000, versions: Infinity } } })
    assert.equal(seenBy(world, 'A', 0, 0), 0)
    written(world, 'B', 'write', 0, 0, 1)
    world.tick(989)
    assert.equal(seenBy(world, 'A', 0, 0), 0)
    // 1000 ms may have passed where 991 are counted.
    world.tick(2)
    assert.equal(seenBy(world, 'A', 0, 0), 1)
  })

  it('obeys what a lock demands, less or more than its region', () => {
    const world = boundedWorld()
    assert.equal(seenBy(world, 'A', 0, 0), 0)
    written(world, 'B', 'write', 0, 0, 1)
    assert.equal(seenBy(world, 'A', 0, 0), 0)
    assert.equal(seenBy(world, 'A', 0, 0, { staleness: { ms: 10_000, versions: Infinity } }), 0)
    assert.equal(seenBy(world, 'A', 0, 0, fresh), 1)
    written(world, 'B', 'write', 0, 0, 2)
    world.tick(5000)
    assert.equal(seenBy(world, 'A', 0, 0, { staleness: { ms: 10_000, versions: Infinity } }), 1)
    assert.equal(seenBy(world, 'A', 0, 0), 2)
    written(world, 'B', 'write', 0, 0, 3)
    assert.equal(seenBy(world, 'A', 0, 0, { staleness: { ms: Infinity, versions: 5 } }), 3, 'nobody counts')
  })

  it('holds both bounds where both are finite', () => {
    const world = boundedWorld({ vector: { staleness: { ms: 1000, versions: 2 } } })
    assert.equal(seenBy(world, 'A', 0, 0), 0)
    for (const value of [1, 2]) written(world, 'B', 'write', 0, 0, value)
    assert.equal(seenBy(world, 'A', 0, 0), 0)
    written(world, 'B', 'write', 0, 0, 3)
    assert.equal(seenBy(world, 'A', 0, 0), 3)
    written(world, 'B', 'write', 0, 0, 4)
    world.tick(1001)
    assert.equal(seenBy(world, 'A', 0, 0), 4)
  })

  it('does not end a write before copies that are too many versions behind are out of use', () => {
    const world = boundedWorld({ vector: { staleness: { ms: Infinity, versions: 0 } } })
    assert.equal(seenBy(world, 'A', 0, 0), 0)
    const writer = opened(world, 'B', 'write', 0)
    writeCell(writer, 0, 0, 1)
    world.unlock(writer)
    world.cut('A')
    world.settle()
    assert.equal(writer.state, 'ending')
    world.homeNotices('A')
    world.settle()
    assert.equal(writer.state, 'done')
    world.childNotices('A')
    assert.equal(world.lock('A', 'read', 0).state, 'waiting')
  })

  it('lets a site see what it wrote, however stale its reads may be', () => {
    const world = boundedWorld({ vector: { staleness: { ms: 60_000, versions: Infinity } } })
    for (const value of [1, 2]) {
      assert.equal(seenBy(world, 'A', 0, 0), value - 1)
      const writer = opened(world, 'A', 'write', 0)
      writeCell(writer, 0, 0, value)
      world.unlock(writer)
      const reader = world.lock('A', 'read', 0)
      world.settle()
      assert.equal(readCell(reader, 0, 0), value)
      world.unlock(reader)
    }
  })

  it('reads several pages as of one moment, whatever the ages of their copies', () => {
    const world = boundedWorld({ pages: 200 })
    for (const count of [2, 64, 150]) {
      assert.equal(seenBy(world, 'A', 0, 0), seenBy(world, 'A', 0, 0))
      const writer = opened(world, 'B', 'write', 0, count)
      for (let page = 0; page < count; page++) writeCell(writer, page, 0, count)
      world.unlock(writer)
      world.settle()
      const reader = opened(world, 'A', 'read', 0, count)
      const values = Array.from({ length: count }, (_, page) => readCell(reader, page, 0))
      assert.equal(new Set(values).size, 1, `${count} pages`)
      world.unlock(reader)
      const again = world.lock('A', 'read', 0, count)
      assert.equal(again.state, 'open', 'the copies of one moment are at hand')
      world.unlock(again)
      world.tick(1001)
    }
  })

  it('reads on without the home until the bound', () => {
    const world = boundedWorld()
    assert.equal(world.site('A').manager.needsLease('read', plainTerms), false)
    assert.equal(world.site('A').manager.needsLease('write', plainTerms), true)
    assert.equal(seenBy(world, 'A', 0, 0), 0)
    world.lose('A')
    const within = world.lock('A', 'read', 0)
    assert.equal(within.state, 'open')
    world.unlock(within)
    world.tick(1001)
    const beyond = world.lock('A', 'read', 0)
    world.settle()
    assert.equal(beyond.state, 'waiting')
    world.connect('A')
    world.settle()
    assert.equal(beyond.state, 'open')
  })

  it('reads on without the home at any age where it may read only, but keeps what a lock demands', () => {
    const world = boundedWorld({
      vector: { failure: 'read-only', staleness: { ms: 1000, versions: 0 } },
    })
    assert.equal(world.site('A').manager.needsLease('read', plainTerms), false)
    assert.equal(seenBy(world, 'A', 0, 0), 0)
    world.tick(5000)
    const waiting = world.lock('A', 'read', 0)
    world.lose('A')
    assert.equal(waiting.state, 'open', 'who waited for the home is served from what there is')
    world.unlock(waiting)
    world.tick(5000)
    assert.equal(world.lock('A', 'read', 0).state, 'open')
    assert.equal(world.lock('A', 'read', 0, 1, { terms: fresh }).state, 'waiting')
    assert.equal(world.lock('A', 'write', 0).state, 'waiting')
  })

  it('is not cut off by a home that moves: who waited for that waits for the new one', () => {
    const world = boundedWorld({
      vector: { failure: 'read-only', staleness: { ms: 1000, versions: 0 } },
    })
    assert.equal(seenBy(world, 'A', 0, 0), 0)
    written(world, 'B', 'write', 0, 0, 1)
    world.tick(5000)
    const waiting = world.lock('A', 'read', 0)
    world.site('A').step({ kind: 'parent-lost', isBack: true })
    assert.equal(waiting.state, 'waiting')
    world.site('A').step({ kind: 'parent-ready' })
    world.settle()
    assert.equal(waiting.state, 'open')
    assert.equal(readCell(waiting, 0, 0), 1)
  })

  it('tells the home that a copy was evicted, which then counts on it no more', () => {
    const world = boundedWorld({ vector: { staleness: { ms: Infinity, versions: 0 } } })
    assert.equal(seenBy(world, 'A', 0, 0), 0)
    assert.equal(world.evict('A', 0), true)
    world.settle()
    written(world, 'B', 'write', 0, 0, 1)
    assert.equal(world.counts().get('invalidate'), undefined)
    assert.equal(seenBy(world, 'A', 0, 0), 1)
  })
})
