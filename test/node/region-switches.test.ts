import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Region } from '../../src/client/region.js'
import { release } from '../../src/consistency/copies/copies.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { SmallCluster, leaseMs, pageAt, pageSize, presetsOfAll, read, write } from './small-cluster.js'
import type { Place, Preset } from './small-cluster.js'
import { ScriptedProtocol } from './scripted-site.js'

const names = ['home', 'relay', 'near', 'far'] as const

/** Where the region stands at each place that has a replica of it: its era, and its synchronization. */
async function stands(cluster: SmallCluster, region: Region): Promise<string[]> {
  const found = new Set<string>()
  for (const place of cluster.places) {
    const replica = (await place.up()).replicas.get(region.address)
    if (replica === undefined) continue
    const { era, attributes } = replica.descriptor
    found.add(`${era} ${attributes.consistency.synchronization}`)
  }
  return [...found]
}

/** Every place has used the region, and holds what it may hold. */
async function useEverywhere(cluster: SmallCluster, region: Region): Promise<Map<Place, Region>> {
  const regions = new Map<Place, Region>()
  for (const place of cluster.places) {
    const here = await cluster.at(place, region)
    regions.set(place, here)
    await read(here, 0)
  }
  return regions
}

function present<T>(value: T | undefined): T {
  assert.ok(value !== undefined)
  return value
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'no error'
  } catch (reason) {
    return KhazanaError.from(reason).code
  }
}

