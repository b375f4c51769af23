import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { defaultAttributes } from '../../src/address/attributes.js'
import type { Address } from '../../src/address/address.js'
import type { RegionDescriptor } from '../../src/address/descriptor.js'
import { clientSite, clientSiteMin, nodeId, relayedSite } from '../../src/address/identity.js'
import type { SiteId } from '../../src/address/identity.js'
import type { Region } from '../../src/client/region.js'
import { Khazana } from '../../src/client/khazana.js'
import { silentLogger } from '../../src/io/logger.js'
import { settlingLooks } from '../../src/location/move-policy.js'
import { UseMoves } from '../../src/node/home/use-moves.js'
import { mapAttributes } from '../../src/node/map/system-regions.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { FakeClock } from './fake-world.js'
import { NodeCluster, pageSize } from './node-cluster.js'
import { presetsOfAll, read, write } from './small-cluster.js'

const lookMs = 5000
/** Until a region that is used elsewhere has moved for sure. */
const longMs = (settlingLooks + 6) * lookMs

const on = { more: () => ({ autoMigrate: true }) }

/** Writes one page after the other, by each in turn. */
async function use(cluster: NodeCluster, regions: readonly Region[], forMs: number): Promise<void> {
  const end = cluster.now() + forMs
  for (let count = 0; cluster.now() < end; count++) {
    const region = regions[count % regions.length]
    assert.ok(region !== undefined)
    await write(region, count % 3, count % 251)
    await cluster.pause(250)
  }
}

/** The nodes that take themselves for the home. */
function homesOf(cluster: NodeCluster, count: number, { address }: Region): number[] {
  return Array.from({ length: count }, (_, index) => index + 1).filter(
    (number) => cluster.node(number).home.find(address) !== undefined,
  )
}

describe('A region whose home follows its use', () => {
  for (const consistency of presetsOfAll) {
    it(`is moved to the only node that uses it, and stays there (${consistency})`, async () => {
      const cluster = new NodeCluster({ nodes: 3, ...on })
      await cluster.run(async () => {
        const region = await cluster.reserve(1, 4, { consistency })
        const at2 = await cluster.at(2, region)
        await use(cluster, [at2], longMs)
        assert.deepEqual(homesOf(cluster, 3, region), [2])
        assert.deepEqual(
          [1, 2, 3].map((each) => cluster.node(each).status().movedByUse),
          [1, 0, 0],
        )
        await use(cluster, [at2], longMs)
        assert.deepEqual(homesOf(cluster, 3, region), [2])
        const last = await read(at2, 0)
        await cluster.until(
          'all see what was written',
          async () => (await read(await cluster.at(3, region), 0)) === last,
        )
      })
    })
  }

  for (const consistency of ['strict', 'release'] as const) {
    it(`stays where it is while two nodes use it alike (${consistency})`, async () => {
      const cluster = new NodeCluster({ nodes: 2, ...on })
      await cluster.run(async () => {
        const region = await cluster.reserve(1, 4, { consistency })
        await use(cluster, [await cluster.at(1, region), await cluster.at(2, region)], 2 * longMs)
        assert.deepEqual(homesOf(cluster, 2, region), [1])
      })
    })
  }

  it('is not followed unless that is told', async () => {
    const cluster = new NodeCluster({ nodes: 2 })
    await cluster.run(async () => {
      const region = await cluster.reserve(1, 4)
      await use(cluster, [await cluster.at(2, region)], longMs)
      assert.deepEqual(homesOf(cluster, 2, region), [1])
    })
  })

  it('goes to the node whose client uses it', async () => {
    for (const consistency of ['strict', 'release'] as const) {
      const cluster = new NodeCluster({ nodes: 2, ...on })
      await cluster.run(async () => {
        const region = await cluster.reserve(1, 4, { consistency })
        const client = await cluster.client(2)
        await use(cluster, [await client.region(region.address)], longMs)
        assert.deepEqual(homesOf(cluster, 2, region), [2], consistency)
      })
    }
  })

  it('goes back when its use does, and not for less', async () => {
    const cluster = new NodeCluster({ nodes: 3, ...on })
    await cluster.run(async () => {
      const region = await cluster.reserve(1, 4)
      const at = await Promise.all([1, 2, 3].map((number) => cluster.at(number, region)))
      const [one, two, three] = at
      assert.ok(one !== undefined && two !== undefined && three !== undefined)
      await use(cluster, [two], longMs)
      assert.deepEqual(homesOf(cluster, 3, region), [2])
      await use(cluster, [one, two, three], longMs)
      assert.deepEqual(homesOf(cluster, 3, region), [2])
      await use(cluster, [one], longMs)
      assert.deepEqual(homesOf(cluster, 3, region), [1])
    })
  })

  it('stays where the node that uses it has no room for it', async () => {
    const cluster = new NodeCluster({
      nodes: 2,
      more: (number) => ({ autoMigrate: true, diskBytesMax: (number === 1 ? 16 : 3) * 1024 * 1024 }),
    })
    await cluster.run(async () => {
      const region = await cluster.reserve(1, 600)
      const at2 = await cluster.at(2, region)
      await use(cluster, [at2], longMs)
      assert.deepEqual(homesOf(cluster, 2, region), [1])
      const { status } = (await new Khazana(cluster.node(1)).nodes())[0] ?? {}
      assert.equal(status?.movedByUse, 0)
    })
  })
})

