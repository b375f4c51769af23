import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Khazana } from '../../src/client/khazana.js'
import type { Region } from '../../src/client/region.js'
import { Prng } from '../../src/stdx/prng.js'
import { KhazanaError } from '../../src/stdx/errors.js'
import { SimCoordinator, schedulerClock } from '../../src/testing/coordinator/sim-coordinator.js'
import { differentBackups } from '../../src/testing/khazana/group-agreement.js'
import { NodeCluster, leaseMs, pageSize } from './node-cluster.js'

const first = { offset: 0, length: pageSize }

/** Nodes with a coordinator that is none of theirs. */
class GroupCluster {
  readonly cluster: NodeCluster
  readonly #coordinator: { it?: SimCoordinator } = {}

  constructor(nodes: number, seed = 1) {
    const clock = (): ReturnType<typeof schedulerClock> => schedulerClock(this.cluster.world.scheduler)
    const coordinator = (): ReturnType<SimCoordinator['accessOf']> =>
      this.coordinator.accessOf(undefined, clock())
    this.cluster = new NodeCluster({ nodes, seed, more: () => ({ coordinator }) })
  }

  get coordinator(): SimCoordinator {
    const { scheduler } = this.cluster.world
    this.#coordinator.it ??= new SimCoordinator({ scheduler, random: Prng.fromSeed(7) })
    return this.#coordinator.it
  }

  /** Who leads the region's group, and its members. */
  groupOf(region: Region): { readonly home: number; readonly members: readonly number[] } {
    for (const node of this.cluster.nodes) {
      if (node.home.find(region.address) === undefined) continue
      const part = node.groups
        .all()
        .find(({ isServed, copies }) => isServed && copies.find(region.address) !== undefined)
      return { home: node.node, members: part?.record?.members ?? [] }
    }
    throw new Error('nobody is the home of the region')
  }

  /** Has the group all its members, with all there is? */
  async whole(region: Region, count: number): Promise<void> {
    await this.cluster.until(`the group has ${count} members`, () => {
      try {
        return this.groupOf(region).members.length === count
      } catch {
        return false
      }
    })
    await this.cluster.pause(500)
    assert.deepEqual(await differentBackups(this.cluster.nodes), [])
  }
}

async function write(region: Region, value: number, timeoutMs = 20_000): Promise<void> {
  const lock = await region.lock('write', first, { timeoutMs })
  lock.write(0, new Uint8Array([value]))
  await lock.unlock()
}

/** The same, again where the home was lost under it. Answers with how long it took, in milliseconds. */
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

async function read(region: Region, timeoutMs = 20_000): Promise<number | undefined> {
  const lock = await region.lock('read', first, { timeoutMs })
  const value = lock.read(0, 1)[0]
  await lock.unlock()
  return value
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (reason: unknown) => KhazanaError.from(reason).code,
  )

