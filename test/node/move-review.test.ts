import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NodeCluster } from './node-cluster.js'
import { read, write } from './small-cluster.js'

/** A look comes every minute. */
const lookMs = 61_000

describe('what a node knows of where regions went', () => {
  it('is forgotten when they have ended, and not before', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      const [ended, going] = [await cluster.reserve(1), await cluster.reserve(1)]
      for (const region of [ended, going]) for (const to of [2, 3, 4]) await region.migrate(to)
      await ended.unreserve()
      const knownAt = (number: number): (number | undefined)[] =>
        [ended, going].map(({ address }) => cluster.node(number).home.moves.find(address)?.home)
      // The node that has the address space is told at once; the others find out.
      await cluster.until('node 1 is told', () => knownAt(1)[0] === undefined)
      assert.deepEqual([knownAt(2)[0], knownAt(3)[0]], [3, 4])
      await cluster.pause(lookMs)
      assert.deepEqual(
        [knownAt(1), knownAt(2), knownAt(3)],
        [
          [undefined, 2],
          [undefined, 3],
          [undefined, 4],
        ],
      )
      const again = await cluster.at(2, going)
      await write(again, 0, 7)
      assert.equal(await read(going, 0), 7)
    })
  })

  it('is kept while it cannot be found out', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      for (const to of [2, 3]) await region.migrate(to)
      await region.unreserve()
      await cluster.until(
        'node 1 is told',
        () => cluster.node(1).home.moves.find(region.address) === undefined,
      )
      cluster.crash(1)
      cluster.crash(3)
      await cluster.pause(lookMs)
      assert.equal(cluster.node(2).home.moves.find(region.address)?.home, 3)
      await cluster.start(1)
      await cluster.start(3)
      await cluster.pause(2 * lookMs)
      assert.equal(cluster.node(2).home.moves.find(region.address), undefined)
    })
  })
})
