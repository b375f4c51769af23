import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Region } from '../../src/client/region.js'
import { Khazana } from '../../src/client/khazana.js'
import { NodeCluster, pageSize } from './node-cluster.js'
import { presetsOfAll, read, write } from './small-cluster.js'

/** Regions that are reserved until one has the address again. */
const triesMax = 1000
/** Of a region, so that there is no room for many. Bytes. */
const sizeBytes = 2 ** 44

describe('An address that a later region has', () => {
  for (const consistency of presetsOfAll) {
    it(`is that of the later one to all clients of a node that has a copy of the earlier one (${consistency})`, async () => {
      const cluster = new NodeCluster({ nodes: 2 })
      await cluster.run(async () => {
        const reserve = (): Promise<Region> =>
          new Khazana(cluster.node(1)).reserve(sizeBytes, { pageSize, consistency })
        const first = { offset: 0, length: pageSize }
        const earlier = await reserve()
        await earlier.allocate(first)
        await write(earlier, 0, 1)
        const knows = await cluster.client(2)
        assert.equal(await read(await knows.region(earlier.address), 0), 1)
        await earlier.unreserve()
        let later = await reserve()
        for (let tries = 0; later.address !== earlier.address && tries < triesMax; tries++)
          later = await reserve()
        assert.equal(later.address, earlier.address)
        await later.allocate(first)
        await write(later, 0, 2)
        const fresh = await cluster.client(2)
        assert.equal(await read(await fresh.region(later.address), 0), 2)
        assert.equal(await read(await knows.region(later.address), 0), 2)
      })
    })
  }
})