describe('a change of a region`s consistency', () => {
  for (const name of names) {
    it(`waits for an open lock at ${name}, and goes on when that ends`, async () => {
      for (const preset of ['strict', 'release', 'eventual'] as const) {
        const cluster = new SmallCluster(1)
        await cluster.run(async () => {
          const region = await cluster.reserve(2, { consistency: preset })
          const regions = await useEverywhere(cluster, region)
          const here = present(regions.get(cluster[name]))
          const lock = await here.lock('write', pageAt(0))
          let isChanged = false
          const changed = present(regions.get(cluster.relay))
            .setAttributes({ consistency: 'bounded' })
            .then(() => (isChanged = true))
          await cluster.pause(2000)
          assert.equal(isChanged, false)
          assert.deepEqual(await stands(cluster, region), [
            `1 ${preset === 'eventual' ? 'background' : preset}`,
          ])
          // What is asked for meanwhile waits, everywhere, and is served in the new protocol.
          const asked = [...regions.values()].map((each) => read(each, 0, 10_000))
          await cluster.pause(500)
          lock.write(0, Uint8Array.of(7))
          await lock.unlock()
          await changed
          assert.deepEqual(await Promise.all(asked), [7, 7, 7, 7], `after ${preset}`)
          assert.deepEqual(await stands(cluster, region), ['2 bounded'])
        })
      }
    })
  }

  it('gives up in its time where a lock is held for longer, and all goes on as before', async () => {
    const cluster = new SmallCluster(2)
    await cluster.run(async () => {
      const region = await cluster.reserve(2, { consistency: 'release' })
      const regions = await useEverywhere(cluster, region)
      const far = present(regions.get(cluster.far))
      const lock = await far.lock('write', pageAt(0))
      const waits = read(present(regions.get(cluster.near)), 1, 10_000)
      assert.equal(
        await codeOf(region.setAttributes({ consistency: 'strict' }, { timeoutMs: 1000 })),
        'timeout',
      )
      await waits
      lock.write(0, Uint8Array.of(3))
      await lock.unlock()
      for (const each of regions.values()) assert.equal(await read(each, 0), 3)
      assert.deepEqual(await stands(cluster, region), ['1 release'])
      // And can be done again.
      await region.setAttributes({ consistency: 'strict' })
      for (const each of regions.values()) assert.equal(await read(each, 0), 3)
      assert.deepEqual(await stands(cluster, region), ['2 strict'])
    })
  })

  it('takes every pair of presets both ways, and loses nothing that was acknowledged', async () => {
    const cluster = new SmallCluster(3)
    await cluster.run(async () => {
      const region = await cluster.reserve(4, { consistency: 'strict' })
      const regions = await useEverywhere(cluster, region)
      const path: Preset[] = []
      for (const a of presetsOfAll) for (const b of presetsOfAll) if (a < b) path.push(a, b, a)
      const isOther = (preset: Preset, index: number): boolean => preset !== (path[index - 1] ?? 'strict')
      let byte = 0
      for (const preset of path.filter(isOther)) {
        byte = (byte + 1) % 250
        const values = [...regions.values()]
        // Each place writes a page of its own, at once; nothing waits for anything to be durable but as the preset says.
        await Promise.all(values.map((each, index) => write(each, index, byte + index)))
        await present(values[byte % 4]).setAttributes({ consistency: preset })
        for (const each of values) {
          const found = [0, 1, 2, 3].map((index) => read(each, index))
          assert.deepEqual(
            await Promise.all(found),
            [0, 1, 2, 3].map((index) => byte + index),
            `to ${preset}`,
          )
        }
      }
      assert.equal((await stands(cluster, region)).length, 1)
    })
  })

  it('that are asked for at once come one after the other', async () => {
    const cluster = new SmallCluster(4)
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      const regions = await useEverywhere(cluster, region)
      const [home, relay, near, far] = [...regions.values()].map(present) as [Region, Region, Region, Region]
      await Promise.all([
        home.setAttributes({ consistency: 'release' }),
        relay.setAttributes({ consistency: 'bounded' }),
        near.setAttributes({ consistency: 'eventual' }),
        far.setAttributes({ labels: { colour: 'green' } }),
        write(far, 0, 5),
        write(near, 0, 5),
      ])
      // Whichever is the last: some promise no more than this.
      for (const each of regions.values())
        await cluster.until('it is read', async () => (await read(each, 0)) === 5)
      const standing = await stands(cluster, region)
      assert.equal(standing.length, 1)
      assert.ok(standing[0]?.startsWith('4 ') === true, standing[0])
      assert.equal((await region.refresh()).labels['colour'], 'green')
    })
  })

  it('of labels alone suspends nothing', async () => {
    const cluster = new SmallCluster(5)
    await cluster.run(async () => {
      const region = await cluster.reserve(1, { consistency: 'release' })
      const regions = await useEverywhere(cluster, region)
      const lock = await present(regions.get(cluster.far)).lock('write', pageAt(0))
      await region.setAttributes({ labels: { colour: 'green' } }, { timeoutMs: 1000 })
      lock.write(0, Uint8Array.of(9))
      await lock.unlock()
      assert.deepEqual(await stands(cluster, region), ['1 release'])
    })
  })

  it('goes together with freeing and unreserving, in whatever order they come', async () => {
    const cluster = new SmallCluster(6)
    await cluster.run(async () => {
      const region = await cluster.reserve(2, { consistency: 'eventual' })
      const regions = await useEverywhere(cluster, region)
      await write(present(regions.get(cluster.far)), 1, 5)
      await Promise.all([
        region.setAttributes({ consistency: 'release' }),
        region.free(pageAt(0)),
        region.setAttributes({ consistency: 'strict' }),
      ])
      assert.equal(await codeOf(read(present(regions.get(cluster.far)), 0, 2000)), 'not-allocated')
      assert.equal(await read(present(regions.get(cluster.near)), 1), 5)
      await Promise.all([region.setAttributes({ consistency: 'bounded' }), region.unreserve()])
      for (const each of regions.values()) assert.equal(await codeOf(read(each, 1, 2000)), 'no-such-region')
    })
  })

  it('has accepted writes come home first', async () => {
    const cluster = new SmallCluster(7)
    await cluster.run(async () => {
      const region = await cluster.reserve(4, { consistency: 'eventual' })
      const regions = await useEverywhere(cluster, region)
      const places = [cluster.relay, cluster.near, cluster.far].map((place) => present(regions.get(place)))
      for (const [round, preset] of (['strict', 'release', 'bounded'] as const).entries()) {
        for (const here of places) for (let index = 1; index < 4; index++) await read(here, index)
        // Accepted, and not at the home for as long as these links are cut.
        const mend = [cluster.cut(cluster.home, cluster.near), cluster.cut(cluster.relay, cluster.far)]
        for (const [index, here] of places.entries()) await write(here, index + 1, round * 10 + index)
        for (const each of mend) each()
        await region.setAttributes({ consistency: preset })
        for (const [index] of places.entries())
          assert.equal(await read(region, index + 1), round * 10 + index)
        await region.setAttributes({ consistency: 'eventual' })
      }
    })
  })

  it('is learned by who was cut off, whose locks are broken, and who then goes on', async () => {
    for (const [preset, next] of [
      ['release', 'eventual'],
      ['eventual', 'release'],
      ['strict', 'bounded'],
      ['bounded', 'strict'],
    ] as const) {
      for (const name of ['relay', 'near', 'far'] as const) {
        const cluster = new SmallCluster(8)
        await cluster.run(async () => {
          const region = await cluster.reserve(2, { consistency: preset })
          const regions = await useEverywhere(cluster, region)
          const place = cluster[name]
          const here = present(regions.get(place))
          const lock = await here.lock('write', pageAt(0))
          const mend = cluster.cut(name === 'far' ? cluster.relay : cluster.home, place)
          await region.setAttributes({ consistency: next }, { timeoutMs: 20 * leaseMs })
          await write(region, 0, 8)
          const asked = read(here, 1, 30_000)
          await cluster.pause(1000)
          mend()
          await cluster.until(`${name} knows`, async () => (await stands(cluster, region)).length === 1)
          assert.equal(await asked, 0)
          assert.throws(() => lock.read(0, 1), { code: 'context-broken' })
          assert.equal(await read(here, 0), 8)
          await write(here, 0, 9)
          if (next === 'eventual') await here.sync()
          assert.equal(await read(region, 0), 9)
        })
      }
    }
  })

  it('waits for the lease of who was cut off before: nobody reads what another may write already', async () => {
    const cluster = new SmallCluster(9)
    await cluster.run(async () => {
      const region = await cluster.reserve(1, { consistency: 'strict' })
      const regions = await useEverywhere(cluster, region)
      const near = present(regions.get(cluster.near))
      const lock = await near.lock('read', pageAt(0))
      // The home's end of the session is lost at once, the client knows nothing of it.
      cluster.cut(cluster.home, cluster.near)
      const session = [...(await cluster.home.up()).replicas.sessions()].find(
        ({ peer }) => peer.role === 'client',
      )
      void present(session).close()
      await region.setAttributes({ consistency: 'release' }, { timeoutMs: 20_000 })
      const mayRead = (): boolean => {
        try {
          lock.read(0, 1)
          return true
        } catch {
          return false
        }
      }
      assert.equal(mayRead(), false, 'the lock of the old protocol is still in use')
    })
  })

  it('leaves a watch as it is', async () => {
    const cluster = new SmallCluster(10)
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      const regions = await useEverywhere(cluster, region)
      const far = present(regions.get(cluster.far))
      const watch = await far.watch()
      for (const [index, preset] of (['eventual', 'bounded', 'release', 'strict'] as const).entries()) {
        await far.setAttributes({ consistency: preset })
        await write(present(regions.get(cluster.near)), 0, index + 1)
        await present(regions.get(cluster.near)).sync()
      }
      const kinds: string[] = []
      for (let count = 0; count < 4; count++) kinds.push(present((await watch.next()).value).kind)
      assert.deepEqual(kinds, ['change', 'change', 'change', 'change'])
    })
  })

  it('tells a site in words that lacks the new protocol, and lets it on again with the next', async () => {
    const scripted = { protocols: [new ScriptedProtocol('scripted').definition] }
    const cluster = new SmallCluster(11, { home: scripted })
    await cluster.run(async () => {
      const region = await cluster.reserve(1, { consistency: 'release' })
      const regions = await useEverywhere(cluster, region)
      await region.setAttributes({ protocol: 'scripted' })
      for (const place of [cluster.relay, cluster.near, cluster.far]) {
        assert.equal(await codeOf(read(present(regions.get(place)), 0, 3000)), 'unsupported', place.name)
      }
      await region.setAttributes({ consistency: 'strict' })
      await write(region, 0, 4)
      for (const place of [cluster.relay, cluster.near, cluster.far]) {
        await present(regions.get(place)).refresh()
        assert.equal(await read(present(regions.get(place)), 0), 4)
      }
    })
  })

  it('can rescue a region whose protocol its home has not any more', async () => {
    const mine = { protocols: [{ ...release, name: 'mine' }] }
    const plugins = { home: { ...mine }, relay: mine, near: mine, far: mine }
    const cluster = new SmallCluster(12, plugins)
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      await write(region, 0, 6)
      await region.setAttributes({ protocol: 'mine' })
      cluster.home.service.kill()
      Object.assign(plugins.home, { protocols: [] })
      cluster.home.service.start()
      await cluster.home.up()
      await cluster.pause(4 * leaseMs)
      for (const place of [cluster.near, cluster.relay, cluster.far]) {
        const here = await cluster.at(place, region)
        await cluster.until(
          `${place.name} is told`,
          async () => (await codeOf(read(here, 0, 3000))) === 'unsupported',
        )
      }
      const here = await cluster.at(cluster.home, region)
      assert.equal((await here.stat({ offset: 0, length: pageSize })).pages.length, 1)
      await here.setAttributes({ consistency: 'release' })
      for (const place of cluster.places) assert.equal(await read(await cluster.at(place, region), 0), 6)
    })
  })

  for (const name of names) {
    it(`leaves one protocol or the other everywhere, whenever ${name} dies`, async () => {
      const outcomes = new Set<string>()
      for (let seed = 0; seed < 24; seed++) {
        const cluster = new SmallCluster(100 + seed)
        const random = cluster.world.random.fork('test')
        await cluster.run(async () => {
          const [from, to] = random.pick([
            ['strict', 'release'],
            ['release', 'eventual'],
            ['eventual', 'bounded'],
            ['bounded', 'strict'],
          ] as const)
          const region = await cluster.reserve(2, { consistency: from })
          const regions = await useEverywhere(cluster, region)
          await write(region, 0, 1)
          await region.sync()
          await Promise.all([...regions.values()].map((each) => read(each, 0)))
          const asked = codeOf(region.setAttributes({ consistency: to }, { timeoutMs: 5000 }))
          await cluster.pause(random.between(0, random.pick([1, 3, 25])))
          cluster[name].service.kill()
          await cluster.pause(random.between(0, 2 * leaseMs))
          cluster[name].service.start()
          if (name !== 'home') assert.equal(await asked, 'no error', `seed ${seed}`)
          await cluster.pause(3 * leaseMs)
          for (const place of cluster.places) {
            assert.equal(await read(await cluster.at(place, region), 0), 1, `seed ${seed} at ${place.name}`)
          }
          const standing = await stands(cluster, region)
          assert.equal(standing.length, 1, `seed ${seed}: ${standing.join(', ')}`)
          outcomes.add(standing[0]?.slice(0, 1) ?? '')
          const far = await cluster.at(cluster.far, region)
          await write(far, 0, 2)
          await far.sync()
          assert.equal(await read(await cluster.at(cluster.home, region), 0), 2, `seed ${seed}`)
        })
      }
      assert.deepEqual([...outcomes].sort(), name === 'home' ? ['1', '2'] : ['2'])
    })
  }

  it('ends with its node', async () => {
    const cluster = new SmallCluster(13)
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      const regions = await useEverywhere(cluster, region)
      await present(regions.get(cluster.far)).lock('write', pageAt(0))
      const { node } = await cluster.home.up()
      const changing = codeOf(region.setAttributes({ consistency: 'release' }))
      await cluster.pause(100)
      await present(node).close()
      assert.equal(await changing, 'closed')
    })
  })
})
