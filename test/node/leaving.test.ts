import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Khazana } from '../../src/client/khazana.js'
import type { Region } from '../../src/client/region.js'
import type { LeaveProgress } from '../../src/wire/message.js'
import { rootMapAddress } from '../../src/node/map/system-regions.js'
import { overlaps } from '../../src/testing/khazana/overlaps.js'
import { codeOf, errorOf, homesOf, membersAt, regionAt } from './census.js'
import { NodeCluster, endpointOf, pageSize } from './node-cluster.js'
import { pageAt, presetsOfAll, read, write } from './small-cluster.js'

const pages = 4
const MiB = 1024 * 1024

/** Regions at the node, one of each preset, of whose pages each has the number 1 more than its own, but the last. */
async function reserveSome(cluster: NodeCluster, home: number): Promise<Region[]> {
  const regions: Region[] = []
  for (const consistency of presetsOfAll) {
    const region = await cluster.reserve(home, pages, { consistency })
    await region.free(pageAt(pages - 1))
    for (let page = 0; page < pages - 1; page++) await write(region, page, page + 1)
    await region.sync()
    regions.push(region)
  }
  return regions
}

/** All of it is there, and can be used, from every node that is up. */
async function checkWhole(cluster: NodeCluster, regions: readonly Region[]): Promise<void> {
  for (const region of regions) {
    assert.equal(homesOf(cluster.nodes, region.address).length, 1)
    for (const node of cluster.nodes) {
      const here = await regionAt(node, region)
      for (let page = 0; page < pages - 1; page++) assert.equal(await read(here, page), page + 1, node.name)
      assert.equal(await codeOf(read(here, pages - 1)), 'not-allocated')
      await write(here, 0, 1)
      await here.sync()
    }
  }
  assert.deepEqual(overlaps(cluster.nodes), [])
}

/** Nobody counts the node as a member any more. */
async function checkForgotten(cluster: NodeCluster, number: number): Promise<void> {
  await cluster.until('all have heard', () =>
    cluster.nodes.every((node) => !membersAt(node).includes(number)),
  )
  for (const node of cluster.nodes) {
    const listed = await new Khazana(node).nodes()
    assert.ok(!listed.some(({ member }) => member.node === number), node.name)
  }
}

