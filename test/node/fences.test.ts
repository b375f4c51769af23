import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LockMode } from '../../src/address/lock-mode.js'
import type { Region } from '../../src/client/region.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { SmallCluster, pageAt, read } from './small-cluster.js'
import type { Place } from './small-cluster.js'

const int64Max = 2n ** 63n - 1n

/** Node 1, its client; node 2, its client; node 3. */
function threeNodes(): SmallCluster {
  return new SmallCluster(1, {}, { third: {} })
}

async function fenceOf(region: Region, mode: LockMode = 'write'): Promise<bigint> {
  await using lock = await region.lock(mode, pageAt(0), { timeoutMs: 30_000 })
  return lock.fence
}

/** Each is greater than all before it. */
class Growing {
  #last = 0n

  add(fence: bigint, who: string): void {
    assert.ok(fence > this.#last, `${who}: ${fence} is not above ${this.#last}`)
    assert.ok(fence <= int64Max)
    this.#last = fence
  }
}

async function everywhere(cluster: SmallCluster, region: Region): Promise<[Place, Region][]> {
  const regions: [Place, Region][] = []
  for (const place of cluster.places) regions.push([place, await cluster.at(place, region)])
  return regions
}

function codeOf(act: () => unknown): string {
  try {
    act()
    return 'no error'
  } catch (reason) {
    return KhazanaError.from(reason).code
  }
}

describe('the fence of a write lock', () => {
  it('grows from holder to holder, at nodes and clients, and straight from node to node', async () => {
    const cluster = threeNodes()
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      const growing = new Growing()
      for (let round = 0; round < 4; round++) {
        for (const [place, here] of await everywhere(cluster, region)) {
          growing.add(await fenceOf(here), place.name)
          growing.add(await fenceOf(here, 'write-shared'), place.name)
        }
      }
      const [one, other] = [
        await cluster.at(cluster.relay, region),
        await cluster.at(cluster.third ?? cluster.near, region),
      ]
      for (let round = 0; round < 10; round++) {
        growing.add(await fenceOf(one), 'relay')
        growing.add(await fenceOf(other), 'third')
      }
    })
  })

  it('is the same whenever it is asked for, and not to be had from any other context', async () => {
    const cluster = threeNodes()
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      const lock = await region.lock('write', pageAt(0))
      const { fence } = lock
      assert.equal(lock.fence, fence)
      await lock.unlock()
      assert.equal(
        codeOf(() => lock.fence),
        'context-closed',
      )
      await using reader = await region.lock('read', pageAt(0))
      assert.equal(
        codeOf(() => reader.fence),
        'unsupported',
      )
      for (const settings of [{ consistency: 'release' }, { consistency: 'eventual' }] as const) {
        const loose = await cluster.reserve(1, settings)
        await assert.rejects(fenceOf(loose), { code: 'unsupported' })
      }
    })
  })

  it('is at most as much greater after a loss as a node, or a client, may count by itself', async () => {
    const cluster = threeNodes()
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      for (const [place, countsMax] of [
        [cluster.relay, 65_536n],
        [cluster.near, 2048n],
      ] as const) {
        const lost = await fenceOf(await cluster.at(place, region))
        const mend = cluster.cut(place, cluster.home)
        const gap = (await fenceOf(region)) - lost
        assert.ok(gap > countsMax / 2n && gap <= countsMax + 1n, `${place.name} costs ${gap}`)
        mend()
      }
    })
  })

  it('of a context that lost its right cannot be read any more, and the next one is greater', async () => {
    const cluster = threeNodes()
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      const growing = new Growing()
      for (const place of [cluster.far, cluster.near, cluster.relay]) {
        const here = await cluster.at(place, region)
        // Nobody hears of these.
        for (let count = 0; count < 20; count++) growing.add(await fenceOf(here), place.name)
        const lock = await here.lock('write', pageAt(0))
        growing.add(lock.fence, place.name)
        const mend = cluster.cut(place, place === cluster.far ? cluster.relay : cluster.home)
        growing.add(await fenceOf(region), 'home')
        assert.equal(
          codeOf(() => lock.fence),
          'context-broken',
        )
        mend()
        await cluster.until('it is back', async () => (await read(here, 0)) === 0)
        growing.add(await fenceOf(here), place.name)
      }
    })
  })

  it('grows over a crash of who had it, of its node, and of the home', async () => {
    const cluster = threeNodes()
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      const growing = new Growing()
      const visit = async (): Promise<void> => {
        for (const [place, here] of await everywhere(cluster, region))
          growing.add(await fenceOf(here), place.name)
      }
      for (const place of [cluster.far, cluster.relay, cluster.near, cluster.home, cluster.home]) {
        await visit()
        growing.add(await fenceOf(await cluster.at(place, region)), place.name)
        place.service.kill()
        await cluster.pause(20)
        for (const { service } of cluster.places) service.start()
      }
      await visit()
    })
  })

  it('grows over moves and changes of consistency', async () => {
    const cluster = threeNodes()
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      const growing = new Growing()
      const visit = async (): Promise<void> => {
        for (const [place, here] of await everywhere(cluster, region))
          growing.add(await fenceOf(here), place.name)
      }
      await visit()
      for (const to of [2, 3, 1, 2]) {
        await region.migrate(to)
        await visit()
      }
      await region.setAttributes({ consistency: 'release' })
      await assert.rejects(fenceOf(region), { code: 'unsupported' })
      await region.setAttributes({ consistency: 'strict' })
      await visit()
    })
  })

  it('is there for thousands within moments, and costs no message but now and then', async () => {
    const cluster = threeNodes()
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      const growing = new Growing()
      for (const place of [cluster.far, cluster.near, cluster.relay, cluster.home]) {
        const here = await cluster.at(place, region)
        await fenceOf(here)
        for (let count = 0; count < 6000; count++) {
          const lock = here.tryLock('write', pageAt(0))
          assert.ok(lock !== undefined)
          growing.add(lock.fence, place.name)
          lock.discard()
          // Some hundreds in the time of a message.
          if (count % 200 === 0) await cluster.pause(20)
        }
      }
    })
  })

  it('is not there for ever within one moment, and is again after a message', async () => {
    const cluster = threeNodes()
    await cluster.run(async () => {
      const region = await cluster.at(cluster.near, await cluster.reserve(1))
      let last = await fenceOf(region)
      const take = (): string =>
        codeOf(() => {
          const lock = region.tryLock('write', pageAt(0))
          assert.ok(lock !== undefined)
          try {
            const { fence } = lock
            assert.ok(fence > last)
            last = fence
          } finally {
            lock.discard()
          }
        })
      let count = 0
      while (take() === 'no error') count += 1
      assert.equal(take(), 'busy')
      assert.ok(count > 1000, `${count}`)
      await cluster.pause(50)
      assert.equal(take(), 'no error')
    })
  })
})
