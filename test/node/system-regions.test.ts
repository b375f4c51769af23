import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Address } from '../../src/address/address.js'
import { Khazana } from '../../src/client/khazana.js'
import type { Region } from '../../src/client/region.js'
import { rootMapAddress } from '../../src/node/map/system-regions.js'
import { codeOf, errorOf } from './census.js'
import { NodeCluster } from './node-cluster.js'
import { pageAt } from './small-cluster.js'

/** The maps of both pools, too. */
function mapsOf(cluster: NodeCluster): Address[] {
  const pools = cluster.nodes.flatMap((node) => [...node.pools.all()])
  return [rootMapAddress, ...pools.flatMap(({ map }) => (map === undefined ? [] : [map]))]
}

/** What a program may try. */
const changes: Readonly<Record<string, (region: Region) => Promise<unknown>>> = {
  free: (region) => region.free(pageAt(0)),
  unreserve: (region) => region.unreserve(),
  allocate: (region) => region.allocate(pageAt(0)),
  setAttributes: (region) => region.setAttributes({ labels: { mine: 'yes' } }),
  migrate: (region) => region.migrate(2),
  'lock write': (region) => region.lock('write', pageAt(0)),
  'lock write-shared': (region) => region.lock('write-shared', pageAt(0)),
  'tryLock write': (region) => Promise.resolve().then(() => region.tryLock('write', pageAt(0))),
}

describe('a region that holds the address map', () => {
  it('can be read by programs, and not be changed in any way', async () => {
    const cluster = new NodeCluster({ nodes: 2 })
    await cluster.run(async () => {
      await cluster.reserve(1)
      await cluster.reserve(2)
      await cluster.pause(3000)
      const maps = mapsOf(cluster)
      assert.equal(maps.length, 3)
      const programs = [new Khazana(cluster.node(1)), new Khazana(cluster.node(2))]
      programs.push(await cluster.client(1), await cluster.client(2))
      for (const khazana of programs) {
        for (const map of maps) {
          const region = await khazana.region(map)
          assert.equal(region.address, map)
          for (const [name, change] of Object.entries(changes)) {
            const error = await errorOf(change(region))
            assert.equal(error?.code, 'unsupported', `${name} at ${map.toString(16)}`)
            assert.match(error.message, /holds the address map: programs may read it, and no more/)
          }
          const lock = await region.lock('read', pageAt(0))
          assert.notEqual(lock.read(0, 8).join(), '')
          await lock.unlock()
          assert.ok((await region.stat({ offset: 0, length: 1 })).allocatedBytes > 0)
        }
      }
      // The map goes on to be kept.
      const region = await cluster.reserve(2)
      await cluster.pause(3000)
      cluster.crash(1)
      assert.equal(
        await codeOf(programs[1]?.region(region.address) ?? Promise.reject(new Error())),
        'no error',
      )
    })
  })

  it('is not made by a program that labels its region so', async () => {
    const cluster = new NodeCluster({ nodes: 1 })
    await cluster.run(async () => {
      const khazana = new Khazana(cluster.node(1))
      const labels = { 'khazana/system': 'address-map' }
      assert.equal(await codeOf(khazana.reserve(4096, { labels })), 'invalid-argument')
      const region = await khazana.reserve(4096)
      assert.equal(await codeOf(region.setAttributes({ labels })), 'invalid-argument')
      assert.equal(await codeOf(region.unreserve()), 'no error')
    })
  })
})