describe('a node that leaves', () => {
  it('hands its regions to others, who have all of them as they were', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      const regions = await reserveSome(cluster, 2)
      const unused = await new Khazana(cluster.node(2)).reserve(pageSize)
      const known = await Promise.all(regions.map((region) => regionAt(cluster.node(3), region)))
      for (const region of known) await read(region, 0)
      await cluster.leave(2, { timeoutMs: 60_000 })
      await checkWhole(cluster, regions)
      // Handles from before go on.
      for (const region of known) await write(region, 1, 2)
      assert.equal(await codeOf((await regionAt(cluster.node(4), unused)).allocate()), 'no error')
      await checkForgotten(cluster, 2)
    })
  })

  it('cannot come back as who it was, and another node can join through any that is left', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const regions = await reserveSome(cluster, 2)
      await cluster.leave(2)
      cluster.crash(2)
      const error = await errorOf(cluster.start(2))
      assert.equal(error?.code, 'wrong-cluster')
      assert.match(error.message, /has left its cluster: use a new directory/)
      for (const door of [1, 3]) {
        const added = cluster.add({ join: endpointOf(door) })
        await cluster.start(added)
        assert.notEqual(cluster.node(added).identity.node, 2)
      }
      await checkWhole(cluster, regions)
    })
  })

  it('hands its address space over, from which nothing is given twice', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const regions = await reserveSome(cluster, 2)
      // One of another node's space, and one of its own elsewhere.
      const guest = await cluster.reserve(3, pages)
      await guest.migrate(2)
      await regions[0]?.migrate(3)
      const pools = [...cluster.node(2).pools.all()].map(({ start }) => start)
      assert.ok(pools.length > 0)
      await cluster.leave(2)
      const heirs = cluster.nodes.filter((node) =>
        pools.every((start) => node.pools.find(start)?.start === start),
      )
      assert.equal(heirs.length, 1)
      const taken = new Map<bigint, number>()
      for (const region of [...regions, guest]) taken.set(region.address, region.size)
      for (let count = 0; count < 30; count++) {
        for (const node of cluster.nodes) {
          const { address, size } = await new Khazana(node).reserve(pages * pageSize)
          for (const [start, bytes] of taken) {
            assert.ok(address >= start + BigInt(bytes) || start >= address + BigInt(size))
          }
          taken.set(address, size)
        }
      }
      await checkWhole(cluster, regions)
      // What is given back can be reserved again, by who has its space now.
      const [heir] = heirs
      const first = regions[1]
      assert.ok(heir !== undefined && first !== undefined)
      await (await regionAt(cluster.node(3), first)).unreserve()
      await cluster.until('it is returned', () => heir.pools.isFree(first.address))
    })
  })

  it('may be the founder: the root of the address map, the numbers and the duty go to others', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      const regions = await reserveSome(cluster, 1)
      await cluster.leave(1)
      await cluster.until('the duty has passed', () =>
        cluster.nodes.every(({ members }) => members.manager === 2),
      )
      assert.equal(homesOf(cluster.nodes, rootMapAddress).length, 1)
      await checkWhole(cluster, regions)
      await checkForgotten(cluster, 1)
      // More than any pool has left.
      const huge = await new Khazana(cluster.node(4)).reserve(2 ** 31)
      assert.equal((await regionAt(cluster.node(3), huge)).size, 2 ** 31)
      const numbers = new Set<number>()
      for (const door of [2, 3, 4]) {
        const added = cluster.add({ join: endpointOf(door) })
        await cluster.start(added)
        numbers.add(cluster.node(added).identity.node)
        assert.equal(await read(await regionAt(cluster.node(added), regions[0] as Region), 0), 1)
      }
      assert.deepEqual(
        [...numbers].filter((number) => number <= 4),
        [],
      )
      assert.equal(numbers.size, 3)
      assert.deepEqual(overlaps(cluster.nodes), [])
    })
  })

  it('may be one after the other, until the last one has everything', async () => {
    const cluster = new NodeCluster({ nodes: 4 })
    await cluster.run(async () => {
      const regions = [...(await reserveSome(cluster, 1)), ...(await reserveSome(cluster, 3))]
      for (const number of [1, 3, 2]) {
        regions.push(...(await reserveSome(cluster, 4)))
        await cluster.leave(number, { timeoutMs: 60_000 })
        await checkWhole(cluster, regions)
        await checkForgotten(cluster, number)
      }
      const last = cluster.node(4)
      assert.ok(last.members.isManager)
      for (const { address } of regions) assert.deepEqual(homesOf([last], address), [4])
      assert.notEqual(last.home.find(rootMapAddress), undefined)
      assert.equal(
        await codeOf(regionAt(last, { address: ((regions[0]?.address ?? 0n) + (1n << 40n)) as never })),
        'no-such-region',
      )
      const added = cluster.add({ join: endpointOf(4) })
      await cluster.start(added)
      await checkWhole(cluster, regions)
      cluster.crash(4)
      await cluster.start(4)
      await checkWhole(cluster, regions)
    })
  })

  for (const leaver of [1, 2]) {
    it(`takes along what is written and reserved all the while (node ${leaver})`, async () => {
      const cluster = new NodeCluster({ nodes: 4 })
      await cluster.run(async () => {
        const regions = await reserveSome(cluster, leaver)
        const users = [3, 4].map((number) => new Khazana(cluster.node(number)))
        const load = { isOver: false }
        const reserved: Region[] = []
        const used = users.map(async (khazana, user) => {
          const handles = await Promise.all(regions.map(({ address }) => khazana.region(address)))
          let byte = 1
          while (!load.isOver) {
            byte = (byte % 250) + 1
            for (const handle of handles) await write(handle, user + 1, byte)
            const region = await khazana.reserve(pageSize)
            await region.allocate()
            reserved.push(region)
            await cluster.pause(5)
          }
          for (const handle of handles) {
            await write(handle, user + 1, user + 2)
            await handle.sync()
          }
        })
        await cluster.pause(50)
        await cluster.leave(leaver, { timeoutMs: 60_000 })
        await cluster.pause(200)
        load.isOver = true
        await Promise.all(used)
        await checkWhole(cluster, regions)
        assert.ok(reserved.length > 10)
        for (const { address } of reserved) assert.equal(homesOf(cluster.nodes, address).length, 1)
        await checkForgotten(cluster, leaver)
      })
    })
  }

  it('is made to by its client, who is told how far it is', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const regions = [...(await reserveSome(cluster, 2)), await cluster.reserve(2)]
      const khazana = await cluster.client(2)
      // Something must hold it up for a while.
      const lock = await (await khazana.region((regions[4] as Region).address)).lock('write')
      const told: LeaveProgress[] = []
      const left = khazana.leave({ timeoutMs: 60_000, onProgress: (progress) => told.push(progress) })
      await cluster.until('all others are handed over', () => told.at(-1)?.regionsLeft === 1)
      assert.equal(cluster.node(1).status().leaving, undefined)
      assert.equal(await codeOf(new Khazana(cluster.node(2)).reserve(pageSize)), 'closed')
      await lock.unlock()
      await left
      await cluster.until('it has closed', () => cluster.hasLeft(2))
      assert.ok(told.every(({ regionsLeft, regionsTotal }) => regionsLeft <= regionsTotal))
      assert.ok((told[0]?.regionsTotal ?? 0) >= 5)
      assert.match(await codeOf(khazana.nodes({ timeoutMs: 5000 })), /^(closed|unreachable|timeout)$/)
      await checkWhole(cluster, regions.slice(0, 4))
    })
  })
})

