import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Khazana } from '../../src/client/khazana.js'
import type { Region } from '../../src/client/region.js'
import { codeOf, regionAt } from './census.js'
import { overlaps } from '../../src/testing/khazana/overlaps.js'
import { NodeCluster, pageSize } from './node-cluster.js'
import { read, write } from './small-cluster.js'

/** A region of node 2's address space that is homed at node 3, and has been used. */
async function moved(cluster: NodeCluster): Promise<Region> {
  const region = await cluster.reserve(2)
  await write(region, 0, 1)
  await region.migrate(3)
  assert.equal(await read(await regionAt(cluster.node(1), region), 0), 1)
  return region
}

function isFreeAgain(cluster: NodeCluster, region: Region): Promise<void> {
  return cluster.until('it can be reserved again', () => cluster.node(2).pools.isFree(region.address))
}

describe('the address space of a region that ends where it has moved to', () => {
  it('comes back to the node that gave it, which gives it again', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await moved(cluster)
      assert.equal(cluster.node(2).pools.isFree(region.address), false)
      const used = await regionAt(cluster.node(1), region)
      await used.unreserve()
      await isFreeAgain(cluster, region)
      assert.equal(cluster.node(3).pools.isFree(region.address), false)
      for (const node of cluster.nodes) {
        assert.equal(await codeOf(regionAt(node, region)), 'no-such-region')
        assert.equal(node.home.moves.find(region.address), undefined)
      }
      // What is free anew is taken last: a restart begins at the start.
      cluster.crash(2)
      await cluster.start(2)
      const next = await cluster.reserve(2)
      assert.equal(next.address, region.address)
      assert.ok(next.descriptor.generation > region.descriptor.generation)
      for (const node of cluster.nodes) assert.equal(await read(await regionAt(node, next), 0), 0)
      // The old handle does not mean the new region.
      assert.equal(await codeOf(read(used, 0, 3000)), 'no-such-region')
    })
  })

  it('comes back also where that node is down meanwhile, and the other one restarts', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await moved(cluster)
      const there = await regionAt(cluster.node(3), region)
      cluster.crash(2)
      await there.unreserve()
      await cluster.pause(3000)
      cluster.losePower(3)
      await cluster.start(3)
      await cluster.pause(3000)
      await cluster.start(2)
      // Not before it is told.
      assert.notEqual((await cluster.reserve(2)).address, region.address)
      await isFreeAgain(cluster, region)
      assert.deepEqual(overlaps(cluster.nodes), [])
    })
  })

  it('comes back to the node that has the pool by now', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      const region = await moved(cluster)
      await cluster.leave(2)
      const owner = cluster.nodes.find(({ pools }) => pools.find(region.address) !== undefined)
      assert.ok(owner !== undefined)
      assert.equal(owner.pools.isFree(region.address), false)
      await (await regionAt(cluster.node(4), region)).unreserve()
      await cluster.until('it can be reserved again', () => owner.pools.isFree(region.address))
      assert.equal(await codeOf(regionAt(cluster.node(4), region)), 'no-such-region')
    })
  })

  it('is told of by a node that leaves, before it does', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      const region = await moved(cluster)
      const there = await regionAt(cluster.node(3), region)
      cluster.crash(2)
      await there.unreserve()
      assert.equal(await codeOf(cluster.node(3).leave({ timeoutMs: 5000 })), 'timeout')
      await cluster.start(2)
      await cluster.leave(3, { timeoutMs: 120_000 })
      assert.equal(cluster.node(2).pools.isFree(region.address), true)
    })
  })

  it('comes back from wherever the region went, and only once it is no more', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      const region = await moved(cluster)
      const there = await regionAt(cluster.node(4), region)
      for (const to of [4, 1, 2, 3, 4]) {
        await there.migrate(to)
        assert.equal(cluster.node(2).pools.isFree(region.address), false)
      }
      await there.unreserve()
      await isFreeAgain(cluster, region)
      const all = new Khazana(cluster.node(2))
      const next = await all.reserve(64 * pageSize)
      assert.deepEqual(overlaps(cluster.nodes), [])
      assert.equal(next.descriptor.home, 2)
    })
  })
})
