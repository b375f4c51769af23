import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressFrom } from '../../src/address/address.js'
import type { Address } from '../../src/address/address.js'
import { Khazana } from '../../src/client/khazana.js'
import type { Found } from '../../src/wire/message.js'
import { codeOf, errorOf, regionAt } from './census.js'
import { NodeCluster, pageSize } from './node-cluster.js'
import { presetsOfAll, read, write } from './small-cluster.js'

const wait = { timeoutMs: 5000 }

async function foundBy(cluster: NodeCluster, number: number, address: Address): Promise<Found | undefined> {
  return (await new Khazana(cluster.node(number)).region(address, wait)).found
}

/** Asks the home, also where there is a copy that is of use without it. */
async function statOf(cluster: NodeCluster, number: number, address: Address): Promise<void> {
  const endsAt = cluster.now() + wait.timeoutMs
  const region = await new Khazana(cluster.node(number)).region(address, wait)
  await region.stat({ offset: 0, length: 1 }, { timeoutMs: Math.max(1, endsAt - cluster.now()) })
}

/** The address map says where everything is. */
async function mapped(cluster: NodeCluster): Promise<void> {
  await cluster.pause(3000)
}

describe('a region is found', () => {
  it('by its home, and by who has used it, without a question', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(2)
      assert.deepEqual(await foundBy(cluster, 2, region.address), { by: 'home', asked: 0 })
      await read(await regionAt(cluster.node(3), region), 0)
      assert.deepEqual(await foundBy(cluster, 3, region.address), { by: 'directory', asked: 0 })
    })
  })

  it('by what the cluster manager knows, as whose hint it is told', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3)
      const found = await foundBy(cluster, 4, region.address)
      assert.deepEqual(found, { by: 'manager', asked: 2 }, 'the founder, and who has the pool')
      const second = await cluster.reserve(3)
      assert.deepEqual(await foundBy(cluster, 1, second.address), { by: 'directory', asked: 1 })
    })
  })

  it('by what the manager has been told of pools, where the founder cannot be asked', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3)
      cluster.crash(1)
      await cluster.until('there is another', () =>
        cluster.nodes.every(({ members }) => members.manager === 2),
      )
      await cluster.pause(2000)
      assert.equal((await foundBy(cluster, 4, region.address))?.by, 'manager')
    })
  })

  it('where it has moved: the manager was told, and a hint that is stale costs one question', async () => {
    const cluster = new NodeCluster({ nodes: 5 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3)
      await region.migrate(4)
      await cluster.pause(500)
      assert.deepEqual(await foundBy(cluster, 5, region.address), { by: 'manager', asked: 2 })
      // The founder takes it to be where it is no more.
      const mend = cluster.cut(1, 4)
      await cluster.pause(5000)
      await (await regionAt(cluster.node(4), region)).migrate(2)
      mend()
      const found = await foundBy(cluster, 3, region.address)
      assert.ok(found !== undefined && found.asked <= 3, `${found?.asked} asked`)
      // So does who has used it.
      const there = await regionAt(cluster.node(5), region)
      assert.equal(there.descriptor.home, 2)
      assert.ok((there.found?.asked ?? 9) <= 2, `${there.found?.asked} asked`)
    })
  })

  it('by the address map, where the manager cannot be asked', async () => {
    // The root of the map is where the others can read it.
    const cluster = new NodeCluster({ nodes: 5 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3)
      await write(region, 0, 5)
      await mapped(cluster)
      // What was read of the root is kept in step here, and of use without its home.
      await codeOf(new Khazana(cluster.node(5)).region((region.address + (1n << 50n)) as Address, wait))
      cluster.crash(1)
      const begun = cluster.now()
      const found = await foundBy(cluster, 5, region.address)
      assert.ok(cluster.now() - begun <= 5000)
      assert.ok(found?.by === 'map' || found?.by === 'walk', found?.by)
      assert.equal(await read(await regionAt(cluster.node(5), region), 0), 5)
    })
  })

  it('by the address map under a manager that knows nothing, after the founder has left', async () => {
    const cluster = new NodeCluster({ nodes: 5 })
    await cluster.run(async () => {
      const region = await cluster.reserve(4)
      await region.migrate(3)
      await mapped(cluster)
      await cluster.leave(1)
      // What the next manager had heard is forgotten with it.
      cluster.crash(2)
      await cluster.until('node 3 is the manager', () => cluster.node(5).members.manager === 3)
      await cluster.start(2)
      await cluster.until('node 2 is the manager', () => cluster.node(5).members.manager === 2)
      const found = await foundBy(cluster, 5, region.address)
      assert.ok(found !== undefined)
      assert.equal((await regionAt(cluster.node(5), region)).descriptor.home, 3)
    })
  })

  it('by asking everybody, where neither the manager nor the map can be', async () => {
    const cluster = new NodeCluster({ nodes: 5 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3)
      await region.migrate(4)
      await write(region, 0, 5)
      // The manager keeps the root, and node 3 the map of the pool.
      cluster.crash(1)
      cluster.crash(3)
      const begun = cluster.now()
      const found = await foundBy(cluster, 5, region.address)
      assert.equal(found?.by, 'walk')
      assert.ok(cluster.now() - begun <= 5000)
      assert.equal(await read(await regionAt(cluster.node(5), region), 0), 5)
      assert.deepEqual(await foundBy(cluster, 5, region.address), { by: 'directory', asked: 0 })
    })
  })
})

