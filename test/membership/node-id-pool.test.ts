import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nodeId } from '../../src/address/identity.js'
import { NodeIdPool, spareIdsMax } from '../../src/membership/node-id-pool.js'
import { Prng } from '../../src/stdx/prng.js'

describe('Numbers for nodes', () => {
  it('are given from the lowest on, and spare ones from the highest', () => {
    const pool = new NodeIdPool([{ first: nodeId(2), count: 200 }])
    assert.deepEqual(pool.takeSpare(), { first: 202 - spareIdsMax, count: spareIdsMax })
    assert.equal(pool.take(), 2)
    assert.equal(pool.take(), 3)
    assert.equal(pool.size, 200 - spareIdsMax - 2)
  })

  it('end: half of the last ones stay with whoever gives them', () => {
    const pool = new NodeIdPool([{ first: nodeId(5), count: 3 }])
    assert.deepEqual(pool.takeSpare(), { first: 7, count: 1 })
    assert.deepEqual([pool.take(), pool.take(), pool.take()], [5, 6, undefined])
    assert.equal(pool.takeSpare(), undefined)
  })

  it('are never given twice, however they wander between nodes, over 200 seeds', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = Prng.fromSeed(seed)
      let pools = [new NodeIdPool([{ first: nodeId(2), count: 500 }])]
      const given = new Set<number>()
      for (let step = 0; step < 200; step++) {
        const at = random.below(pools.length)
        const pool = pools[at]
        if (random.chance(0.3)) {
          const spare = pool?.takeSpare()
          if (spare === undefined) continue
          // Where it does not arrive, it is lost.
          if (random.chance(0.8)) pools.push(new NodeIdPool([spare]))
          // A pool that was kept, and is read again.
          pools = pools.map((each) => new NodeIdPool(each.ranges))
        } else if (random.chance(0.1) && pools.length > 1) {
          const [leaving] = pools.splice(at, 1)
          for (const range of leaving?.ranges ?? []) pools[0]?.give(range)
        } else {
          const node = pool?.take()
          if (node === undefined) continue
          assert.ok(!given.has(node), `seed ${seed}, step ${step}: ${node} again`)
          given.add(node)
        }
      }
    }
  })
})
