import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Region } from '../../src/client/region.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { SmallCluster, read, write } from './small-cluster.js'
import type { Place } from './small-cluster.js'

const pages = 6

interface Scene {
  readonly cluster: SmallCluster
  readonly third: Place
  /** As the third node knows it. */
  readonly region: Region
}

/** A region at node 1 that all have used, of whose pages each has the number 1 more than its own. */
async function withRegion(
  preset: 'strict' | 'release',
  test: (scene: Scene) => Promise<void>,
): Promise<void> {
  const cluster = new SmallCluster(1, {}, { third: {} })
  await cluster.run(async () => {
    const made = await cluster.reserve(pages, { consistency: preset })
    for (let page = 0; page < pages; page++) await write(made, page, page + 1)
    const { third } = cluster
    assert.ok(third !== undefined)
    for (const place of [cluster.far, cluster.near, third]) await read(await cluster.at(place, made), 0)
    await test({ cluster, third, region: await cluster.at(third, made) })
  })
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'no error'
  } catch (reason) {
    return KhazanaError.from(reason).code
  }
}

async function homesOf(cluster: SmallCluster, region: Region): Promise<number[]> {
  const found: number[] = []
  for (const place of cluster.places) {
    const { node } = await place.up()
    if (node?.home.find(region.address) !== undefined) found.push(node.identity.node)
  }
  return found
}

/** Whether the node keeps anything of a move that is not over. */
async function isUnderWay(place: Place, region: Region): Promise<boolean> {
  const { node } = await place.up()
  return node?.home.moves.settled(region.address) !== undefined
}

/** Everything is there, can be used from everywhere, and there is one home. Answers with it. */
async function checkWhole({ cluster, region }: Scene): Promise<number> {
  await cluster.until('there is one home', async () => (await homesOf(cluster, region)).length === 1)
  for (const place of cluster.places) {
    let here: Region | undefined
    await cluster.until(`${place.name} finds it`, async () => {
      try {
        here = await cluster.at(place, region)
      } catch {
        return false
      }
      return true
    })
    assert.ok(here !== undefined)
    for (let page = 0; page < pages; page++) assert.equal(await read(here, page), page + 1, place.name)
    await write(here, 0, 1)
  }
  for (const place of [cluster.home, cluster.relay])
    await cluster.until('nothing is under way', async () => !(await isUnderWay(place, region)))
  const homes = await homesOf(cluster, region)
  assert.equal(homes.length, 1)
  return homes[0] ?? 0
}

describe('a move of which a node dies', () => {
  for (const victim of ['home', 'relay'] as const) {
    for (const how of ['killed', 'without power'] as const) {
      it(`leaves one home with everything, whenever the ${victim === 'home' ? 'old' : 'new'} one is ${how}`, async (t) => {
        const ends = new Map<number, number>()
        for (let atMs = 0; atMs <= 30; atMs += 1.5) {
          await withRegion(atMs % 2 < 1 ? 'strict' : 'release', async (scene) => {
            const { cluster, region } = scene
            const place = cluster[victim]
            const moved = codeOf(region.migrate(2, { timeoutMs: 20_000 }))
            await cluster.pause(atMs)
            const machine = cluster.world.machines.find(({ name }) => name === place.machine)
            if (how === 'killed') place.service.kill()
            else machine?.powerOff()
            await cluster.pause(300)
            machine?.powerOn()
            place.service.start()
            for (const { service } of cluster.places) service.start()
            await moved
            const home = await checkWhole(scene)
            ends.set(home, (ends.get(home) ?? 0) + 1)
          })
        }
        t.diagnostic([...ends].map(([home, count]) => `at node ${home}: ${count}`).join(', '))
        // Both must come about, or the moments are not what they should be.
        assert.ok(ends.has(1) && ends.has(2), [...ends.keys()].join())
      })
    }
  }

  it('is decided by the old home alone: while that is away, the new one waits for it', async () => {
    await withRegion('strict', async (scene) => {
      const { cluster, region } = scene
      const moved = codeOf(region.migrate(2, { timeoutMs: 20_000 }))
      await cluster.until('the new home has something', () => isUnderWay(cluster.relay, region))
      cluster.home.service.kill()
      await cluster.pause(20_000)
      assert.ok(await isUnderWay(cluster.relay, region))
      assert.equal((await cluster.relay.up()).node?.home.find(region.address), undefined)
      assert.equal(await codeOf(read(region, 0, 1000)), 'timeout')
      cluster.home.service.start()
      assert.equal(await checkWhole(scene), 1)
      await moved
    })
  })

  it('is told to the new home until that is back, however long it is away', async () => {
    await withRegion('strict', async (scene) => {
      const { cluster, region } = scene
      const moved = codeOf(region.migrate(2, { timeoutMs: 5000 }))
      const { node } = await cluster.home.up()
      // At the very moment: the new home answers soon.
      while (node?.home.find(region.address) !== undefined) await cluster.pause(0.2)
      cluster.relay.service.kill()
      assert.equal(await moved, 'outcome-unknown')
      await cluster.pause(20_000)
      // Also by the next life of the old home.
      cluster.home.service.kill()
      await cluster.pause(1000)
      cluster.home.service.start()
      await cluster.home.up()
      await cluster.pause(5000)
      cluster.relay.service.start()
      assert.equal(await checkWhole(scene), 2)
      const { node: old } = await cluster.home.up()
      await cluster.until('its pages are let go of', () => old?.home.allocatedBytes === 0)
    })
  })

  it('leaves no storage behind at the node where it did not come to', async () => {
    await withRegion('strict', async (scene) => {
      const { cluster, region } = scene
      const lock = await region.lock('write', { offset: 0, length: 1 })
      assert.equal(await codeOf(region.migrate(2, { timeoutMs: 1000 })), 'timeout')
      lock.discard()
      const { node } = await cluster.relay.up()
      await cluster.until('it is given back', () => node?.home.allocatedBytes === 0)
      assert.equal(await checkWhole(scene), 1)
    })
  })
})