describe('a region that is not found', () => {
  it('was never reserved where nobody could have it, and is said so at once', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3)
      const inPool = (region.address + BigInt(64 * pageSize)) as Address
      const inNoPool = (region.address + (1n << 60n)) as Address
      const inNoSlice = (1n << 120n) as Address
      for (const number of [1, 2, 3, 4]) {
        for (const address of [inPool, inNoPool, inNoSlice]) {
          const begun = cluster.now()
          const error = await errorOf(new Khazana(cluster.node(number)).region(address, wait))
          assert.equal(error?.code, 'no-such-region')
          assert.ok(cluster.now() - begun < 1000, `${cluster.now() - begun} ms`)
        }
      }
    })
  })

  it('has a home that is down: nobody says that it is not reserved, in the time that was given', async () => {
    for (const home of [1, 3]) {
      const cluster = new NodeCluster({ nodes: 4 })
      await cluster.run(async () => {
        const region = await cluster.reserve(home)
        const moved = await cluster.reserve(2)
        await moved.migrate(home)
        await mapped(cluster)
        cluster.crash(home)
        for (const number of [2, 4]) {
          for (const { address } of [region, moved]) {
            const begun = cluster.now()
            const error = await errorOf(statOf(cluster, number, address))
            assert.equal(
              error?.code,
              'unreachable',
              `home ${home}, asked at ${number}: ${error?.message ?? ''}`,
            )
            const tookMs = cluster.now() - begun
            // The end of the time is noticed a little later.
            assert.ok(tookMs <= 5050, `${tookMs} ms`)
          }
        }
        // The others' is told apart from it.
        const other = await cluster.reserve(2)
        const unused = (other.address + BigInt(64 * pageSize)) as Address
        assert.equal(await codeOf(new Khazana(cluster.node(2)).region(unused, wait)), 'no-such-region')
        await cluster.start(home)
        for (const number of [2, 4]) {
          const there = await regionAt(cluster.node(number), region)
          assert.equal(await read(there, 0), 0)
        }
      })
    }
  })

  for (const consistency of presetsOfAll) {
    it(`was unreserved: that is said by all, also by who has used it (${consistency})`, async () => {
      const cluster = new NodeCluster({ nodes: 4 })
      await cluster.run(async () => {
        const still = await cluster.reserve(3, 2, { consistency })
        const moved = await cluster.reserve(3, 2, { consistency })
        await moved.migrate(2)
        for (const region of [still, moved]) {
          const used = await regionAt(cluster.node(4), region)
          await write(used, 0, 1)
          await used.sync()
          await read(await regionAt(cluster.node(1), region), 0)
          await used.unreserve()
          for (const number of [1, 2, 3, 4]) {
            const there = new Khazana(cluster.node(number))
            assert.equal(
              await codeOf(there.region(region.address, wait)),
              'no-such-region',
              `at node ${number}`,
            )
          }
        }
      })
    })
  }

  it('with a reason within whatever time its client has', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3)
      const client = await cluster.client(4)
      cluster.crash(3)
      for (const timeoutMs of [300, 1000, 1800, 2000, 4000]) {
        const begun = cluster.now()
        assert.equal(await codeOf(client.region(region.address, { timeoutMs })), 'unreachable')
        assert.ok(cluster.now() - begun < timeoutMs)
      }
      const nowhere = addressFrom(region.address + 0x1000_0000n)
      assert.equal(await codeOf(client.region(nowhere, { timeoutMs: 1000 })), 'unreachable')
    })
  })

  it('is looked for no longer than a second caller with less time waits', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3)
      cluster.crash(3)
      const khazana = new Khazana(cluster.node(4))
      const patient = codeOf(khazana.region(region.address, { timeoutMs: 20_000 }))
      const begun = cluster.now()
      assert.equal(await codeOf(khazana.region(region.address, { timeoutMs: 1000 })), 'unreachable')
      assert.ok(cluster.now() - begun <= 1100)
      for (const timeoutMs of [300, 1000, 2000]) {
        const error = await errorOf(khazana.region(region.address, { timeoutMs }))
        assert.equal(error?.code, 'unreachable')
        assert.match(error.message, /node 3/)
      }
      await cluster.start(3)
      assert.equal(await patient, 'no error')
    })
  })
})
