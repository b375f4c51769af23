import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ProtocolWorld, runProtocolTests, simulateKhazana } from 'khazana/testing'
import type { ProtocolSection } from 'khazana/testing'
import { readMostly } from '../../examples/read-mostly/read-mostly.js'

const everyMs = 500

// Reads are `eventual`, not `bounded`: a copy may be read while the home is away, and is then of any age.
runProtocolTests(
  { describe, it },
  readMostly({ everyMs }),
  { reads: 'eventual', writes: 'serial', unlockMeans: 'durable', hits: ['read'] },
  { seeds: 150 },
)

describe('simulated clusters whose regions are read-mostly', () => {
  it('keep what the protocol promises, over 10 seeds of faults', async () => {
    const claims = { reads: 'eventual', writes: 'serial' } as const
    const protocols = [readMostly({ everyMs: 50 })]
    for (let seed = 1; seed <= 10; seed++) {
      const report = await simulateKhazana({
        seed,
        operations: 200,
        protocols,
        attributes: { protocol: 'read-mostly' },
        claims,
      })
      assert.ok(report.ok, `seed ${seed}: ${report.failure?.message}`)
      assert.ok(report.acknowledged > 0)
    }
  })
})

describe('read-mostly', () => {
  it('sends what has changed once in a while, however often it has changed', () => {
    const world = new ProtocolWorld({ protocol: readMostly({ everyMs }), children: ['A', 'B'] })
    assert.equal(first(opened(world.lock('A', 'read', 0), world)), 0)
    for (let value = 1; value <= 20; value++) {
      const writer = opened(world.lock('B', 'write', 0), world)
      writer.write(0, Uint8Array.of(value))
      world.unlock(writer)
      world.settle()
      assert.equal(writer.state, 'done')
      world.tick(10)
    }
    assert.equal(first(opened(world.lock('B', 'read', 0), world)), 20)
    assert.equal(first(opened(world.lock('A', 'read', 0), world)), 0)
    world.settleFor(everyMs)
    assert.equal(first(opened(world.lock('A', 'read', 0), world)), 20)
    assert.equal(world.counts().get('changed'), 2)
  })

  it('is read while the home cannot be reached, and not written', () => {
    const world = new ProtocolWorld({ protocol: readMostly({ everyMs }), children: ['A'] })
    world.unlock(opened(world.lock('A', 'read', 0), world))
    world.lose('A')
    assert.equal(world.lock('A', 'read', 0).state, 'open')
    const writer = world.lock('A', 'write', 0)
    world.settleFor(60_000)
    assert.equal(writer.state, 'waiting')
    world.connect('A')
    world.settle()
    assert.equal(writer.state, 'open')
  })
})

function opened(section: ProtocolSection, world: { settle(): void }): ProtocolSection {
  world.settle()
  return section
}

function first(section: ProtocolSection): number {
  return section.read(0, 1)[0] ?? -1
}