describe('What is counted as use of a region', () => {
  const region: RegionDescriptor = {
    address: (1n << 40n) as Address,
    size: pageSize,
    pageSize,
    home: nodeId(1),
    generation: 1,
    revision: 1,
    era: 1,
    attributes: defaultAttributes,
  }

  /** Messages from each of the sites before each of many looks. Answers with where the region was to go, and at which look. */
  async function movesWith(
    options: {
      readonly descriptor?: RegionDescriptor
      readonly locksPerLook?: number
      readonly isLeaving?: boolean
    },
    ...sites: readonly SiteId[]
  ): Promise<readonly { readonly to: number; readonly look: number }[]> {
    const { descriptor = region, locksPerLook = 0, isLeaving = false } = options
    const moves: { readonly to: number; readonly look: number }[] = []
    const clock = new FakeClock()
    let locks = 0
    let look = 0
    const useMoves = new UseMoves({
      clock,
      logger: silentLogger,
      locksTaken: () => locks,
      migrate: (_region, to) => {
        moves.push({ to, look })
        return Promise.reject(new KhazanaError('no-space', 'there is none'))
      },
      isLeaving: () => isLeaving,
    })
    useMoves.start()
    for (look = 1; look <= 3 * settlingLooks; look++) {
      for (const site of sites) for (let count = 0; count < 50; count++) useMoves.served(descriptor, site)
      locks += locksPerLook
      await clock.advance(lookMs)
    }
    assert.equal(useMoves.moved, 0)
    useMoves.stop(new KhazanaError('closed', 'over'))
    return moves
  }

  it('is what other nodes and their clients say to the home, and not what its own clients do', async () => {
    const firstTo = async (...sites: readonly SiteId[]): Promise<number | undefined> =>
      (await movesWith({}, ...sites))[0]?.to
    const client = clientSite(clientSiteMin + 5)
    assert.equal(await firstTo(nodeId(2)), 2)
    assert.equal(await firstTo(relayedSite(nodeId(3), client)), 3)
    assert.equal(await firstTo(client), undefined)
    assert.equal(await firstTo(nodeId(2), client), undefined)
    assert.equal(await firstTo(nodeId(2), nodeId(2), nodeId(2), nodeId(2), client), 2)
  })

  it('is every lock of the home itself, too', async () => {
    assert.notDeepEqual(await movesWith({ locksPerLook: 5 }, nodeId(2)), [])
    assert.deepEqual(await movesWith({ locksPerLook: 25 }, nodeId(2)), [])
  })

  it('begins anew where a move is refused', async () => {
    const [first, second, third] = await movesWith({}, nodeId(2))
    assert.deepEqual(
      [first?.look, second?.look, third],
      [settlingLooks + 1, 2 * (settlingLooks + 1), undefined],
    )
  })

  it('is nothing that is done to the address map', async () => {
    assert.deepEqual(await movesWith({ descriptor: { ...region, attributes: mapAttributes } }, nodeId(2)), [])
  })

  it('moves nothing while the node leaves', async () => {
    assert.deepEqual(await movesWith({ isLeaving: true }, nodeId(2)), [])
  })
})
