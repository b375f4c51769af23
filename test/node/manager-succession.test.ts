import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Khazana } from '../../src/client/khazana.js'
import { overlaps } from '../../src/testing/khazana/overlaps.js'
import { regionAt } from './census.js'
import { NodeCluster, endpointOf, leaseMs, pageSize } from './node-cluster.js'
import { read, write } from './small-cluster.js'

/** More than what is left of a pool, in bytes: the largest region, as a pool has room for many of those that are smaller. */
const hugeBytes = 2 ** 52
/** A lease until it is given up, two of patience, and a little. */
const patienceMs = 3 * leaseMs + 500

function managers(cluster: NodeCluster): number[] {
  return cluster.nodes.map(({ members }) => members.manager)
}

/** Resolves when all take the node for the manager. Answers with how long that took. */
async function untilManager(cluster: NodeCluster, number: number): Promise<number> {
  const begun = cluster.now()
  await cluster.until(`node ${number} is the manager`, () =>
    managers(cluster).every((each) => each === number),
  )
  return cluster.now() - begun
}

/** Each node reserves what needs a pool of its own. No address may be in two of them, or have been given before. */
async function reserveFromNewPools(cluster: NodeCluster, taken: Map<bigint, number>): Promise<void> {
  for (const node of cluster.nodes) {
    const before = node.pools.bytes
    const { address, size } = await new Khazana(node).reserve(hugeBytes)
    assert.ok(node.pools.bytes > before, 'a pool was granted')
    for (const [start, bytes] of taken) {
      assert.ok(address >= start + BigInt(bytes) || start >= address + BigInt(size), 'given twice')
    }
    taken.set(address, size)
  }
  assert.deepEqual(overlaps(cluster.nodes), [])
}

describe('the cluster manager', () => {
  it('is the lowest node that is up, within the patience, and the founder again when it is back', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      const taken = new Map<bigint, number>()
      await untilManager(cluster, 1)
      await reserveFromNewPools(cluster, taken)
      for (const [lost, next] of [
        [1, 2],
        [2, 3],
      ] as const) {
        cluster.crash(lost)
        const tookMs = await untilManager(cluster, next)
        assert.ok(tookMs <= patienceMs, `after the end of node ${lost}: ${tookMs} ms`)
        await reserveFromNewPools(cluster, taken)
      }
      for (const back of [2, 1]) {
        await cluster.start(back)
        await untilManager(cluster, back)
        await reserveFromNewPools(cluster, taken)
      }
    })
  })

  it('is asked for address space by who needs some while it is being replaced', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      cluster.crash(1)
      const regions = await Promise.all(
        [2, 3].map((number) => new Khazana(cluster.node(number)).reserve(hugeBytes)),
      )
      assert.deepEqual(
        regions.map(({ descriptor }) => descriptor.home),
        [2, 3],
      )
      assert.deepEqual(managers(cluster), [2, 2])
      assert.deepEqual(overlaps(cluster.nodes), [])
    })
  })

  it('lets nodes join while the founder is away, through any node, with numbers that nobody has', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3)
      await write(region, 0, 7)
      await untilManager(cluster, 1)
      await cluster.pause(1000)
      cluster.crash(1)
      await untilManager(cluster, 2)
      const numbers = [1, 2, 3]
      const join = async (door: number): Promise<void> => {
        const added = cluster.add({ join: endpointOf(door) })
        await cluster.start(added)
        const { identity } = cluster.node(added)
        assert.ok(!numbers.includes(identity.node), `${identity.node} was given twice`)
        numbers.push(identity.node)
        assert.equal(await read(await regionAt(cluster.node(added), region), 0), 7)
        await new Khazana(cluster.node(added)).reserve(hugeBytes)
      }
      for (const door of [2, 3, 2]) await join(door)
      cluster.crash(2)
      await untilManager(cluster, 3)
      await join(3)
      await cluster.start(1)
      await cluster.start(2)
      await untilManager(cluster, 1)
      await join(1)
      await join(2)
      await cluster.until('all know of all', () =>
        cluster.nodes.every(({ members }) => members.members.length === numbers.length),
      )
      assert.deepEqual(overlaps(cluster.nodes), [])
    })
  })

  it('may be two for as long as they are cut off: what they grant is never the same', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      const taken = new Map<bigint, number>()
      await reserveFromNewPools(cluster, taken)
      await untilManager(cluster, 1)
      const mend = [1, 2].flatMap((a) => [3, 4].map((b) => cluster.cut(a, b)))
      await cluster.until('there are two', () => managers(cluster).join() === '1,1,3,3')
      await reserveFromNewPools(cluster, taken)
      const joined = [1, 3].map((door) => cluster.add({ join: endpointOf(door) }))
      for (const added of joined) await cluster.start(added)
      for (const each of mend) each()
      await cluster.until('there is one', () => managers(cluster).every((each) => each === 1))
      await cluster.until('all know of all', () =>
        cluster.nodes.every(({ members }) => members.members.length === 6),
      )
      assert.equal(new Set(cluster.nodes.map(({ identity }) => identity.node)).size, 6)
      await reserveFromNewPools(cluster, taken)
    })
  })

  it('grants nothing again after a loss of power, whenever that was', async () => {
    for (let atMs = 0; atMs < 20; atMs += 1.7) {
      const cluster = new NodeCluster({ nodes: 2 })
      await cluster.run(async () => {
        const reserved = [1, 2].map((number) => new Khazana(cluster.node(number)).reserve(hugeBytes))
        const given = Promise.allSettled(reserved.slice(1))
        await cluster.pause(atMs)
        cluster.losePower(1)
        await cluster.start(1)
        await given
        for (const node of cluster.nodes) await new Khazana(node).reserve(hugeBytes)
        assert.deepEqual(overlaps(cluster.nodes), [])
        assert.equal((await cluster.reserve(2)).pageSize, pageSize)
      })
    }
  })
})