describe('a node that cannot leave', () => {
  it('is told so where no other one is up, goes on, and leaves when one is', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const regions = await reserveSome(cluster, 2)
      cluster.crash(1)
      cluster.crash(3)
      const begun = cluster.now()
      const error = await errorOf(cluster.node(2).leave({ timeoutMs: 10_000 }))
      assert.equal(error?.code, 'unreachable')
      assert.ok(cluster.now() - begun <= 16_000, `${cluster.now() - begun} ms`)
      assert.equal(cluster.node(2).status().leaving, undefined)
      await checkWhole(cluster, regions)
      regions.push(...(await reserveSome(cluster, 2)))
      await cluster.start(3)
      await cluster.start(1)
      await checkWhole(cluster, regions)
      await cluster.leave(2)
      await checkWhole(cluster, regions)
      await checkForgotten(cluster, 2)
    })
  })

  it('stays a cluster of one where it always was alone', async () => {
    const cluster = new NodeCluster({ nodes: 1 })
    await cluster.run(async () => {
      const regions = await reserveSome(cluster, 1)
      assert.equal(await codeOf(new Khazana(cluster.node(1)).leave({ timeoutMs: 3000 })), 'unreachable')
      regions.push(...(await reserveSome(cluster, 1)))
      await checkWhole(cluster, regions)
      await cluster.start(cluster.add())
      await checkWhole(cluster, regions)
      await cluster.leave(1)
      await checkWhole(cluster, regions)
    })
  })

  it('gives up in its time where a lock is held, goes on with what it has, and leaves later', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const regions = await reserveSome(cluster, 1)
      const locked = await cluster.reserve(1)
      const there = await regionAt(cluster.node(3), locked)
      const lock = await there.lock('write', pageAt(0))
      const begun = cluster.now()
      const error = await errorOf(cluster.node(1).leave({ timeoutMs: 8000 }))
      assert.equal(error?.code, 'timeout')
      assert.match(error.message, /goes on as a member/)
      const tookMs = cluster.now() - begun
      assert.ok(tookMs <= 9500, `${tookMs} ms`)
      lock.write(0, Uint8Array.of(7))
      await lock.unlock()
      assert.equal(await read(await regionAt(cluster.node(2), locked), 0), 7)
      assert.deepEqual(homesOf(cluster.nodes, locked.address), [1])
      await checkWhole(cluster, regions)
      regions.push(...(await reserveSome(cluster, 1)))
      const added = cluster.add({ join: endpointOf(1) })
      await cluster.start(added)
      await checkWhole(cluster, regions)
      await cluster.leave(1)
      await checkWhole(cluster, regions)
      assert.equal(await read(there, 0), 7)
      await checkForgotten(cluster, 1)
    })
  })

  it('says what is left, and for whom it waits, also to who asked when it was under way', async () => {
    const cluster = new NodeCluster({ nodes: 2 })
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      const there = await regionAt(cluster.node(2), region)
      const lock = await there.lock('write', pageAt(0))
      const first = errorOf(cluster.node(1).leave({ timeoutMs: 20_000 }))
      await cluster.pause(100)
      for (const leave of [
        () => cluster.node(1).leave({ timeoutMs: 3000 }),
        async () => (await cluster.client(1)).leave({ timeoutMs: 3000 }),
      ]) {
        const begun = cluster.now()
        const error = await errorOf(leave())
        assert.equal(error?.code, 'timeout')
        assert.match(
          error.message,
          /^the node has not left in that time, and is still about to; left here: 1 region/,
        )
        assert.ok(cluster.now() - begun <= 3200, `${cluster.now() - begun} ms`)
      }
      const error = await first
      assert.equal(error?.code, 'timeout')
      assert.match(
        error.message,
        /^the node goes on as a member; left here: 1 region, .*: region ::1:0:0, to node 2: /,
      )
      await lock.unlock()
    })
  })

  it('names the node that has no room, and what can be done', async () => {
    const cluster = new NodeCluster({
      nodes: 2,
      more: (number) => ({ diskBytesMax: (number === 1 ? 16 : 4) * MiB }),
    })
    await cluster.run(async () => {
      const region = await cluster.reserve(1, 1500)
      const full = /node 2 has no room for 6528000 more bytes: .*khazana resources --disk/
      const moved = await errorOf(region.migrate(2))
      assert.equal(moved?.code, 'no-space')
      assert.match(moved.message, full)
      for (const timeoutMs of [300, 5000]) {
        const error = await errorOf(cluster.node(1).leave({ timeoutMs }))
        assert.equal(error?.code, 'timeout')
        assert.match(error.message, /^the node goes on as a member; left here: 1 region, /)
        assert.match(error.message, full)
      }
    })
  })

  it('says to its client what is known of it where it does not say so itself', async () => {
    const cluster = new NodeCluster({ nodes: 2 })
    await cluster.run(async () => {
      const client = await cluster.client(1)
      const locked = await regionAt(cluster.node(2), await cluster.reserve(1))
      const lock = await locked.lock('write', pageAt(0))
      const asked = errorOf(client.leave({ timeoutMs: 2000 }))
      await cluster.pause(300)
      const mend = cluster.silence('client-of-1', 'node-1')
      const cut = await asked
      mend()
      await lock.unlock()
      assert.equal(cut?.code, 'timeout')
      assert.match(
        cut.message,
        /^it has not been heard from the node that it has left the cluster: it does not answer now/,
      )
    })
  })

  it('gives up when it is told to', async () => {
    const cluster = new NodeCluster({ nodes: 2 })
    await cluster.run(async () => {
      const region = await cluster.reserve(2, 2)
      const lock = await (await regionAt(cluster.node(1), region)).lock('write', pageAt(0))
      const given = new AbortController()
      const left = codeOf(cluster.node(2).leave({ signal: given.signal }))
      await cluster.pause(1000)
      given.abort()
      const begun = cluster.now()
      assert.equal(await left, 'aborted')
      assert.ok(cluster.now() - begun < 2000, `${cluster.now() - begun} ms`)
      await lock.unlock()
      await write(region, 1, 5)
      assert.equal(await read(await regionAt(cluster.node(1), region), 1), 5)
    })
  })
})
