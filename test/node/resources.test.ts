import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Khazana } from '../../src/client/khazana.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { NodeCluster, pageSize } from './node-cluster.js'
import { pageAt, read, write } from './small-cluster.js'

const MiB = 1024 * 1024
const fileBytes = 256 * 1024

async function errorOf(promise: Promise<unknown>): Promise<KhazanaError> {
  try {
    await promise
  } catch (reason) {
    return KhazanaError.from(reason)
  }
  throw new Error('there was no error')
}

describe('the limits of a running node', () => {
  it('are told, and seen by all', async () => {
    const cluster = new NodeCluster({ nodes: 2 })
    await cluster.run(async () => {
      const khazana = new Khazana(cluster.node(1))
      const before = await khazana.resources()
      assert.equal(before.memoryBytesMax, 4 * MiB)
      assert.equal(before.diskBytesMax, 8 * MiB)
      assert.ok(before.storageBytes < before.storageBytesMax && before.storageBytesMax < 8 * MiB)
      const client = await cluster.client(1)
      const after = await client.setResources({ memoryBytesMax: 6 * MiB, diskBytesMax: 20 * MiB + 5 })
      assert.deepEqual([after.memoryBytesMax, after.diskBytesMax], [6 * MiB, 20 * MiB])
      assert.deepEqual(await khazana.resources(), after)
      const [status] = (await new Khazana(cluster.node(2)).nodes()).map((entry) => entry.status)
      assert.deepEqual([status?.memoryBytesMax, status?.diskBytesMax], [6 * MiB, 20 * MiB])
    })
  })

  it('let more be allocated at once when the disk limit is raised', async () => {
    const cluster = new NodeCluster({ nodes: 1 })
    await cluster.run(async () => {
      const khazana = new Khazana(cluster.node(1))
      const region = await khazana.reserve(16 * MiB)
      const range = { offset: 0, length: 12 * MiB }
      const refusal = await errorOf(region.allocate(range))
      assert.equal(refusal.code, 'no-space')
      assert.match(refusal.message, /khazana resources --disk/)
      await khazana.setResources({ diskBytesMax: 32 * MiB })
      await region.allocate(range)
      for (let index = 0; index < (12 * MiB) / pageSize; index += 64) await write(region, index, index % 251)
      for (let index = 0; index < (12 * MiB) / pageSize; index += 64)
        assert.equal(await read(region, index), index % 251)
    })
  })

  it('never fall below what is allocated, which the refusal says, and what is freed makes possible', async () => {
    const cluster = new NodeCluster({ nodes: 1 })
    await cluster.run(async () => {
      const khazana = new Khazana(cluster.node(1))
      await khazana.setResources({ diskBytesMax: 16 * MiB })
      const region = await khazana.reserve(4 * MiB)
      await region.allocate()
      for (let index = 0; index < 1024; index++) await write(region, index, index % 251)
      const refusal = await errorOf(khazana.setResources({ diskBytesMax: 6 * MiB, memoryBytesMax: 5 * MiB }))
      assert.equal(refusal.code, 'no-space')
      const least = Number(/disk limit of at least (\d+) bytes/.exec(refusal.message)?.[1])
      assert.equal((await khazana.resources()).memoryBytesMax, 4 * MiB, 'nothing of it was done')
      assert.equal((await errorOf(khazana.setResources({ diskBytesMax: least - 1 }))).code, 'no-space')
      await khazana.setResources({ diskBytesMax: least })
      await region.free({ offset: 2 * MiB, length: 2 * MiB })
      const { diskBytesMax } = await khazana.setResources({ diskBytesMax: 7 * MiB })
      assert.equal(diskBytesMax, 7 * MiB)
      await cluster.until(
        'files are given back',
        async () => (await khazana.resources()).diskBytes <= 7 * MiB,
      )
      assert.equal((await errorOf(region.allocate({ offset: 2 * MiB, length: 2 * MiB }))).code, 'no-space')
      for (let index = 0; index < 512; index++) assert.equal(await read(region, index), index % 251)
    })
  })

  it('hold until the node ends: the next start says its own', async () => {
    const cluster = new NodeCluster({ nodes: 1 })
    await cluster.run(async () => {
      const region = await cluster.reserve(1, 700)
      const address = region.address
      await new Khazana(cluster.node(1)).setResources({ diskBytesMax: 30 * MiB, memoryBytesMax: 9 * MiB })
      await (await new Khazana(cluster.node(1)).reserve(10 * MiB)).allocate()
      await write(region, 3, 33)
      cluster.crash(1)
      await cluster.start(1)
      const khazana = new Khazana(cluster.node(1))
      const { memoryBytesMax, diskBytesMax, storageBytes, storageBytesMax } = await khazana.resources()
      assert.deepEqual([memoryBytesMax, diskBytesMax], [4 * MiB, 8 * MiB])
      // More is promised than this limit has room for: it serves what there is, and promises no more.
      assert.ok(storageBytes > storageBytesMax)
      const again = await khazana.region(address)
      assert.equal(await read(again, 3), 33)
      await write(again, 4, 44)
      assert.equal((await errorOf((await khazana.reserve(pageSize)).allocate())).code, 'no-space')
      await khazana.setResources({ diskBytesMax: 30 * MiB })
      await (await khazana.reserve(pageSize)).allocate()
    })
  })

  it('evict pages at once when memory is lowered, and those that are locked when the locks end', async () => {
    const cluster = new NodeCluster({
      nodes: 1,
      more: () => ({ memoryBytesMax: 16 * MiB, diskBytesMax: 32 * MiB }),
    })
    await cluster.run(async () => {
      const khazana = new Khazana(cluster.node(1))
      const region = await khazana.reserve(12 * MiB)
      await region.allocate()
      for (let index = 0; index < 3072; index++) await read(region, index)
      assert.ok((await khazana.resources()).memoryBytes > 11 * MiB)
      const locks = await Promise.all(
        [0, 1, 2, 3, 4, 5, 6].map((mib) => region.lock('read', { offset: mib * MiB, length: MiB })),
      )
      const lowered = await khazana.setResources({ memoryBytesMax: 4 * MiB })
      assert.equal(lowered.memoryBytesMax, 4 * MiB)
      assert.equal(lowered.memoryBytes, 7 * MiB, 'what is locked stays')
      assert.equal((await errorOf(region.lock('read', { offset: 0, length: 4 * MiB }))).code, 'no-memory')
      assert.equal(region.tryLock('read', pageAt(0)), undefined, 'locks hold more than they may together')
      for (const lock of locks) {
        assert.equal(lock.read(lock.first * pageSize, 1)[0], 0)
        await lock.unlock()
      }
      await cluster.pause(300)
      assert.ok((await khazana.resources()).memoryBytes <= 4 * MiB)
      await write(region, 3000, 7)
      assert.equal(await read(region, 3000), 7)
      const raised = await khazana.setResources({ memoryBytesMax: 16 * MiB })
      assert.equal(raised.memoryBytesMax, 16 * MiB)
      await (await region.lock('read', { offset: 0, length: 10 * MiB })).unlock()
      assert.ok((await khazana.resources()).memoryBytes >= 10 * MiB)
    })
  })

  it('are refused where they make no sense', async () => {
    const cluster = new NodeCluster({ nodes: 2 })
    await cluster.run(async () => {
      const khazana = await cluster.client(2)
      for (const limits of [
        { memoryBytesMax: 1 },
        { memoryBytesMax: -1 },
        { memoryBytesMax: 1.5 },
        { memoryBytesMax: '5GiB' },
        { diskBytesMax: NaN },
        { diskBytesMax: 7 * fileBytes },
        { diskBytesMax: 2 ** 52 },
        { disk: 5 },
        null,
      ]) {
        const error = await errorOf(khazana.setResources(limits as never))
        assert.equal(error.code, 'invalid-argument', JSON.stringify(limits))
      }
      assert.equal((await khazana.resources()).memoryBytesMax, 4 * MiB)
    })
  })
})
