import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { clientSite, relayedSite } from '../../src/address/identity.js'
import type { NodeId, SiteId } from '../../src/address/identity.js'
import type { PageIndex, Version } from '../../src/address/page.js'
import { RunBuilder } from '../../src/client/page-locations.js'
import type { PageHolder, PageLocations } from '../../src/client/page-locations.js'
import type { Region } from '../../src/client/region.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import type { PageStat, RegionStat } from '../../src/wire/message.js'
import { SmallCluster, pageAt, pageSize, presetsOfAll, read, write } from '../node/small-cluster.js'

const home = 1 as NodeId

function holder(node: number, right: PageHolder['right'], exclusive = 0, shared = 0): PageHolder {
  return { node: node as NodeId, right, viaClients: { exclusive, shared } }
}

function page(number: number, owner: SiteId | undefined, sharers: readonly number[]): PageStat {
  return {
    page: number as PageIndex,
    version: 1 as Version,
    owner,
    sharers: sharers as readonly SiteId[],
    damaged: false,
  }
}

function add(
  runs: RunBuilder,
  pages: readonly PageStat[],
  atHand = (_page: PageIndex) => 'none' as const,
): void {
  runs.add({ descriptor: { home } as RegionStat['descriptor'], pages }, atHand)
}

describe('runs of pages', () => {
  it('are as long as their pages are alike, whatever the order of who has them', () => {
    const runs = new RunBuilder()
    add(runs, [page(3, undefined, [2, 3]), page(4, undefined, [3, 2])])
    add(runs, [page(5, undefined, [2, 3]), page(6, undefined, [2])])
    assert.deepEqual(
      runs.runs.map(({ first, count }) => [first, count]),
      [
        [3, 3],
        [6, 1],
      ],
    )
    assert.deepEqual(runs.runs[0]?.holders, [holder(1, 'home'), holder(2, 'shared'), holder(3, 'shared')])
  })

  it('end at pages without storage, and where this process has more or less at hand', () => {
    const runs = new RunBuilder()
    const pages = [0, 1, 2, 5, 6].map((number) => page(number, undefined, []))
    runs.add({ descriptor: { home } as RegionStat['descriptor'], pages }, (each) =>
      each < 2 ? 'read' : 'none',
    )
    assert.deepEqual(
      runs.runs.map(({ first, count, atHand }) => [first, count, atHand]),
      [
        [0, 2, 'read'],
        [2, 1, 'none'],
        [5, 2, 'none'],
      ],
    )
  })

  it('count clients at their nodes, and those of the home at the home', () => {
    const runs = new RunBuilder()
    const own = [clientSite(2 ** 20 + 7), clientSite(2 ** 20 + 8)]
    const relayed = [relayedSite(2 as NodeId, own[0] ?? home), relayedSite(2 as NodeId, own[1] ?? home)]
    add(runs, [page(0, relayed[0], [...own, ...relayed.slice(1), 3])])
    assert.deepEqual(runs.runs[0]?.holders, [
      holder(1, 'home', 0, 2),
      holder(2, 'none', 1, 1),
      holder(3, 'shared'),
    ])
  })
})

async function locatedAt(region: Region, index: number): Promise<PageLocations> {
  return region.locate(pageAt(index))
}

async function handOf(region: Region, index: number): Promise<string | undefined> {
  return (await locatedAt(region, index)).runs[0]?.atHand
}

