import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Khazana } from '../../src/client/khazana.js'
import type { Region } from '../../src/client/region.js'
import type { LockContext } from '../../src/node/replica/lock-context.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { NodeCluster, pageSize } from './node-cluster.js'

const patient = { timeoutMs: 30_000 }
const first = { offset: 0, length: pageSize }

async function lockToWrite(region: Region, value: number, page = 0): Promise<LockContext> {
  const lock = await region.lock('write', { offset: page * pageSize, length: pageSize }, patient)
  lock.write(page * pageSize, Uint8Array.of(value))
  return lock
}

async function read(region: Region, page = 0): Promise<number | undefined> {
  const lock = await region.lock('read', { offset: page * pageSize, length: pageSize }, patient)
  const value = lock.read(page * pageSize, 1)[0]
  await lock.unlock()
  return value
}

function codeOf(outcome: PromiseSettledResult<void>): string {
  return outcome.status === 'fulfilled' ? 'done' : KhazanaError.from(outcome.reason).code
}

/** Writes the value to the regions, in their order, and releases them together. Answers with what became of it. */
async function writeAll(khazana: Khazana, regions: readonly Region[], value: number): Promise<string> {
  const locks: LockContext[] = []
  for (const region of regions) locks.push(await lockToWrite(await khazana.region(region.address), value))
  const [outcome] = await Promise.allSettled([khazana.unlockAll(locks)])
  return codeOf(outcome)
}

async function readAll(cluster: NodeCluster, at: number, regions: readonly Region[]): Promise<unknown[]> {
  const values: unknown[] = []
  for (const region of regions) values.push(await read(await cluster.at(at, region)))
  return values
}

describe('several locks that are released together', () => {
  it('are one commit where the regions have one home', async () => {
    const cluster = new NodeCluster({ seed: 1, nodes: 2 })
    await cluster.run(async () => {
      const regions = [await cluster.reserve(1, 2), await cluster.reserve(1)]
      const khazana = new Khazana(cluster.node(1))
      assert.equal(await writeAll(khazana, regions, 5), 'done')
      assert.deepEqual(await readAll(cluster, 2, regions), [5, 5])
      cluster.losePower(1)
      await cluster.start(1)
      assert.deepEqual(await readAll(cluster, 2, regions), [5, 5])
    })
  })

  it('are agreed upon where the regions have several homes, and of a client of a third node', async () => {
    const cluster = new NodeCluster({ seed: 2, nodes: 4 })
    await cluster.run(async () => {
      const regions = [await cluster.reserve(2, 2), await cluster.reserve(3), await cluster.reserve(4)]
      const client = await cluster.client(1)
      for (const [value, khazana] of [
        client,
        new Khazana(cluster.node(1)),
        new Khazana(cluster.node(3)),
      ].entries()) {
        assert.equal(await writeAll(khazana, regions, value + 1), 'done')
        assert.deepEqual(await readAll(cluster, 2, regions), [value + 1, value + 1, value + 1])
      }
      for (const number of [2, 3, 4]) cluster.losePower(number)
      for (const number of [2, 3, 4]) await cluster.start(number)
      assert.deepEqual(await readAll(cluster, 1, regions), [3, 3, 3])
    })
  })

  it('may be several of one region, and some that wrote nothing', async () => {
    const cluster = new NodeCluster({ seed: 3, nodes: 3 })
    await cluster.run(async () => {
      const [a, b] = [await cluster.reserve(2, 3), await cluster.reserve(3)]
      const khazana = new Khazana(cluster.node(1))
      const [atA, atB] = [await khazana.region(a.address), await khazana.region(b.address)]
      const locks = [await lockToWrite(atA, 1), await lockToWrite(atA, 2, 2), await lockToWrite(atB, 3)]
      locks.push(await atA.lock('read', { offset: pageSize, length: pageSize }))
      await khazana.unlockAll(locks)
      assert.ok(locks.every(({ isOpen }) => !isOpen))
      assert.deepEqual([await read(a), await read(a, 1), await read(a, 2), await read(b)], [1, 0, 2, 3])
    })
  })

  it('are shown to nobody before it is known that they happen', async () => {
    const cluster = new NodeCluster({ seed: 4, nodes: 4 })
    await cluster.run(async () => {
      const [a, b] = [await cluster.reserve(2), await cluster.reserve(3)]
      const khazana = new Khazana(cluster.node(4))
      const locks = [
        await lockToWrite(await cluster.at(4, a), 1),
        await lockToWrite(await cluster.at(4, b), 1),
      ]
      const handles: Region[] = []
      for (const number of [2, 3, 4]) handles.push(await cluster.at(number, a), await cluster.at(number, b))
      const mend = cluster.cut(2, 3)
      let isOver = false
      const ending = khazana.unlockAll(locks).finally(() => (isOver = true))
      ending.catch(() => undefined)
      await cluster.pause(200)
      // Neither at the homes nor at the site itself.
      for (const handle of handles) assert.equal(handle.tryLock('read', first), undefined)
      assert.equal(isOver, false)
      mend()
      await ending
      assert.deepEqual(await readAll(cluster, 1, [a, b]), [1, 1])
    })
  })

  it('come to nothing where one was lost, or all parts do not come in time', async () => {
    const cluster = new NodeCluster({ seed: 5, nodes: 4 })
    await cluster.run(async () => {
      const regions = [await cluster.reserve(2), await cluster.reserve(3)]
      const khazana = new Khazana(cluster.node(4))
      assert.equal(await writeAll(khazana, regions, 1), 'done')
      const locks: LockContext[] = []
      for (const region of regions) locks.push(await lockToWrite(await cluster.at(4, region), 2))
      const mend = cluster.cut(2, 3)
      const [outcome] = await Promise.allSettled([khazana.unlockAll(locks)])
      assert.equal(codeOf(outcome), 'context-broken')
      mend()
      assert.deepEqual(await readAll(cluster, 1, regions), [1, 1])
      assert.equal(await writeAll(khazana, regions, 3), 'done')
      assert.deepEqual(await readAll(cluster, 1, regions), [3, 3])
    })
  })

  it('are refused, and stay open, where that cannot be kept', async () => {
    const cluster = new NodeCluster({ seed: 6, nodes: 2 })
    await cluster.run(async () => {
      const [a, b] = [await cluster.reserve(1), await cluster.reserve(2, 1, { protocol: 'release' })]
      const [khazana, other] = [new Khazana(cluster.node(1)), new Khazana(cluster.node(2))]
      const atB = await cluster.at(1, b)
      const locks = [await lockToWrite(a, 1), await lockToWrite(atB, 1)]
      const invalid = { code: 'invalid-argument' }
      await assert.rejects(khazana.unlockAll(locks), { code: 'unsupported' })
      await assert.rejects(other.unlockAll(locks), invalid)
      await assert.rejects(khazana.unlockAll([...locks, ...locks]), invalid)
      await assert.rejects(khazana.unlockAll([locks, 1] as never), invalid)
      assert.ok(locks.every(({ isOpen }) => isOpen))
      await locks[0]?.unlock()
      await assert.rejects(khazana.unlockAll(locks), invalid)
      // One that wrote may be of any protocol.
      await khazana.unlockAll(locks.slice(1))
      await khazana.unlockAll([])
      assert.deepEqual([await read(a), await read(b)], [1, 1])
    })
  })
})
