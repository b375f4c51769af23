import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf, regionAt } from './census.js'
import { NodeCluster, pageSize } from './node-cluster.js'

const page = { offset: 0, length: pageSize }

describe('the time that a caller gives', () => {
  it('is that of all who are asked in turn: what was answered "timeout" does not happen later', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(3)
      const client = await cluster.client(2)
      const known = await client.region(region.address)
      const lock = await region.lock('write', page)
      const timeoutMs = 10_000
      // Most of the time goes by before its home can be asked.
      const mend = cluster.cut(2, 3)
      const changed = codeOf(known.setAttributes({ consistency: 'release' }, { timeoutMs }))
      await cluster.pause(timeoutMs * 0.6)
      mend()
      assert.match(await changed, /^(timeout|unreachable|outcome-unknown)$/)
      await cluster.pause(timeoutMs * 0.2)
      await lock.unlock()
      await cluster.pause(timeoutMs)
      const here = await regionAt(cluster.node(1), region)
      const { descriptor } = await here.stat(page)
      assert.deepEqual([descriptor.era, descriptor.revision], [1, 1])
    })
  })
})