describe('locate', () => {
  it('tells of a tree who has a page, and what is at hand here (strict)', async () => {
    const cluster = new SmallCluster(1)
    await cluster.run(async () => {
      const region = await cluster.reserve(4)
      const [relay, near, far] = [
        await cluster.at(cluster.relay, region),
        await cluster.at(cluster.near, region),
        await cluster.at(cluster.far, region),
      ]
      await write(region, 0, 1)
      await write(far, 1, 2)
      await read(near, 2)
      await read(relay, 2)
      const located = await region.locate()
      assert.deepEqual([located.home, located.node], [1, 1])
      assert.deepEqual(located.runs, [
        { first: 0, count: 1, atHand: 'write', holders: [holder(1, 'home')] },
        { first: 1, count: 1, atHand: 'none', holders: [holder(1, 'home'), holder(2, 'exclusive')] },
        // It was never written, so that the home has nothing of it in memory.
        { first: 2, count: 1, atHand: 'none', holders: [holder(1, 'home', 0, 1), holder(2, 'shared')] },
        // Nobody has used it: even at the home it is on the disk alone.
        { first: 3, count: 1, atHand: 'none', holders: [holder(1, 'home')] },
      ])
      assert.deepEqual([(await locatedAt(far, 1)).node, await handOf(far, 1)], [2, 'write'])
      assert.deepEqual([await handOf(relay, 1), await handOf(near, 1)], ['none', 'none'])
      assert.deepEqual(await Promise.all([relay, near, far].map((each) => handOf(each, 2))), [
        'read',
        'read',
        'none',
      ])
    })
  })

  for (const preset of presetsOfAll.filter((each) => each !== 'strict')) {
    it(`tells of a star which nodes, and which of their clients, have a copy (${preset})`, async () => {
      const cluster = new SmallCluster(2)
      await cluster.run(async () => {
        const region = await cluster.reserve(2, { consistency: preset })
        const regions = [region]
        for (const place of [cluster.relay, cluster.near, cluster.far]) {
          regions.push(await cluster.at(place, region))
        }
        for (const each of regions) await read(each, 0)
        const { runs } = await region.locate()
        assert.deepEqual(
          runs.map(({ first, count }) => [first, count]),
          [
            [0, 1],
            [1, 1],
          ],
        )
        assert.deepEqual(runs[0]?.holders, [holder(1, 'home', 0, 1), holder(2, 'shared', 0, 1)])
        assert.deepEqual(runs[1]?.holders, [holder(1, 'home')])
        for (const each of regions) {
          const { atHand } = (await locatedAt(each, 0)).runs[0] ?? assert.fail('no run')
          const hit = each.tryLock('read', pageAt(0))
          assert.equal(atHand === 'none', hit === undefined)
          hit?.discard()
        }
      })
    })
  }

  it('foretells what tryLock does, also with locks open, and changes nothing', async () => {
    for (const consistency of presetsOfAll) {
      const cluster = new SmallCluster(3)
      await cluster.run(async () => {
        const region = await cluster.reserve(3, { consistency })
        const far = await cluster.at(cluster.far, region)
        await write(far, 0, 1)
        await read(far, 1)
        const open = await region.lock('read', pageAt(2))
        for (const each of [region, far]) {
          for (let index = 0; index < 3; index++) {
            for (let twice = 0; twice < 2; twice++) {
              const atHand = await handOf(each, index)
              for (const mode of ['read', 'write'] as const) {
                const hit = each.tryLock(mode, pageAt(index))
                const expected = atHand === 'write' || atHand === mode
                assert.equal(hit !== undefined, expected, `${consistency} ${mode} ${index}: ${atHand}`)
                hit?.discard()
              }
            }
          }
        }
        await open.unlock()
      })
    }
  })

  it('follows a home that moves, and takes nothing from the node that had it', async () => {
    const cluster = new SmallCluster(4)
    await cluster.run(async () => {
      const region = await cluster.reserve(2)
      const relay = await cluster.at(cluster.relay, region)
      await write(relay, 0, 7)
      await region.migrate(2)
      const { home: now, node, runs } = await region.locate()
      assert.deepEqual([now, node], [2, 1])
      assert.deepEqual(runs[0]?.holders[0], holder(2, 'home'))
      assert.equal(await read(region, 0), 7)
      assert.deepEqual((await locatedAt(relay, 0)).runs[0]?.holders, [holder(2, 'home'), holder(1, 'shared')])
    })
  })

  it('asks in pieces of 4,096 pages, of which the runs are whole, and leaves holes out', async () => {
    const cluster = new SmallCluster(5)
    await cluster.run(async () => {
      const { khazana } = await cluster.home.up()
      const region = await khazana.reserve(10_000 * pageSize, { pageSize })
      await region.allocate({ offset: 4000 * pageSize, length: 200 * pageSize })
      const far = await cluster.at(cluster.far, region)
      const { runs } = await far.locate()
      assert.deepEqual(runs, [{ first: 4000, count: 200, atHand: 'none', holders: [holder(1, 'home')] }])
      assert.deepEqual((await far.locate({ offset: 9000 * pageSize, length: 1 })).runs, [])
    })
  })

  it('refuses more pages than it tells of at a time, and what is outside', async () => {
    const cluster = new SmallCluster(6)
    await cluster.run(async () => {
      const { khazana } = await cluster.home.up()
      const region = await khazana.reserve((1024 * 1024 + 1) * pageSize, { pageSize })
      await assert.rejects(region.locate(), (error: unknown) => {
        const { code, message } = KhazanaError.from(error)
        return code === 'invalid-argument' && message.includes('a part of the region')
      })
      await assert.rejects(
        region.locate({ offset: region.size, length: 1 }),
        (error: unknown) => KhazanaError.from(error).code === 'out-of-range',
      )
    })
  })
})
