import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Region } from '../../src/client/region.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { NodeCluster, pageSize } from './node-cluster.js'

const patient = { timeoutMs: 20_000 }

async function write(region: Region, value: number): Promise<void> {
  const lock = await region.lock('write', { offset: 0, length: pageSize }, patient)
  lock.write(0, new Uint8Array([value]))
  await lock.unlock()
}

/** The same, again where the home died with it. Answers with how long it took, in milliseconds. */
async function writeAgain(cluster: NodeCluster, region: Region, value: number): Promise<number> {
  const before = cluster.now()
  for (;;) {
    try {
      await write(region, value)
      return cluster.now() - before
    } catch (reason) {
      const { code } = KhazanaError.from(reason)
      if (code !== 'outcome-unknown' && code !== 'context-broken') throw reason
    }
  }
}

async function read(region: Region): Promise<number | undefined> {
  const lock = await region.lock('read', { offset: 0, length: pageSize }, patient)
  const value = lock.read(0, 1)[0]
  await lock.unlock()
  return value
}

/** The founder keeps the coordinator, and is left alone. */
describe('a region of a home group', () => {
  it('goes on at its backup when its home dies, with all that was acknowledged', async () => {
    const cluster = new NodeCluster({ seed: 1, nodes: 4 })
    await cluster.run(async () => {
      const region = await cluster.reserve(2, 2, { minReplicas: 2 })
      await write(region, 7)
      const there = await cluster.at(4, region)
      assert.equal(await read(there), 7)
      await write(there, 8)
      cluster.crash(2)
      console.log('failover', await writeAgain(cluster, there, 9))
      assert.equal(await read(there), 9)
      assert.equal((await there.locate({ offset: 0, length: pageSize })).home, 1)
      await cluster.start(2)
      await cluster.pause(5000)
      const again = await cluster.at(2, region)
      assert.equal(await read(again), 9)
      cluster.crash(3)
      console.log('failover', await writeAgain(cluster, again, 10))
      assert.equal(await read(there), 10)
    })
  })
})
