import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Region } from '../../src/client/region.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { SmallCluster, pageAt, pageSize, presetsOfAll, read, write } from './small-cluster.js'
import type { Place } from './small-cluster.js'

/** Node 1, its client; node 2, its client; node 3. */
function threeNodes(seed: number): SmallCluster {
  return new SmallCluster(seed, {}, { third: {} })
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'no error'
  } catch (reason) {
    return KhazanaError.from(reason).code
  }
}

async function everywhere(cluster: SmallCluster, region: Region): Promise<Map<Place, Region>> {
  const regions = new Map<Place, Region>()
  for (const place of cluster.places) regions.set(place, await cluster.at(place, region))
  return regions
}

/** The nodes that take themselves for the home. */
async function homes(cluster: SmallCluster, region: Region): Promise<number[]> {
  const found: number[] = []
  for (const place of cluster.places) {
    const { node } = await place.up()
    if (node?.home.find(region.address) !== undefined) found.push(node.identity.node)
  }
  return found
}

/** Where it says that it is homed, to whoever asks there. */
async function homeAsSeen(region: Region): Promise<number> {
  return (await region.stat({ offset: 0, length: 1 })).descriptor.home
}

describe('a home that moves', () => {
  for (const preset of presetsOfAll) {
    it(`loses nothing, and is found by all who knew where it was (${preset})`, async () => {
      const cluster = threeNodes(1)
      await cluster.run(async () => {
        const region = await cluster.reserve(8, { consistency: preset })
        const regions = await everywhere(cluster, region)
        for (let page = 0; page < 7; page++) await write(region, page, page + 10)
        for (const each of regions.values()) assert.equal(await read(each, 3), 13)
        await region.migrate(2)
        assert.equal(region.descriptor.home, 2)
        assert.deepEqual(await homes(cluster, region), [2])
        for (const [place, each] of regions) {
          assert.equal(await homeAsSeen(each), 2, place.name)
          for (let page = 0; page < 7; page++) assert.equal(await read(each, page), page + 10, place.name)
          assert.equal(await read(each, 7), 0)
        }
        let byte = 100
        for (const each of regions.values()) {
          await write(each, 5, ++byte)
          await each.sync()
          for (const other of regions.values())
            await cluster.until('it is read', async () => (await read(other, 5)) === byte)
        }
      })
    })
  }

  it('goes round, and comes back to where it was', async () => {
    const cluster = threeNodes(2)
    await cluster.run(async () => {
      const region = await cluster.reserve(2)
      const regions = await everywhere(cluster, region)
      const far = regions.get(cluster.far) ?? region
      let byte = 0
      for (const to of [2, 3, 1, 3, 2, 1, 2, 1]) {
        await write(far, 0, ++byte)
        await far.migrate(to)
        assert.deepEqual(await homes(cluster, region), [to])
        for (const each of regions.values()) assert.equal(await read(each, 0), byte)
      }
      await region.free(pageAt(0))
      assert.equal(await codeOf(read(far, 0)), 'not-allocated')
      await region.allocate(pageAt(0))
      assert.equal(await read(far, 0), 0)
      await far.unreserve()
      for (const each of regions.values()) assert.equal(await codeOf(read(each, 0, 3000)), 'no-such-region')
    })
  })

  it('is followed by whoever has not heard of any of it, over several homes', async () => {
    const cluster = threeNodes(3)
    await cluster.run(async () => {
      const region = await cluster.reserve(2)
      const third = cluster.third
      assert.ok(third !== undefined)
      const there = await cluster.at(third, region)
      await write(region, 0, 7)
      const mend = [cluster.cut(cluster.home, third), cluster.cut(cluster.relay, third)]
      await cluster.pause(3000)
      await region.migrate(2)
      await (await cluster.at(cluster.relay, region)).migrate(1)
      await region.migrate(2)
      for (const each of mend) each()
      assert.equal(await read(there, 0), 7)
      await write(there, 0, 8)
      assert.equal(await read(region, 0), 8)
      const stat = await there.stat({ offset: 0, length: pageSize })
      assert.equal(stat.descriptor.home, 2)
      assert.equal(stat.moving, undefined)
    })
  })

  it('waits for open locks, and what is asked for meanwhile is served at the new home', async () => {
    const cluster = threeNodes(4)
    await cluster.run(async () => {
      const region = await cluster.reserve(2)
      const regions = await everywhere(cluster, region)
      const far = regions.get(cluster.far) ?? region
      const lock = await far.lock('write', pageAt(0))
      let isMoved = false
      const moved = region.migrate('node-2').then(() => (isMoved = true))
      await cluster.pause(1000)
      assert.equal(isMoved, false)
      const { moving } = await far.stat(pageAt(0))
      assert.equal(moving?.to, 2)
      const asked = [...regions.values()].map((each) => read(each, 0, 10_000))
      await cluster.pause(500)
      lock.write(0, Uint8Array.of(9))
      await lock.unlock()
      await moved
      assert.deepEqual(await Promise.all(asked), [9, 9, 9, 9, 9])
    })
  })

  it('stays where locks are held too long, or it is told to, and all goes on', async () => {
    const cluster = threeNodes(5)
    await cluster.run(async () => {
      const region = await cluster.reserve(2)
      const far = await cluster.at(cluster.far, region)
      const lock = await far.lock('write', pageAt(0))
      assert.equal(await codeOf(region.migrate(2, { timeoutMs: 1000 })), 'timeout')
      const given = new AbortController()
      const aborted = codeOf(far.migrate(2, { signal: given.signal }))
      await cluster.pause(300)
      given.abort()
      assert.equal(await aborted, 'aborted')
      await cluster.pause(100)
      // Nobody waits for the lock any more.
      await write(region, 1, 3)
      lock.write(0, Uint8Array.of(4))
      await lock.unlock()
      assert.equal(await read(region, 0), 4)
      assert.deepEqual(await homes(cluster, region), [1])
      await far.migrate(2)
      assert.deepEqual([await read(region, 0), await read(region, 1)], [4, 3])
    })
  })

  it('is refused in words where it cannot be, and to itself is nothing', async () => {
    const cluster = new SmallCluster(6, {}, { third: { diskBytesMax: 2.5 * 1024 * 1024 } })
    await cluster.run(async () => {
      const region = await cluster.reserve(500)
      assert.equal(await codeOf(region.migrate(1)), 'no error')
      assert.equal(region.descriptor.era, 1)
      assert.equal(await codeOf(region.migrate(9)), 'invalid-argument')
      assert.equal(await codeOf(region.migrate('nobody')), 'invalid-argument')
      assert.equal(await codeOf(region.migrate(3)), 'no-space')
      cluster.relay.service.kill()
      assert.equal(await codeOf(region.migrate(2, { timeoutMs: 1000 })), 'unreachable')
      await write(region, 0, 1)
      assert.deepEqual((await (await cluster.home.up()).khazana.region(region.address)).descriptor.home, 1)
    })
  })

  it('takes turns with all else that is done to a region', async () => {
    const cluster = threeNodes(11)
    await cluster.run(async () => {
      const region = await cluster.reserve(8)
      const regions = [...(await everywhere(cluster, region)).values()]
      const [a, b, c, d, e] = regions
      assert.ok(a !== undefined && b !== undefined && c !== undefined && d !== undefined && e !== undefined)
      await region.free(pageAt(6))
      await Promise.all([
        a.migrate(2),
        b.setAttributes({ consistency: 'release' }),
        c.migrate(3),
        d.allocate(pageAt(6)),
        e.free(pageAt(7)),
        c.setAttributes({ labels: { colour: 'green' } }),
        d.migrate(1),
        e.migrate(2),
        ...regions.map((each, index) => write(each, index, index + 1)),
      ])
      assert.equal((await homes(cluster, region)).length, 1)
      for (const each of regions) {
        for (let page = 0; page < 5; page++) assert.equal(await read(each, page), page + 1)
        assert.equal(await read(each, 6), 0)
        assert.equal(await codeOf(read(each, 7)), 'not-allocated')
        const { consistency, labels } = await each.refresh()
        assert.deepEqual([consistency.synchronization, labels], ['release', { colour: 'green' }])
      }
      await region.migrate(3)
      await region.unreserve()
      for (const each of regions) assert.equal(await codeOf(each.migrate(1)), 'no-such-region')
    })
  })

  it('does not go to a node that lacks what the region names', async () => {
    const plugins = { conflictTests: { 'by-row': () => true } }
    const cluster = new SmallCluster(12, { home: plugins, near: plugins, third: plugins }, { third: {} })
    await cluster.run(async () => {
      const region = await cluster.reserve(2, { conflicts: 'by-row' })
      await write(region, 0, 1)
      assert.equal(await codeOf(region.migrate(2)), 'unsupported')
      assert.equal(await read(region, 0), 1)
      await region.migrate(3)
      assert.equal(await read(await cluster.at(cluster.near, region), 0), 1)
    })
  })

  it('goes on being watched from everywhere, and tells what happened after', async () => {
    const cluster = threeNodes(8)
    await cluster.run(async () => {
      const region = await cluster.reserve(2)
      const regions = [...(await everywhere(cluster, region)).values()]
      const seen = regions.map(() => [] as string[])
      const given = new AbortController()
      const watched = regions.map(async (each, index) => {
        const watch = await each.watch(undefined, { signal: given.signal })
        void (async () => {
          try {
            for await (const event of watch) {
              seen[index]?.push(
                event.kind === 'change' ? `${event.offset / pageSize}` : `dropped ${event.count ?? '?'}`,
              )
            }
          } catch {
            seen[index]?.push('over')
          }
        })()
      })
      await Promise.all(watched)
      // To where nobody watched it, to the home of half of those who do, and back.
      for (const to of [3, 2, 1, 2]) {
        await region.migrate(to)
        await cluster.until('all have been told', () => seen.every((events) => events.at(-1) === 'dropped ?'))
        await write(region, 1, to)
        await cluster.until('all have seen it', () => seen.every((events) => events.at(-1) === '1'))
      }
      for (const events of seen) assert.ok(!events.includes('over') && !events.includes('0'))
      // The registrations of all of them are at node 2 now, one for each site.
      assert.equal((await cluster.home.up()).node?.watches.peerCount, 1)
      given.abort()
      await cluster.until('all are over', () => seen.every((events) => events.at(-1) === 'over'))
    })
  })

  it('leaves its addresses to the node that gave them, which gives them again when it is told', async () => {
    const cluster = threeNodes(9)
    await cluster.run(async () => {
      const region = await cluster.reserve(4)
      await region.migrate(2)
      const next = await cluster.reserve(4)
      assert.notEqual(next.address, region.address)
      const ended = region.descriptor
      await region.unreserve()
      const [{ node: old }, { node: former, khazana }] = [await cluster.home.up(), await cluster.relay.up()]
      assert.ok(old !== undefined && former !== undefined)
      // Node 2 has space of its own, and takes nothing from here.
      const theirs = await khazana.reserve(4096)
      assert.ok(theirs.address < ended.address || theirs.address > ended.address + BigInt(ended.size) * 4n)
      assert.equal(await codeOf(cluster.at(cluster.far, region)), 'no-such-region')
      assert.equal(old.home.moves.find(ended.address)?.home, 2)
      await old.home.letGo(ended)
      assert.equal(old.home.moves.find(ended.address), undefined)
      cluster.home.service.kill()
      cluster.home.service.start()
      const { khazana: again } = await cluster.home.up()
      const reused = await again.reserve(4 * pageSize)
      assert.equal(reused.address, ended.address)
      assert.ok(reused.descriptor.generation > ended.generation)
    })
  })

  it('is not given again while another node has it, also after a restart', async () => {
    const cluster = threeNodes(10)
    await cluster.run(async () => {
      const region = await cluster.reserve(4)
      await region.migrate(2)
      cluster.home.service.kill()
      cluster.home.service.start()
      const { khazana } = await cluster.home.up()
      const next = await khazana.reserve(4096)
      assert.notEqual(next.address, region.address)
      // The other node has to notice first that this one was started again.
      await cluster.until(
        'it is found',
        async () => (await codeOf(khazana.region(region.address))) === 'no error',
      )
      const here = await khazana.region(region.address)
      assert.equal(here.descriptor.home, 2)
      await write(here, 1, 5)
      const { khazana: far } = await cluster.far.up()
      assert.equal(await read(await far.region(region.address), 1), 5)
    })
  })

  it('takes what is written all the while along', async () => {
    for (const preset of presetsOfAll) {
      const cluster = threeNodes(7)
      await cluster.run(async () => {
        const region = await cluster.reserve(120, { consistency: preset })
        const regions = [...(await everywhere(cluster, region)).values()]
        for (let page = 0; page < 120; page++) await write(region, page, 1)
        const writing = { isOver: false }
        const written = regions.map(async (each, index) => {
          let byte = 1
          while (!writing.isOver) {
            byte = (byte % 250) + 1
            for (let page = index; page < 120; page += 40) {
              await write(each, page, byte)
              await cluster.pause(1)
            }
          }
          return byte
        })
        for (const to of [2, 3, 1]) {
          await cluster.pause(50)
          await region.migrate(to)
        }
        writing.isOver = true
        const last = await Promise.all(written)
        for (const each of regions) await each.sync()
        for (const [index] of last.entries()) {
          for (const each of regions) {
            const own = regions[index] ?? region
            const expected = await read(own, index)
            await cluster.until('all have the same', async () => (await read(each, index)) === expected)
          }
        }
        assert.deepEqual(await homes(cluster, region), [1])
      })
    }
  })
})