describe('a region with replicas', () => {
  it('goes on at a backup when its home dies, within a lease and half a second, over 20 seeds', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const groups = new GroupCluster(4, seed)
      const { cluster } = groups
      await cluster.run(async () => {
        const region = await cluster.reserve(2, 2, { minReplicas: 2 })
        await write(region, 7)
        const { members } = groups.groupOf(region)
        const user = [1, 3, 4].find((node) => !members.includes(node)) ?? 4
        const there = await cluster.at(user, region)
        assert.equal(await read(there), 7)
        await write(there, 8)
        cluster.crash(2)
        const tookMs = await writeAgain(cluster, there, 9)
        assert.ok(tookMs < leaseMs + 500, `seed ${seed}: ${tookMs} ms`)
        assert.equal(groups.groupOf(region).home, members[1])
        assert.equal(await read(there), 9)
      })
    }
  })

  it('says of too few nodes what the home says, to whoever asks, and is not short for it', async () => {
    const { cluster } = new GroupCluster(3)
    await cluster.run(async () => {
      const region = await cluster.reserve(2, 1, { minReplicas: 2 })
      for (const number of [2, 3]) {
        const there = await cluster.at(number, region)
        await assert.rejects(there.setAttributes({ minReplicas: 4 }, { timeoutMs: 20_000 }), {
          code: 'unreachable',
          message: 'a region with minReplicas 4 needs that many nodes: the cluster has 3',
        })
      }
      // Where a node has died in the meantime, the group that is to hold it is begun, and keeps nothing.
      cluster.crash(1)
      const there = await cluster.at(3, region)
      await assert.rejects(there.setAttributes({ minReplicas: 3 }, { timeoutMs: 9000 }), {
        code: 'unreachable',
        message: /^a region with minReplicas 3 needs that many nodes: its home group has [12] so far$/,
      })
      const { short } = cluster.node(2).groups.counts
      assert.equal(short, 0)
      await cluster.start(1)
      const changed = await there.setAttributes({ minReplicas: 3 }, { timeoutMs: 20_000 })
      assert.equal(changed.minReplicas, 3)
    })
  })

  it('can be asked about, and changed, as soon as a backup has taken over, by those who asked just after its home died', async () => {
    for (const afterMs of [leaseMs, leaseMs + 100, leaseMs + 500]) {
      const groups = new GroupCluster(5)
      const { cluster } = groups
      await cluster.run(async () => {
        const region = await cluster.reserve(2, 1, { minReplicas: 3 })
        await write(region, 1)
        const there = [await cluster.at(4, region), await cluster.at(5, region)]
        for (const one of there) await one.stat(first)
        cluster.crash(2)
        await cluster.pause(afterMs)
        const start = cluster.now()
        const calls = there.flatMap((one) => [
          one.stat(first, { timeoutMs: 20_000 }),
          one.setAttributes({ labels: { owner: 'mail' } }, { timeoutMs: 20_000 }),
        ])
        await Promise.all(calls)
        const ms = cluster.now() - start
        assert.ok(ms < leaseMs + 3000, `${afterMs} ms after the home had died it took ${ms} ms`)
      })
    }
  })

  it('gets a member for each that is lost, which then can take over', async () => {
    const groups = new GroupCluster(4)
    const { cluster } = groups
    await cluster.run(async () => {
      const region = await cluster.reserve(1, 2, { minReplicas: 2 })
      const there = await cluster.at(4, region)
      await write(there, 1)
      for (let value = 2; value < 6; value++) {
        await groups.whole(region, 2)
        const { home } = groups.groupOf(region)
        const user = await cluster.at(home === 4 ? 3 : 4, region)
        cluster.crash(home)
        await writeAgain(cluster, user, value)
        await cluster.start(home)
        assert.equal(await read(await cluster.at(home, region)), value)
      }
      await groups.whole(region, 2)
    })
  })

  it('loses nothing that was acknowledged, whichever of three members die together', async () => {
    for (const dead of [
      [1, 2],
      [1, 3],
      [2, 3],
    ]) {
      const groups = new GroupCluster(3)
      const { cluster } = groups
      await cluster.run(async () => {
        const region = await cluster.reserve(1, 1, { minReplicas: 3 })
        await groups.whole(region, 3)
        await write(region, 42)
        for (const node of dead) cluster.losePower(node)
        const left = [1, 2, 3].find((node) => !dead.includes(node)) ?? 0
        assert.equal(await read(await cluster.at(left, region)), 42)
        for (const node of dead) await cluster.start(node)
        await groups.whole(region, 3)
      })
    }
  })

  it('is not served by a home that stood still for longer than its lease, before or after it goes on', async () => {
    const groups = new GroupCluster(3)
    const { cluster } = groups
    await cluster.run(async () => {
      const region = await cluster.reserve(1, 1, { minReplicas: 2 })
      await write(region, 1)
      const before = await region.lock('write', first)
      const resume = cluster.freeze(1)
      const { members } = groups.groupOf(region)
      const other = await cluster.at(members[1] === 2 ? 3 : 2, region)
      await cluster.pause(leaseMs + 200)
      await writeAgain(cluster, other, 2)
      resume()
      // In the very first turn: nothing has told it yet.
      assert.throws(() => before.read(0, 1), { code: 'context-broken' })
      assert.equal(region.tryLock('read', first), undefined)
      assert.equal(await read(region), 2)
      await groups.whole(region, 2)
    })
  })

  it('goes on without the coordinator until the lease ends, and again when it is back; others go on all the while', async () => {
    const groups = new GroupCluster(3)
    const { cluster } = groups
    await cluster.run(async () => {
      const region = await cluster.reserve(1, 1, { minReplicas: 2 })
      const alone = await cluster.reserve(1)
      const there = await cluster.at(3, region)
      const aloneThere = await cluster.at(3, alone)
      await write(there, 1)
      const mend = groups.coordinator.cutOff()
      await write(there, 2)
      await cluster.pause(leaseMs + 100)
      assert.match(await codeOf(write(there, 3, 500)), /timeout|unreachable/)
      assert.equal(await codeOf(write(region, 3, 500)), 'timeout')
      await write(aloneThere, 4)
      assert.equal(await read(alone), 4)
      mend()
      await writeAgain(cluster, there, 5)
      assert.equal(await read(region), 5)
      await groups.whole(region, 2)
    })
  })

  it('is acknowledged without a backup only when that is no member any more', async () => {
    const groups = new GroupCluster(2)
    const { cluster } = groups
    await cluster.run(async () => {
      const region = await cluster.reserve(1, 1, { minReplicas: 2 })
      await write(region, 1)
      cluster.crash(2)
      const mend = groups.coordinator.cutOff()
      assert.equal(await codeOf(Promise.race([write(region, 2), cluster.pause(1000)])), 'none')
      assert.deepEqual(groups.groupOf(region).members, [1, 2])
      mend()
      await writeAgain(cluster, region, 3)
      assert.deepEqual(groups.groupOf(region).members, [1])
      await cluster.start(2)
      await groups.whole(region, 2)
    })
  })

  it('cannot be had where there are not that many nodes, or with more than a group may have', async () => {
    const groups = new GroupCluster(2)
    await groups.cluster.run(async () => {
      const khazana = new Khazana(groups.cluster.node(1))
      const reserve = (minReplicas: number): Promise<string> =>
        codeOf(khazana.reserve(pageSize, { minReplicas, timeoutMs: 2000 }))
      assert.equal(await reserve(3), 'unreachable')
      assert.equal(await reserve(8), 'unsupported')
      assert.equal(await reserve(2), 'none')
    })
  })

  it('ends wherever it is homed, and its addresses are given again where they came from, and not before', async () => {
    const groups = new GroupCluster(4)
    const { cluster } = groups
    await cluster.run(async () => {
      const region = await cluster.reserve(2, 1, { minReplicas: 2 })
      const { members } = groups.groupOf(region)
      const user = [1, 3, 4].find((node) => !members.includes(node)) ?? 4
      const there = await cluster.at(user, region)
      cluster.crash(2)
      await writeAgain(cluster, there, 1)
      await groups.whole(region, 2)
      await cluster.start(2)
      // Its address is taken at the node that has it in its pool, whether that keeps a copy or not.
      await cluster.pause(5000)
      cluster.crash(2)
      await cluster.start(2)
      const next = await cluster.reserve(2, 1)
      assert.notEqual(next.address, region.address)
      await there.unreserve()
      assert.equal(await codeOf(read(await cluster.at(user, next))), 'none')
      await cluster.until('the address is free again', () => cluster.node(2).pools.isFree(region.address))
      assert.equal(await codeOf(read(there)), 'no-such-region')
    })
  })

  it('goes on when its home leaves the cluster, and when a backup does; its addresses go with the pool', async () => {
    const groups = new GroupCluster(4)
    const { cluster } = groups
    await cluster.run(async () => {
      const region = await cluster.reserve(2, 1, { minReplicas: 2 })
      const there = await cluster.at(1, region)
      await write(there, 1)
      const [, backup = 0] = groups.groupOf(region).members
      const user = await cluster.at(backup === 1 ? 3 : 1, region)
      await cluster.leave(2)
      await writeAgain(cluster, user, 2)
      assert.equal(groups.groupOf(region).home, backup)
      await groups.whole(region, 2)
      const other = groups.groupOf(region).members[1] ?? 0
      await cluster.leave(other)
      const left = [1, 3, 4].find((node) => node !== other && node !== backup) ?? 0
      const last = await cluster.at(left, region)
      await writeAgain(cluster, last, 3)
      assert.equal(await read(last), 3)
      await groups.whole(region, 2)
      for (const { pools } of cluster.nodes) assert.equal(pools.isFree(region.address), false)
      await last.unreserve()
      await cluster.until('the address is free again', () =>
        cluster.nodes.some(({ pools }) => pools.isFree(region.address)),
      )
    })
  })

  it('keeps the only node that has it in the cluster, and the founder that keeps the coordinator', async () => {
    const groups = new GroupCluster(2)
    await groups.cluster.run(async () => {
      const { cluster } = groups
      const region = await cluster.reserve(2, 1, { minReplicas: 2 })
      await write(region, 1)
      await cluster.leave(1)
      await cluster.until('it is alone', () => groups.groupOf(region).members.length === 1)
      assert.equal(await codeOf(cluster.node(2).leave({ timeoutMs: 2000 })), 'unreachable')
      assert.equal(await read(region), 1)
    })
    const embedded = new NodeCluster({ nodes: 2 })
    await embedded.run(async () => {
      await embedded.reserve(2, 1, { minReplicas: 2 })
      assert.equal(await codeOf(embedded.node(1).leave({ timeoutMs: 2000 })), 'unsupported')
    })
  })
})
