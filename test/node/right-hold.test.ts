import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Region } from '../../src/client/region.js'
import type { RightHold } from '../../src/node/replica/right-hold.js'
import { leaseMs, NodeCluster, pageSize } from './node-cluster.js'

const first = { offset: 0, length: pageSize }
const patient = { timeoutMs: 60_000 }

async function write(region: Region, value: number, timeoutMs = 60_000): Promise<void> {
  const lock = await region.lock('write', first, { timeoutMs })
  lock.write(0, Uint8Array.of(value))
  await lock.unlock()
}

async function read(region: Region): Promise<number | undefined> {
  const lock = await region.lock('read', first, patient)
  const value = lock.read(0, 1)[0]
  await lock.unlock()
  return value
}

interface Held {
  readonly hold: RightHold
  /** What was told of its end, and when. */
  readonly told: [why: string, at: number][]
}

/** After one lock for reading the right is there. */
async function hold(cluster: NodeCluster, region: Region): Promise<Held> {
  await read(region)
  const told: [string, number][] = []
  const held = region.tryHold(first, (why) => told.push([why, cluster.now()]))
  assert.ok(held !== undefined)
  return { hold: held, told }
}

describe('a right to read that is kept', () => {
  it('keeps others from writing until it has been released, and nobody from reading', async () => {
    for (const holder of [1, 2]) {
      const cluster = new NodeCluster({ nodes: 3 })
      await cluster.run(async () => {
        const region = await cluster.reserve(1)
        const there = await cluster.at(3, region)
        const { hold: held, told } = await hold(cluster, await cluster.at(holder, region))
        await read(there)
        await cluster.pause(100)
        assert.deepEqual([told, held.isHeld], [[], true])
        let isWritten = false
        const writing = write(there, 1).then(() => (isWritten = true))
        await cluster.pause(500)
        assert.deepEqual([told.map(([why]) => why), held.isHeld, isWritten], [['wanted'], false, false])
        held.release()
        held.release()
        await writing
        assert.equal(await read(await cluster.at(holder, region)), 1)
        assert.equal(told.length, 1)
      })
    }
  })

  it('is no lock: what is done at its own site goes on, and it stays', async () => {
    const cluster = new NodeCluster({ nodes: 2 })
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      const there = await cluster.at(2, region)
      const { hold: held, told } = await hold(cluster, there)
      for (const value of [1, 2, 3]) await write(there, value, 1000)
      assert.deepEqual([await read(there), told, held.isHeld], [3, [], true])
      held.release()
      await write(region, 4, 1000)
    })
  })

  it('is not to be had where the right is not at hand, or others wait for the page', async () => {
    const cluster = new NodeCluster({ nodes: 3 })
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      const there = await cluster.at(2, region)
      const other = await cluster.at(3, region)
      const never = (): void => assert.fail('there is no hold')
      assert.equal(there.tryHold(first, never), undefined)
      await read(there)
      await write(other, 1)
      assert.equal(there.tryHold(first, never), undefined)
      const lock = await there.lock('read', first, patient)
      const writing = write(other, 2)
      await cluster.pause(200)
      assert.equal(there.tryLock('read', first), undefined)
      // Under the lock all that it takes is here: it is had, and to end at once.
      const told: string[] = []
      const held = there.tryHold(first, (why) => told.push(why)) ?? assert.fail('the lock is open')
      await cluster.pause(1)
      assert.deepEqual([told, held.isHeld], [['wanted'], false])
      await lock.unlock()
      await cluster.pause(200)
      // Until then there is nothing to wait for.
      const again = there.tryLock('read', first) ?? assert.fail('nobody has written yet')
      assert.equal(again.read(0, 1)[0], 1)
      await again.unlock()
      assert.equal(there.tryLock('write', first), undefined)
      held.release()
      await writing
      assert.equal(await read(there), 2)
    })
  })

  it('is lost, and said to be, before anybody else may write, where its node is cut off', async () => {
    for (const minReplicas of [1, 2]) {
      const cluster = new NodeCluster({ nodes: 4 })
      await cluster.run(async () => {
        const region = await cluster.reserve(1, 1, { minReplicas })
        const { hold: held, told } = await hold(cluster, await cluster.at(3, region))
        const mends = [1, 2, 4].map((node) => cluster.cut(3, node))
        const start = cluster.now()
        await write(region, 1)
        const writtenAt = cluster.now()
        assert.deepEqual([told.map(([why]) => why), held.isHeld], [['lost'], false])
        const [, lostAt] = told[0] ?? assert.fail('nothing was told')
        assert.ok(lostAt < writtenAt, `lost at ${lostAt - start} ms, written at ${writtenAt - start} ms`)
        assert.ok(writtenAt - start < leaseMs + 1000)
        for (const mend of mends) mend()
        held.release()
        assert.equal(await read(await cluster.at(3, region)), 1)
      })
    }
  })

  it('is lost with the region, and when the region is kept in another way', async () => {
    const cluster = new NodeCluster({ nodes: 2 })
    await cluster.run(async () => {
      const region = await cluster.reserve(1)
      const there = await cluster.at(2, region)
      const changed = await hold(cluster, there)
      const changing = region.setAttributes({ consistency: 'release' }, patient)
      await cluster.until('it is to end', () => changed.told.length > 0)
      changed.hold.release()
      await changing
      await read(there)
      const never = (): void => assert.fail('there is no hold')
      assert.equal(there.tryHold(first, never), undefined, 'of a protocol without exclusive rights')
      const ended = await cluster.reserve(1)
      const last = await hold(cluster, await cluster.at(2, ended))
      const ending = ended.unreserve(patient)
      await cluster.until('it is to end', () => last.told.length > 0)
      last.hold.release()
      await ending
    })
  })

  it('does not keep memory from other pages', async () => {
    const MiB = 1024 * 1024
    const cluster = new NodeCluster({
      nodes: 2,
      more: () => ({ diskBytesMax: 48 * MiB }),
    })
    await cluster.run(async () => {
      const region = await cluster.reserve(1, (12 * MiB) / pageSize)
      const there = await cluster.at(2, region)
      const ends: (() => void)[] = []
      let held = 0
      for (let page = 0; page < (12 * MiB) / pageSize; page++) {
        const range = { offset: page * pageSize, length: pageSize }
        await (await there.lock('read', range, patient)).unlock()
        const one = there.tryHold(range, () => ends.push(() => one?.release()))
        if (one !== undefined) held += 1
        // The program gives up what it is asked for.
        for (const end of ends.splice(0)) end()
      }
      assert.ok(held > (8 * MiB) / pageSize, `only ${held} were held in all`)
    })
  })
})
