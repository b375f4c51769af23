import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LockContext } from '../../src/node/replica/lock-context.js'
import { NodeCluster, pageSize } from './node-cluster.js'

const first = { offset: 0, length: pageSize }

/** What the holder of a lock is told, from now on. */
function told(lock: LockContext): ('read' | 'write')[] {
  const heard: ('read' | 'write')[] = []
  lock.onWanted((mode) => heard.push(mode))
  return heard
}

describe('a lock that stands in the way of others', () => {
  it('hears of it, wherever they are, and what it gives up is theirs at once', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      for (const [holder, other] of [
        [2, 3],
        [2, 1],
        [1, 2],
      ] as const) {
        const lock = await (await cluster.at(holder, region)).lock('write', first)
        lock.write(0, Uint8Array.of(holder))
        lock.onWanted(() => void lock.unlock())
        const start = cluster.now()
        const next = await (await cluster.at(other, region)).lock('read', first)
        assert.ok(
          cluster.now() - start < 100,
          `node ${other} waited ${cluster.now() - start} ms for node ${holder}`,
        )
        assert.deepEqual(next.read(0, 1), Uint8Array.of(holder))
        await next.unlock()
      }
    })
  })

  it('is told once for each mode that it is in the way of', async () => {
    const cluster = new NodeCluster({ nodes: 2 })
    await cluster.run(async () => {
      const region = await cluster.reserve(1, 2)
      const there = await cluster.at(2, region)
      const writing = await there.lock('write', first)
      const heard = told(writing)
      const reader = region.lock('read', first)
      await cluster.pause(50)
      assert.deepEqual(heard, ['read'])
      const writers = [region.lock('write', first), region.lock('write', first)]
      await cluster.pause(50)
      assert.deepEqual(heard, ['read', 'write'], 'each once')
      await writing.unlock()
      await (await reader).unlock()
      for (const writer of writers) await (await writer).unlock()
      const reading = await there.lock('read', first)
      const heardReading = told(reading)
      await (await region.lock('read', first)).unlock()
      assert.deepEqual(heardReading, [], 'it is not in the way of reading')
      const writer = region.lock('write', first)
      await cluster.pause(50)
      assert.deepEqual(heardReading, ['write'])
      await reading.unlock()
      await (await writer).unlock()
    })
  })

  it('hears of others in its own process, and also where they came before it listened', async () => {
    const cluster = new NodeCluster({ nodes: 2 })
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      const lock = await region.lock('write', first)
      const other = region.lock('write', first)
      await cluster.pause(10)
      const heard = told(lock)
      assert.deepEqual(heard, [], 'not within the call')
      await cluster.pause(1)
      assert.deepEqual(heard, ['write'])
      await lock.unlock()
      const next = await other
      const heardNext = told(next)
      await cluster.pause(50)
      assert.deepEqual(heardNext, [], 'that is over')
      await next.unlock()
    })
  })

  it('hears nothing of other pages, nor after its end', async () => {
    const cluster = new NodeCluster({ nodes: 2 })
    await cluster.run(async () => {
      const region = await cluster.reserve(1, 2)
      const there = await cluster.at(2, region)
      const lock = await there.lock('write', first)
      const heard = told(lock)
      await (await region.lock('write', { offset: pageSize, length: pageSize })).unlock()
      assert.deepEqual(heard, [])
      const other = region.lock('write', first)
      await lock.unlock()
      await (await other).unlock()
      assert.deepEqual(heard, [])
    })
  })

  it('hears that the region is to change, which waits for all locks', async () => {
    const cluster = new NodeCluster({ nodes: 2 })
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      const there = await cluster.at(2, region)
      const lock = await there.lock('read', first)
      lock.onWanted(() => void lock.unlock())
      const start = cluster.now()
      await region.setAttributes({ consistency: 'release' })
      assert.ok(cluster.now() - start < 500, `it took ${cluster.now() - start} ms`)
    })
  })

  it('is heard by a lock over several pages, too, which had some of them before others asked, and not yet all', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const range = { offset: 0, length: 4 * pageSize }
      const region = await cluster.reserve(1, 4)
      const before = await (await cluster.at(2, region)).lock('write', range)
      before.write(0, Uint8Array.of(1))
      const reading = region.lock('read', range)
      await cluster.pause(20)
      const writing = (await cluster.at(3, region)).lock('write', range)
      await cluster.pause(20)
      await before.unlock()
      const reader = await reading
      const heard: string[] = []
      reader.onWanted((mode) => heard.push(mode))
      await cluster.pause(20)
      assert.deepEqual(heard, ['write'])
      await reader.unlock()
      await (await writing).unlock()
    })
  })
})
