import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { crewObjects } from '../../src/consistency/copies/copies.js'
import { readCell, writeCell } from '../../src/testing/protocol/cells.js'
import { ProtocolWorld } from '../../src/testing/protocol/protocol-world.js'
import { objectsWorld, opened, seenBy, written } from './copies-world.js'

describe('crew-objects', () => {
  it('holds locks on different objects of a page at once, and on one object one after the other', () => {
    const world = objectsWorld()
    const x = opened(world, 'A', 'write', 0, 1, { tag: 'x' })
    const y = opened(world, 'B', 'write-shared', 0, 1, { tag: 'y' })
    const reader = world.lock('C', 'read', 0, 1, { terms: { tag: 'x' } })
    const behind = world.lock('C', 'write', 0, 1, { terms: { tag: 'x' } })
    const own = world.lock('H', 'read', 0, 1, { terms: { tag: 'y' } })
    world.settle()
    assert.deepEqual([reader.state, behind.state, own.state], ['waiting', 'waiting', 'waiting'])
    writeCell(x, 0, 0, 1)
    writeCell(y, 0, 1, 2)
    world.unlock(y)
    world.unlock(x)
    world.settle()
    assert.equal(readCell(own, 0, 1), 2)
    assert.equal(readCell(reader, 0, 0), 1)
    assert.equal(behind.state, 'waiting')
    world.unlock(reader)
    world.settle()
    assert.deepEqual([readCell(behind, 0, 0), readCell(behind, 0, 1)], [1, 2])
  })

  it('lets nobody pass who conflicts with one that waits', () => {
    const world = objectsWorld()
    const first = opened(world, 'A', 'read', 0, 1, { tag: 'x' })
    const writer = world.lock('B', 'write', 0, 1, { terms: { tag: 'x' } })
    world.settle()
    const late = world.lock('C', 'read', 0, 1, { terms: { tag: 'x' } })
    world.settle()
    assert.deepEqual([writer.state, late.state], ['waiting', 'waiting'])
    world.cancel(writer)
    world.settle()
    assert.deepEqual([first.state, late.state], ['open', 'open'])
  })

  it('locks over more pages than one message names', () => {
    const world = objectsWorld({ pages: 200 })
    for (const [site, value] of [
      ['A', 1],
      ['B', 2],
      ['H', 3],
    ] as const) {
      const writer = opened(world, site, 'write', 0, 150)
      for (let page = 0; page < 150; page++) {
        assert.equal(readCell(writer, page, 0), value - 1)
        writeCell(writer, page, 0, value)
      }
      world.unlock(writer)
      world.settle()
      assert.equal(writer.state, 'done')
    }
  })

  it('is by pages where the region names no test', () => {
    const world = new ProtocolWorld({ protocol: crewObjects })
    const a = opened(world, 'A', 'read', 0)
    const b = opened(world, 'B', 'read', 0)
    const c = world.lock('C', 'write', 0)
    const d = world.lock('C', 'write', 1)
    world.settle()
    assert.deepEqual([a.state, b.state, c.state, d.state], ['open', 'open', 'waiting', 'open'])
  })

  it('takes a test that throws, or that is not symmetric, for a conflict', () => {
    const world = new ProtocolWorld({
      protocol: crewObjects,
      conflicts: (a, b) => {
        if (a.tag === 'bad' || b.tag === 'bad') throw new Error('no such object')
        return a.tag < b.tag
      },
    })
    opened(world, 'A', 'write', 0, 1, { tag: 'x' })
    const after = world.lock('B', 'write', 0, 1, { terms: { tag: 'y' } })
    const before = world.lock('B', 'write', 0, 1, { terms: { tag: 'a' } })
    const bad = world.lock('C', 'write', 0, 1, { terms: { tag: 'bad' } })
    world.settle()
    assert.deepEqual([after.state, before.state, bad.state], ['waiting', 'waiting', 'waiting'])
  })

  it('breaks every lock with its session, and lets others have the object', () => {
    const world = objectsWorld()
    const reader = opened(world, 'A', 'read', 0, 1, { tag: 'x' })
    const writer = opened(world, 'A', 'write', 1, 1, { tag: 'y' })
    const waiting = world.lock('A', 'write', 2, 1, { terms: { tag: 'z' } })
    world.lose('A')
    world.settle()
    assert.ok(reader.isOver && writer.isOver)
    written(world, 'B', 'write', 0, 0, 1, { tag: 'x' })
    written(world, 'B', 'write', 1, 0, 1, { tag: 'y' })
    world.connect('A')
    world.settle()
    assert.equal(waiting.state, 'open', 'who waited is asked for again')
    assert.equal(seenBy(world, 'A', 0, 0, { tag: 'x' }), 1)
  })
})
